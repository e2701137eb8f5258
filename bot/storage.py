"""The data folder: can it be written? A disk that is full or read-only passes; nothing that counts is only there."""

import errno
import os
import tempfile
from pathlib import Path

UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors that say that the disk is full, somebody's share of it is, or it is read-only."""
PROBE = 1 << 20
"""Bytes: less than this left is as good as nothing."""


def trouble(folder: Path) -> str:
    """Why nothing can be written in a folder now, in the system's words; empty when all is well."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return ""
