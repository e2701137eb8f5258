"""The process table, as far as it belongs to one service: its agents, their walls and wardens, its database.

A process belongs to the service when its command line or its working folder speaks of the service's home. So one that
has lost its parents is found too. Linux only, and the service must run as the same user or under root.
"""

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEAD = frozenset("ZXx")
_TREE = re.compile(r"/\.trees/(.+)$")
_RUN = re.compile(r"/runs/([^/]+)/prompt\.md$")


@dataclass(frozen=True)
class Process:
    """A living process. `pid` and `started` (clock ticks since boot) are its identity."""

    pid: int
    started: int
    parent: int
    name: str
    argv: tuple[str, ...]
    folder: str

    @property
    def identity(self) -> tuple[int, int]:
        """What no other process has, even when numbers come again."""
        return self.pid, self.started


def belonging(home: Path) -> list[Process]:
    """Every living process of the service whose home this is."""
    mark = str(home)
    found = (read(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())  # noqa: PTH208  # many times a second
    return [one for one in found if one and (one.folder.startswith(mark) or any(mark in word for word in one.argv))]


def read(pid: int) -> Process | None:
    """One living process; None when there is none."""
    place = Path("/proc") / str(pid)
    try:
        text = (place / "stat").read_text(errors="replace")
        argv = (place / "cmdline").read_bytes()
        folder = str((place / "cwd").readlink())
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] in DEAD:
        return None
    name = text[text.index("(") + 1 : text.rindex(")")]
    words = tuple(os.fsdecode(argv).rstrip("\0").split("\0"))
    return Process(pid, int(fields[19]), int(fields[1]), name, words, folder)


def alive(process: Process) -> bool:
    """Whether this very process still lives."""
    now = read(process.pid)
    return now is not None and now.started == process.started


def below(service: int, processes: Mapping[int, Process], process: Process) -> bool:
    """Whether a process descends from another, as far as the table tells."""
    seen = set[int]()
    pid = process.pid
    while pid not in seen and pid > 1:
        if pid == service:
            return True
        seen.add(pid)
        if pid not in processes:
            return False
        pid = processes[pid].parent
    return False


def ticket_of(process: Process) -> str:
    """The branch an agent works on; empty when its folder tells none."""
    found = _TREE.search(process.folder)
    return found[1] if found else ""


def run_of(process: Process) -> str:
    """The run an agent was started for, as its environment tells; empty when it is gone."""
    with contextlib.suppress(OSError):
        for entry in (Path("/proc") / str(process.pid) / "environ").read_bytes().split(b"\0"):
            if entry.startswith(b"CALLBOARD_PROMPT=") and (found := _RUN.search(os.fsdecode(entry))):
                return found[1]
    return ""
