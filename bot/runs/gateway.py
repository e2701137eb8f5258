"""The model gateway: the one door of a run to its model, a unix socket of its own and a token that dies with the run.

The agent holds no key. The gateway adds it and passes on what may be passed on (`bot/runs/asking.py`) as it comes and
goes, to the vendor whose wire it is; counts tokens and money from the answers; and refuses when a budget is spent or
the account is at its limit. What it saw is evidence for judging the run: it can't be forged by the agent's words.
"""

import asyncio
import hmac
import json
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bot.runs.asking import Asked, NotAsked, understand
from bot.runs.doorway import doorway
from bot.runs.meter import LONG_WAIT, Denial, Meter
from bot.runs.prices import price_of
from bot.runs.tally import TALLIES, Tally, Wire, as_object

__all__ = ["Gateway", "Meter", "Upstream", "gateway"]

_BODY = 64 << 20
_ERROR = 1 << 20
_OURS = {
    *("host", "x-api-key", "authorization", "proxy-authorization", "cookie", "forwarded", "content-length"),
    *("connection", "accept-encoding", "transfer-encoding", "content-encoding", "expect", "upgrade", "te"),
    *("openai-organization", "openai-project"),
}
_HOP = {"content-length", "connection", "transfer-encoding", "content-encoding", "keep-alive", "set-cookie"}
_OAUTH_BETA = "oauth-2025-04-20"
_PATHS: Mapping[str, Wire] = {
    "/v1/messages": Wire.MESSAGES,
    "/v1/messages/count_tokens": Wire.COUNT,
    "/v1/chat/completions": Wire.CHAT,
    "/v1/responses": Wire.RESPONSES,
}


@dataclass(frozen=True)
class Upstream:
    """Where the models are and what opens them.

    Anthropic by an API key or by an OAuth token of a subscription; OpenAI, or what speaks like it, by `openai_key`.
    """

    base_url: str = "https://api.anthropic.com"
    api_key: str = field(default="", repr=False)
    oauth_token: str = field(default="", repr=False)
    openai_url: str = "https://api.openai.com/v1"
    openai_key: str = field(default="", repr=False)
    server_tools: frozenset[str] = frozenset()
    """Tools at the vendor that agents may use, such as `web_search`."""

    def address(self, wire: Wire, path: str) -> str:
        """Where a request on this path goes."""
        if wire in (Wire.CHAT, Wire.RESPONSES):
            return self.openai_url.rstrip("/") + path.removeprefix("/v1")
        return self.base_url.rstrip("/") + path


@dataclass(frozen=True)
class Gateway:
    """An open gateway: the socket that the run speaks to, the token it must show, and what it has used so far."""

    socket: Path
    meter: Meter
    token: str = field(repr=False)


@asynccontextmanager
async def gateway(upstream: Upstream, meter: Meter) -> AsyncIterator[Gateway]:
    """Keep a door to the model open for one run; it is gone when the block ends."""
    timeout = httpx2.Timeout(600, connect=10)
    with doorway() as folder:
        path, token = folder / "model.sock", secrets.token_urlsafe(32)
        async with httpx2.AsyncClient(timeout=timeout, trust_env=True, verify=_trusted()) as client:
            door = _Door(upstream, meter, client, token)
            async with _serving(door.app(), path):
                yield Gateway(path, meter, token)
            await door.settled()


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificates, read once: it takes 50 ms."""
    return ssl.create_default_context()


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


class _Door:
    """Answers the requests of one run."""

    def __init__(self, upstream: Upstream, meter: Meter, client: httpx2.AsyncClient, token: str) -> None:
        self._upstream, self._meter, self._client = upstream, meter, client
        self._token = token.encode()
        self._settling: set[asyncio.Task[None]] = set()

    def app(self) -> Starlette:
        """The routes: four paths, nothing else."""
        return Starlette(
            routes=[Route(path, partial(self._answer, wire), methods=["POST"]) for path, wire in _PATHS.items()]
        )

    async def settled(self) -> None:
        """Wait until every call has been charged."""
        await asyncio.gather(*self._settling)

    async def _answer(self, wire: Wire, request: Request) -> Response:
        self._meter.pulse.beat()
        if not self._is_known(request.headers):
            return _error(401, "authentication_error", "This is not the token of this run.")
        if wire in (Wire.CHAT, Wire.RESPONSES) and not self._upstream.openai_key:
            return _error(403, "permission_error", "The service has no key for OpenAI (OPENAI_API_KEY).")
        raw = bytearray()
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > _BODY:
                return _error(413, "request_too_large", "The request is larger than 64 MB.")
        asked = understand(bytes(raw), wire, self._upstream.server_tools)
        if isinstance(asked, NotAsked):
            return _error(400, "invalid_request_error", asked.reason)
        price = price_of(asked.model, self._meter.prices)
        if price is None:
            self._meter.unpriced = asked.model[:200]
            return _error(
                403, "permission_error", f"The price of {asked.model[:200]} is not known, so it isn't called."
            )
        self._meter.requests += 1
        bound = 0.0 if wire is Wire.COUNT else price.bound(len(asked.body), asked.most_output)
        if wire is not Wire.COUNT and (denied := await self._meter.reserve(bound)):
            return _denied(denied)
        return await self._forward(wire, request, asked, bound)

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        shown = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(shown.encode(), self._token)

    async def _forward(self, wire: Wire, request: Request, asked: Asked, bound: float) -> Response:
        """Send it on. Whatever happens from here on, the call is settled exactly once."""
        tally = None if wire is Wire.COUNT else TALLIES[wire](asked.model, len(asked.body))
        url = self._upstream.address(wire, request.url.path) + ("?beta=true" if "beta" in request.query_params else "")
        sent = self._client.build_request("POST", url, headers=self._headers(wire, request), content=asked.body)
        self._meter.unfinished = True
        try:
            answer = await self._client.send(sent, stream=True)
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            if answer.status_code >= 400:
                body = await self._refusal(answer)
                await self._settle(bound, None)
                return Response(body, answer.status_code, headers)
        except httpx2.HTTPError as error:
            await self._settle(bound, None)
            return _error(502, "api_error", f"The model could not be reached: {type(error).__name__}")
        except BaseException:
            await self._settle(bound, None)
            raise
        self._meter.answered(answer.status_code, answer.headers)
        once = _Once(partial(self._settle, bound, tally, answer))
        return _Passing(self._pass_on(answer, tally, once), answer.status_code, headers, done=once)

    async def _refusal(self, answer: httpx2.Response) -> bytes:
        """Read an error to its end and note what it says of the account."""
        body = bytearray()
        try:
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _ERROR:
                    break
        finally:
            await answer.aclose()
        error = as_object(bytes(body)).get("error")
        self._meter.answered(answer.status_code, answer.headers, error if isinstance(error, dict) else None)
        if self._meter.limited and self._meter.account:
            await self._meter.account.limited(self._meter.resets_at, "The model's account is at its usage limit")
        return bytes(body)

    async def _pass_on(self, answer: httpx2.Response, tally: Tally | None, settle: "_Once") -> AsyncIterator[bytes]:
        """The bytes as they come; the call is charged before the agent sees the end of the answer."""
        streaming = "text/event-stream" in answer.headers.get("content-type", "")
        whole = bytearray()
        try:
            async for chunk in answer.aiter_bytes():
                self._meter.pulse.beat()
                if streaming and tally:
                    tally.stream(chunk)
                else:
                    whole += chunk
                yield chunk
            if not streaming and tally:
                tally.whole(bytes(whole))
            elif tally is None:
                self._meter.unfinished = False
        except httpx2.HTTPError as error:
            broken = {"type": "error", "error": {"type": "api_error", "message": f"The model broke off: {error}"}}
            if streaming:
                yield f"event: error\ndata: {json.dumps(broken)}\n\n".encode()
        await settle()

    async def _settle(self, bound: float, tally: Tally | None, answer: httpx2.Response | None = None) -> None:
        """Charge a call, also when whoever waited for it is gone: it runs beside, and `settled` waits for it."""
        if tally is not None:
            self._meter.unfinished = not tally.finished

        async def work() -> None:
            if answer is not None:
                await answer.aclose()
            if tally is not None:
                await self._meter.settle(bound, tally.model, tally.usage)
            elif bound:
                await self._meter.forgo(bound)

        task = asyncio.create_task(work())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.shield(task)

    def _headers(self, wire: Wire, request: Request) -> dict[str, str]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
        headers |= {"accept-encoding": "identity", "content-type": "application/json"}
        upstream = self._upstream
        if wire in (Wire.CHAT, Wire.RESPONSES):
            headers["authorization"] = f"Bearer {upstream.openai_key}"
        elif upstream.api_key:
            headers["x-api-key"] = upstream.api_key
        elif upstream.oauth_token:
            headers["authorization"] = f"Bearer {upstream.oauth_token}"
            headers["anthropic-beta"] = ",".join(filter(None, [headers.get("anthropic-beta"), _OAUTH_BETA]))
        return headers


class _Once:
    """Something to be done once, whoever asks first."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work, self._begun = work, False

    async def __call__(self) -> None:
        if not self._begun:
            self._begun = True
            await self._work()


class _Passing(StreamingResponse):
    """A stream after which `done` is done, however it ends."""

    def __init__(
        self,
        content: AsyncIterator[bytes],
        status: int,
        headers: Mapping[str, str],
        *,
        done: _Once,
    ) -> None:
        super().__init__(content, status, headers)
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._done()


def _denied(denial: Denial) -> Response:
    """A spent budget, or the vendor's own answer for an account at its limit; clients don't try that again soon."""
    if not denial.limited:
        return _error(402, "billing_error", denial.reason)
    answer = _error(429, "rate_limit_error", denial.reason)
    until = denial.until or datetime.now(UTC) + timedelta(minutes=15)
    seconds = max(LONG_WAIT.total_seconds(), (until - datetime.now(UTC)).total_seconds())
    answer.headers["retry-after"] = str(int(seconds))
    return answer


def _error(status: int, kind: str, message: str) -> JSONResponse:
    """An error in the words that both vendors' clients understand."""
    body: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": message}}
    return JSONResponse(body, status)
