"""Who is calling: personal keys, and tokens of OAuth applications by client credentials or by a person's code.

A personal key stands bare in `Authorization`; a token stands behind `Bearer`. Tokens last 30 days. Asking for another
set of scopes revokes the earlier tokens of the application; so does a new client secret.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from bot.simulator.linear.errors import key_as_bearer, not_authenticated
from bot.simulator.linear.model import User

TOKEN_SECONDS = 2591999


@dataclass
class Application:
    """An OAuth application, installed with `actor=app`: what it does, its app `user` does."""

    client_id: str
    client_secret: str
    user: User
    client_credentials: bool = True
    redirect_uris: tuple[str, ...] = ()


@dataclass(frozen=True)
class Caller:
    """Whose request it is. `kind` is `key`, `app` or `none`."""

    kind: str
    user: User | None = None
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Token:
    """An access token that was handed out."""

    application: Application
    scopes: frozenset[str]
    expires_at: datetime
    person: User | None = None
    """Who let the application act in their name; None: it acts as itself."""


@dataclass(frozen=True)
class Code:
    """What a person's browser carries back to the application: good for one exchange within ten minutes."""

    application: Application
    person: User
    scopes: frozenset[str]
    redirect_uri: str
    challenge: str
    expires_at: datetime


@dataclass
class Credentials:
    """All keys and tokens of the workspace."""

    now: Callable[[], datetime]
    keys: dict[str, User] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)

    def register(self, client_id: str, client_secret: str, user: User) -> Application:
        """Register an application, or give it a new secret, which kills its tokens."""
        application = Application(client_id, client_secret, user)
        self.applications[client_id] = application
        self._revoke(lambda token: token.application.client_id == client_id)
        return application

    def token(self, client_id: str, scopes: frozenset[str] = frozenset({"read", "write"})) -> str:
        """A new access token for an application."""
        application = self.applications[client_id]
        self._revoke(lambda token: token.application is application and not token.person and token.scopes != scopes)
        value = f"lin_oauth_{secrets.token_hex(32)}"
        self.tokens[value] = Token(application, scopes, self.now() + timedelta(seconds=TOKEN_SECONDS))
        return value

    def caller(self, authorization: str | None) -> Caller:
        """Who the `Authorization` header stands for; `none` without one.

        Raises:
            LinearError: unknown, expired or revoked, or a personal key behind `Bearer`.
        """
        if not authorization:
            return Caller("none")
        word, _, rest = authorization.partition(" ")
        if word.lower() == "bearer":
            if rest.startswith("lin_api_"):
                raise key_as_bearer()
            token = self.tokens.get(rest.strip())
            if token and token.expires_at > self.now():
                acting = token.person or token.application.user
                if acting.active:
                    return Caller("app", acting, token.scopes)
        elif (user := self.keys.get(authorization)) and user.active:
            return Caller("key", user, frozenset({"read", "write", "admin"} if user.admin else {"read", "write"}))
        raise not_authenticated()

    def grant(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Answer `POST /oauth/token` for client_credentials: HTTP status and body."""
        client_id, client_secret = _basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
        application = self.applications.get(client_id)
        if not application or not secrets.compare_digest(application.client_secret, client_secret):
            return 401, {"error": "invalid_client", "error_description": "Client authentication failed"}
        if form.get("grant_type") == "authorization_code":
            return self._exchange(application, form)
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type", "error_description": "Unsupported grant type"}
        if not application.client_credentials:
            description = "Client does not support the client_credentials grant type"
            return 400, {"error": "Error", "error_description": description}
        scopes = frozenset(form.get("scope", "read").replace(",", " ").split())
        if scopes & {"admin"}:
            return 400, {"error": "invalid_scope", "error_description": "Invalid scope: admin"}
        return 200, {
            "access_token": self.token(client_id, scopes),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": " ".join(sorted(scopes)),
        }

    def code(self, code: Code) -> str:
        """A code for what a person just agreed to."""
        value = secrets.token_urlsafe(20)
        self.codes[value] = code
        return value

    def _exchange(self, application: Application, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """A code for a token of the person; whatever comes of it, the code is used up."""
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code.application is not application or code.expires_at <= self.now():
            return _no_grant("The authorization code is invalid, expired or was used before")
        if code.redirect_uri != form.get("redirect_uri"):
            return _no_grant("The redirect_uri does not match that of the authorization")
        if code.challenge and code.challenge != challenge_of(form.get("code_verifier", "")):
            return _no_grant("The code verifier does not match the challenge")
        value = f"lin_oauth_{secrets.token_hex(32)}"
        self.tokens[value] = Token(application, code.scopes, self.now() + timedelta(days=1), code.person)
        return 200, {
            "access_token": value,
            "token_type": "Bearer",
            "expires_in": 86399,
            "refresh_token": secrets.token_hex(32),
            "scope": " ".join(sorted(code.scopes)),
        }

    def _revoke(self, doomed: Callable[[Token], bool]) -> None:
        self.tokens = {value: token for value, token in self.tokens.items() if not doomed(token)}


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _no_grant(description: str) -> tuple[int, dict[str, Any]]:
    return 400, {"error": "invalid_grant", "error_description": description}


def _basic(authorization: str | None) -> tuple[str, str] | None:
    if not authorization or not authorization.lower().startswith("basic "):
        return None
    try:
        name, _, password = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""  # names no application, so the caller is told that authentication failed
    return unquote(name), unquote(password)
