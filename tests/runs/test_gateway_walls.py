"""What an agent that was taken over tries at the model gateway: money, other people's doors, the vendor's own arms."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.runs.asking import Asked, NotAsked, understand
from bot.runs.gateway import Gateway, Meter, Upstream, gateway
from bot.runs.prices import PRICES, Usage, price_of
from bot.runs.tally import TALLIES, Wire
from bot.simulator.model import Log, Spent, model_app, says
from bot.simulator.serving import serve

KEY = "sk-canary-of-the-service"
ASKED = {"model": "claude-opus-5-5", "max_tokens": 1_000, "messages": [{"role": "user", "content": "TASK_ID: YOU-1"}]}
CHAT = {"model": "gpt-5.5", "max_completion_tokens": 1_000, "messages": [{"role": "user", "content": "Hello"}]}
RESPONSES = {"model": "gpt-5.5", "max_output_tokens": 1_000, "input": "Hello"}


class Vendor:
    """Both vendors on the wire: what came in, and answers that a test may hold back."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.inside = self.most_inside = 0

    def app(self) -> Starlette:
        paths = ("/v1/messages", "/v1/chat/completions", "/v1/responses")
        return Starlette(routes=[Route(path, self.answer, methods=["POST"]) for path in paths])

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.seen.append((request.url.path, dict(request.headers), body))
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.go.wait()
        finally:
            self.inside -= 1
        if request.url.path == "/v1/messages":
            usage = {"input_tokens": 100, "output_tokens": 1_000}
            return JSONResponse({"type": "message", "model": body["model"], "content": [], "usage": usage})
        stream = (_chat if "chat" in request.url.path else _responses)(body)
        return StreamingResponse(stream, media_type="text/event-stream")


async def _chat(body: dict[str, Any]) -> AsyncIterator[bytes]:
    yield b'data: {"model": "gpt-5.5-2026-04-24", "choices": [{"delta": {"content": "Hel"}}]}\n\n'
    yield b'data: {"choices": [{"delta": {"content": "lo"}, "finish_reason": "stop"}]}\n\n'
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 1_000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 600}}
        yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode()
    yield b"data: [DONE]\n\n"


async def _responses(_body: dict[str, Any]) -> AsyncIterator[bytes]:
    usage = {"input_tokens": 2_000, "output_tokens": 70, "input_tokens_details": {"cached_tokens": 500}}
    for event in (
        {"type": "response.created", "response": {"model": "gpt-5.5"}},
        {"type": "response.output_text.delta", "delta": "Hello"},
        {"type": "response.output_item.done", "item": {"type": "web_search_call"}},
        {"type": "response.completed", "response": {"model": "gpt-5.5", "usage": usage}},
    ):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


@asynccontextmanager
async def _open(vendor: Vendor, meter: Meter, **more: Any) -> AsyncIterator[tuple[Gateway, httpx2.AsyncClient]]:
    async with serve(vendor.app()) as url:
        upstream = Upstream(url, api_key=KEY, openai_url=f"{url}/v1", openai_key=KEY, **more)
        async with gateway(upstream, meter) as door:
            transport, headers = httpx2.AsyncHTTPTransport(uds=str(door.socket)), {"x-api-key": door.token}
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://model.invalid", headers=headers, timeout=20
            ) as client:
                yield door, client


async def test_openai_s_wires_are_passed_on_streaming_with_the_key_and_counted() -> None:
    vendor, meter = Vendor(), Meter()
    async with _open(vendor, meter) as (_, client):
        chat = await client.post("/v1/chat/completions", json=CHAT | {"stream": True})
        assert chat.text.endswith("data: [DONE]\n\n")
        assert (meter.input_tokens, meter.output_tokens, meter.unfinished) == (1_000, 50, False)
        assert meter.cost_usd == pytest.approx((400 * 5 + 600 * 0.5 + 50 * 30) / 1e6)
        answer = await client.post("/v1/responses", json=RESPONSES | {"stream": True})
    assert "response.completed" in answer.text
    assert (meter.input_tokens, meter.output_tokens) == (3_000, 120)
    spent = (400 * 5 + 600 * 0.5 + 50 * 30 + 1_500 * 5 + 500 * 0.5 + 70 * 30) / 1e6 + 0.01
    assert meter.cost_usd == pytest.approx(spent)
    assert [headers["authorization"] for _, headers, _ in vendor.seen] == [f"Bearer {KEY}"] * 2
    assert all("x-api-key" not in headers for _, headers, _ in vendor.seen)


async def test_without_a_key_for_openai_nothing_of_it_is_passed_on() -> None:
    vendor = Vendor()
    async with serve(vendor.app()) as url, gateway(Upstream(url, api_key=KEY, openai_url=url), Meter()) as door:
        transport = httpx2.AsyncHTTPTransport(uds=str(door.socket))
        async with httpx2.AsyncClient(transport=transport, headers={"x-api-key": door.token}) as client:
            answer = await client.post("http://model.invalid/v1/responses", json=RESPONSES)
    assert (answer.status_code, vendor.seen) == (403, [])


@pytest.mark.attack("S-32")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": "the-gateway-has-it"},
        {"x-api-key": KEY},
        {"authorization": "Bearer"},
        {"authorization": "Basic dG9rZW46dG9rZW4="},
        {"authorization": "Bearer of-another-run"},
        {"x-api-key": "\u00e9"},
    ],
)
async def test_whoever_has_no_token_of_this_run_gets_nothing(headers: dict[str, str]) -> None:
    vendor = Vendor()
    async with _open(vendor, Meter()) as (door, client):
        del client.headers["x-api-key"]
        sent = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = await client.post("/v1/messages", json=ASKED, headers=sent)  # type: ignore[arg-type]
        assert KEY not in answer.text
        assert door.token not in answer.text
    assert (answer.status_code, vendor.seen) == (401, [])


@pytest.mark.attack("S-32")
async def test_the_token_of_a_run_opens_no_other_run_and_dies_with_it() -> None:
    vendor = Vendor()
    async with _open(vendor, Meter()) as (first, _), _open(vendor, Meter()) as (second, client):
        assert first.token != second.token
        answer = await client.post("/v1/messages", json=ASKED, headers={"x-api-key": first.token})
        assert answer.status_code == 401
        assert first.token not in repr(first)
    assert not first.socket.exists()


@pytest.mark.attack("S-32")
async def test_the_token_of_a_run_that_is_over_buys_nothing_not_even_from_the_same_account() -> None:
    vendor, meter = Vendor(), Meter()
    async with _open(vendor, meter) as (over, client):
        assert (await client.post("/v1/messages", json=ASKED)).status_code == 200
    async with _open(vendor, meter) as (_, client):
        answer = await client.post("/v1/messages", json=ASKED, headers={"x-api-key": over.token})
    assert (answer.status_code, len(vendor.seen)) == (401, 1)


@pytest.mark.attack("S-32", "S-60")
async def test_parallel_calls_pass_the_budget_by_no_more_than_one_call() -> None:
    """Each call costs 0.0255 at most; forty at once against a budget that is used up by about four."""
    vendor, meter = Vendor(), Meter(budget_usd=0.1)
    vendor.go.clear()
    async with _open(vendor, meter) as (_, client):
        calls = [asyncio.create_task(client.post("/v1/messages", json=ASKED)) for _ in range(40)]
        while not vendor.inside:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)  # so that every call that may is inside
        vendor.go.set()
        codes = [(await call).status_code for call in calls]
    call = PRICES["opus"].usd(Usage(input=100, output=1_000))
    assert codes.count(200) == len(vendor.seen) < 6
    assert codes.count(402) == 40 - len(vendor.seen)
    assert 0.1 <= meter.cost_usd < 0.1 + call
    assert vendor.most_inside > 1
    assert meter.refused


@pytest.mark.attack("S-60")
@pytest.mark.parametrize("model", ["claude-opus-5-5-fast", "gpt-9", "", "o1-pro", "../../etc", "opus\u0000"])
async def test_a_model_whose_price_is_not_known_is_not_called(model: str) -> None:
    vendor, meter = Vendor(), Meter(budget_usd=1)
    async with _open(vendor, meter) as (_, client):
        answer = await client.post("/v1/messages", json=ASKED | {"model": model})
    assert (answer.status_code, vendor.seen, meter.unpriced) == (403, [], model)


REFUSED: list[dict[str, Any]] = [
    {"mcp_servers": [{"type": "url", "url": "https://evil.example/mcp", "name": "x"}]},
    {"container": {"skills": []} | {"id": "c"}},
    {"background": True},
    {"previous_response_id": "resp_1"},
    {"conversation": "conv_1"},
    {"prompt": {"id": "pmpt_1"}},
    {"service_tier": "priority"},
    {"service_tier": ["priority"]},
    {"speed": "fast"},
    {"n": 100},
    {"tools": "web_fetch"},
    {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://evil"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}]},
    {
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "content": [{"type": "image", "source": {"type": "url", "url": "https://evil"}}],
                    }
                ],
            }
        ]
    },
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://evil/?q"}}]}]},
    {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://evil/?q"}]}]},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://evil/?q"}]}]},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]},
    {"input": [{"type": "item_reference", "id": "msg_1"}]},
    {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "image_url": "https://evil"}]}]},
]


@pytest.mark.attack("S-35", "S-60")
@pytest.mark.parametrize("more", REFUSED, ids=lambda more: next(iter(more)))
async def test_nothing_makes_the_vendor_fetch_keep_or_hurry(more: dict[str, Any]) -> None:
    for wire in (Wire.MESSAGES, Wire.CHAT, Wire.RESPONSES, Wire.COUNT):
        assert isinstance(understand(json.dumps(ASKED | more).encode(), wire), NotAsked)


@pytest.mark.attack("S-35")
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b'{"model": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"model": "opus", "temperature": NaN}',
        b'{"messages": []}',
    ],
)
async def test_what_is_no_request_is_not_passed_on(raw: bytes) -> None:
    vendor = Vendor()
    async with _open(vendor, Meter()) as (_, client):
        answer = await client.post("/v1/messages", content=raw)
    assert (answer.status_code, vendor.seen) == (400, [])


SERVER_TOOLS = [
    {"type": "web_search_20250305", "name": "web_search"},
    {"type": "web_fetch_20250910", "name": "web_fetch"},
    {"type": "code_execution_20250825", "name": "code_execution"},
    {"type": "mcp_toolset", "mcp_server_name": "x"},
    {"type": "web_search_preview"},
    {"type": "file_search", "vector_store_ids": ["v"]},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "image_generation"},
    {"type": "mcp", "server_url": "https://evil.example"},
    {"type": "something_new_2027"},
    {"type": ["web_search"]},
    {"type": ""},
    "web_search",
]
OWN_TOOLS = [
    {"name": "Bash", "input_schema": {"type": "object"}},
    {"type": "custom", "name": "Edit"},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "function", "function": {"name": "x"}},
    {"type": "local_shell"},
    {"type": "apply_patch"},
]


@pytest.mark.attack("S-35")
async def test_tools_that_run_at_the_vendor_are_taken_out_and_the_agent_s_own_stay() -> None:
    vendor = Vendor()
    async with _open(vendor, Meter()) as (_, client):
        await client.post("/v1/messages", json=ASKED | {"tools": [*SERVER_TOOLS, *OWN_TOOLS]})
        choice = {"tool_choice": {"type": "tool", "name": "web_search"}}
        await client.post("/v1/messages", json=ASKED | {"tools": SERVER_TOOLS, **choice})
    assert vendor.seen[0][2]["tools"] == OWN_TOOLS
    assert vendor.seen[1][2] == ASKED


async def test_a_tool_at_the_vendor_that_the_policy_names_stays_and_its_searches_are_charged() -> None:
    vendor = Vendor()
    async with _open(vendor, Meter(), server_tools=frozenset({"web_search"})) as (_, client):
        await client.post("/v1/messages", json=ASKED | {"tools": SERVER_TOOLS[:2]})
    assert vendor.seen[0][2]["tools"] == SERVER_TOOLS[:1]
    tally = TALLIES[Wire.MESSAGES]("opus")
    tally.whole(b'{"model": "opus", "usage": {"output_tokens": 1, "server_tool_use": {"web_search_requests": 3}}}')
    assert tally.usage == Usage(output=1, searches=3)


@pytest.mark.attack("S-35", "S-60")
async def test_a_name_that_stands_twice_is_passed_on_as_it_was_understood() -> None:
    raw = json.dumps(ASKED).encode()[:-1] + b', "speed": "fast", "model": "gpt-9", "model": "haiku", "speed": null}'
    vendor = Vendor()
    async with _open(vendor, Meter()) as (_, client):
        await client.post("/v1/messages", content=raw)
    assert vendor.seen[0][2] == ASKED | {"model": "haiku", "speed": None}


@pytest.mark.attack("S-35")
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/files",
        "/v1/messages/batches",
        "/v1/messages/",
        "/v1/models",
        "/v1/organizations/api_keys",
        "/v1/messages%2fbatches",
        "/v1/messages/../files",
        "//v1/messages",
        "/v1/responses/resp_1",
        "/v1/images/generations",
        "http://evil.example/v1/files",
    ],
)
async def test_no_other_door_of_the_vendors_is_open(path: str) -> None:
    vendor = Vendor()
    async with _open(vendor, Meter()) as (_, client):
        for method in ("POST", "GET", "DELETE", "PUT"):
            answer = await client.request(method, path, json=ASKED)
            assert answer.status_code in (404, 405, 307)
    assert vendor.seen == []


@pytest.mark.attack("S-32")
async def test_no_header_of_the_agent_s_reaches_the_vendor_that_says_who_pays() -> None:
    vendor = Vendor()
    hostile = {"openai-organization": "org", "cookie": "a=b", "forwarded": "for=1", "proxy-authorization": "x"}
    async with _open(vendor, Meter()) as (door, client):
        await client.post("/v1/responses", json=RESPONSES, headers=hostile)
        await client.post("/v1/messages?key=x&beta=true", json=ASKED, headers=hostile | {"host": "evil.example"})
    for _, headers, _ in vendor.seen:
        assert not set(hostile) & set(headers)
        assert door.token not in str(headers)
        assert "evil" not in headers["host"]


async def test_a_call_whose_caller_is_gone_is_charged_and_gives_back_what_was_taken_off() -> None:
    log, meter = Log(), Meter(budget_usd=1)
    app = model_app(lambda _: [says("x" * 40_000, spent=Spent(input=100, output=100))], log)
    async with serve(app) as url, gateway(Upstream(url, api_key=KEY), meter) as door:
        transport, headers = httpx2.AsyncHTTPTransport(uds=str(door.socket)), {"x-api-key": door.token}
        async with httpx2.AsyncClient(transport=transport, headers=headers) as client:
            body = ASKED | {"stream": True}
            async with client.stream("POST", "http://model.invalid/v1/messages", json=body) as answer:
                await anext(answer.aiter_bytes())
        while not meter.cost_usd:
            await asyncio.sleep(0.005)
        assert await meter.reserve(0.99) is None  # nothing else is under way, so this is no second call


def test_a_stream_that_never_said_what_it_used_is_charged_by_its_size() -> None:
    for wire in (Wire.CHAT, Wire.RESPONSES, Wire.MESSAGES):
        tally = TALLIES[wire]("gpt-5.5", 4_000)
        assert tally.usage == Usage(input=1_000)
    chat = TALLIES[Wire.CHAT]("gpt-5.5", 4_000)
    chat.stream(b'data: {"choices": [{"delta": {"content": "' + b"x" * 400 + b'"}}]}\n\n')
    assert chat.usage == Usage(input=1_000, output=100)


def test_what_a_call_may_cost_is_never_less_than_what_it_costs() -> None:
    body = json.dumps(ASKED).encode()
    asked = understand(body, Wire.MESSAGES)
    assert isinstance(asked, Asked)
    price = price_of(asked.model)
    assert price is not None
    tokens = len(asked.body)
    dearest = Usage(cache_write_hour=tokens, output=1_000)
    assert price.bound(len(asked.body), asked.most_output) >= price.usd(dearest)
    assert price.bound(0, None) >= price.usd(Usage(output=128_000))
