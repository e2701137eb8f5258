"""The service in a process of its own that is killed at one point of a story, and what the story must come to."""

import asyncio
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.engine.pace import Pace
from bot.simulator.crash import KILLED, Life, Nursery, Point
from bot.simulator.crash.ending import Ending, difference, ending_of
from bot.simulator.theatre import REPOSITORY
from tests.databases import Databases

BRISK = Pace(
    tick=0.1,
    poll=0.1,
    resync=1.5,
    sweep=0.3,
    beat=0.2,
    dead_after=1.0,
    first_retry=0.1,
    last_retry=1.0,
    tries=50,
    lag=0.5,
)
PATIENCE = 120.0
"""Seconds that a story may take to come to its end after the kill."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The verdict of `make crash`; the sample in the suite is no enumeration."""
    if os.environ.get("CALLBOARD_CRASH", "sample") == "sample":
        return
    ends = {kind: _of_points(terminalreporter.stats.get(kind, ())) for kind in ("passed", "failed", "error")}
    for name in (*ends["failed"], *ends["error"]):
        terminalreporter.write_line(f"violation: make crash POINT={name}")
    wrong = len({*ends["failed"], *ends["error"]})
    if played := len(ends["passed"]) + wrong:
        terminalreporter.write_line(f"{played} crash points, {wrong} violations")


def _of_points(reports: Any) -> list[str]:
    names = (one.nodeid.partition("same_end[")[2].removesuffix("]") for one in reports)
    return [name for name in names if name]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@dataclass
class Played:
    """What a story came to."""

    ending: Ending
    runs: dict[str, int]
    """How many runs there were of each kind of worker."""
    deaths: int


@pytest.fixture
async def plays(
    opening: Callable[..., Any], databases: Databases, nursery: Nursery, tmp_path: Path
) -> Callable[..., Any]:
    """Play a story to its end, with a death at a point or (None) without one."""

    async def play(story: Callable[[Any, Any], Any], point: Point | None, wanted: Ending | None = None) -> Played:
        name = f"world_{uuid.uuid4().hex}"
        home = tmp_path / name

        async def loses() -> None:
            await databases.lose(name)
            await databases.make(name)

        await databases.make(name)
        life = Life(nursery, point, BRISK, loses, home / "life")
        try:
            async with AsyncExitStack() as stack:
                settings = {"serves": life.serves, "database_url": databases.url(name), "pace": BRISK}
                world = await opening(home, stack, **settings)

                async def quiet() -> bool:
                    return life.whole and await databases.quiet(name)

                return await _played(world, life, story, wanted, quiet)
        finally:
            await databases.lose(name)
            shutil.rmtree(home, ignore_errors=True)

    return play


async def _played(
    world: Any, life: Life, story: Callable[[Any, Any], Any], wanted: Ending | None, quiet: Callable[[], Any]
) -> Played:
    secret = world.theatre.settings.secret_key
    until = world.until
    world.until = lambda true, what="", seconds=PATIENCE: until(true, what, PATIENCE)
    async with AsyncExitStack() as stack:
        try:
            await story(world, stack.enter_async_context)
            ending = await _last(lambda: ending_of(world.linear, world.github, REPOSITORY, secret), wanted, quiet)
        except AssertionError as error:
            nobody = "" if life.whole else "nobody died; "
            raise AssertionError(f"{nobody}{error}\n{_last_words(life)}") from None
        homes = [world.theatre.settings.home, *life.lost]
    return Played(ending, _runs(homes), life.deaths)


async def _last(now: Callable[[], Any], wanted: Ending | None, quiet: Callable[[], Any]) -> Ending:
    """The ending: nothing is left to do and it stays as it is, for longer than a regular look takes to come again.

    One that is to be as `wanted` need not stay so long: what would come later came in the story it is compared with.
    """
    looks, apart = (6, 0.5) if wanted is None else (3, 0.15)
    end = asyncio.get_running_loop().time() + PATIENCE / 2
    last, same = await now(), 0
    while same < looks:
        wrong = [] if wanted is None else difference(wanted, last)
        in_time = asyncio.get_running_loop().time() < end
        assert in_time or not wrong, "the end is another one than without the kill:\n" + "\n".join(wrong)
        assert in_time, "it never comes to rest"
        await asyncio.sleep(apart)
        calm = not wrong and await quiet()
        before, last = last, await now()
        same = same + calm if before == last else 0  # a regular look that changes nothing is no unrest
    return last


def _runs(homes: list[Path]) -> dict[str, int]:
    """By kind of worker, also from data folders that got lost."""
    runs: dict[str, int] = {}
    for home in homes:
        for file in (home / "runs").rglob("prompt.md"):
            kind = next(line for line in file.read_text().splitlines() if line.startswith("PROMPT:"))
            runs[kind] = runs.get(kind, 0) + 1
    return runs


def _last_words(life: Life) -> str:
    """The log around the death, and its end."""
    lines = [line[:400] for line in life.log.read_text().splitlines()] if life.log.exists() else []
    death = lines.index(KILLED) if KILLED in lines else 0
    around, end = lines[max(0, death - 20) : death + 40], lines[max(death + 40, len(lines) - 15) :]
    return "\n".join(("the service's log:", *around, "[…]", *end))


@pytest.fixture
def reference(plays: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """How a story ends when nobody dies: played once, by whichever process comes first."""

    async def of(name: str, story: Callable[[Any, Any], Any]) -> Played:
        base = tmp_path_factory.getbasetemp()
        file = (base.parent if base.name.startswith("popen") else base) / f"ending-{name}.json"
        if not file.exists():
            played = await plays(story, None)
            making = file.with_suffix(f".{uuid.uuid4().hex}")
            making.write_text(json.dumps([played.ending, played.runs]))
            making.rename(file)
        ending, runs = json.loads(file.read_text())
        return Played(ending, runs, 0)

    return of
