"""A stand-in for GitHub's API that answers what a test tells it, and the simulated GitHub, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.git.mirror import Mirror
from bot.github.client import AppLogin, GitHub, TokenLogin
from bot.github.ensure import Ensure
from bot.github.observe import Observe
from bot.machine.pull_request import PullRequest
from bot.simulator.github.actors import Person
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.server import github_app
from bot.simulator.github.world import APP_PERMISSIONS, GitHubWorld
from bot.simulator.serving import serve


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    query: str
    token: str
    body: Any
    headers: dict[str, str]


@dataclass
class StandIn:
    """`answers` maps "METHOD /path" to (status, JSON[, headers]), or to a list of them, whose last one stays."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def github(self) -> GitHub:
        return GitHub(f"{self.url}/api/v3", TokenLogin("ghp_1"))

    def operations(self, method: str = "") -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked if one.method.startswith(method)]

    async def answer(self, request: Request) -> Response:
        body = await request.json() if await request.body() else None
        path = request.url.path.removeprefix("/api/v3")
        token = request.headers.get("authorization", "").rpartition(" ")[2]
        self.asked.append(Asked(request.method, path, request.url.query, token, body, dict(request.headers)))
        known = self.answers.get(f"{request.method} {path}", (501, {"message": f"nobody told me: {path}"}))
        if isinstance(known, list):
            known = known.pop(0) if len(known) > 1 else known[0]
        status, data, *headers = known
        return JSONResponse(data, status, headers[0] if headers else None)


@pytest.fixture(scope="session")
def socket() -> Iterator[tuple[str, list[StandIn]]]:
    """The address, and the stand-in that answers there: one server for all tests, in a thread of its own."""
    current: list[StandIn] = []
    address: Future[str] = Future()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def answer(request: Request) -> Response:
        return await current[-1].answer(request)

    async def stay() -> None:
        routes = [Route("/{path:path}", answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]
        async with serve(Starlette(routes=routes)) as url:
            address.set_result(url)
            await over.wait()

    thread = Thread(target=loop.run_until_complete, args=(stay(),))
    thread.start()
    yield address.result(10), current
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


@pytest.fixture
def github(socket: tuple[str, list[StandIn]]) -> StandIn:
    url, current = socket
    current[:] = [StandIn(url=url)]
    return current[0]


HEAD = "a" * 40
Node = dict[str, Any]


@pytest.fixture
def page() -> Callable[..., Node]:
    """A list as GraphQL gives it; `more` is the cursor behind which it goes on."""

    def page(*nodes: Node | None, more: str = "") -> Node:
        return {"pageInfo": {"hasNextPage": bool(more), "endCursor": more or None}, "nodes": list(nodes)}

    return page


@pytest.fixture
def a_pull(page: Callable[..., Node]) -> Callable[..., Node]:
    """A pull request as GraphQL gives it, all well with it and nothing said; what a test names is otherwise."""

    def a_pull(**changed: Any) -> Node:
        return {
            "id": "PR_1", "number": 7, "url": "http://x/7", "state": "OPEN", "isDraft": False, "headRefOid": HEAD,
            "author": {"__typename": "Bot", "login": "callboard", "databaseId": 9},
            "headRefName": "agent/YOU-1", "baseRefName": "main",
            "mergeCommit": None, "mergeable": "MERGEABLE", "mergeStateStatus": "CLEAN", "isMergeQueueEnabled": False,
            "isInMergeQueue": False, "mergeQueueEntry": None, "timelineItems": page(), "autoMergeRequest": None,
            "reviewDecision": None, "latestOpinionatedReviews": page(), "reviews": page(), "reviewThreads": page(),
            "comments": page(),
            "commits": page({"commit": {"oid": HEAD, "statusCheckRollup": None}}), **changed,
        }  # fmt: skip

    return a_pull


@pytest.fixture
def repository() -> Node:
    """The repository around pull requests, as GraphQL gives it."""
    return {
        "mergeCommitAllowed": True, "squashMergeAllowed": True, "rebaseMergeAllowed": False, "autoMergeAllowed": False,
    }  # fmt: skip


PLACE, BRANCH = "acme/youlab", "agent/YOU-1"


@dataclass
class Stage:
    """The simulated GitHub, and our client as an App."""

    world: GitHubWorld
    place: Repository
    github: GitHub
    mirror: Mirror

    @property
    def observe(self) -> Observe:
        return Observe(self.github)

    @property
    def ensure(self) -> Ensure:
        return Ensure(self.github)

    async def push(self, path: str = "a.txt", content: str = "a", branch: str = BRANCH) -> str:
        """A commit upon the branch, which begins at main."""
        return await Person(self.world, "alice").pushes(self.place, branch, {path: content}, "Work")

    async def open(self) -> tuple[int, str]:
        """A branch with a commit and its pull request: number and head."""
        head = await self.push()
        return await self.ensure.ensure_pull(PLACE, BRANCH, "main", "YOU-1: Begin", "Body"), head

    async def see(self, number: int) -> PullRequest:
        return (await self.observe.observe_pulls(PLACE, [number]))[number]

    def pull(self, number: int) -> Pull:
        return self.place.pulls[number]

    def sent(self, method: str) -> list[str]:
        return [one.operation for one in self.world.requests if one.operation.startswith(method)]


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
async def stage(tmp_path: Path, key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr("bot.simulator.github.people.App._key", key)  # making one takes 0.2 s
    world = GitHubWorld(tmp_path / "github")
    place = await world.create_repository(PLACE, {"README.md": "# Youlab\n"})
    async with serve(github_app(world)) as url:
        world.base_url = url
        app = world.app(
            "callboard", webhook_secret="a webhook secret", permissions=APP_PERMISSIONS | {"actions": "write"}
        )
        github = GitHub(f"{url}/api/v3", AppLogin(str(app.id), app.private_key))
        mirror = Mirror(tmp_path / "mirror.git", (await Observe(github).repository(PLACE)).clone_url)
        yield Stage(world, place, github, mirror)
        await world.post_office.close()
