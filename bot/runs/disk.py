"""How much lies in the folders that a run can write."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 1_000_000
"""Inodes are a resource, too."""


@dataclass(frozen=True)
class Use:
    """Bytes on the disk, and the number of files and folders."""

    size: int
    files: int
    hidden: bool = False
    """Something could not be looked into."""


def disk_use(folders: Iterable[Path], most: int) -> Use:
    """Count what lies below `folders`; stops early when it is more than `most` bytes or too many files.

    Nothing is followed or opened; what vanishes meanwhile doesn't count.
    """
    size = files = 0
    hidden = False
    waiting = [str(folder) for folder in folders]
    seen: set[tuple[int, int]] = set()
    while waiting and size <= most and files <= MOST_FILES:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif found.st_nlink > 1 and (found.st_dev, found.st_ino) in seen:
                        continue
                    elif found.st_nlink > 1:
                        seen.add((found.st_dev, found.st_ino))
                    size += found.st_blocks * 512
        except PermissionError:
            hidden = True
        except OSError:
            continue
    return Use(size, files, hidden)
