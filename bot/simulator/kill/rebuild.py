"""`make rebuild TICKETS=N`: everything is lost but Linear and GitHub; how long until the service knows all again?

The service first meets all tickets and says what it has to say. Then it is killed, its database and data folder are
deleted, and it is started again: from there the time and the requests are counted, until every epic had a good round
and nothing waits. Exit code 0: within two minutes, within Linear's hourly limits, and nothing was said twice.
"""

import argparse
import asyncio
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bot.simulator.kill.many import PER_EPIC, write_epics
from bot.simulator.kill.service import Service
from bot.simulator.kill.tally import running_database
from bot.simulator.model import model_app
from bot.simulator.theatre import POLICY, Plan, Theatre, open_outside
from bot.telling import PANEL_SECONDS

SECONDS = 120.0
REQUESTS, COMPLEXITY = 2_500, 2_000_000
"""The lower of Linear's limits per hour, of a personal key and of an OAuth application."""
SERVED = "SELECT count(*) FROM callboard.keys WHERE key LIKE 'epic:%' AND served > 0"
WAITING = "SELECT count(*) FROM callboard.keys WHERE wanted > served"


@dataclass(frozen=True)
class Cost:
    """What a start cost. `operations` are Linear's, by name; `said` are comments of the service that are new."""

    seconds: float
    linear: int
    complexity: int
    github: int
    operations: Counter[str]
    github_operations: Counter[str]
    said: int

    @property
    def good(self) -> bool:
        """Whether it is quick and cheap enough, and silent."""
        return self.seconds <= SECONDS and self.linear <= REQUESTS and self.complexity <= COMPLEXITY and not self.said


async def rebuild(home: Path, tickets: int) -> Cost:
    """Settle, lose everything, and measure the start after that.

    Raises:
        TimeoutError: it did not settle within ten minutes.
    """
    policy = f"{POLICY}\n[limits]\nworkers = 10\n"
    plan = Plan(
        home, model_app(lambda _asked: None), {"README.md": "#\n"}, policy=policy, sandbox="off", webhooks=False
    )
    async with open_outside(plan) as theatre:
        epics = await write_epics(theatre, tickets)
        service = Service({**theatre.environment, "CALLBOARD_RESYNC_SECONDS": "3600"}, home / "service.log")
        try:
            await _start(theatre, service, len(epics))
            await asyncio.sleep(2 * PANEL_SECONDS)  # so that the panels show what was said last
            await service.kill()
            await _gone(theatre.settings.home)
            return await _start(theatre, service, len(epics))
        finally:
            if service.pid:
                await service.kill()


async def _start(theatre: Theatre, service: Service, epics: int) -> Cost:
    linear, github, said = len(theatre.linear.requests), len(theatre.github.requests), _comments(theatre)
    begun = time.monotonic()
    await service.start()
    async with asyncio.timeout(600):
        while True:
            if await _settled(theatre.settings.home, epics):
                break
            await asyncio.sleep(0.2)
    seconds = time.monotonic() - begun
    sys.stdout.write(f"   settled after {seconds:.1f} s\n")
    sys.stdout.flush()
    asked = theatre.linear.requests[linear:]
    return Cost(
        seconds,
        len(asked),
        sum(one.complexity for one in asked),
        len(theatre.github.requests) - github,
        Counter(one.operation for one in asked),
        Counter(_kind(one.operation) for one in theatre.github.requests[github:]),
        _comments(theatre) - said,
    )


async def _settled(home: Path, epics: int) -> bool:
    """Whether every epic had a good round, and no key waits for one."""
    try:
        async with await psycopg.AsyncConnection.connect(running_database(home), connect_timeout=2) as connection:
            served = await (await connection.execute(SERVED)).fetchone()
            waiting = await (await connection.execute(WAITING)).fetchone()
    except (OSError, psycopg.Error, IndexError):
        return False  # it is still being made
    return served == (epics,) and waiting == (0,)


async def _gone(home: Path) -> None:
    """Delete the database and the data folder, as soon as the old server has let go; the policy is kept."""
    policy = (home / "callboard.toml").read_text()
    await asyncio.to_thread(_delete, home)
    (home / "callboard.toml").write_text(policy)


def _delete(home: Path) -> None:
    end = time.monotonic() + 60
    while any((home / "database").glob("postgres-*/postmaster.pid")) and time.monotonic() < end:
        time.sleep(0.1)
    shutil.rmtree(home)
    home.mkdir()


def _kind(operation: str) -> str:
    """A request without what it is about."""
    return re.sub(r"\b[0-9a-f]{40}\b|\b\d+\b", "…", operation)


def _comments(theatre: Theatre) -> int:
    return sum(bool(one.user and one.user.app) for issue in theatre.linear.issues() for one in issue.comments)


def main() -> int:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=500, metavar="N", help="how many live tickets, ten to an epic")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="callboard-rebuild-"))
    cost = asyncio.run(rebuild(home, options.tickets))
    shutil.rmtree(home, ignore_errors=True)
    for operation, count in cost.github_operations.most_common():
        sys.stdout.write(f"{count:6} GitHub {operation}\n")
    for operation, count in cost.operations.most_common():
        sys.stdout.write(f"{count:6} Linear {operation}\n")
    sys.stdout.write(
        f"{options.tickets} tickets of {options.tickets // PER_EPIC} epics rebuilt in {cost.seconds:.1f} s:"
        f" Linear {cost.linear} requests, {cost.complexity} points; GitHub {cost.github} requests;"
        f" {cost.said} comments said again\n"
    )
    return 0 if cost.good else 1


if __name__ == "__main__":
    sys.exit(main())
