"""What a run shares with others: an answer that the account is at its limit pauses everybody, at either vendor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bot.engine.port import Verdict
from bot.runs.account import UNSAID, RunAccount
from bot.runs.gateway import Meter, Upstream, gateway
from bot.simulator.serving import serve

THREE_HOURS = timedelta(hours=3)
LATER = datetime.now(UTC) + THREE_HOURS


class Drawer:
    """A till with one run, as a value."""

    def __init__(self, *words: Verdict) -> None:
        self.words = list(words)
        self.pauses: list[tuple[datetime, str]] = []
        self.settled: list[float] = []

    async def open(self, run_id: str) -> None:
        return None

    async def reserve(self, run_id: str, usd: float, day_usd: float) -> Verdict:
        return self.words.pop(0) if self.words else Verdict("granted")

    async def settle(self, run_id: str, reserved: float, usd: float, read: int, written: int) -> None:
        self.settled.append(usd)

    async def pause(self, until: datetime, why: str) -> None:
        self.pauses.append((until, why))


@asynccontextmanager
async def opened(drawer: Drawer, answer: Any) -> AsyncIterator[tuple[httpx2.AsyncClient, Meter]]:
    async def vendor(_request: Request) -> JSONResponse:
        status, body, headers = answer
        return JSONResponse(body, status, headers)

    paths = ("/v1/messages", "/v1/responses", "/v1/chat/completions")
    app = Starlette(routes=[Route(path, vendor, methods=["POST"]) for path in paths])
    meter = Meter(10, account=RunAccount(drawer, "run-1", 100))
    async with serve(app) as url, gateway(Upstream(url, "k", openai_url=f"{url}/v1", openai_key="k"), meter) as door:
        transport, headers = httpx2.AsyncHTTPTransport(uds=str(door.socket)), {"x-api-key": door.token}
        async with httpx2.AsyncClient(transport=transport, base_url="http://m", headers=headers) as client:
            yield client, meter


def _error(**fields: Any) -> dict[str, Any]:
    return {"type": "error", "error": fields}


LIMITS: dict[str, tuple[str, int, dict[str, Any], dict[str, str], datetime | timedelta]] = {
    "subscription": (
        "/v1/messages", 429, _error(type="rate_limit_error"),
        {"anthropic-ratelimit-unified-status": "rejected",
         "anthropic-ratelimit-unified-reset": str(int(LATER.timestamp()))}, LATER,
    ),
    "long retry-after": ("/v1/messages", 429, _error(type="rate_limit_error"), {"retry-after": "10800"}, THREE_HOURS),
    "credit": ("/v1/messages", 402, _error(type="billing_error"), {}, UNSAID),
    "quota": ("/v1/responses", 429, _error(type="insufficient_quota", code="insufficient_quota"), {}, UNSAID),
    "plan": (
        "/v1/responses", 429, _error(type="usage_limit_reached", resets_at=int(LATER.timestamp())), {}, LATER,
    ),
    "plan in": (
        "/v1/chat/completions", 429, _error(type="usage_limit_reached", resets_in_seconds=10_800), {}, THREE_HOURS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LIMITS)
async def test_an_account_at_its_limit_pauses_everybody_until_it_resets(case: str) -> None:
    path, status, body, headers, until = LIMITS[case]
    drawer, before = Drawer(), datetime.now(UTC)
    async with opened(drawer, (status, body, headers)) as (client, meter):
        answer = await client.post(path, json={"model": "opus", "max_tokens": 1})
    assert (answer.status_code, answer.json()) == (status, body)
    assert (meter.limited, meter.cost_usd) == (True, 0)
    ((paused, why),) = drawer.pauses
    if isinstance(until, timedelta):
        assert before + until <= paused <= datetime.now(UTC) + until
    else:
        assert paused == until.replace(microsecond=0)
    assert "usage limit" in why


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (429, _error(type="rate_limit_error"), {"retry-after": "20"}),
        (429, _error(type="tokens", code="rate_limit_exceeded"), {}),
        (529, _error(type="overloaded_error"), {}),
        (400, _error(type="invalid_request_error", message="insufficient_quota usage limit reached"), {}),
        (429, {"error": "usage_limit_reached"}, {"retry-after": "nonsense"}),
    ],
)
async def test_a_busy_minute_or_a_word_in_prose_pauses_nobody(status: int, body: Any, headers: dict[str, str]) -> None:
    drawer = Drawer()
    async with opened(drawer, (status, body, headers)) as (client, meter):
        await client.post("/v1/messages", json={"model": "opus", "max_tokens": 1})
    assert (drawer.pauses, meter.limited) == ([], False)


@pytest.mark.attack("S-60")
async def test_while_everything_is_paused_no_call_is_passed_on() -> None:
    drawer = Drawer(Verdict("paused", until=LATER, why="At its limit"))
    async with opened(drawer, (500, {}, {})) as (client, meter):
        answer = await client.post("/v1/messages", json={"model": "opus", "max_tokens": 1})
    assert (answer.status_code, answer.json()["error"]["message"]) == (429, "At its limit")
    assert int(answer.headers["retry-after"]) > 3_600
    assert (meter.limited, meter.resets_at) == (True, LATER)


@pytest.mark.attack("S-60")
@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict("epic", 10, 10), "This epic has spent $10.00 of $10.00."),
        (Verdict("day", 250, 250), "The service has spent $250.00 of $250.00 today."),
        (Verdict("unknown"), "This run is not under way."),
        (Verdict("a word of a newer version"), "This run is not under way."),
    ],
)
async def test_money_that_others_spent_stops_this_run_too(verdict: Verdict, said: str) -> None:
    drawer = Drawer(Verdict("wait"), verdict)
    async with opened(drawer, (500, {}, {})) as (client, meter):
        answer = await client.post("/v1/messages", json={"model": "opus", "max_tokens": 1})
    assert (answer.status_code, answer.json()["error"]["message"]) == (402, said)
    assert (meter.exhausted, meter.refused) == (said, False)
    assert drawer.settled == []


async def test_a_call_that_came_to_nothing_gives_back_what_was_taken_off() -> None:
    drawer = Drawer()
    async with opened(drawer, (500, _error(type="api_error"), {})) as (client, _):
        await asyncio.gather(*(client.post("/v1/messages", json={"model": "opus", "max_tokens": 1}) for _ in range(3)))
    assert drawer.settled == [0.0, 0.0, 0.0]
