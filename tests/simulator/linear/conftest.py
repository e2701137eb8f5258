"""A served workspace, a client that speaks raw HTTP to it, and a place that receives its webhooks."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.simulator.linear import LinearWorld, Person, linear_app
from bot.simulator.serving import serve


@dataclass
class Clock:
    moment: datetime = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **span: float) -> None:
        self.moment += timedelta(**span)


@dataclass
class Wire:
    """Linear as a client sees it."""

    base: str
    client: httpx2.AsyncClient
    authorization: str | None = "lin_api_alice"

    async def post(self, query: str, variables: dict[str, Any] | None = None) -> httpx2.Response:
        headers = {"Authorization": self.authorization} if self.authorization else {}
        body = {"query": query, "variables": variables or {}}
        return await self.client.post(f"{self.base}/graphql", json=body, headers=headers)

    async def data(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        response = await self.post(query, variables)
        body = response.json()
        assert "errors" not in body, body
        return body["data"]

    async def error(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        return (await self.post(query, variables)).json()["errors"][0]


@dataclass
class Mailbox:
    """Where webhooks arrive. `answer` is the status it gives, one after another, then 200."""

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    async def receive(self, request: Request) -> Response:
        self.received.append((dict(request.headers), await request.body()))
        return PlainTextResponse("OK", self.answers.pop(0) if self.answers else 200)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class Stage:
    """One server for all tests of a module, because starting and stopping one takes longer than most tests."""

    base: str = ""
    linear: ASGIApp | None = None
    mailbox: Mailbox | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/in":
            assert self.mailbox
            response = await self.mailbox.receive(Request(scope, receive))
            await response(scope, receive, send)
        else:
            assert self.linear
            await self.linear(scope, receive, send)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    async with serve(stage) as stage.base:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def world(clock: Clock) -> AsyncIterator[LinearWorld]:
    world = LinearWorld.small(now=clock, retries=(0.01, 0.02))
    yield world
    await world.close()


@pytest_asyncio.fixture(loop_scope="module")
async def wire(world: LinearWorld, stage: Stage) -> AsyncIterator[Wire]:
    world.base_url = stage.base
    stage.linear = linear_app(world)
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield Wire(stage.base, client)


@pytest.fixture
def mailbox(world: LinearWorld, stage: Stage) -> Mailbox:
    stage.mailbox = Mailbox(f"{stage.base}/in")
    types = ("Issue", "Comment", "Document", "Reaction", "IssueLabel", "Attachment")
    world.add_webhook(stage.mailbox.url, "shh", types=types)
    return stage.mailbox


@pytest.fixture
def person(world: LinearWorld) -> Callable[[str], Person]:
    return lambda name: Person(world, world.user(name))


@pytest.fixture
def alice(person: Callable[[str], Person]) -> Person:
    return person("alice")


@pytest.fixture
def bob(person: Callable[[str], Person]) -> Person:
    return person("bob")


@pytest.fixture
def app(person: Callable[[str], Person]) -> Person:
    """The app user, acting without the wire."""
    return person("callboard")
