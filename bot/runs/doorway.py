"""Where the socket of a run's door lies: a folder of its own, that nobody else may enter.

A unix socket's path must stay under 108 bytes, so the folder of the run is too deep for it. A service that is killed
leaves its folders behind; whoever opens the next one takes them away, and knows by a lock on each whether it is in use.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "callboard-door-"
_LONGEST_BASE = 60
_JUST_MADE = 60.0
"""Seconds in which a folder may be new and not locked yet."""


@contextlib.contextmanager
def doorway() -> Iterator[Path]:
    """Keep a fresh folder, mode 0700, until the block ends."""
    base = tempfile.gettempdir()
    base = base if len(base) < _LONGEST_BASE else "/tmp"  # noqa: S108  # the folder is ours alone
    _clear(Path(base))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    try:
        with _locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder)


def _clear(base: Path) -> None:
    """Take away what a process that is gone has left; one that is in use, or another user's, stays."""
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            found = folder.lstat()
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            if ours and time.time() - found.st_mtime > _JUST_MADE:
                with _locked(folder):
                    shutil.rmtree(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Raises BlockingIOError when another process, or another run, has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
