"""`make bench-gateway`: what the model gateway adds to a request, over loopback against a scripted model.

The same streaming request goes to the model directly and through the gateway, in turn, so that both meet the same
machine. What counts is the time to the first byte of the answer. The gateway asks the till in a real PostgreSQL for
every call, as in service. Exit code 1 when the median is 5 ms or more; on a machine that is busy with other things most
of it is waiting for a processor, so its load is printed, too.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bot.engine.database import Database, open_database
from bot.engine.till import Till
from bot.runs.account import RunAccount
from bot.runs.gateway import Meter, Upstream, gateway
from bot.simulator.serving import serve

REQUESTS = 300
FIRST = 89_000
"""Bytes of the first request of an agent, as measured (facts on agents)."""
MOST = 5.0
_RUN = """
    INSERT INTO runs (run_id, key, issue, generation, stage, caps, priority, spec, state)
    VALUES ('bench', 'epic:bench', 'bench', 1, 'dev', '[]', 0, '{}', 'running')
"""


async def _answer(request: Request) -> Response:
    await request.body()

    async def events() -> AsyncIterator[bytes]:
        usage = {"input_tokens": 10, "output_tokens": 1}
        start = {"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": usage}}
        for event in (start, {"type": "message_delta", "usage": {"output_tokens": 5}}, {"type": "message_stop"}):
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()

    return StreamingResponse(events(), media_type="text/event-stream")


async def _first_byte(client: httpx2.AsyncClient, url: str, body: bytes) -> float:
    """Milliseconds until the answer begins."""
    began = time.perf_counter()
    async with client.stream("POST", url, content=body) as answer:
        chunks = answer.aiter_bytes()
        await anext(chunks)
        took = (time.perf_counter() - began) * 1_000
        async for _ in chunks:
            continue
        assert answer.status_code == 200, answer.status_code
    return took


async def measure(database: Database, requests: int, size: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the first byte: directly, and through the gateway."""
    message = {"role": "user", "content": "x" * size}
    body = json.dumps({"model": "claude-opus-5-5", "max_tokens": 1_000, "stream": True, "messages": [message]}).encode()
    till = Till(database.pool)
    async with database.pool.connection() as connection:
        await connection.execute("DELETE FROM runs WHERE run_id = 'bench'")
        await connection.execute(_RUN)
    await till.allow("epic:bench", 1e6, 0.0)
    app = Starlette(routes=[Route("/v1/messages", _answer, methods=["POST"])])
    meter = Meter(1e6, account=RunAccount(till, "bench", 1e6))
    direct, through = [], []
    async with serve(app) as url, gateway(Upstream(url, api_key="k"), meter) as door:
        headers = {"x-api-key": door.token, "content-type": "application/json"}
        socket = httpx2.AsyncHTTPTransport(uds=str(door.socket))
        async with (
            httpx2.AsyncClient(headers=headers) as plain,
            httpx2.AsyncClient(headers=headers, transport=socket) as behind,
        ):
            for _ in range(requests):
                direct.append(await _first_byte(plain, f"{url}/v1/messages", body))
                through.append(await _first_byte(behind, "http://model.invalid/v1/messages", body))
    assert meter.requests == requests
    return direct, through


def report(direct: list[float], through: list[float]) -> tuple[float, str]:
    """The median that is added, and a line for people."""
    added = sorted(other - one for one, other in zip(direct, through, strict=True))
    median, last = statistics.median(added), added[int(len(added) * 0.99)]
    plain = statistics.median(direct)
    return median, f"added per request: median {median:.2f} ms, p99 {last:.2f} ms (directly: median {plain:.2f} ms)"


async def main() -> int:
    """Measure a small and a usual first request, print, and judge."""
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder:
        async with open_database(None, Path(folder) / "database") as database:
            for size in (2_000, FIRST):
                median, line = report(*(await measure(database, REQUESTS, size)))
                worst = max(worst, median)
                sys.stdout.write(f"{REQUESTS} requests of {size // 1_000} kB, {line}\n")
    good = 0 < worst < MOST  # less than nothing is a measurement that went wrong
    word = "below" if good else "NOT below"
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    sys.stdout.write(f"{word} {MOST:.0f} ms at the median; {load}\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
