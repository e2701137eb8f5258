"""Whether a run is alive, and within its limits: looked at from outside, every few seconds."""

import asyncio
import os
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bot.runs import warden
from bot.runs.bounds import Bounds
from bot.runs.disk import MOST_FILES, disk_use

_BUSY = 0.02
"""Share of one processor above which a silent program counts as working (a test run that prints nothing)."""


@dataclass(frozen=True)
class Limits:
    """In seconds: `wall` for the whole run, `silent` without a sign of life, `grace` between asking and killing.

    `unattended` is for how long a program may go on without a sign of life of the service: shorter than the lease of a
    run (`Pace.dead_after`), so that it is gone before another service starts it again.
    `bounds` is how much of the machine the whole tree may use; None means what one processor and disk have.
    """

    wall: float
    silent: float = 900.0
    grace: float = 5.0
    unattended: float = 20.0
    bounds: Bounds | None = None


class End(StrEnum):
    """Who ended the program: itself, one of the limits, or somebody who asked."""

    EXITED = "exited"
    WALL = "wall"
    SILENT = "silent"
    BOUNDS = "bounds"
    STOPPED = "stopped"


@dataclass
class Pulse:
    """The last sign of life, as `time.monotonic()`; anybody who sees one calls `beat`."""

    last: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Note a sign of life now."""
        self.last = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self.last


class Watcher:
    """Looks at a tree every few seconds, until a limit is passed or somebody asks to stop."""

    def __init__(self, pid: int, folders: tuple[Path, ...], limits: Limits, *, held: bool) -> None:
        self._pid, self._folders, self._limits = pid, folders, limits
        self._held = held or limits.bounds is None
        """The kernel sees to memory and processes, or nobody wants it."""
        self._every = min(5.0 if self._held else 1.0, limits.silent / 4, limits.wall / 4)
        self._ticks = 0
        self._next_disk = 0.0
        self._free = self._free_then = _free(folders)
        self.why = ""

    async def watch(self, pulse: Pulse, stop: asyncio.Event) -> End:
        """Return when a limit is passed or somebody asked to stop; `why` says which, when it is one of the bounds."""
        end = time.monotonic() + self._limits.wall
        while True:
            try:
                await asyncio.wait_for(stop.wait(), self._every)
            except TimeoutError:
                tree = await asyncio.to_thread(warden.descendants, self._pid)
                self._listen(tree, pulse)
                if time.monotonic() >= end:
                    return End.WALL
                if pulse.age > self._limits.silent:
                    return End.SILENT
                self.why = self._too_much(tree) or await self._too_full()
                if self.why:
                    return End.BOUNDS
            else:
                return End.STOPPED

    def _listen(self, tree: list[warden.Process], pulse: Pulse) -> None:
        now = sum(process.ticks for process in tree)
        if (now - self._ticks) / os.sysconf("SC_CLK_TCK") > _BUSY * self._every:
            pulse.beat()
        self._ticks = now

    def _too_much(self, tree: list[warden.Process]) -> str:
        bounds = self._limits.bounds
        if bounds is None or self._held:
            return ""
        if sum(process.memory for process in tree) > bounds.memory:
            return f"It used more than {bounds.memory / (1 << 30):g} GB of memory and was ended."
        if sum(process.threads for process in tree) > bounds.processes:
            return f"It had more than {bounds.processes} processes and was ended."
        return ""

    async def _too_full(self) -> str:
        """Look at the disk, more often while it fills quickly, and never for more than a fiftieth of the time."""
        bounds, begun = self._limits.bounds, time.monotonic()
        if bounds is None or not self._folders:
            return ""
        free = _free(self._folders)
        if begun < self._next_disk and self._free_then - free < bounds.disk / 4:
            return ""
        self._free_then = free
        use = await asyncio.to_thread(disk_use, self._folders, bounds.disk)
        self._next_disk = begun + 50 * (time.monotonic() - begun)
        if use.size > bounds.disk or (use.hidden and self._free - free > bounds.disk):
            return f"It wrote more than {bounds.disk / (1 << 30):g} GB and was ended."
        return f"It made more than {MOST_FILES:,} files and was ended." if use.files > MOST_FILES else ""


def _free(folders: tuple[Path, ...]) -> int:
    """Bytes that are free where the folders are."""
    for folder in folders:
        if folder.exists():
            found = os.statvfs(folder)
            return found.f_bavail * found.f_frsize
    return 0
