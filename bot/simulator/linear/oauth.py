"""A person lets an application act for them: `/oauth/authorize`, where a browser gets a code, and `/oauth/revoke`.

The code is good for one exchange within ten minutes, at the very redirect address it was asked for (facts on Linear,
section 5). How Linear words its mistakes here is not published; they follow RFC 6749.
"""

from datetime import timedelta
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.simulator.consent import ask, go_back, refuse
from bot.simulator.linear.auth import Application, Code
from bot.simulator.linear.model import User
from bot.simulator.linear.world import LinearWorld

TITLE = "Linear (simulated)"
PATIENCE = timedelta(minutes=10)


def routes(world: LinearWorld) -> list[Route]:
    """What a browser and an application ask besides tokens."""

    async def authorize(request: Request) -> Response:
        posted = dict(parse_qsl((await request.body()).decode())) if request.method == "POST" else None
        return _authorize(world, dict(request.query_params), posted)

    async def revoke(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        found = world.credentials.tokens.pop(form.get("token", ""), None)
        return JSONResponse({"success": True} if found else {"error": "invalid_request"}, 200 if found else 400)

    return [
        Route("/oauth/authorize", authorize, methods=["GET", "POST"]),
        Route("/oauth/revoke", revoke, methods=["POST"]),
    ]


def _authorize(world: LinearWorld, asked: dict[str, str], posted: dict[str, str] | None) -> Response:
    application = world.credentials.applications.get(asked.get("client_id", ""))
    if application is None:
        return refuse(TITLE, "There is no application with this client_id.")
    back = asked.get("redirect_uri", "")
    if back not in application.redirect_uris:
        return refuse(TITLE, "Invalid redirect_uri: it is not one of those that the application registered.")
    state = {"state": asked["state"]} if "state" in asked else {}
    wrong = _wrong(asked)
    if wrong:
        return go_back(back, error=wrong, **state)
    people = [user for user in world.all(User) if user.active and not user.app]
    if posted is None:
        return ask(TITLE, application.user.name, [one.display_name for one in people], {})
    person = next((one for one in people if one.display_name == posted.get("as")), None)
    if person is None:
        return go_back(back, error="access_denied", **state)
    return go_back(back, code=world.credentials.code(_code(world, application, person, asked)), **state)


def _wrong(asked: dict[str, str]) -> str:
    if asked.get("response_type") != "code":
        return "unsupported_response_type"
    if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
        return "invalid_request"
    return "" if asked.get("scope") else "invalid_scope"


def _code(world: LinearWorld, application: Application, person: User, asked: dict[str, str]) -> Code:
    return Code(
        application,
        person,
        frozenset(asked["scope"].replace(",", " ").split()),
        asked["redirect_uri"],
        asked.get("code_challenge", ""),
        world.moment() + PATIENCE,
    )
