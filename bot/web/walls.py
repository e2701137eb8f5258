"""What every request goes through before any route sees it, and every answer before anybody reads it.

A route is closed unless it is named here as open, so one that is added later and forgotten is closed. There are three
sorts:

* machines (webhooks, health): no cookie, no page; each proves itself, or says nothing worth hiding;
* open pages (the login and its looks): anybody, at a measured pace;
* everything else: visitors only (`visitors.py`); and what changes something, by whatever method but GET and HEAD, only
  from a page of ours (Origin) with the token of the session, never without a login.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.web.looks import page
from bot.web.rate import Buckets, address
from bot.web.visitors import TurnedAway, Visitor, Visitors
from bot.words import page_sentence

log = structlog.get_logger()

LARGEST_FORM = 64 * 1024
SAFE = frozenset({"GET", "HEAD"})
"""Methods that change nothing, here and everywhere (RFC 9110)."""
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer, browsers send `Origin: null` with our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-robots-tag": "noindex",
}


class Walls:
    """The middleware. `machines` and `open_pages` are the routes that need no visitor."""

    def __init__(
        self, app: ASGIApp, *, visitors: Visitors, machines: Sequence[BaseRoute], open_pages: Sequence[BaseRoute]
    ) -> None:
        self._app, self._visitors = app, visitors
        self._machines, self._open_pages = tuple(machines), tuple(open_pages)
        self._pages, self._refused = Buckets(per_minute=120, burst=60), Buckets(per_minute=60, burst=60)
        self._policy = content_policy(visitors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, or answer in place of the application."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # there are none, so whoever asks for one means no good
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        answer = _Answer(self._dressed(scope, send))
        try:
            await self._through(scope, receive, answer)
        except Exception:
            log.exception("request failed", path=scope["path"][:200], method=scope["method"])
            if not answer.begun:  # else the connection ends in the middle, which tells enough
                await PlainTextResponse("Internal Server Error", 500)(scope, receive, answer)

    async def _through(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _matches(self._machines, scope):
            await self._machine(scope, receive, send)
        elif _matches(self._open_pages, scope):
            await self._open(scope, receive, send)
        else:
            await self._own(scope, receive, send)

    async def _machine(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only what is refused counts: a burst of genuine webhooks must never be turned away."""
        who = _who(scope)
        if self._refused.empty(who):
            await PlainTextResponse("Too Many Requests", 429, {"retry-after": "60"})(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and 400 <= message["status"] < 500:
                self._refused.take(who)
            await send(message)

        await self._app(scope, receive, counted)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = _who(scope)
        if self._pages.empty(who):
            response = turned_away(scope, TurnedAway(429, page_sentence("too_many")), self._visitors)
            response.headers["retry-after"] = "60"
            await response(scope, receive, send)
            return
        self._pages.take(who)
        if scope["method"] not in SAFE and not self._is_ours(scope):
            refusal = TurnedAway(403, page_sentence("origin", home=self._visitors.home))
            await turned_away(scope, refusal, self._visitors)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _own(self, scope: Scope, receive: Receive, send: Send) -> None:
        visitor = await self._visitors.who(Request(scope))
        if isinstance(visitor, TurnedAway):
            await self._stranger(visitor, scope, receive, send)
            return
        if scope["method"] not in SAFE:
            found = await self._may_change(visitor, scope, receive)
            if isinstance(found, TurnedAway):
                await turned_away(scope, found, self._visitors)(scope, receive, send)
                return
            receive = _again(found, receive)
        scope.setdefault("state", {})["visitor"] = visitor
        await self._app(scope, receive, send)

    async def _stranger(self, refusal: TurnedAway, scope: Scope, receive: Receive, send: Send) -> None:
        who = _who(scope)
        if self._pages.empty(who):
            refusal = TurnedAway(429, page_sentence("too_many"))
        self._pages.take(who)
        await turned_away(scope, refusal, self._visitors)(scope, receive, send)

    async def _may_change(self, visitor: Visitor, scope: Scope, receive: Receive) -> bytes | TurnedAway:
        """The body of a request that may change something, or why it may not."""
        if not visitor.session:
            return TurnedAway(403, page_sentence("read_only"))
        if not self._is_ours(scope):
            return TurnedAway(403, page_sentence("origin", home=self._visitors.home))
        request = Request(scope, receive)
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_FORM:
                    return TurnedAway(413, page_sentence("too_large"))
        except ClientDisconnect:
            return TurnedAway(400, page_sentence("too_large"))
        token = request.headers.get("x-csrf-token") or form_of(bytes(body)).get("csrf", "")
        if not self._visitors.fits(visitor, token):
            return TurnedAway(403, page_sentence("token"))
        return bytes(body)

    def _is_ours(self, scope: Scope) -> bool:
        """Whether the browser says that a page of ours sent this; a request without an Origin comes from none."""
        headers = Request(scope).headers
        return headers.get("origin") == self._visitors.origin and headers.get("sec-fetch-site", "same-origin") in (
            "same-origin",
            "none",
        )

    def _dressed(self, scope: Scope, send: Send) -> Send:
        """Put the headers on every answer, also on those of errors."""
        static = scope["path"].startswith("/static/")

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = self._policy
                for name, value in HEADERS.items():
                    headers[name] = value
                if self._visitors.secure:
                    headers["strict-transport-security"] = "max-age=31536000"
                if not static:
                    headers["cache-control"] = "no-store"
            await send(message)

        return dressed


class _Answer:
    """What is sent, and whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


def content_policy(visitors: Visitors) -> str:
    """Files of our own and nothing else: no inline script or style, nobody's frame, forms to us and to who logs in."""
    doors = sorted({_origin(one.authorize_url) for one in visitors.providers.values()})  # browsers follow redirects
    forms = " ".join(("'self'", *doors))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )


def turned_away(scope: Scope, refusal: TurnedAway, visitors: Visitors) -> Response:
    """The page that says why not, with the ways to log in where that helps."""
    doors = tuple(visitors.providers.values()) if refusal.status == HTTPStatus.UNAUTHORIZED else ()
    log.info("turned away", path=scope["path"][:200], method=scope["method"], status=refusal.status)
    return page("closed.html", None, refusal.status, sentence=refusal.sentence, doors=doors)


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a small form; of several of one name the last counts, and what is no form has none."""
    try:
        return {name: values[-1] for name, values in parse_qs(body.decode(), max_num_fields=50).items()}
    except ValueError:
        return {}


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand out a body that was read already, then go on as before."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return parts.pop() if parts else await receive()

    return received


def _matches(routes: Sequence[BaseRoute], scope: Scope) -> bool:
    """A path of these, by whatever method: a wrong method is answered by the route itself, and does nothing."""
    return any(route.matches(scope)[0] is not Match.NONE for route in routes)


def _who(scope: Scope) -> str:
    peer: Any = scope.get("client") or ("",)
    return address(str(peer[0]), Request(scope).headers)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
