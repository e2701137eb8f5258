"""The pages."""

from starlette.routing import Route

from bot.simulator.linear.world import LinearWorld


def routes(world: LinearWorld) -> list[Route]:  # noqa: ARG001  # written next
    """The routes of the pages."""
    return []
