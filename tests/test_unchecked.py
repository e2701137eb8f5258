"""Heads without a check: how long they were seen so, whatever the clock on the wall says meanwhile."""

from dataclasses import replace

from bot.machine.pull_request import Checks, PullRequest
from bot.unchecked import Unchecked

BARE = PullRequest(
    7, "http://x/7", "PR_7", open=True, merged=False, head="a" * 40, head_branch="b", base_branch="main",
    checks=Checks.NONE,
)  # fmt: skip


def watching():
    seconds = [100.0]
    unchecked = Unchecked(lambda: seconds[0])

    def after(passed, pull):
        seconds[0] += passed
        return unchecked.watch("feed", pull)

    return after


def test_the_time_counts_from_the_first_look_that_showed_none():
    after = watching()
    assert [after(30, BARE), after(20, BARE), after(5, BARE)] == [0.0, 20.0, 25.0]


def test_a_new_head_is_watched_anew():
    after = watching()
    after(0, BARE)
    assert after(50, replace(BARE, head="b" * 40)) == 0.0
    assert after(10, replace(BARE, head="b" * 40)) == 10.0


def test_a_head_that_had_a_check_is_watched_anew_when_that_is_gone():
    after = watching()
    after(0, BARE)
    assert after(10, replace(BARE, checks=Checks.PENDING)) == 0.0
    assert after(10, BARE) == 0.0


def test_nothing_is_watched_where_nothing_is_open():
    after = watching()
    after(0, BARE)
    assert after(90, replace(BARE, open=False)) == after(90, None) == after(90, BARE) == 0.0
