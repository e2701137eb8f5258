"""The database is lost, at every moment of an epic's life: what Linear and GitHub hold is enough to the same end."""

import re
from collections import Counter

import pytest

from bot.machine.facts import RunState, record_of
from bot.machine.spending import spent
from bot.machine.stages import Disposition, Stage


def said(board):
    """What people were told, how often, without the numbers of runs."""
    comments = ((key, re.sub(r"[0-9a-f]{6,}|\d+", "N", one.topic)) for key, issue in board.issues.items()
                for one in issue.comments if one.ours)  # fmt: skip
    return Counter(comments)


def loses(board):
    """Nothing of the engine is left."""
    board.runs.clear()
    return board.settle()


def life(board, lost=None):
    """An epic from its label to its end; the database is lost before the step `lost`. Returns the number of steps."""
    steps = 0

    def step(act):
        nonlocal steps
        if steps == lost:
            loses(board)
        act()
        board.settle()
        steps += 1

    step(lambda: None)
    step(board.begin)
    step(board.finish)
    step(lambda: board.comments("epic", "approve"))
    for _ in range(12):
        step(board.begin)
        step(board.finish)
        if all(one.stage is Stage.MERGE for key, one in board.issues.items() if key != "epic"):
            break
    while board.live():
        board.work()
    assert board.stage("epic") is Stage.CODE_REVIEW, board.stages()
    step(lambda: board.comments("epic", "approve"))
    for _ in range(6):
        step(board.work)
    return steps


def test_lost_at_any_step_it_comes_to_the_same_end_and_says_nothing_twice(boards):
    first = boards()
    steps = life(first)
    assert first.stage("epic") is Stage.DONE
    for lost in range(steps + 1):
        board = boards()
        life(board, lost)
        assert board.stages() == first.stages(), f"lost before step {lost}"
        assert said(board) == said(first), f"lost before step {lost}"
        assert board.created == first.created
        assert [one.number for one in board.merges] == [one.number for one in first.merges]
        assert [one.head.partition("+")[0] for one in board.merges] == [
            one.head.partition("+")[0] for one in first.merges
        ]


def test_attempts_cost_generation_and_approval_survive(approved):
    approved.begin().finish(kind="work_failed", error="no")
    approved.begin().finish(kind="work_failed", error="no")
    before = {key: record_of_issue(approved, key) for key in approved.issues}
    cost = spent(approved.facts())
    loses(approved)
    after = {key: record_of_issue(approved, key) for key in approved.issues}
    assert {key: one.attempts for key, one in after.items()} == {key: one.attempts for key, one in before.items()}
    assert after["feed"].attempts == 2
    assert after["epic"].approval == before["epic"].approval is not None
    assert all(after[key].generation >= before[key].generation for key in before)
    assert spent(approved.facts()) >= cost > 0
    newest = {run.issue: run.generation for run in approved.live()}
    assert newest["feed"] > before["feed"].generation, "a late result of the lost run finds no taker"


@pytest.mark.parametrize(
    "disposition", [Disposition.PAUSED, Disposition.BLOCKED, Disposition.NEEDS_INPUT], ids=lambda one: one.value
)
def test_what_stands_still_stands_still_after_the_loss(approved, disposition):
    approved.begin().finish(kind="needs_input", outcome={"question": "Which?", "options": []})
    approved.change("feed", labels=approved.issues["feed"].labels - frozenset(Disposition) | {disposition})
    approved.settle()
    told, orders = said(approved), len([one for one in approved.orders if one.issue == "feed"])
    loses(approved)
    assert len([one for one in approved.orders if one.issue == "feed"]) == orders
    assert approved.issues["feed"].disposition is disposition
    assert said(approved) == told


def record_of_issue(board, key):
    facts = board.facts()
    return record_of(next(one for one in (facts.epic, *facts.tickets) if one.issue.id == key))


def test_a_result_that_was_due_is_made_again_and_counted_once(approved):
    approved.begin()
    for run in approved.live():
        approved.set_run(run.id, state=RunState.FINISHED, result={"kind": "success", "cost_usd": 1.0})
    generation = record_of_issue(approved, "feed").generation
    loses(approved)
    assert record_of_issue(approved, "feed").generation == generation + 1
    assert {run.state for run in approved.live()} == {RunState.QUEUED}


def test_what_a_stopped_run_cost_until_then_stays_on_the_bill(approved):
    approved.begin()
    feed = next(run for run in approved.live() if run.issue == "feed")
    approved.set_run(feed.id, spent_usd=3.0)
    before = spent(approved.facts())
    approved.set_run(feed.id, state=RunState.CANCELED)
    approved.settle()
    assert record_of_issue(approved, "feed").cost_usd == 3.0
    assert spent(approved.facts()) == before
    assert next(run for run in approved.live() if run.issue == "feed").generation > feed.generation


def test_what_a_run_cost_that_a_move_by_hand_ended_stays_on_the_bill(approved):
    approved.begin()
    feed = next(run for run in approved.live() if run.issue == "feed")
    approved.set_run(feed.id, spent_usd=3.0)
    approved.moves("feed", Stage.TODO)
    approved.settle()
    assert record_of_issue(approved, "feed").cost_usd == 3.0


def test_a_run_whose_cost_nobody_knows_any_more_is_taken_for_the_dearest(approved):
    approved.begin()
    for run in approved.live():
        approved.set_run(run.id, spent_usd=4.0 if run.issue == "feed" else 0.25)
    approved.finish().begin()
    assert record_of_issue(approved, "feed").cost_usd == 4.0
    approved.runs.clear()
    approved.settle()
    assert record_of_issue(approved, "feed").cost_usd == 8.0
    approved.settle()
    assert record_of_issue(approved, "feed").cost_usd == 8.0, "once"
