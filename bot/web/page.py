"""A page to look at: the state of the engine. Read-only; it shows counts and reasons, no content."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.engine.port import EngineStatus
from bot.web.looks import page


def route(status: Callable[[], Awaitable[EngineStatus]]) -> Route:
    """The page at `/`."""

    async def endpoint(request: Request) -> Response:
        return page("health.html", request.state.visitor, status=200, now=await status())

    return Route("/", endpoint)
