"""In which order the tests are played, so that all processors have something to do until the end.

In the order of the folders, all stories would be together: those who have them wait for one another's programs while
nobody computes, and in the end everybody waits for the longest one, begun last. So each worker begins with its share of
the tests that start real programs, and the files with stories are spread over the others.

`--dist worksteal` gives each worker a part of the list, all parts equally long, and lets who has finished take over
from the end of another part.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pytest

WAITING = Path(__file__).with_name("stories")
"""Here a test waits for others most of the time."""
MOST = 0.8
"""The part of a worker's list over which its stories are spread: what is begun last should be short."""

Tests = Sequence[pytest.Item]


def in_order(items: Tests, workers: int) -> list[pytest.Item]:
    """The tests as they are to be played by so many workers. A file stays together, for what its tests share."""
    slow = [one for one in reversed(items) if one.get_closest_marker("slow")]  # the longest are stories, hence last
    quick = [one for one in items if not one.get_closest_marker("slow")]
    stories = _files([one for one in quick if one.path.is_relative_to(WAITING)])
    others = [one for one in quick if not one.path.is_relative_to(WAITING)]
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        first, own = slow[worker::workers], stories[worker::workers]
        share = (len(items) - len(ordered)) // (workers - worker)
        more = max(0, share - len(first) - sum(map(len, own)))
        ordered += [*first, *_mixed(own, _files(others[:more]))]
        others = others[more:]
    return ordered + others


def _files(items: Tests) -> list[Tests]:
    return [list(tests) for _, tests in groupby(items, lambda item: item.path)]


def _mixed(stories: list[Tests], others: list[Tests]) -> list[pytest.Item]:
    """File by file: the stories spread evenly over most of the whole, not up to its end."""
    files = [
        (until * (place + 0.5) / len(some), tests)
        for until, some in ((MOST, stories), (1.0, others))
        for place, tests in enumerate(some)
    ]
    return [test for _, tests in sorted(files, key=lambda one: one[0]) for test in tests]
