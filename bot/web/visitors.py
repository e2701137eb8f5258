"""Who looks at the pages: a person who logged in, somebody at this very machine, or nobody.

What always holds:

* The cookie holds an id and a signature. The session is a row: revoked, expired or gone means nobody.
* A session is believed for ten minutes without asking; after fifteen it is not believed until somebody could be asked
  whether its person still is a member. No answer is never a yes.
* Somebody at this machine needs no login as long as there is none to be had. That is judged by the socket's peer; a
  header that tells of a proxy says no, and so do a name in `Host` that is not loopback (a page that rebinds its DNS to
  127.0.0.1 has another), and an address of the service that is not loopback (then something may stand before it that
  tells nothing of itself). They can look, and change nothing.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import Request
from starlette.responses import Response

from bot.engine.sessions import LIFETIME, Session, Sessions
from bot.machine.errors import Refused, Transient, UserError
from bot.words import page_sentence

log = structlog.get_logger()

BELIEVED = timedelta(minutes=10)
DOUBTED = timedelta(minutes=15)
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via",
             "cf-connecting-ip", "true-client-ip")  # fmt: skip


class Provider(Protocol):
    """A way to log in (`bot/linear/login.py`, `bot/github/login.py`)."""

    @property
    def name(self) -> str:
        """As in addresses."""

    @property
    def title(self) -> str:
        """As people know it."""

    @property
    def scope(self) -> str:
        """What is asked of the person's account."""

    @property
    def client_id(self) -> str:
        """Of the OAuth application."""

    @property
    def client_secret(self) -> str:
        """Of the OAuth application."""

    @property
    def authorize_url(self) -> str:
        """Where the person is sent."""

    @property
    def token_url(self) -> str:
        """Where a code becomes a token."""

    async def identify(self, token: str) -> tuple[str, str]:
        """Immutable id and name of the person; raises Refused for who is no member, Transient without an answer."""

    async def may(self, person: str) -> bool:
        """Whether this id is a member now; raises Transient without an answer."""


@dataclass(frozen=True)
class Visitor:
    """Who may look. Without a session it is somebody at this machine, who may change nothing."""

    name: str = ""
    provider: str = ""
    person: str = ""
    session: str = ""
    form_token: str = ""
    """What every form of theirs carries."""


@dataclass(frozen=True)
class TurnedAway:
    """Who may not: HTTP status, and a sentence that says what to do."""

    status: int
    sentence: str


class Visitors:
    """Knows visitors by their cookie. `keys` sign, newest first; the older ones are still believed."""

    def __init__(
        self,
        keys: Sequence[str],
        home: str,
        sessions: Sessions,
        providers: Mapping[str, Provider],
        clock: Callable[[], datetime],
    ) -> None:
        parts = urlsplit(home)
        self.home, self.providers = home, providers
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._on_loopback = _is_loopback(parts.hostname or "")
        if providers and parts.scheme != "https" and not self._on_loopback:
            raise UserError(f"People log in over https only: CALLBOARD_BASE_URL must begin with https, not {home}.")
        self.secure = parts.scheme == "https"
        self.cookie = "__Host-callboard" if self.secure else "callboard"  # browsers refuse the prefix without TLS
        self._keys, self._sessions, self._clock = tuple(keys), sessions, clock
        self._signer = signer(keys, "session")

    async def who(self, request: Request) -> Visitor | TurnedAway:
        """Who asks; every doubt is a no."""
        if not self.providers:
            return self._at_this_machine(request)
        sealed = request.cookies.get(self.cookie)
        if sealed is None:
            return TurnedAway(401, page_sentence("who"))
        try:
            id_ = self._signer.unsign(sealed, max_age=int(LIFETIME.total_seconds())).decode()
        except BadSignature:  # also: expired
            return TurnedAway(401, page_sentence("over"))
        session = await self._sessions.find(id_, self._clock())
        if session is None or session.provider not in self.providers:
            return TurnedAway(401, page_sentence("over"))
        return await self._still(id_, session)

    async def enter(self, response: Response, provider: str, person: str, name: str) -> None:
        """Begin a session, and let the browser keep its id."""
        id_ = await self._sessions.begin(provider, person, name, self._clock())
        log.info("logged in", provider=provider, person=person, name=name)
        response.set_cookie(
            self.cookie,
            self._signer.sign(id_).decode(),
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    async def leave(self, visitor: Visitor, *, everywhere: bool) -> None:
        """End this session, or every one of this person."""
        log.info("logged out", provider=visitor.provider, person=visitor.person, everywhere=everywhere)
        if everywhere:
            await self._sessions.revoke_all(visitor.provider, visitor.person, self._clock())
        else:
            await self._sessions.revoke(visitor.session, self._clock())

    def fits(self, visitor: Visitor, token: str) -> bool:
        """Whether a form carries the token of this session."""
        return bool(visitor.session) and any(
            hmac.compare_digest(_form_token(key, visitor.session).encode(), token.encode()) for key in self._keys
        )

    def is_here(self, request: Request) -> bool:
        """Whether the request comes from this very machine, with nothing between that could hide somebody else."""
        peer = request.client.host if request.client else ""
        return (
            self._on_loopback
            and _is_loopback(peer)
            and not any(name in request.headers for name in FORWARDED)
            and _is_loopback(_host(request))
        )

    def _at_this_machine(self, request: Request) -> Visitor | TurnedAway:
        if self.is_here(request):
            return Visitor()
        peer = request.client.host if request.client else ""
        if self._on_loopback and _is_loopback(peer) and not _is_loopback(_host(request)):
            return TurnedAway(403, page_sentence("other_name", host=request.headers.get("host", ""), home=self.home))
        return TurnedAway(403, page_sentence("no_login"))

    async def _still(self, id_: str, session: Session) -> Visitor | TurnedAway:
        now = self._clock()
        provider = self.providers[session.provider]
        visitor = Visitor(session.name, session.provider, session.person, id_, _form_token(self._keys[0], id_))
        if now - session.checked_at < BELIEVED:
            return visitor
        try:
            member = await provider.may(session.person)
        except (Transient, Refused, UserError) as error:
            log.warning("membership not checked", provider=provider.name, person=session.person, reason=str(error))
            if now - session.checked_at < DOUBTED:
                return visitor
            return TurnedAway(503, page_sentence("unsure", title=provider.title))
        if not member:
            log.info("no member any more", provider=provider.name, person=session.person)
            await self._sessions.revoke_all(session.provider, session.person, now)
            return TurnedAway(401, page_sentence("member_no_more"))
        await self._sessions.checked(id_, now)
        return visitor


def signer(keys: Sequence[str], purpose: str) -> TimestampSigner:
    """What signs for one purpose with the newest key, and believes the older ones; `keys` are newest first."""
    return TimestampSigner(list(reversed(keys)), salt=f"callboard {purpose}", digest_method=hashlib.sha256)


def _form_token(key: str, session: str) -> str:
    return hmac.new(key.encode(), f"form {session}".encode(), hashlib.sha256).hexdigest()


def _host(request: Request) -> str:
    """The name in `Host`, without its port."""
    text = request.headers.get("host", "")
    name, bracket, _ = text.partition("]")
    return name.removeprefix("[") if bracket else text.rpartition(":")[0] or text


def _is_loopback(host: str) -> bool:
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
