"""Logging in with Linear or GitHub: OAuth's code flow with `state` and PKCE, and one exact address to come back to.

    POST /login/github ── sends the browser to GitHub, and keeps a signed `state` in it for ten minutes
    GET  /login/github/callback ── the same state, the code for a token, the token for who they are; the token is
                                   forgotten; who is a member gets a session

The code is bound to this browser by `state`, and to this service by the verifier, which is derived from the state with
our key and so is stored nowhere. A callback that is opened twice has no state any more, and its code is used up.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import structlog
from itsdangerous import BadSignature
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bot.machine.errors import Refused, Transient
from bot.web.looks import page
from bot.web.visitors import Provider, Visitor, Visitors, signer
from bot.words import page_sentence

log = structlog.get_logger()

PATIENCE = 600
"""Seconds that a person may take at the provider."""


class Login:
    """The routes. `key` signs what a browser keeps while its person is away; a login ends when it is changed."""

    def __init__(self, visitors: Visitors, key: str) -> None:
        self._visitors, self._key = visitors, key
        self._signer = signer((key,), "login")
        self._cookie = f"{visitors.cookie}-login"

    def open_routes(self) -> list[Route]:
        """For anybody."""
        return [
            Route("/login", self._doors),
            Route("/login/{provider:str}", self._begin, methods=["POST"]),
            Route("/login/{provider:str}/callback", self._come_back),
        ]

    def own_routes(self) -> list[Route]:
        """For who is in."""
        return [
            Route("/logout", self._leave, methods=["POST"]),
            Route("/logout/everywhere", self._leave_everywhere, methods=["POST"]),
        ]

    async def _doors(self, _request: Request) -> Response:
        if not self._visitors.providers:
            return self._no("no_login", 404)
        return page("login.html", None, doors=tuple(self._visitors.providers.values()))

    async def _begin(self, request: Request) -> Response:
        provider = self._visitors.providers.get(request.path_params["provider"])
        if provider is None:
            return self._no("no_such_login", 404)
        state = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self._verifier(state).encode()).digest())
        asked = {
            "client_id": provider.client_id,
            "redirect_uri": self._back(provider),
            "response_type": "code",
            "scope": provider.scope,
            "state": state,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        response = RedirectResponse(f"{provider.authorize_url}?{urlencode(asked)}", 303)
        response.set_cookie(
            self._cookie,
            self._signer.sign(f"{provider.name} {state}").decode(),
            max_age=PATIENCE,
            path="/",
            secure=self._visitors.secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def _come_back(self, request: Request) -> Response:
        provider = self._visitors.providers.get(request.path_params["provider"])
        if provider is None:
            return self._no("no_such_login", 404)
        response = await self._let_in(provider, request)
        response.delete_cookie(self._cookie, path="/", secure=self._visitors.secure, httponly=True, samesite="lax")
        return response

    async def _let_in(self, provider: Provider, request: Request) -> Response:
        given, code = request.query_params.get("state", ""), request.query_params.get("code", "")
        if not self._is_begun(provider, request, given):
            return self._no("stale_login", 400)
        if not code:
            reason = request.query_params.get("error", "it says nothing more")[:100]
            return self._no("login_denied", 403, title=provider.title, reason=reason)
        try:
            token = await self._token(provider, code, given)
            person, name = await provider.identify(token)
        except Refused as error:
            log.warning("login refused", provider=provider.name, reason=str(error))
            return self._no("login_refused", 403, reason=str(error))
        except Transient as error:
            log.warning("login failed", provider=provider.name, reason=str(error))
            return self._no("unsure", 503, title=provider.title)
        response = RedirectResponse(f"{self._visitors.home}/", 303)
        await self._visitors.enter(response, provider.name, person, name)
        return response

    def _is_begun(self, provider: Provider, request: Request, given: str) -> bool:
        try:
            kept = self._signer.unsign(request.cookies.get(self._cookie, ""), max_age=PATIENCE).decode()
        except BadSignature:
            return False
        return hmac.compare_digest(kept.encode(), f"{provider.name} {given}".encode())

    async def _token(self, provider: Provider, code: str, state: str) -> str:
        """Exchange a code. Raises Refused when it is no good, Transient when nobody answers."""
        said = await self._exchange(provider, code, self._verifier(state))
        if "access_token" in said:
            return str(said["access_token"])
        reason = said.get("error_description") or said.get("error") or "it gave no token"
        raise Refused(f"{provider.title} says: {str(reason)[:200]}")

    async def _exchange(self, provider: Provider, code: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back(provider),
            "client_id": provider.client_id,
            "client_secret": provider.client_secret,
            "code_verifier": verifier,
        }
        trusts = urlsplit(provider.token_url).hostname not in ("127.0.0.1", "localhost", "::1")
        try:
            async with httpx2.AsyncClient(timeout=20, trust_env=trusts) as client:
                answer = await client.post(provider.token_url, data=form, headers={"accept": "application/json"})
            said = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Transient(f"{provider.title} can't be reached: {type(error).__name__}") from error
        if answer.status_code >= 500 or not isinstance(said, dict):
            raise Transient(f"{provider.title} answered {answer.status_code}")
        return said  # GitHub tells of mistakes with status 200

    async def _leave(self, request: Request) -> Response:
        return await self._left(request, everywhere=False)

    async def _leave_everywhere(self, request: Request) -> Response:
        return await self._left(request, everywhere=True)

    async def _left(self, request: Request, *, everywhere: bool) -> Response:
        visitor: Visitor = request.state.visitor
        await self._visitors.leave(visitor, everywhere=everywhere)
        response = RedirectResponse(f"{self._visitors.home}/login", 303)
        response.delete_cookie(
            self._visitors.cookie, path="/", secure=self._visitors.secure, httponly=True, samesite="lax"
        )
        return response

    def _back(self, provider: Provider) -> str:
        return f"{self._visitors.home}/login/{provider.name}/callback"

    def _verifier(self, state: str) -> str:
        return hmac.new(self._key.encode(), f"verifier {state}".encode(), hashlib.sha256).hexdigest()

    def _no(self, name: str, status: int, /, **values: object) -> Response:
        doors = tuple(self._visitors.providers.values())
        return page("closed.html", None, status, sentence=page_sentence(name, **values), doors=doors)
