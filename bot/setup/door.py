"""Who may set up: whoever reads the log of a service that nobody has configured yet, in one browser, for an hour.

The address in the log carries a token that is good once. It becomes a session, kept here and nowhere else; then a new
token is printed. Whatever changes something is a POST from a page of ours with the token of the form.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request

from bot.setup.files import Change

COOKIE = "callboard-setup"
LIFETIME = 3600.0
"""Seconds that a session is good for."""


@dataclass
class Session:
    """One browser. `pending` are changes that wait for a yes."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    begun: float = field(default_factory=time.monotonic)
    pending: tuple[Change, ...] = ()


class Door:
    """Lets in. `announce` is told every new token."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._token = ""
        self._sessions: dict[str, Session] = {}
        self.renew()

    def renew(self) -> None:
        """A new token takes the place of the old one."""
        self._token = secrets.token_urlsafe(24)
        self._announce(self._token)

    def enter(self, token: str) -> Session | None:
        """A session for the token, which is spent."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        session = Session()
        self._sessions[session.id] = session
        self.renew()
        return session

    def who(self, request: Request) -> Session | None:
        """The session of a request, if it is still good."""
        session = self._sessions.get(request.cookies.get(COOKIE, ""))
        if session is None or time.monotonic() - session.begun > LIFETIME:
            return None
        return session


def is_ours(request: Request, session: Session, form_token: str) -> bool:
    """Whether a page of ours sent this: its origin is where it goes, and it knows the session's form token."""
    origin = urlsplit(request.headers.get("origin", ""))
    return (
        origin.scheme in ("http", "https")
        and origin.netloc == request.headers.get("host")
        and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        and hmac.compare_digest(form_token.encode(), session.form_token.encode())
    )
