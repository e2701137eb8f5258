"""REST for Apps and callers: who am I, installations, tokens, deliveries, limits."""

import json
from typing import Any

from bot.simulator.github import auth, hooks, registering, render, render_apps
from bot.simulator.github.errors import ApiError, forbidden, not_found
from bot.simulator.github.hooks import Delivery
from bot.simulator.github.people import Installation
from bot.simulator.github.rest.routing import Answer, Call, route


@route("GET /")
async def root(call: Call) -> Answer:
    """The addresses of the API, a few of them."""
    return Answer(
        {
            "current_user_url": render.api(call.world, "/user"),
            "rate_limit_url": render.api(call.world, "/rate_limit"),
            "repository_url": render.api(call.world, "/repos/{owner}/{repo}"),
            "user_url": render.api(call.world, "/users/{user}"),
        }
    )


@route("GET /meta")
async def meta(_call: Call) -> Answer:
    """What server this is."""
    return Answer({"verifiable_password_authentication": False, "installed_version": "3.19.0"})


@route("GET /rate_limit")
async def rate_limit(call: Call) -> Answer:
    """What is left of the hour; asking costs nothing."""
    resources: dict[str, Any] = {}
    for name in ("core", "graphql", "search", "integration_manifest"):
        meter = call.world.meter(call.caller.key, name)
        limit = call.world.knobs.rate_limit
        reset = int(meter.reset.timestamp())
        left = max(0, limit - meter.used)
        resources[name] = {"limit": limit, "used": meter.used, "remaining": left, "reset": reset, "resource": name}
    return Answer({"resources": resources, "rate": resources["core"]})


@route("GET /user")
async def me(call: Call) -> Answer:
    """The person who asks; an installation is none."""
    if call.caller.via:
        raise forbidden("Resource not accessible by integration")
    return Answer(_private(call))


def _private(call: Call) -> dict[str, Any]:
    shown = render.user(call.world, call.actor) or {}
    return {**shown, "name": call.actor.name, "email": None, "plan": None}


@route("GET /users/{login}")
async def user(call: Call) -> Answer:
    """Anybody."""
    who = call.world.users.get(call.part["login"].lower())
    if who is None:
        raise not_found()
    return Answer({**(render.user(call.world, who) or {}), "name": who.name, "email": None})


@route("GET /user/{number}")
async def user_by_number(call: Call) -> Answer:
    """Anybody, by the number that stays when the login changes."""
    number = call.number("number")
    who = next((one for one in call.world.users.values() if one.id == number), None)
    if who is None:
        raise not_found()
    return Answer({**(render.user(call.world, who) or {}), "name": who.name, "email": None})


@route("GET /app")
async def app(call: Call) -> Answer:
    """The App that asks."""
    shown = render_apps.app(call.world, call.app)
    return Answer({**shown, "installations_count": len(call.app.installations)})


@route("POST /app-manifests/{code}/conversions")
async def convert(call: Call) -> Answer:
    """A new App with its secrets, for the code that its making gave; nobody has to log in for it."""
    made = registering.redeem(call.world, call.part["code"])
    keys = {"client_secret": made.client_secret, "webhook_secret": made.webhook_secret, "pem": made.private_key}
    return Answer({**render_apps.app(call.world, made), **keys}, 201)


@route("GET /app/installations")
async def installations(call: Call) -> Answer:
    """Where it is installed."""
    return call.page(call.app.installations, lambda one: render_apps.installation(call.world, one))


@route("GET /app/installations/{id}")
async def one_installation(call: Call) -> Answer:
    """One place where it is installed."""
    return Answer(render_apps.installation(call.world, _installation(call)))


@route("GET /repos/{owner}/{repo}/installation")
async def repository_installation(call: Call) -> Answer:
    """Where the App is installed for a repository."""
    for one in call.app.installations:
        if one.covers(call.repository.owner, call.repository.id):
            return Answer(render_apps.installation(call.world, one))
    raise not_found()


@route("GET /orgs/{owner}/installation")
async def organization_installation(call: Call) -> Answer:
    """Where the App is installed for an organisation."""
    for one in call.app.installations:
        if one.account.login.lower() == call.part["owner"].lower():
            return Answer(render_apps.installation(call.world, one))
    raise not_found()


@route("POST /app/installations/{id}/access_tokens")
async def access_token(call: Call) -> Answer:
    """A token, narrowed as the body says."""
    world, place = call.world, _installation(call)
    repositories, permissions = auth.narrow(world, place, call.body)
    token = world.installation_token(place, repositories, permissions)
    chosen = None
    if token.repositories is not None:
        chosen = [repo for repo in world.repositories.values() if repo.id in token.repositories]
    return Answer(render_apps.token(world, token, chosen), 201)


def _installation(call: Call) -> Installation:
    number = call.number("id")
    for one in call.app.installations:
        if one.id == number:
            return one
    raise not_found()


@route("GET /installation/repositories")
async def accessible(call: Call) -> Answer:
    """The repositories of an installation token."""
    token = call.caller.token
    if token is None or token.installation is None:
        raise forbidden("You must authenticate with an installation access token in order to list repositories.")
    place, only = token.installation, token.repositories
    own = [
        repo
        for repo in call.world.repositories.values()
        if place.covers(repo.owner, repo.id) and (only is None or repo.id in only)
    ]
    return call.page(own, lambda repo: render.repository(call.world, repo, call.actor), under="repositories")


@route("GET /app/hook/config")
async def hook_config(call: Call) -> Answer:
    """Where its webhooks go; the secret is never shown."""
    shown = {"content_type": "json", "insecure_ssl": "0", "url": call.app.webhook_url or ""}
    return Answer({**shown, "secret": "********"} if call.app.webhook_secret else shown)


@route("PATCH /app/hook/config")
async def change_hook_config(call: Call) -> Answer:
    """Change where they go."""
    call.app.webhook_url = call.body.get("url", call.app.webhook_url)
    call.app.webhook_secret = call.body.get("secret", call.app.webhook_secret)
    if call.body.get("content_type", "json") != "json":
        raise ApiError(501, "The simulated GitHub sends an App's webhooks as JSON only")
    return await hook_config(call)


@route("GET /app/hook/deliveries")
async def deliveries(call: Call) -> Answer:
    """What was sent to it, newest first; pages go by `cursor`, the last id seen."""
    found = hooks.of_app(call.world, call.app)
    if cursor := call.query.get("cursor"):
        found = [one for one in found if one.id < int(cursor.removeprefix("v1_"))]
    if wanted := call.query.get("status"):
        found = [one for one in found if (hooks.outcome(call.world, one)[0] == "OK") == (wanted == "success")]
    size = min(int(call.query.get("per_page", "30")), 100)
    shown, rest = found[:size], found[size:]
    headers = {}
    if rest:
        url = render.api(call.world, f"/app/hook/deliveries?per_page={size}&cursor=v1_{shown[-1].id}")
        headers["Link"] = f'<{url}>; rel="next"'
    return Answer([_delivery(call, one) for one in shown], headers=headers)


@route("GET /app/hook/deliveries/{id}")
async def delivery(call: Call) -> Answer:
    """One of them, with the payload."""
    one = hooks.find(call.world, call.app, call.number("id"))
    request = {"headers": dict(one.letter.headers), "payload": json.loads(one.letter.body)}
    answered = {"headers": {}, "payload": ""}
    return Answer({**_delivery(call, one), "url": one.letter.url, "request": request, "response": answered})


@route("POST /app/hook/deliveries/{id}/attempts")
async def attempt(call: Call) -> Answer:
    """Send it again, under the same GUID."""
    hooks.redeliver(call.world, hooks.find(call.world, call.app, call.number("id")))
    return Answer({}, 202)


def _delivery(call: Call, one: Delivery) -> dict[str, Any]:
    status, code = hooks.outcome(call.world, one)
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": render.stamp(one.delivered_at),
        "redelivery": one.redelivery,
        "duration": 0.1,
        "status": status,
        "status_code": code,
        "event": one.event,
        "action": one.action,
        "installation_id": one.installation.id if one.installation else None,
        "repository_id": one.repository.id if one.repository else None,
        "throttled_at": None,
    }
