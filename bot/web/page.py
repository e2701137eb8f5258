"""A page to look at: the state of the engine. Read-only; it shows counts and reasons, no content."""

from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.engine.port import EngineStatus
from bot.web.looks import page


def route(status: Callable[[], Awaitable[EngineStatus]], wrong: Callable[[], Iterable[str]] = tuple) -> Route:
    """The page at `/`; `wrong` tells what the watchdog found, as sentences."""

    async def endpoint(request: Request) -> Response:
        return page("health.html", request.state.visitor, status=200, now=await status(), wrong=tuple(wrong()))

    return Route("/", endpoint)
