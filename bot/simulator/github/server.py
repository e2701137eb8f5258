"""The whole of it behind one port: REST under `/api/v3`, GraphQL at `/api/graphql`, git, and pages."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.simulator.faults import Fault, When
from bot.simulator.github import auth, blobs, githttp, graph, oauth, pages, rest
from bot.simulator.github.auth import Caller
from bot.simulator.github.errors import ApiError
from bot.simulator.github.graph.context import Context
from bot.simulator.github.graph.execute import sentence
from bot.simulator.github.keeper import keeper
from bot.simulator.github.world import GitHubWorld
from bot.simulator.github.world import Request as Logged

API = "/api/v3"
DOCS = "https://docs.github.com/rest"


def github_app(world: GitHubWorld) -> ASGIApp:
    """The ASGI application that serves `world`; set `world.base_url` to where it is served."""
    world.listeners.append(keeper(world))
    return _Server(world)


class _Server:
    def __init__(self, world: GitHubWorld) -> None:
        self.world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        operation, document = _name(request, body)
        fault = self.world.faults.pick(operation)
        if fault is not None:
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.when is When.BEFORE and fault.status != 200:
            self._log(operation, fault.status, None)
            await _fail(fault, scope, receive, send)
            return
        await self.world.let_happen(operation)
        response = await self._answer(request, operation, document)
        if fault is not None and fault.status != 200:
            await _fail(fault, scope, receive, send)
        else:
            await response(scope, receive, send)

    async def _answer(self, request: Request, operation: str, document: graph.Document | ApiError | None) -> Response:
        path = request.url.path
        owner, name, tail = _git(path)
        if tail:
            response = await githttp.answer(self.world, request, owner, name, tail)
            self._log(operation, response.status_code, None)
            return response
        if path.startswith("/blobs/"):
            return blobs.answer(self.world, request)
        if path != "/api/graphql" and not path.startswith(f"{API}/") and path != API:
            return await oauth.answer(self.world, request) or await pages.answer(self.world, request)
        caller = Caller()
        try:
            caller = auth.identify(self.world, request.headers.get("authorization"))
            response = await self._api(request, caller, document)
        except ApiError as refused:
            response = JSONResponse(_refusal(refused), refused.status, refused.headers)
        self._log(operation, response.status_code, caller)
        response.headers.update(self._limits(caller, "graphql" if document else "core"))
        return response

    async def _api(self, request: Request, caller: Caller, document: graph.Document | ApiError | None) -> Response:
        resource = "graphql" if document else "core"
        if request.url.path != f"{API}/rate_limit":
            self._count(caller, resource)
        if document is not None:
            return await self._graphql(caller, document)
        path = request.url.path.removeprefix(API) or "/"
        query = parse_qsl(request.url.query, keep_blank_values=True)
        answer = await rest.dispatch(self.world, caller, request.method, path, query, await _json(request))
        response = Response(status_code=answer.status, headers=dict(answer.headers))
        if answer.body is not None:
            response = JSONResponse(answer.body, answer.status, dict(answer.headers))
        return self._conditional(request, caller, response)

    async def _graphql(self, caller: Caller, document: graph.Document | ApiError) -> Response:
        if caller.user is None:
            raise ApiError(401, "This endpoint requires you to be authenticated.")
        if isinstance(document, ApiError):
            return JSONResponse({"errors": [{"type": document.kind, "message": sentence(document)}]})
        return JSONResponse(await graph.execute(Context(self.world, caller), document))

    def _conditional(self, request: Request, caller: Caller, response: Response) -> Response:
        if request.method != "GET" or response.status_code != 200:
            return response
        tag = f'W/"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
        if request.headers.get("if-none-match") == tag:
            self.world.meter(caller.key, "core").used -= 1  # an answer that nothing changed is free
            return Response(status_code=304, headers={"ETag": tag})
        response.headers["ETag"] = tag
        return response

    def _count(self, caller: Caller, resource: str) -> None:
        meter = self.world.meter(caller.key, resource)
        if meter.used >= self.world.knobs.rate_limit:
            raise ApiError(403, f"API rate limit exceeded for {caller.key}.", kind="RATE_LIMITED")
        meter.used += 1

    def _limits(self, caller: Caller, resource: str) -> dict[str, str]:
        meter, limit = self.world.meter(caller.key, resource), self.world.knobs.rate_limit
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(0, limit - meter.used)),
            "x-ratelimit-used": str(meter.used),
            "x-ratelimit-reset": str(int(meter.reset.timestamp())),
            "x-ratelimit-resource": resource,
            "x-github-request-id": f"{self.world.id():X}",
            "x-github-media-type": "github.v3; format=json",
            "x-github-api-version-selected": "2022-11-28",
        }

    def _log(self, operation: str, status: int, caller: Caller | None) -> None:
        who = caller.user.login if caller and caller.user else None
        self.world.requests.append(Logged(operation, status, who, self.world.now()))


def _name(request: Request, body: bytes) -> tuple[str, graph.Document | ApiError | None]:
    path = request.url.path
    if path == "/api/graphql":
        try:
            document = graph.read(json.loads(body or b"{}"))
        except ValueError:
            return "graphql", ApiError(200, "Problems parsing JSON", kind="PARSE_ERROR")
        except ApiError as refused:
            return "graphql", refused
        return document.name, document
    owner, name, tail = _git(path)
    if tail:
        service = request.query_params.get("service") or tail
        return f"git {service.rsplit('/', 1)[-1].removeprefix('git-')} {owner}/{name}", None
    return f"{request.method} {path.removeprefix(API) or '/'}", None


def _git(path: str) -> tuple[str, str, str]:
    owner, _, rest_ = path.removeprefix("/").partition("/")
    name, found, tail = rest_.partition(".git/")
    return (owner, name, tail) if found and "/" not in name else (owner, name, "")


async def _json(request: Request) -> Mapping[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise ApiError(400, "Problems parsing JSON") from None
    if isinstance(body, list):
        return {"labels": body}  # the label endpoints take a bare list as well
    if not isinstance(body, dict):
        raise ApiError(400, "Body should be a JSON object")
    return body


def _refusal(refused: ApiError) -> dict[str, Any]:
    body: dict[str, Any] = {"message": refused.message, "documentation_url": DOCS, "status": str(refused.status)}
    return {**body, "errors": list(refused.errors)} if refused.errors is not None else body


async def _fail(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    if fault.status == 0:
        # uvicorn's own `send` belongs to the object that holds the connection: cut it, without a word.
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is None:
            raise RuntimeError("a connection can only be cut where uvicorn serves the simulator")
        transport.abort()
        return
    body = fault.body if fault.body is not None else json.dumps({"message": "Server Error"})
    await Response(body, fault.status, dict(fault.headers), "application/json")(scope, receive, send)
