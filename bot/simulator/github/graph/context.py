"""What every GraphQL resolver needs: the world, the caller, and lists cut into pages as GitHub cuts them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bot.simulator.github import auth
from bot.simulator.github.auth import Caller
from bot.simulator.github.errors import ApiError
from bot.simulator.github.model import Repository
from bot.simulator.github.people import User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

MOST_PER_PAGE = 100
Item = TypeVar("Item")
View = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """One GraphQL request."""

    world: "GitHubWorld"
    caller: Caller

    @property
    def actor(self) -> User:
        """The account that acts."""
        return self.caller.actor()

    def require(self, repo: Repository, need: str, role: str = "read") -> None:
        """Refuse a caller who may not.

        Raises:
            ApiError: NOT_FOUND or FORBIDDEN.
        """
        auth.require(self.caller, repo, need, role)


class Once(Generic[Item]):
    """Something that is worked out once per request, however many fields want it."""

    def __init__(self, make: Callable[[], Awaitable[Item]]) -> None:
        self._make = make
        self._task: asyncio.Future[Item] | None = None

    async def __call__(self) -> Item:
        """The answer, the same every time."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._make())
        return await self._task


def connection(name: str, items: Sequence[Item], show: Callable[[Item], View], args: dict[str, Any]) -> View:
    """One page of a list: `first`/`after` or `last`/`before`, at most 100, and one of the two must be said.

    Raises:
        ApiError: no size was asked for, or too large a one.
    """
    first, last = args.get("first"), args.get("last")
    if first is None and last is None:
        raise ApiError(
            200,
            f"You must provide a `first` or `last` value to properly paginate the `{name}` connection.",
            kind="MISSING_PAGINATION_BOUNDARIES",
        )
    size = first if first is not None else last
    if size is None or not 0 <= size <= MOST_PER_PAGE:
        text = f"Requesting {size} records on the `{name}` connection exceeds the `first` limit of 100 records."
        raise ApiError(200, text, kind="EXCESSIVE_PAGINATION")
    start = int(args["after"]) if args.get("after") else 0
    end = int(args["before"]) - 1 if args.get("before") else len(items)
    begin, stop = (start, min(start + size, end)) if first is not None else (max(start, end - size), end)
    page = items[begin:stop]
    return {
        "nodes": [show(item) for item in page],
        "totalCount": len(items),
        "pageInfo": {
            "startCursor": str(begin + 1) if page else None,
            "endCursor": str(stop) if page else None,
            "hasNextPage": stop < len(items),
            "hasPreviousPage": begin > 0,
        },
    }
