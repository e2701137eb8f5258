"""One process at a time: whoever comes second is told who is at it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.machine.errors import UserError


@contextmanager
def alone(file: Path, what: str) -> Iterator[None]:
    """Hold the lock of a file while the block lasts; it is gone with the process, however that ends.

    Raises:
        UserError: another process holds it, which is doing `what`.
    """
    lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(lock, 20, 0).decode(errors="replace")
            raise UserError(
                f"Another `{what}` (process {who}) is under way here: wait for it, or end it with Ctrl-C."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(lock)
