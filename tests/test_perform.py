"""Performing: the order of effects, and what is not done when something fails."""

from datetime import UTC, datetime

import pytest

from bot.config import Policy
from bot.github.client import HeadMoved, NotMergeable
from bot.machine.decision import Decision, Merge, Move, Retarget
from bot.machine.errors import Transient
from bot.machine.facts import Facts, Issue, Ticket
from bot.machine.stages import Stage
from bot.perform import LATER, SOON, Performer


class Linear:
    def __init__(self, done):
        self.done = done

    def move(self, issue, stage):
        self.done.append(f"move {stage}")

    async def send(self):
        self.done.append("linear")


class GitHub:
    def __init__(self, done, error=None):
        self.done, self.error = done, error

    async def merge(self, *_):
        if self.error:
            raise self.error
        self.done.append("merge")

    async def retarget(self, *_):
        self.done.append("retarget")


def performer(done, error=None):
    async def clean(*_):
        done.append("clean")

    async def log_of(*_):
        return "line 1: boom"

    return Performer(lambda: Linear(done), GitHub(done, error), None, clean, log_of, Policy, "https://callboard")


@pytest.fixture
def facts():
    now = datetime(2026, 11, 21, tzinfo=UTC)
    issue = Issue("e", "YOU-1", "T", "", "", "YOU", Stage.MERGE, "", "", frozenset(), 0, now)
    return Facts(now, "epic:e", Ticket(issue), (), None, None)


MERGE = Merge("acme/youlab", 1, "sha", "YOU-1: T")
DECISION = Decision((MERGE, Retarget("acme/youlab", 2, "main"), Move("e", Stage.DONE)), recheck_after=0.1)


async def test_github_comes_before_linear(facts):
    done = []
    assert await performer(done).perform(facts, DECISION) == 0.1
    assert done == ["merge", "retarget", "move done", "linear"]


async def test_linear_is_told_nothing_when_github_failed_but_the_other_actions_are_tried(facts):
    done = []
    with pytest.raises(Transient):
        await performer(done, Transient("502")).perform(facts, DECISION)
    assert done == ["retarget"]


@pytest.mark.parametrize(("error", "wait"), [(HeadMoved("moved"), SOON), (NotMergeable("a check is expected"), LATER)])
async def test_a_refusal_of_github_is_not_asked_for_again_in_a_hurry(facts, error, wait):
    done = []
    assert await performer(done, error).perform(facts, DECISION) == wait
    assert done == ["retarget", "move done", "linear"]
