"""A stand-in for GitHub's API that answers what a test tells it, over a real socket."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.github.client import GitHub, TokenLogin
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
            "author": {"__typename": "Bot", "login": "callboard"}, "headRefName": "agent/YOU-1", "baseRefName": "main",
            "mergeCommit": None, "mergeable": "MERGEABLE", "mergeStateStatus": "CLEAN", "isMergeQueueEnabled": False,
            "isInMergeQueue": False, "mergeQueueEntry": None, "timelineItems": page(), "autoMergeRequest": None,
            "reviewDecision": None, "latestOpinionatedReviews": page(), "reviews": page(), "reviewThreads": page(),
            "comments": page(), "history": page(),
            "commits": page({"commit": {"oid": HEAD, "statusCheckRollup": None}}), **changed,
        }  # fmt: skip

    return a_pull


@pytest.fixture
def repository() -> Node:
    """The repository around pull requests, as GraphQL gives it."""
    return {
        "mergeCommitAllowed": True, "squashMergeAllowed": True, "rebaseMergeAllowed": False, "autoMergeAllowed": False,
    }  # fmt: skip
