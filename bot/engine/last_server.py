"""The server before ours, which still holds the folder: waited for, hurried, and in the end killed.

A server whose service was killed is told to end (SIGINT, by the kernel) and mostly does within a second. PostgreSQL 18
was seen to hang there for ever when one of its processes had been killed at the same time. Nobody would come to end it:
so it is asked for an immediate shutdown, and then killed. That costs a recovery at the next start and loses nothing.

After a machine or container started anew, its pid file may name a process that has nothing to do with it, and
PostgreSQL would refuse to start for as long as that one lives.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

PATIENCE = 8.0
"""Seconds until a server that is shutting down is hurried; the next step comes after as many again."""
MUTE = 30.0
"""The same for one that doesn't say that it is shutting down, and doesn't answer either."""


class LastServer:
    """The server that holds the lock on a cluster while we want to start ours."""

    def __init__(self, cluster: Path) -> None:
        self._cluster = cluster
        self._since: float | None = None
        self._steps = [signal.SIGQUIT, signal.SIGKILL]

    def make_way(self) -> None:
        """Called again and again while the lock is held; does what is due."""
        lines = _lines(self._cluster / "postmaster.pid")
        if lines is None or not lines[0].isdigit():
            return  # it is gone, or just being written
        pid, now = int(lines[0]), time.monotonic()
        if self._is_somebody_else(pid):
            log.warning("database_lock_stale", pid=pid, reason="that process is no database of ours")
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)
            return
        if self._since is None:
            self._since = now
            log.info("database_waits", folder=str(self._cluster), reason="the last server is still shutting down")
        patience = PATIENCE if "stopping" in lines[-1] else MUTE
        if self._steps and now - self._since > patience:
            step, self._since = self._steps.pop(0), now
            log.warning("database_hurried", pid=pid, signal=step.name, waited=patience)
            with suppress(ProcessLookupError):
                os.kill(pid, step)

    def _is_somebody_else(self, pid: int) -> bool:
        """PostgreSQL works in its own folder; where that can't be seen, it is believed to be one."""
        try:
            return (Path("/proc") / str(pid) / "cwd").readlink() != self._cluster
        except OSError:
            return False


def _lines(file: Path) -> list[str] | None:
    try:
        return file.read_text().splitlines() or None
    except OSError:
        return None
