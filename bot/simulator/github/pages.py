"""Pages."""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld


async def answer(world: "GitHubWorld", request: Request) -> Response:
    return PlainTextResponse("no page", 404)
