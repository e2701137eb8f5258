"""The model gateway adds the key, counts, refuses when the money is spent, and remembers what it saw."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.runs.gateway import Gateway, Meter, Upstream, gateway
from bot.runs.prices import PRICES, Price, Usage, price_of
from bot.simulator.model import Fault, Log, Spent, model_app, says
from bot.simulator.serving import serve

ASKED = {"model": "claude-opus-5-5", "stream": True, "messages": [{"role": "user", "content": "TASK_ID: YOU-1"}]}


@asynccontextmanager
async def opened(
    app: Starlette, meter: Meter, **secrets: str
) -> AsyncIterator[tuple[Gateway, Callable[..., httpx2.Response]]]:
    async with serve(app) as url, gateway(Upstream(url, **secrets), meter) as door, speaking(door) as client:
        yield door, client.post  # type: ignore[misc]


def speaking(door: Gateway, **more: Any) -> httpx2.AsyncClient:
    """What an agent speaks with: the socket and the token of its run."""
    transport, headers = httpx2.AsyncHTTPTransport(uds=str(door.socket)), {"authorization": f"Bearer {door.token}"}
    return httpx2.AsyncClient(transport=transport, base_url="http://model.invalid", headers=headers, timeout=10, **more)


async def test_an_answer_is_passed_on_and_counted_by_class_of_token() -> None:
    meter = Meter()
    spent = Spent(input=1_000, output=200, cache_write=400, cache_read=10_000)
    log = Log()
    async with opened(model_app(lambda _: [says("hello", spent=spent)], log), meter, api_key="key-1") as (_, post):
        answer = await post("/v1/messages?beta=true", json=ASKED, headers={"x-own": "1"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"text": "hello"' in answer.text
    assert (meter.input_tokens, meter.output_tokens, meter.unfinished) == (11_400, 200, False)
    assert meter.cost_usd == pytest.approx((1_000 * 5 + 400 * 6.25 + 10_000 * 0.5 + 200 * 25) / 1e6)
    assert (log.entries[0].headers["x-api-key"], log.entries[0].headers["x-own"]) == ("key-1", "1")
    assert json.loads(log.entries[0].body) == ASKED


async def test_an_answer_that_is_no_stream_is_counted_too() -> None:
    meter = Meter()
    async with opened(model_app(lambda _: [says("hello")]), meter) as (_, post):
        answer = await post("/v1/messages", json=ASKED | {"stream": False})
    assert answer.json()["content"][0]["text"] == "hello"
    assert (meter.input_tokens, meter.output_tokens) == (2_000, 300)


async def test_a_subscription_is_opened_by_its_token() -> None:
    log = Log()
    async with opened(model_app(lambda _: [says("x")], log), Meter(), oauth_token="token-1") as (_, post):
        await post("/v1/messages", json=ASKED, headers={"anthropic-beta": "a-1"})
    headers = log.entries[0].headers
    assert headers["authorization"] == "Bearer token-1"
    assert headers["anthropic-beta"] == "a-1,oauth-2025-04-20"
    assert "x-api-key" not in headers


@pytest.mark.attack("S-32", "S-60")
async def test_when_the_budget_is_spent_further_requests_are_refused() -> None:
    meter, log = Meter(budget_usd=0.01), Log()
    async with opened(model_app(lambda _: [says("x")], log), meter) as (_, post):
        assert (await post("/v1/messages", json=ASKED)).status_code == 200
        assert not meter.refused
        refused = await post("/v1/messages", json=ASKED)
    assert refused.status_code == 402
    assert refused.json()["error"] == {"type": "billing_error", "message": "This run has spent its budget of $0.01."}
    assert meter.refused
    assert len(log.entries) == 1


async def test_bytes_pass_without_delay() -> None:
    go = asyncio.Event()

    async def slow(request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"event: ping\n\n"
            await go.wait()
            yield b'data: {"type":"message_stop"}\n\n'

        return StreamingResponse(body(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/v1/messages", slow, methods=["POST"])])
    async with (
        serve(app) as url,
        gateway(Upstream(url), Meter()) as door,
        speaking(door) as client,
        client.stream("POST", "/v1/messages", json=ASKED) as answer,
    ):
        chunks = answer.aiter_bytes()
        assert await anext(chunks) == b"event: ping\n\n"
        go.set()
        assert b"message_stop" in await anext(chunks)


async def test_a_stream_that_breaks_off_is_noted_and_what_was_said_is_paid() -> None:
    meter = Meter()
    async with opened(model_app(lambda _: [says("x" * 4_000, fault=Fault(drop=True))]), meter) as (_, post):
        await post("/v1/messages", json=ASKED)
    assert meter.unfinished
    assert (meter.input_tokens, meter.output_tokens) == (2_000, 1_000)


@pytest.mark.parametrize(
    ("headers", "limited"),
    [
        ({"retry-after": "3600"}, True),
        ({"retry-after": "5"}, False),
        ({}, False),
        ({"retry-after": "nonsense"}, False),
        ({"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "4102444800"}, True),
    ],
)
async def test_a_usage_limit_is_told_from_a_busy_minute(headers: dict[str, str], limited: bool) -> None:
    meter = Meter()
    fault = Fault(429, "rate_limit_error", headers=headers, times=1)
    async with opened(model_app(lambda _: [says("x", fault=fault)]), meter) as (_, post):
        answer = await post("/v1/messages", json=ASKED)
        assert answer.status_code == 429
        assert answer.headers.get("retry-after") == headers.get("retry-after")
        assert meter.limited is limited
        assert (meter.resets_at is not None) is limited
        await post("/v1/messages", json=ASKED)
        assert not meter.limited


def test_a_reset_time_may_be_seconds_a_moment_or_a_date() -> None:
    meter = Meter()
    meter.answered(429, {"retry-after": "120"})
    assert meter.resets_at is not None
    assert abs(meter.resets_at - datetime.now(UTC) - timedelta(seconds=120)) < timedelta(seconds=5)
    meter.answered(429, {"anthropic-ratelimit-unified-reset": "4102444800"})
    assert meter.resets_at == datetime(2100, 1, 1, tzinfo=UTC)
    meter.answered(429, {"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"})
    assert meter.resets_at == datetime(2100, 1, 1, tzinfo=UTC)


async def test_a_model_that_cannot_be_reached_is_an_answer_the_agent_understands() -> None:
    meter = Meter()
    async with gateway(Upstream("http://127.0.0.1:9"), meter) as door, speaking(door) as client:
        answer = await client.post("/v1/messages", json=ASKED)
    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "api_error"
    assert meter.unfinished


@pytest.mark.attack("S-32")
async def test_only_the_two_doors_of_the_messages_api_are_open() -> None:
    async with opened(model_app(lambda _: [says("x")]), Meter()) as (_, post):
        assert (await post("/v1/messages/count_tokens", json=ASKED)).json()["input_tokens"] > 0
        assert (await post("/v1/files", json={})).status_code == 404
        assert (await post("/v1/messages/batches", json={})).status_code == 404


async def test_the_socket_has_a_short_path_and_is_gone_afterwards() -> None:
    async with gateway(Upstream("http://127.0.0.1:9"), Meter()) as door:
        assert len(str(door.socket).encode()) < 100
        assert door.socket.parent.stat().st_mode & 0o077 == 0
    assert not door.socket.parent.exists()


async def test_a_token_count_costs_nothing() -> None:
    async def count(request: Request) -> Response:
        return JSONResponse({"input_tokens": 9})

    meter = Meter()
    app = Starlette(routes=[Route("/v1/messages/count_tokens", count, methods=["POST"])])
    async with opened(app, meter) as (_, post):
        await post("/v1/messages/count_tokens", json=ASKED)
    assert meter.cost_usd == 0


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("opus", "opus"),
        ("claude-opus-5-5", "opus"),
        ("claude-opus-5-5[1m]", "opus"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "opus"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("claude-3-opus-20240229", "claude-3-opus"),
        ("claude-opus-5-5-fast", None),
        ("claude-sonnet-5-5", "sonnet"),
        ("gpt-5.5", "gpt-5.5"),
        ("gpt-5.5-2026-04-24", "gpt-5.5"),
        ("gpt-5.5-pro", "gpt-5.5-pro"),
        ("gpt-5.9", None),
        ("gpt-5-turbo", None),
        ("brand-new", None),
        ("not-opusculum", None),
        ("", None),
    ],
)
def test_a_model_goes_by_its_family_and_version_and_a_dearer_variant_is_another_model(
    model: str, name: str | None
) -> None:
    assert price_of(model) == (PRICES[name] if name else None)


def test_a_price_of_ones_own_counts_and_each_class_of_token_has_its_own() -> None:
    own = price_of("own-1", {"own": Price(1, 2)})
    assert own is not None
    assert own.usd(Usage(input=1_000_000, output=1_000_000)) == 3
    assert own.usd(Usage(cache_write=1_000_000)) == 1.25
    assert own.usd(Usage(cache_write_hour=1_000_000)) == 2
    assert own.usd(Usage(cache_read=1_000_000)) == pytest.approx(0.1)
    assert own.usd(Usage(searches=1_000)) == 10
    assert Price(1, 2, cache_write=0, cache_read=0.5).usd(Usage(cache_write=9, cache_read=1_000_000)) == 0.5


def test_no_key_is_shown_when_the_upstream_is_printed() -> None:
    assert "sk-1" not in repr(Upstream(api_key="sk-1", oauth_token="sk-1"))
