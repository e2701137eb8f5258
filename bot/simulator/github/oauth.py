"""A person lets an App see who they are: `/login/oauth/authorize` for the browser, `/login/oauth/access_token` for it.

As unkind as the real one: mistakes come with status 200, the answer is a form unless JSON is asked for, a code is good
once, for ten minutes, at the address it was asked for, and with the verifier of its challenge.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.simulator.consent import ask, go_back, refuse
from bot.simulator.github.people import App, Token, User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

TITLE = "GitHub (simulated)"
PATIENCE = timedelta(minutes=10)
LIFETIME = timedelta(hours=8)


@dataclass(frozen=True)
class Code:
    """What a person's browser carries back to the App."""

    app: App
    person: User
    redirect_uri: str
    challenge: str
    expires_at: datetime


async def answer(world: "GitHubWorld", request: Request) -> Response | None:
    """Answer what is below `/login/oauth/`; None: it is something else."""
    match request.method, request.url.path:
        case "GET", "/login/oauth/authorize":
            return _authorize(world, dict(request.query_params), None)
        case "POST", "/login/oauth/authorize":
            return _authorize(world, dict(request.query_params), await _form(request))
        case "POST", "/login/oauth/access_token":
            found = _exchange(world, await _form(request))
            if "json" in request.headers.get("accept", ""):
                return JSONResponse(found)
            return Response(urlencode(found), media_type="application/x-www-form-urlencoded; charset=utf-8")
    return None


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


def _authorize(world: "GitHubWorld", asked: dict[str, str], posted: dict[str, str] | None) -> Response:
    app = next((one for one in world.apps.values() if one.client_id == asked.get("client_id")), None)
    if app is None or not app.callback_urls:
        return refuse(TITLE, "Not Found")
    state = {"state": asked["state"]} if "state" in asked else {}
    back = asked.get("redirect_uri", app.callback_urls[0])
    if back not in app.callback_urls:
        said = "The redirect_uri MUST match the registered callback URL for this application."
        return go_back(app.callback_urls[0], error="redirect_uri_mismatch", error_description=said, **state)
    people = [one for one in world.users.values() if one.kind == "User"]
    if posted is None:
        return ask(TITLE, app.slug, [one.login for one in people], {})
    person = next((one for one in people if one.login == posted.get("as")), None)
    if person is None:
        said = "The user has denied your application access."
        return go_back(back, error="access_denied", error_description=said, **state)
    value = secrets.token_hex(10)
    world.codes[value] = Code(app, person, back, asked.get("code_challenge", ""), world.now() + PATIENCE)
    return go_back(back, code=value, **state)


def _exchange(world: "GitHubWorld", form: dict[str, str]) -> dict[str, str]:
    app = next((one for one in world.apps.values() if one.client_id == form.get("client_id")), None)
    if app is None or not secrets.compare_digest(app.client_secret, form.get("client_secret", "")):
        return _mistake("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.")
    code = world.codes.pop(form.get("code", ""), None)
    bad = _mistake("bad_verification_code", "The code passed is incorrect or expired.")
    if code is None or code.app is not app or code.expires_at <= world.now():
        return bad
    if form.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
        said = "The redirect_uri MUST match the registered callback URL for this application."
        return _mistake("redirect_uri_mismatch", said)
    if code.challenge and code.challenge != _challenge(form.get("code_verifier", "")):
        return bad
    token = Token(f"ghu_{secrets.token_hex(18)}", code.person, expires_at=world.now() + LIFETIME)
    world.tokens[token.value] = token
    return {"access_token": token.value, "token_type": "bearer", "scope": ""}


def _mistake(error: str, description: str) -> dict[str, str]:
    return {"error": error, "error_description": description}


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
