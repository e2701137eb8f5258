"""The rounds: epics are on their way, something is killed at a random moment, the service is started again."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bot.runs.sandbox import Bubblewrap
from bot.simulator.kill import agent, tally
from bot.simulator.kill.people import People
from bot.simulator.kill.processes import Process, belonging
from bot.simulator.kill.service import Service
from bot.simulator.kill.watch import Watch
from bot.simulator.model import model_app
from bot.simulator.theatre import POLICY, Plan, Theatre, open_outside

AGENT = Path(agent.__file__)
FILES = {"README.md": "# YouLab\n", "test_it.py": "import unittest\n"}
PATIENCE = 240.0
"""Seconds without any change in Linear after which nothing will come any more."""


@dataclass
class Rounds:
    """A world in which the service is killed. `recovered` are the seconds from a kill to an agent that goes on."""

    theatre: Theatre
    service: Service
    watch: Watch
    people: People
    chance: Random
    tell: Callable[[str], None]
    recovered: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """What else was killed."""

    async def play(self, rounds: int, epics: int) -> None:
        """Kill so often, with so many epics on their way."""
        await self.service.start()
        for number in range(1, rounds + 1):
            while len(self.people.unfinished()) < epics:
                self.people.write_epic()
            await self._live_a_while(number)
            await self._kill()
            self.tell(
                f"round {number}: {len(self.people.epics) - len(self.people.unfinished())} of {len(self.people.epics)}"
                f" epics done, {len(self.watch.agents)} agents so far, also killed: {len(self.others)}"
            )
        await self.goes_on()

    async def finish(self) -> bool:
        """Wait until every epic is done; False when nothing changes any more before that."""
        events, since = -1, time.monotonic()
        while self.people.unfinished():
            if len(self.theatre.linear.events) != events:
                events, since = len(self.theatre.linear.events), time.monotonic()
            if time.monotonic() - since > PATIENCE:
                return False
            await asyncio.sleep(0.2)
        return True

    async def goes_on(self, limit: float = 120.0) -> float | None:
        """Wait for the first agent after the last start; returns when it was seen, None when none came.

        Nothing may be left to do for agents, so this is no failure.
        """
        end = time.monotonic() + limit
        while time.monotonic() < end and self.people.unfinished():
            seen = [one.seen_at for one in tuple(self.watch.agents.values()) if one.seen_at > self.service.started_at]
            if seen:
                return min(seen)
            await asyncio.sleep(0.05)
        return None

    async def _live_a_while(self, number: int) -> None:
        """Until a moment that nobody chose: often while the service starts, more often while it works."""
        if number > 1 and self.chance.random() < 0.3:
            await asyncio.sleep(self.chance.uniform(0.0, 3.0))
            return
        await self.goes_on()
        await asyncio.sleep(self.chance.uniform(0.0, 4.0))
        if self.chance.random() < 0.5:
            await self._until_agents_work()
        if self.chance.random() < 0.5:
            self._kill_something_else()
            await asyncio.sleep(self.chance.uniform(0.0, 3.0))

    async def _until_agents_work(self, limit: float = 10.0) -> None:
        """Half of the kills meet agents at work, if there are any soon."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if self.watch.live:
                return
            await asyncio.sleep(0.05)

    async def _kill(self) -> None:
        """Kill the service and start it again, at once or a little later."""
        at_work = {one.ticket for one in self.watch.live}
        killed_at = time.monotonic()
        await self.service.kill()
        await asyncio.sleep(self.chance.choice((0.0, self.chance.uniform(0.0, 1.0))))
        await self.service.start()
        if at_work:
            asyncio.get_running_loop().create_task(self._measure(at_work, killed_at, self.service.started_at))

    async def _measure(self, tickets: set[str], killed_at: float, started_at: float) -> None:
        """How long it takes until a ticket whose agent died has one again; void when the next kill comes first."""
        while self.service.started_at == started_at:
            seen = [
                one.seen_at
                for one in tuple(self.watch.agents.values())
                if one.seen_at > started_at and one.ticket in tickets
            ]
            if seen:
                self.recovered.append(min(seen) - killed_at)
                return
            await asyncio.sleep(0.05)

    def _kill_something_else(self) -> None:
        """SIGKILL to an agent, its wall, its warden, the database, or one of its backends."""
        kinds: dict[str, Callable[[Process], bool]] = {
            "agent": lambda one: len(one.argv) > 1 and one.argv[1] == str(self.watch.agent),
            "bwrap": lambda one: one.name == "bwrap",
            "warden": lambda one: any(word.endswith("warden.py") for word in one.argv[:5]),
            "database": lambda one: one.name == "postgres" and "-D" in one.argv,
            "database backend": lambda one: one.name == "postgres" and one.argv[0].startswith("postgres:"),
        }
        kind = self.chance.choice(list(kinds))
        there = [one for one in belonging(self.watch.home) if kinds[kind](one)]
        if there:
            victim = self.chance.choice(there)
            with suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL)
                self.others.append(kind)

    def database(self) -> str:
        """The address of the database."""
        own = self.theatre.settings.database_url
        return own or tally.running_database(self.theatre.settings.home)


@asynccontextmanager
async def open_rounds(
    home: Path, *, seed: int, cap: int, tell: Callable[[str], None], lone: bool = False, database_url: str | None = None
) -> AsyncIterator[Rounds]:
    """The outside services, the watch and the people; the service is not started yet. All is gone in the end."""
    script = _script(home)
    walls = "off" if await Bubblewrap().missing() else "bwrap"
    plan = Plan(
        home,
        model_app(lambda _asked: None),
        FILES,
        policy=_policy(script, cap),
        sandbox=walls,
        database_url=database_url,
    )
    async with open_outside(plan) as theatre:
        theatre.linear.limits.complexity["app"] *= 10  # an hour of kills is a month of life; `make rebuild` counts
        service = Service({**theatre.environment, "CALLBOARD_RESYNC_SECONDS": "10"}, home / "service.log")
        watch = Watch(theatre.settings.home, script, cap, lambda: service.pid)
        people = People(theatre, lone)
        answering = asyncio.create_task(people.answer())
        watch.start()
        try:
            yield Rounds(theatre, service, watch, people, Random(seed), tell)  # noqa: S311  # a seed, not a secret
        finally:
            answering.cancel()
            if service.pid:
                await service.kill()
            watch.stop()


def _script(home: Path) -> Path:
    """The agent at a path that only this service's processes speak of."""
    home.mkdir(parents=True, exist_ok=True)
    return home / shutil.copy(AGENT, home / "agent.py")


def _policy(script: Path, cap: int) -> str:
    quick = POLICY.replace("checks_appear_seconds = 5", "checks_appear_seconds = 0.3")
    python = Path(sys.base_prefix) / "bin" / "python3"
    return f"""{quick}
[limits]
workers = {cap}
max_retries = 10

[agent]
runtime = "command"
command = ["{python}", "{script}"]

[sandbox]
read_only = ["{script}"]
"""
