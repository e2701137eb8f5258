"""The page at `/`: what the engine holds, escaped."""

from datetime import UTC, datetime

import httpx2
from starlette.applications import Starlette

from bot.engine.port import EngineStatus, KeyRow, RunState
from bot.simulator.serving import serve
from bot.web import page


async def test_the_page_shows_runs_sources_and_waiting_keys_and_escapes_them():
    async def status():
        return EngineStatus(
            last_delivery={"linear": datetime(2026, 11, 21, tzinfo=UTC)},
            waiting=(KeyRow("epic:1", 2, "<script>alert(1)</script>", None, parked=True),),
            runs={RunState.RUNNING: 3},
        )

    async with serve(Starlette(routes=[page.route(status)])) as url, httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(url)
    assert "running<td>3" in answer.text
    assert "2026-11-21T00:00:00+00:00" in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
