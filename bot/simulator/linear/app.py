"""The wire: `POST /graphql`, `POST /oauth/token`, and the pages, as one ASGI application."""

import asyncio
import json
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bot.simulator.faults import Fault, When
from bot.simulator.linear import github, graphql, oauth
from bot.simulator.linear.auth import Caller
from bot.simulator.linear.errors import LinearError
from bot.simulator.linear.pages import routes
from bot.simulator.linear.world import LinearWorld, RequestLog

NOBODY = Caller("none")


def linear_app(world: LinearWorld) -> Starlette:
    """The application that serves `world`; its GraphQL address is `/graphql`."""

    async def graphql_endpoint(request: Request) -> Response:
        return await _graphql(world, request)

    async def token_endpoint(request: Request) -> Response:
        return await _token(world, request)

    return Starlette(
        routes=[
            Route("/graphql", graphql_endpoint, methods=["POST"]),
            Route("/oauth/token", token_endpoint, methods=["POST"]),
            *oauth.routes(world),
            github.route(world),
            *routes(world),
        ]
    )


async def _graphql(world: LinearWorld, request: Request) -> Response:
    try:
        caller, refusal = world.credentials.caller(request.headers.get("authorization")), None
    except LinearError as error:
        caller, refusal = NOBODY, graphql.refused(error)
    try:
        payload = json.loads(await request.body())
    except ValueError:
        payload = None
    query = graphql.read(payload)
    name = "unreadable" if isinstance(query, graphql.Answer) else query.name
    fault = world.faults.pick(name)
    if fault:
        await asyncio.sleep(fault.seconds)
    if fault and fault.when is When.BEFORE and _fails(fault):
        return _log(world, name, caller, 0, fault.status, _failure(fault))
    reply = refusal or _answer(world, caller, query)
    if fault and _fails(fault):
        return _log(world, name, caller, reply.complexity, fault.status, _failure(fault))
    headers = world.limits.headers(caller, reply.complexity)
    response = _json(reply.status, reply.body, headers)
    return _log(world, name, caller, reply.complexity, reply.status, response)


def _answer(world: LinearWorld, caller: Caller, query: graphql.Request | graphql.Answer) -> graphql.Answer:
    try:
        world.limits.spend_request(caller)
    except LinearError as error:
        return graphql.refused(error)
    return query if isinstance(query, graphql.Answer) else graphql.answer(world, caller, query)


async def _token(world: LinearWorld, request: Request) -> Response:
    name = "POST /oauth/token"
    fault = world.faults.pick(name)
    if fault:
        await asyncio.sleep(fault.seconds)
    if fault and fault.when is When.BEFORE and _fails(fault):
        return _log(world, name, NOBODY, 0, fault.status, _failure(fault))
    form = dict(parse_qsl((await request.body()).decode()))
    status, body = world.credentials.grant(form, request.headers.get("authorization"))
    if fault and _fails(fault):
        return _log(world, name, NOBODY, 0, fault.status, _failure(fault))
    return _log(world, name, NOBODY, 0, status, _json(status, body, {}))


def _fails(fault: Fault) -> bool:
    """Whether the fault replaces the answer; status 200 without a body is only slow."""
    return not (fault.status == 200 and fault.body is None)


def _failure(fault: Fault) -> Response:
    if fault.status == 0:
        return CutConnection()
    kind = "application/json; charset=utf-8" if (fault.body or "").startswith("{") else "text/html"
    return Response(fault.body or "", fault.status, dict(fault.headers), media_type=kind)


def _json(status: int, body: object, headers: dict[str, str]) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, headers, media_type="application/json; charset=utf-8")


def _log(
    world: LinearWorld, operation: str, caller: Caller, complexity: int, status: int, response: Response
) -> Response:
    world.requests.append(RequestLog(world.moment(), operation, caller.kind, complexity, status))
    return response


class CutConnection(Response):
    """No answer at all: the TCP connection is closed under the caller."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # nothing is sent
        """Hang up, and wait until the server has noticed."""
        receive.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn's; ASGI has no word for hanging up
        while (await receive())["type"] != "http.disconnect":
            continue
