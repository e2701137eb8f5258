"""Two ways to Linear: answers written by hand for the wire, and the simulated workspace over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from bot.linear.client import ApiKey, ClientCredentials, Credentials, LinearClient
from bot.linear.directory import Directory
from bot.linear.ensure import Writes
from bot.linear.observe import LinearPicture, Observer
from bot.machine.stages import STATES
from bot.simulator.linear import Issue, LinearWorld, Person, linear_app
from bot.simulator.serving import serve

URL = "https://linear.test/graphql"
STATE_NAMES = {stage: state.name for stage, state in STATES.items()}
KEY = "the service's key"


Answer = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


@dataclass
class Wire:
    """Linear as one answer per address, and what was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[httpx2.Request] = field(default_factory=list)

    def to(self, url: str) -> list[httpx2.Request]:
        return [request for request in self.asked if str(request.url) == url]

    def client(self, credentials: Credentials) -> LinearClient:
        return LinearClient(credentials, URL, transport=httpx2.MockTransport(self._answer))

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        await asyncio.sleep(0.01)  # as long as others may overtake it
        answer = self.answers[str(request.url)]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx2.Response):
            return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def linear(wire: Wire) -> AsyncIterator[LinearClient]:
    async with wire.client(ApiKey("lin_api_x")) as client:
        yield client


@dataclass
class Office:
    """The service's side of a simulated workspace."""

    world: LinearWorld
    client: LinearClient
    directory: Directory
    observer: Observer

    def person(self, name: str) -> Person:
        return Person(self.world, self.world.user(name))

    def writes(self) -> Writes:
        return Writes(self.client, self.directory, states=STATE_NAMES, key=KEY)

    async def sees(self, issue: Issue) -> LinearPicture:
        return await self.observer.observe_epic(issue.id)

    def forgets(self) -> None:
        """As if the requests so far had not been."""
        self.world.requests.clear()

    @property
    def asked(self) -> list[str]:
        """Operations of the requests since, in order."""
        return [request.operation for request in self.world.requests]


@asynccontextmanager
async def open_office(**settings: Any) -> AsyncIterator[Office]:
    world = LinearWorld.small(with_stages=True, **settings)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(linear_app(world)))
        credentials = ClientCredentials("callboard", "callboard-secret")
        client = await stack.enter_async_context(LinearClient(credentials, f"{url}/graphql"))
        stack.push_async_callback(world.close)
        directory = Directory(client, lambda: ["YOU"])
        observer = Observer(client, states=lambda: STATE_NAMES, keys=[KEY], directory=directory)
        yield Office(world, client, directory, observer)


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    """Team YOU with all workflow states; alice, bob, gina the guest, and the service as an application."""
    async with open_office() as ready:
        yield ready
