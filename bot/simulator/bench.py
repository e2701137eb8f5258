"""`make bench`: first figures, measured over the simulators, printed and (with `--write`) put into docs/performance.md.

Ratios come before absolutes: a machine is named with them, and says little about another one.
"""

import argparse
import asyncio
import contextlib
import os
import platform
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from bot.board import open_board
from bot.config import PolicyFile
from bot.engine.database import open_database
from bot.engine.pace import Pace
from bot.engine.port import Delivery, Service
from bot.engine.postgres import PostgresEngine
from bot.machine.decide import decide
from bot.simulator.kill.rounds import open_rounds
from bot.simulator.theatre import Plan, Theatre, open_outside
from handlers import HANDLERS

Figure = tuple[str, str]
"""What was measured, and what came out."""
INTAKES = 400
SIZES = (10, 100, 1000)
_INSERT = "INSERT INTO bench (source, delivery, event, body) VALUES (%s, %s, %s, %s)"


async def intake(home: Path) -> list[Figure]:
    """Accepting a webhook (checked for its double, stored, its key woken) against the bare insert of such a row."""
    body = b"x" * 4000
    async with (
        open_database(None, home / "database") as database,
        PostgresEngine.open(database, pace=Pace(), workers=1) as engine,
        database.pool.connection() as connection,
    ):
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS bench (id bigserial PRIMARY KEY, source text, delivery text UNIQUE, "
            "event text, body bytea, at timestamptz DEFAULT now())"
        )

        async def bare() -> None:
            await connection.execute(_INSERT, ("linear", str(uuid.uuid4()), "Issue.update", body))

        async def accept() -> None:
            delivery = str(uuid.uuid4())
            await engine.accept(Delivery("linear", delivery, "Issue.update", "linear:i", body, datetime.now(UTC)))

        one, other = await _milliseconds(bare), await _milliseconds(accept)
    ratio = statistics.median(other) / statistics.median(one)
    return [
        ("accepting a webhook, against a bare insert of its row", f"{ratio:.1f} times as long"),
        ("a bare insert: median, 99th percentile", _spread(one)),
        ("accepting a webhook: median, 99th percentile", _spread(other)),
    ]


async def an_epic(home: Path) -> list[Figure]:
    """From the label to the first agent and to the end; a ticket's requests; what the idle service weighs."""
    async with open_rounds(home, seed=1, cap=10, tell=print) as rounds:
        theatre, people = rounds.theatre, rounds.people
        await rounds.service.start()
        await _serving(theatre)
        await asyncio.sleep(5)
        weight = _share(rounds.service.pid), _database(home)
        asked = len(theatre.linear.requests), len(theatre.github.requests)
        labelled = time.monotonic()
        epic = people.write_epic()
        seen = await rounds.goes_on()
        if seen is None or not await rounds.finish():
            raise AssertionError("the epic of the bench never ended")
        tickets = 1 + len(theatre.linear.children(epic))
        linear, github = len(theatre.linear.requests) - asked[0], len(theatre.github.requests) - asked[1]
        took = time.monotonic() - labelled
        await rounds.service.end()
    return [
        ("requests to Linear, for each issue of an epic with 3 tickets and documentation", f"{linear / tickets:.1f}"),
        ("requests to GitHub, the same", f"{github / tickets:.1f}"),
        ("from the label to the first agent's process", f"{seen - labelled:.2f} s"),
        ("from the label to the end, every agent taking a second", f"{took:.1f} s"),
        ("memory of the idle service (proportional share)", f"{weight[0]:.0f} MB"),
        ("memory of its PostgreSQL", f"{weight[1]:.0f} MB"),
    ]


async def rounds_of(home: Path) -> list[Figure]:
    """One round on an epic with 10, 100 and 1,000 tickets: reading it from the simulator, and deciding."""
    figures: list[Figure] = []
    plan = Plan(home, _nothing, {"README.md": "# YouLab\n"}, webhooks=False)
    async with open_outside(plan) as theatre:
        policy = PolicyFile(theatre.settings.config)
        async with open_board(theatre.settings, policy) as board:
            for size in SIZES:
                epic = _epic(theatre, size)
                asked, began = len(theatre.linear.requests), time.perf_counter()
                facts, _ = await board.look(epic, _NoRuns())  # type: ignore[arg-type]
                read = time.perf_counter() - began
                requests = len(theatre.linear.requests) - asked
                deciding = await _milliseconds(lambda facts=facts: _decided(facts), times=10)  # type: ignore[misc]
                figures.append(
                    (
                        f"a round on {size:,} tickets: deciding; reading; requests to Linear",
                        f"{statistics.median(deciding):.1f} ms; {read:.2f} s; {requests}",
                    )
                )
    return figures


class _NoRuns:
    """As much of an engine as looking takes."""

    async def runs(self, _key: str) -> tuple[()]:
        return ()

    async def service(self) -> Service:
        return Service()

    async def route(self, _subject: str, _key: str) -> None:
        return None


async def _decided(facts: object) -> None:
    decide(facts, HANDLERS)  # type: ignore[arg-type]


async def _nothing(_scope: object, _receive: object, _send: object) -> None:
    raise AssertionError("no model is asked here")


def _epic(theatre: Theatre, size: int) -> str:
    alice = theatre.person("alice")
    epic = alice.creates("YOU", f"{size} tickets", "A large one.", state="In Dev")
    alice.labels(epic, "orchestrate")
    for number in range(size):
        alice.creates("YOU", f"Ticket {number}", "Some work.", parent=epic, state="Todo")
    return epic.identifier


async def _serving(theatre: Theatre) -> None:
    """Wait until the service's port answers."""
    port = theatre.settings.port
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)


async def _milliseconds(what: Callable[[], Awaitable[None]], times: int = INTAKES) -> list[float]:
    await what()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await what()
        took.append((time.perf_counter() - began) * 1000)
    return took


def _spread(took: Iterable[float]) -> str:
    ordered = sorted(took)
    return f"{statistics.median(ordered):.2f} ms, {ordered[int(len(ordered) * 0.99)]:.2f} ms"


def _database(home: Path) -> float:
    """Megabytes of the PostgreSQL whose data lie below `home`, with all its processes."""
    first = next(one for one in _processes("postgres") if str(home) in Path(f"/proc/{one}/cmdline").read_text())
    return _share(first) + sum(_share(one) for one in _processes("postgres") if _parent(one) == first)


def _processes(name: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if (folder / "comm").read_text().strip() == name:
                found.append(int(folder.name))
    return found


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().split("PPid:")[1].split()[0])


def _share(pid: int) -> float:
    line = next(one for one in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if one.startswith("Pss:"))
    return int(line.split()[1]) / 1024


def _machine() -> str:
    model = next(
        (one.split(":")[1].strip() for one in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in one),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}, load {load:.1f} before it began"


def _page(machine: str, figures: Iterable[Figure]) -> str:
    rows = "\n".join(f"| {name} | {value} |" for name, value in figures)
    return (
        "# First figures\n\n"
        "Written by `make bench`, over the simulators on one machine: they say what the service itself costs, and\n"
        "nothing about the time that Linear, GitHub and models take. Read the ratios first.\n\n"
        f"{machine}, on {datetime.now(UTC):%d %B %Y}.\n\n"
        f"| what | figure |\n| --- | --- |\n{rows}\n"
    )


async def run(arguments: argparse.Namespace) -> int:
    """Measure, print, and write when that is wanted."""
    machine, figures = _machine(), list[Figure]()
    for part in (intake, an_epic, rounds_of):
        with tempfile.TemporaryDirectory(prefix="bench-") as home:
            for name, value in await part(Path(home)):
                sys.stdout.write(f"{name}: {value}\n")
                figures.append((name, value))
    if arguments.write:
        arguments.write.write_text(_page(machine, figures))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table there")
    sys.exit(asyncio.run(run(parser.parse_args())))
