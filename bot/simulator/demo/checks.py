"""The repository's own tests, run for every pushed head and reported to the simulated GitHub, behind the same walls."""

import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.runs.sandbox import Box, Sandbox, toolchain
from bot.runs.selftest import sandbox
from bot.runs.supervisor import Command, Limits, supervise
from bot.simulator.github import RealCI
from bot.simulator.theatre import Theatre

TESTS = ["python3", "-m", "unittest", "discover", "-s", "tests", "-t", "."]


@asynccontextmanager
async def tests_of_the_repository(theatre: Theatre) -> AsyncIterator[None]:
    """Let the simulated CI run the tests for as long as the block lasts."""
    walls = await sandbox(theatre.settings.sandbox)

    async def run(command: list[str], folder: Path) -> tuple[int, str]:
        return await _run(walls, command, folder)

    async with RealCI(theatre.github, command=TESTS, run=run):
        yield


async def _run(walls: Sandbox, command: list[str], tree: Path) -> tuple[int, str]:
    with tempfile.TemporaryDirectory(prefix="checks-") as name:
        home = Path(name)
        path = f"{Path(sys.base_prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        env = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        box = Box(tree, home, read_only=toolchain(), env=env)
        ended = await supervise(
            Command(tuple(walls.wrap(command, box)), env, tree), Limits(wall=120), transcript=home / "output"
        )
        return ended.code, (home / "output").read_text(errors="replace") + ended.stderr
