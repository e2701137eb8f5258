"""How a REST request finds its function, and what that function is given and gives back."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from bot.simulator.github import auth
from bot.simulator.github.auth import Caller
from bot.simulator.github.errors import ApiError, bad_credentials, not_found, not_simulated
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.people import App, User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

PER_PAGE, MOST_PER_PAGE = 30, 100
Item = TypeVar("Item")


@dataclass(frozen=True)
class Answer:
    """What is sent back: JSON (None: an empty body)."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request that was let in."""

    world: "GitHubWorld"
    caller: Caller
    path: str
    part: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def actor(self) -> User:
        """The account that acts."""
        return self.caller.actor()

    @property
    def app(self) -> App:
        """The App that asks with its JWT.

        Raises:
            ApiError: 401, somebody else asks.
        """
        if self.caller.app is None:
            raise bad_credentials("A JSON web token could not be decoded")
        return self.caller.app

    @property
    def repository(self) -> Repository:
        """The repository in the path."""
        return self.world.repository(f"{self.part['owner']}/{self.part['repo']}")

    @property
    def pull(self) -> Pull:
        """The pull request in the path.

        Raises:
            ApiError: 404.
        """
        pull = self.repository.pulls.get(self.number("number"))
        if pull is None:
            raise not_found()
        return pull

    def number(self, name: str) -> int:
        """A number in the path.

        Raises:
            ApiError: 404, it is none.
        """
        if not self.part[name].isdigit():
            raise not_found()
        return int(self.part[name])

    async def sha(self, name: str = "sha") -> str:
        """The commit that a revision in the path names.

        Raises:
            ApiError: 422, none.
        """
        found = await self.world.git.resolve(self.repository.path, self.part[name])
        if found is None:
            raise ApiError(422, f"No commit found for SHA: {self.part[name]}")
        return found

    def page(self, items: Sequence[Item], show: Callable[[Item], Any], *, under: str | None = None) -> Answer:
        """One page of a list with its `Link` header; `under` wraps it with a `total_count`."""
        size = max(1, min(_whole(self.query.get("per_page"), PER_PAGE), MOST_PER_PAGE))
        page = max(1, _whole(self.query.get("page"), 1))
        last = max(1, -(-len(items) // size))
        shown = [show(item) for item in items[(page - 1) * size : page * size]]
        links = []
        if page > 1:
            links += [("prev", page - 1), ("first", 1)]
        if page < last:
            links += [("next", page + 1), ("last", last)]
        header = ", ".join(f'<{self._address(number)}>; rel="{name}"' for name, number in links)
        body = {"total_count": len(items), under: shown} if under else shown
        return Answer(body, headers={"Link": header} if header else {})

    def _address(self, page: int) -> str:
        query = urlencode({**self.query, "page": str(page)})
        return f"{self.world.base_url}/api/v3{self.path}?{query}"


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """A method and a path; what an App needs for it and which role a person needs."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    need: str | None
    role: str


ROUTES: list[Route] = []


def route(where: str, *, need: str | None = None, role: str = "read") -> Callable[[Handler], Handler]:
    """Register a function for `GET /path/{part}/{rest...}` (three dots: slashes too).

    `need` is an App's permission on the repository in the path (`contents:write`); None: the function sees to it.
    """
    method, _, path = where.partition(" ")
    pattern = re.sub(r"\{(\w+)\.\.\.\}", r"(?P<\1>.+)", path)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, re.compile(pattern), handler, need, role))
        return handler

    return register


async def dispatch(
    world: "GitHubWorld",
    caller: Caller,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    body: Mapping[str, Any],
) -> Answer:
    """Answer a request.

    Raises:
        ApiError: every refusal; 501 for a route that isn't simulated.
    """
    for one in ROUTES:
        match = one.pattern.fullmatch(path) if one.method == method else None
        if match is None:
            continue
        call = Call(world, caller, path, match.groupdict(), dict(query), body)
        if one.need is not None:
            if caller.app:
                raise bad_credentials()
            auth.require(caller, call.repository, one.need, one.role)
        return await one.handler(call)
    raise not_simulated(f"{method} {path}")


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default
