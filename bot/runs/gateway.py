"""The model gateway: the one door of a run to its model, a unix socket of its own.

The agent holds no key. The gateway adds it, passes `POST /v1/messages` and its token count on as they come, counts
tokens and money from the answers, and refuses further requests when the run's budget is spent. What it saw (a usage
limit, a stream cut short) is evidence for judging the run: it can't be forged by the agent's words.
"""

import asyncio
import email.utils
import json
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.runs.prices import PRICES, Price, Usage, price_of
from bot.runs.supervisor import Pulse

_BODY = 64 << 20
_LONG_WAIT = 60.0
"""From this many seconds on, a 429 is the account's usage limit and no longer a busy minute."""
_OURS = {"host", "x-api-key", "authorization", "content-length", "connection", "accept-encoding", "transfer-encoding"}
_HOP = {"content-length", "connection", "transfer-encoding", "content-encoding", "keep-alive"}
_OAUTH_BETA = "oauth-2025-04-20"


@dataclass(frozen=True)
class Upstream:
    """Where the model is and what opens it: an API key, or an OAuth token of a subscription."""

    base_url: str = "https://api.anthropic.com"
    api_key: str = field(default="", repr=False)
    oauth_token: str = field(default="", repr=False)


@dataclass
class Meter:
    """What one run used and met. `budget_usd` None means no limit."""

    budget_usd: float | None = None
    prices: Mapping[str, Price] = field(default_factory=lambda: PRICES)
    pulse: Pulse = field(default_factory=Pulse)
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    refused: bool = False
    """A request was refused because the budget is spent."""
    limited: bool = False
    """The last answer said that the account is at its usage limit; `resets_at` tells until when, if it said."""
    resets_at: datetime | None = None
    unfinished: bool = False
    """The last answer broke off, or there was none."""

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.budget_usd is not None and self.cost_usd >= self.budget_usd

    def charge(self, model: str, usage: Usage) -> None:
        """Add the tokens of one answer."""
        self.cost_usd += price_of(model, self.prices).usd(usage)
        self.input_tokens += usage.read
        self.output_tokens += usage.output

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Note what the head of an answer says about the account's limit."""
        self.limited, self.resets_at = False, None
        if status != 429:
            return
        now = datetime.now(UTC)
        resets_at = _reset_time(headers, now)
        rejected = headers.get("anthropic-ratelimit-unified-status") == "rejected"
        if rejected or (resets_at and resets_at - now >= timedelta(seconds=_LONG_WAIT)):
            self.limited, self.resets_at = True, resets_at


def _reset_time(headers: Mapping[str, str], now: datetime) -> datetime | None:
    reset, retry = headers.get("anthropic-ratelimit-unified-reset", ""), headers.get("retry-after", "")
    try:
        if reset:
            return datetime.fromtimestamp(float(reset), UTC)
        return now + timedelta(seconds=float(retry)) if retry else None
    except (ValueError, OverflowError, OSError):
        date = email.utils.parsedate_tz(retry)
        return datetime.fromtimestamp(email.utils.mktime_tz(date), UTC) if date else None


class _Tally:
    """Reads the usage out of one answer while its bytes pass by."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.counts: dict[str, int] = {}
        self.finished = False
        self._line = bytearray()
        self._said = 0

    def stream(self, chunk: bytes) -> None:
        """Take in some bytes of a server-sent event stream."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._event(bytes(self._line + part))
            self._line.clear()
        self._line += rest

    def whole(self, body: bytes) -> None:
        """Take in an answer that is one JSON object."""
        message = _json(body)
        self.finished = bool(message)
        self._take(message)

    @property
    def usage(self) -> Usage:
        """The tokens seen. A stream that broke off never said its output: four characters count as one token."""
        output = self.counts.get("output_tokens", 0)
        return Usage(
            input=self.counts.get("input_tokens", 0),
            output=output if self.finished else max(output, self._said // 4),
            cache_write=self.counts.get("cache_creation_input_tokens", 0),
            cache_read=self.counts.get("cache_read_input_tokens", 0),
        )

    def _event(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        event = _json(line[5:])
        match event.get("type"):
            case "message_start":
                self._take(event.get("message"))
            case "message_delta":
                self._take(event)
            case "content_block_delta":
                delta = event.get("delta")
                parts = delta.items() if isinstance(delta, dict) else ()
                self._said += sum(len(text) for name, text in parts if name != "type" and isinstance(text, str))
            case "message_stop":
                self.finished = True

    def _take(self, message: object) -> None:
        if not isinstance(message, dict):
            return
        self.model = str(message.get("model") or self.model)
        usage = message.get("usage")
        counts = usage.items() if isinstance(usage, dict) else ()
        self.counts |= {name: count for name, count in counts if isinstance(count, int)}


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}  # not ours to judge: it is passed on as it is
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Gateway:
    """An open gateway: the socket that the run speaks to, and what it has used so far."""

    socket: Path
    meter: Meter


@asynccontextmanager
async def gateway(upstream: Upstream, meter: Meter) -> AsyncIterator[Gateway]:
    """Keep a door to the model open for one run; it is gone when the block ends."""
    folder = _short_folder()
    try:
        path = folder / "model.sock"
        async with (
            httpx2.AsyncClient(timeout=httpx2.Timeout(600, connect=10), trust_env=True, verify=_trusted()) as client,
            _serving(_app(upstream, meter, client), path),
        ):
            yield Gateway(path, meter)
    finally:
        shutil.rmtree(folder)


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificates, read once: it takes 50 ms."""
    return ssl.create_default_context()


def _short_folder() -> Path:
    """A unix socket's path must stay under 108 bytes, so the folder of the run is too deep."""
    base = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="callboard-", dir=base if len(base) < 60 else "/tmp"))  # noqa: S108  # mode 0700


@asynccontextmanager
async def _serving(app: Starlette, path: Path) -> AsyncIterator[None]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(sockets=[listener]))  # serve() would take over the service's signals
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


def _app(upstream: Upstream, meter: Meter, client: httpx2.AsyncClient) -> Starlette:
    async def messages(request: Request) -> Response:
        return await _forward(request, upstream, meter, client)

    paths = ("/v1/messages", "/v1/messages/count_tokens")
    return Starlette(routes=[Route(path, messages, methods=["POST"]) for path in paths])


async def _forward(request: Request, upstream: Upstream, meter: Meter, client: httpx2.AsyncClient) -> Response:
    meter.pulse.beat()
    meter.requests += 1
    if meter.spent:
        meter.refused = True
        return _error(402, "billing_error", f"This run has spent its budget of ${meter.budget_usd:.2f}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY:
            return _error(413, "request_too_large", "The request is larger than 64 MB.")
    url = upstream.base_url.rstrip("/") + request.url.path + (f"?{request.url.query}" if request.url.query else "")
    sent = client.build_request("POST", url, headers=_headers(request, upstream), content=bytes(body))
    meter.unfinished = True
    try:
        answer = await client.send(sent, stream=True)
    except httpx2.HTTPError as error:
        return _error(502, "api_error", f"The model could not be reached: {type(error).__name__}")
    meter.answered(answer.status_code, answer.headers)
    tally = _Tally(str(_json(bytes(body)).get("model", "")))
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
    return StreamingResponse(_pass_on(answer, tally, meter), answer.status_code, headers)


async def _pass_on(answer: httpx2.Response, tally: _Tally, meter: Meter) -> AsyncIterator[bytes]:
    streaming = "text/event-stream" in answer.headers.get("content-type", "")
    whole = bytearray()
    try:
        async for chunk in answer.aiter_bytes():
            meter.pulse.beat()
            if streaming:
                tally.stream(chunk)
            else:
                whole += chunk
            yield chunk
        if not streaming:
            tally.whole(bytes(whole))
    except httpx2.HTTPError as error:
        broken = {"type": "error", "error": {"type": "api_error", "message": f"The model broke off: {error}"}}
        if streaming:
            yield f"event: error\ndata: {json.dumps(broken)}\n\n".encode()
    finally:
        await answer.aclose()
        meter.unfinished = not tally.finished
        meter.charge(tally.model, tally.usage)


def _headers(request: Request, upstream: Upstream) -> dict[str, str]:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
    headers["accept-encoding"] = "identity"
    if upstream.api_key:
        headers["x-api-key"] = upstream.api_key
    elif upstream.oauth_token:
        headers["authorization"] = f"Bearer {upstream.oauth_token}"
        headers["anthropic-beta"] = ",".join(filter(None, [headers.get("anthropic-beta"), _OAUTH_BETA]))
    return headers


def _error(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"type": "error", "error": {"type": kind, "message": message}}, status)
