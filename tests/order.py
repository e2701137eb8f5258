"""In which order the tests are played, so that all processors have something to do until the end.

In the order of the folders, all stories would be together: those who have them wait for one another's programs while
nobody computes, and in the end everybody waits for the longest one, begun last. So each worker begins with its share of
the tests that start real programs, and the files with stories are spread evenly over the others.

`--dist worksteal` gives each worker a part of the list, all parts equally long, and lets who has finished take over
from the end of another part.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pytest

WAITING = Path(__file__).with_name("stories")
"""Here a test waits for others most of the time."""


def in_order(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests as they are to be played by so many workers. A file stays together, for what its tests share."""
    slow = [one for one in reversed(items) if one.get_closest_marker("slow")]  # the longest are stories, hence last
    quick = [one for one in items if not one.get_closest_marker("slow")]
    rest = _mixed(
        [one for one in quick if one.path.is_relative_to(WAITING)],
        [one for one in quick if not one.path.is_relative_to(WAITING)],
    )
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        first = slow[worker::workers]
        share = (len(items) - len(ordered)) // (workers - worker)
        more = max(0, share - len(first))
        ordered += first + rest[:more]
        rest = rest[more:]
    return ordered + rest


def _mixed(some: list[pytest.Item], others: list[pytest.Item]) -> list[pytest.Item]:
    """Both, file by file, each spread evenly over the whole."""
    files = [
        ((place + 0.5) / len(names), tests)
        for names in ([list(tests) for _, tests in groupby(one, lambda item: item.path)] for one in (some, others))
        for place, tests in enumerate(names)
    ]
    return [test for _, tests in sorted(files, key=lambda one: one[0]) for test in tests]
