"""The order of the tests: each is there once, each worker begins with long ones, and files stay together."""

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from tests.order import WAITING, in_order


@dataclass(frozen=True)
class Test:
    """As much of a test as decides its place."""

    __test__ = False
    path: Path
    number: int
    slow: bool = False

    def get_closest_marker(self, name: str) -> object:
        return self if self.slow and name == "slow" else None


def file(name: str, count: int, *, slow: bool = False) -> list[Test]:
    return [Test(WAITING.parent / name, number, slow) for number in range(count)]


ALL = [
    *(one for name in "abcdefghij" for one in file(f"{name}/test_quick.py", 40)),
    *file("stories/test_demo.py", 3, slow=True),
    *(one for name in "klmno" for one in file(f"stories/test_{name}.py", 4)),
    *file("words/test_slow.py", 5, slow=True),
]


def parts(ordered: list[Test], workers: int) -> list[list[Test]]:
    """As `--dist worksteal` deals them out."""
    found, left = [], ordered
    for worker in range(workers):
        size = len(left) // (workers - worker)
        found.append(left[:size])
        left = left[size:]
    return found


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 16, 1000])
def test_every_test_is_played_once(workers):
    assert Counter(in_order(ALL, workers)) == Counter(ALL)
    assert in_order(ALL[:3], workers) == ALL[:3]
    assert in_order([], workers) == []


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_each_worker_begins_with_its_share_of_those_that_start_real_programs(workers):
    for part in parts(in_order(ALL, workers), workers):
        first = [one.slow for one in part].index(False)
        assert 8 // workers <= first <= 8 // workers + 1
        assert not any(one.slow for one in part[first:])


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_each_worker_has_its_share_of_the_other_stories(workers):
    for part in parts(in_order(ALL, workers), workers):
        stories = [one for one in part if not one.slow and one.path.is_relative_to(WAITING)]
        assert 20 // workers - 4 <= len(stories) <= 20 // workers + 4
        assert stories
        assert not any(one.path.is_relative_to(WAITING) for one in part[-10:])


def test_files_stay_together():
    quick = [one for one in in_order(ALL, 1) if not one.slow]
    names = [name for name, _ in groupby(one.path for one in quick)]
    assert len(names) == len(set(names)) == 15
