"""How much of the machine one run may use, and the kernel's control groups, which hold it to that where there are any.

A group of its own is made for every run below the one that the service was given (systemd: `Delegate=yes`; a container:
a writable /sys/fs/cgroup). Version 2 is preferred; version 1 is used where a system still has it. Elsewhere the
supervisor looks once a second and ends a run that uses more.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import structlog

from bot.policy import SandboxPolicy

log = structlog.get_logger()

_NEEDED = ("memory", "pids", "cpu")
_PREFIX = "callboard-"
_numbers = count(1)


@dataclass(frozen=True)
class Bounds:
    """What one run may use: bytes of memory and of disk, processes (threads count), processors."""

    memory: int = 6 << 30
    processes: int = 1024
    cpus: float = 4.0
    disk: int = 10 << 30

    @classmethod
    def of(cls, policy: SandboxPolicy) -> "Bounds":
        """As the policy says."""
        memory, disk = int(policy.memory_gigabytes * (1 << 30)), int(policy.disk_gigabytes * (1 << 30))
        return cls(memory, policy.processes, policy.cpus, disk)


@dataclass(frozen=True)
class Groups:
    """Where groups can be made: one folder for all controllers (version 2), or one for each (version 1)."""

    folders: Mapping[str, Path]

    def make(self, bounds: Bounds) -> list[Path]:
        """Make a group with these bounds; returns its folders.

        Raises:
            OSError: it can't be made. No run goes without.
        """
        name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        made: list[Path] = []
        try:
            for folder in dict.fromkeys(folder / name for folder in self.folders.values()):
                folder.mkdir()
                made.append(folder)
            for controller, parent in self.folders.items():
                for file, value in _settings(controller, bounds).items():
                    if (parent / name / file).exists():
                        (parent / name / file).write_text(value)
        except OSError:
            remove(made)
            raise
        return made


@asynccontextmanager
async def held_to(bounds: Bounds | None) -> AsyncIterator[tuple[Path, ...]]:
    """Keep a group for one run; yields the files that a process writes `0` to in order to join, if any.

    What is left in it when the block ends is killed.

    Raises:
        OSError: groups can be made here, but this one can't.
    """
    where = groups()
    if bounds is None or where is None:
        yield ()
        return
    made = where.make(bounds)
    try:
        yield tuple(folder / "cgroup.procs" for folder in made)
    finally:
        await asyncio.to_thread(remove, made)


@cache
def groups() -> Groups | None:
    """Return where groups can be made on this machine, found out once by making one, or None."""
    table = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    mine = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for found in (_version_2(table, mine), _version_1(table, mine)):
        if found:
            _clear(found)
            try:
                remove(found.make(Bounds()))
            except OSError as error:
                log.debug("no control groups", error=str(error))
                continue
            return found
    return None


def _version_2(table: list[list[str]], mine: list[list[str]]) -> Groups | None:
    mounted = next((line for line in table if line[line.index("-") + 1] == "cgroup2"), None)
    place = next((path for number, _, path in mine if number == "0"), None)
    if mounted is None or place is None:
        return None
    folder = _below(mounted, place)
    try:
        if not set(_NEEDED) <= set((folder / "cgroup.controllers").read_text().split()):
            return None
        if not set(_NEEDED) <= set((folder / "cgroup.subtree_control").read_text().split()):
            _delegate(folder)
    except OSError as error:
        log.debug("no control groups", error=str(error))
        return None
    return Groups(dict.fromkeys(_NEEDED, folder))


def _delegate(folder: Path) -> None:
    """Move everything here one level down: only a group without processes of its own can have controlled children."""
    service = folder / "service"
    service.mkdir(exist_ok=True)
    for process in (folder / "cgroup.procs").read_text().split():
        (service / "cgroup.procs").write_text(process)
    (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _NEEDED))


def _version_1(table: list[list[str]], mine: list[list[str]]) -> Groups | None:
    found = {}
    for line in table:
        kind, options = line[line.index("-") + 1], line[line.index("-") + 3].split(",")
        for controller in _NEEDED:
            place = next((path for _, names, path in mine if controller in names.split(",")), None)
            if kind == "cgroup" and controller in options and place is not None:
                found[controller] = _below(line, place)
    return Groups(found) if set(found) == set(_NEEDED) else None


def _below(line: list[str], place: str) -> Path:
    """The folder of our own group, where it is mounted (a container may show only a part of the tree)."""
    root, mounted = line[3], Path(line[4])
    inner = place.removeprefix(root) if root != "/" else place
    folder = mounted / inner.lstrip("/")
    return folder if folder.is_dir() else mounted


def _settings(controller: str, bounds: Bounds) -> dict[str, str]:
    """The files of both versions; those that are not there are left out."""
    quota = int(bounds.cpus * 100_000)
    match controller:
        case "memory":
            most = str(bounds.memory)
            return {"memory.max": most, "memory.swap.max": "0", "memory.limit_in_bytes": most}
        case "pids":
            return {"pids.max": str(bounds.processes)}
        case _:
            return {"cpu.max": f"{quota} 100000", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": str(quota)}


def _clear(found: Groups) -> None:
    """Remove groups that a service left which was killed; another one that runs here keeps its own."""
    for folder in set(found.folders.values()):
        for left in folder.glob(f"{_PREFIX}*"):
            owner = left.name.removeprefix(_PREFIX).partition("-")[0]
            if not Path("/proc", owner).exists():
                _remove(left)


def remove(made: list[Path]) -> None:
    """Remove a group; the tree is dead already, but the kernel takes a moment to notice."""
    for folder in made:
        _remove(folder)


def _remove(folder: Path) -> None:
    kill = folder / "cgroup.kill"
    if kill.exists():
        kill.write_text("1")
    end = time.monotonic() + 2
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > end:
                log.warning("a control group stays behind", folder=str(folder), error=str(error))
                return
            time.sleep(0.01)
        else:
            return
