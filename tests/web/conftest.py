"""The pages of a real service between simulated Linear and GitHub, and people who come to look at them."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from pydantic import TypeAdapter

from bot.machine.picture import PastRun, Picture, Proof, Shown, TicketPicture
from bot.machine.stages import Stage
from bot.simulator.model import model_app
from bot.simulator.theatre import Plan, Theatre, open_theatre
from bot.web.visitors import Visitors


class Browser(httpx2.AsyncClient):
    """One browser; `peer` is where its connections come from. It speaks with the service without a socket."""

    def __init__(self, house: "House", peer: str) -> None:
        transport = httpx2.ASGITransport(house.theatre.service.web, client=(peer, 40_000))
        super().__init__(transport=transport, base_url=house.url)
        self.house = house

    async def begins_login(self, provider: str) -> str:
        """Press the button; returns where the provider asks who it is."""
        sent = await self.post(f"/login/{provider}", headers={"origin": self.house.url})
        assert sent.status_code == 303, sent.text
        return sent.headers["location"]

    async def logs_in(self, name: str, provider: str = "linear") -> httpx2.Response:
        """The whole way, as a person goes it; returns the answer to the callback."""
        return await self.get(await self.house.agrees(await self.begins_login(provider), name))

    async def form_token(self) -> str:
        """The token in the forms of a page."""
        found = re.search(r'name="csrf" value="(\w+)"', (await self.get("/")).text)
        assert found
        return found[1]


@dataclass
class House:
    """What a test speaks to."""

    theatre: Theatre
    peers: int = field(default=0)

    @property
    def url(self) -> str:
        return self.theatre.url

    @property
    def cookie(self) -> str:
        return "callboard"

    @property
    def visitors(self) -> Visitors:
        walls = self.theatre.service.web.user_middleware[0]
        found = walls.kwargs["visitors"]
        assert isinstance(found, Visitors)
        return found

    async def hangs(self, picture: Picture) -> None:
        """Keep a picture, as a round would."""
        stored = TypeAdapter(Picture).dump_python(picture, mode="json")
        await self.theatre.service.engine.pictures.keep(picture.key, picture.seen_at, stored)

    def browser(self, peer: str = "") -> Browser:
        """A browser elsewhere, each at another address unless one is named."""
        self.peers += 1
        return Browser(self, peer or f"93.{self.peers // 62500}.{self.peers // 250 % 250}.{self.peers % 250}")

    async def agrees(self, address: str, name: str) -> str:
        """At the provider, somebody says who they are; returns where the browser is sent back to."""
        async with httpx2.AsyncClient(trust_env=False) as there:
            asked = await there.get(address)
            assert asked.status_code == 200, asked.text
            answer = await there.post(address, data={"as": name})
        assert answer.status_code == 303, answer.text
        parts = urlsplit(answer.headers["location"])
        return f"{parts.path}?{parts.query}"


FIRST = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def picture_of(text, url="https://linear.app/x", key="epic:hostile", number=70):
    """A picture with a text wherever agents, people or GitHub could have put one."""
    run = PastRun(
        "11111111-1111-4111-8111-111111111111", "dev", 2, "finished", FIRST, "work_failed", text, text, 0.1, 3.0
    )
    proof = Proof(text, "exit code 0", 1.0, "abc", text)
    waits = (Shown(f"HOS-{number + 1}", "draft", {"number": text}),)
    ticket = TicketPicture(
        f"{key}-t", f"HOS-{number + 1}", text, url, Stage.DEV, text, text, (), waits, text, text, 7, url, text, text,
        text, 1, 0.5, (text,), (text,), (text,), (text,), (run,), (proof,),
    )  # fmt: skip
    epic = replace(ticket, id=f"{key}-e", identifier=f"HOS-{number}", runs=(), proofs=())
    turns = (Shown(f"HOS-{number}", "checks_failed", {"number": 7, "checks": text}),)
    return Picture(key, FIRST, epic, (ticket,), turns, 1.0, 100.0, text, lone=False, breakdown_url=url)


@pytest.fixture
def painted():
    """Paints such a picture."""
    return picture_of


async def _open(tmp_path_factory, login):
    plan = Plan(tmp_path_factory.mktemp("web"), model_app(lambda _request: None), {"a.txt": "a"}, sandbox="off")
    plan.login = login
    async with open_theatre(plan) as theatre:
        theatre.github.user("eve")
        theatre.linear.add_user("eve", guest=True)
        yield House(theatre)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory) -> AsyncIterator[House]:
    """The service, with both ways to log in."""
    async for one in _open(tmp_path_factory, login=True):
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_house(tmp_path_factory) -> AsyncIterator[House]:
    """The service, with no way to log in."""
    async for one in _open(tmp_path_factory, login=False):
        yield one
