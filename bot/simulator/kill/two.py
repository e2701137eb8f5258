"""`make kill` at the end: two services on one database; the one whose agent works is killed, or frozen.

The other must notice and go on within 90 seconds. Each service has a data folder of its own, as on two machines.
"""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from bot.engine.embedded import embedded_server
from bot.simulator.kill.processes import Process, belonging, below, ticket_of
from bot.simulator.kill.rounds import open_rounds
from bot.simulator.kill.service import Service
from bot.simulator.serving import free_port

LIMIT = 90.0


async def take_over(home: Path, how: signal.Signals, seed: int = 1) -> float:
    """Seconds from the end of one service (`how`: SIGKILL or SIGSTOP) to an agent of the other on the same ticket.

    Raises:
        TimeoutError: nothing began, or nobody took over.
    """
    async with (
        embedded_server(home / "shared") as server,
        open_rounds(home, seed=seed, cap=2, tell=lambda _line: None, lone=True, database_url=server.url) as world,
    ):
        first = world.service
        second = Service(_elsewhere(first.environment, home / "second"), home / "second.log")
        script = world.watch.agent
        try:
            await first.start()
            await second.start()
            world.people.write_epic()
            async with asyncio.timeout(120):
                victim, ticket = await _at_work(home, script, (first, second))
            os.kill(victim.pid, how)
            ended = time.monotonic()
            other = second if victim is first else first
            async with asyncio.timeout(2 * LIMIT):
                await _at_work(home, script, (other,), ticket)
            return time.monotonic() - ended
        finally:
            for one in (first, second):
                if one.pid:
                    await one.kill()


async def _at_work(home: Path, script: Path, services: tuple[Service, ...], ticket: str = "") -> tuple[Service, str]:
    """Wait until one of these services has an agent (for a ticket), and return it and the ticket."""
    while True:
        processes = await asyncio.to_thread(belonging, home)
        table: dict[int, Process] = {one.pid: one for one in processes}
        for one in processes:
            if len(one.argv) > 1 and one.argv[1] == str(script) and ticket in ticket_of(one):
                for service in services:
                    if service.pid and below(service.pid, table, one):
                        return service, ticket_of(one)
        await asyncio.sleep(0.05)


def _elsewhere(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The same service on another machine: its own folder and port, the same policy, keys and database."""
    home.mkdir(parents=True)
    config = str(Path(environment["CALLBOARD_HOME"]) / "callboard.toml")
    return {**environment, "CALLBOARD_HOME": str(home), "PORT": str(free_port()), "CALLBOARD_CONFIG": config}
