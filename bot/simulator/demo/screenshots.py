"""`python -m bot.simulator.demo.screenshots FOLDER`: play the demo, and photograph Callboard's pages with Chromium.

What is worth seeing lasts for seconds, so each picture is taken when the engine says that its moment has come.
"""

import argparse
import asyncio
import contextlib
import io
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bot import logs
from bot.engine.port import RunState
from bot.machine.errors import UserError
from bot.runs.sandbox import Bubblewrap
from bot.simulator.demo.cast import machines, people
from bot.simulator.demo.command import begin
from bot.simulator.demo.script import model
from bot.simulator.demo.show import Show
from bot.simulator.demo.story import EPIC
from bot.simulator.theatre import POLICY, Plan, open_theatre

DESKTOP, PHONE = (1200, 900), (400, 860)
PATIENCE = 600.0


@dataclass(frozen=True)
class Camera:
    """Takes pictures with a Chromium of its own for each."""

    program: str
    folder: Path
    url: str

    async def take(self, name: str, path: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> None:
        """A PNG of a page, twice as fine as the screen."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            quiet = ("gpu", "quic", "background-networking", "component-update", "sync")
            process = await asyncio.create_subprocess_exec(
                self.program,
                *("--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars"),
                *(f"--disable-{one}" for one in quiet),
                *(f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"),
                f"--blink-settings=preferredColorScheme={0 if dark else 1}",
                *(f"--screenshot={self.folder / name}.png", f"{self.url}{path}"),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(60):
                    await process.wait()
            finally:
                with contextlib.suppress(ProcessLookupError):  # nothing of it is left
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def main(folder: Path) -> None:
    """Play the demo and take the pictures.

    Raises:
        UserError: there is no Chromium.
        TimeoutError: the demo got stuck.
    """
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise UserError("Screenshots need Chromium: install the package `chromium`.")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, (Path(home) / "log").open("w") as out:
        logs.configure(out=out)
        sandbox = "off" if await Bubblewrap().missing() else "bwrap"
        plan = Plan(Path(home), model(EPIC), EPIC.files, POLICY + EPIC.gates, sandbox=sandbox)
        async with open_theatre(plan) as theatre, machines(EPIC, theatre), asyncio.timeout(PATIENCE):
            show = begin(EPIC, theatre, Console(file=io.StringIO()), yes=False)
            async with people(EPIC, show):
                playing = asyncio.create_task(show.play(PATIENCE))
                await _photograph(show, Camera(program, folder, theatre.url))
                playing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await playing


async def _photograph(show: Show, camera: Camera) -> None:
    """What the README shows; the epic at work by day, by night and on a phone."""
    alice, epic = show.theatre.person("alice"), f"/epics/{show.epic.identifier}"
    await show.until(lambda: show.epic.state.name == "Plan in Review" and _asked(show, "Turn 1"))
    alice.comments(show.epic, "approve")
    await show.until(lambda: _running(show) >= 2 and _reviewed(show) >= 2)
    await camera.take("epic", epic, (1200, 1040))
    await camera.take("epic-dark", epic, (1200, 1040), dark=True)
    await camera.take("epic-phone", epic, PHONE)
    await show.until(lambda: show.epic.state.name == "Code Review" and _asked(show, "Turns 2 and 3"))
    await camera.take("epics", "/")
    await camera.take("turn", epic)
    await camera.take("ticket", f"/tickets/{show.tickets[2].identifier}")
    run = next(one for one in show.runs.values() if one.order.stage == "dev")
    await camera.take("run", f"/runs/{run.order.run_id}", dark=True)
    await camera.take("health", "/health", DESKTOP)


def _asked(show: Show, word: str) -> bool:
    comments = show.theatre.person("alice").reads(show.epic)
    return any(word in one.body for one in comments if one.user and one.user.app)


def _running(show: Show) -> int:
    return sum(one.state is RunState.RUNNING for one in show.runs.values())


def _reviewed(show: Show) -> int:
    return sum(one.state.name in ("Code Review", "Ready to Merge") for one in show.tickets)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Photograph the pages while the demo plays.")
    parser.add_argument("folder", type=Path)
    try:
        asyncio.run(main(parser.parse_args().folder))
    except UserError as mistake:
        sys.exit(f"screenshots: {mistake}")
