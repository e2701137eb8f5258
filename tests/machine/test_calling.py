"""The label that starts an epic spends money: it counts when somebody put it there who may."""

from dataclasses import replace
from typing import Any

import pytest

from bot.machine.decide import decide
from bot.machine.decision import Post, StartRun, StopRun
from bot.machine.facts import Author, Call, Rules
from bot.machine.record import Record
from handlers import HANDLERS

ALICE = Author("user-alice", "alice", person=True)
STRANGERS = {
    "a guest": Call("orchestrate", Author("user-gina", "gina", person=False, guest=True)),
    "an app": Call("orchestrate", Author("user-app", "helper", person=False, app=True)),
    "an automation": Call("orchestrate", Author("", "Zapier", person=False, app=True)),
    "somebody who left": Call("orchestrate", Author("user-olaf", "olaf", person=False, active=False)),
    "nobody": Call("orchestrate"),
    "whoever put another label there": Call("worker", ALICE),
}


def started(board: Any) -> bool:
    return any(isinstance(one, StartRun) for one in board.decision.actions) or bool(board.orders)


@pytest.mark.attack("S-10", "S-60")
@pytest.mark.parametrize("call", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("lone", [False, True])
def test_nothing_starts_by_the_label_of_somebody_who_may_not(boards: Any, call: Call, lone: bool) -> None:
    board = boards()
    board.lone = lone
    if lone:
        board.issues["epic"] = replace(board.issues["epic"], labels=frozenset({"worker"}))
        call = replace(call, label={"orchestrate": "worker", "worker": "orchestrate"}[call.label])
    board.call = call
    for _ in range(3):
        decision = board.step()
        assert [type(one) for one in decision.actions] == [Post], "one comment, and nothing else"
        assert [one.reason for one in decision.blockers] == ["not_called"]
    board.comments("epic", "retry")
    board.comments("epic", "approve")
    board.step()
    assert not started(board)
    assert board.issues["epic"].record is None


@pytest.mark.attack("S-10", "S-60")
def test_where_nobody_asked_who_put_it_there_nothing_starts(boards: Any) -> None:
    facts = replace(boards().facts(), call=None)
    assert not any(isinstance(one, StartRun) for one in decide(facts, HANDLERS).actions)


def test_a_member_and_our_own_command_line_may_and_it_is_remembered(boards: Any) -> None:
    for call in (Call("orchestrate", ALICE), Call("orchestrate", ours=True)):
        board = boards()
        board.call = call
        board.settle()
        assert started(board)
        assert board.issues["epic"].record.called == "orchestrate"
        board.call = STRANGERS["nobody"]
        assert board.step().blockers
        assert not any(one.reason == "not_called" for one in board.decision.blockers)


def test_where_the_policy_names_people_only_they_may(boards: Any) -> None:
    board = boards()
    board.rules = Rules(people=frozenset({"user-bob"}))
    assert [one.reason for one in board.step().blockers] == ["not_called"]
    board.rules = Rules(people=frozenset({"user-alice"}))
    board.settle()
    assert started(board)


@pytest.mark.attack("S-10", "S-60")
def test_what_was_stopped_by_taking_the_label_away_is_not_set_going_by_a_guest(boards: Any) -> None:
    board = boards()
    board.settle()
    assert started(board)
    board.dropped = True
    board.step()
    assert board.issues["epic"].record.called == ""
    board.dropped, board.call = False, STRANGERS["a guest"]
    board.orders.clear()
    for _ in range(3):
        decision = board.step()
        assert {"not_called"} == {one.reason for one in decision.blockers}
        assert any(isinstance(one, Post) and one.words == "not_called" for one in decision.actions)
    assert not started(board)
    board.call = Call("orchestrate", ALICE)
    board.settle()
    assert started(board)


@pytest.mark.attack("S-10", "S-60")
def test_another_label_that_a_guest_adds_to_a_lone_ticket_makes_no_epic_of_it(boards: Any) -> None:
    board = boards(lone=True)
    board.call = Call("worker", ALICE)
    board.settle()
    record: Record = board.issues["epic"].record
    assert record.called == "worker"
    board.lone, board.call = False, STRANGERS["a guest"]
    board.orders.clear()
    decision = board.step()
    assert not started(board)
    assert any(isinstance(one, StopRun) for one in decision.actions) or not board.runs.get("epic")
    assert "not_called" in {one.reason for one in decision.blockers}


@pytest.mark.parametrize(
    ("lone", "other", "began"), [(True, "orchestrate", "a single ticket"), (False, "worker", "an epic")]
)
def test_who_changes_the_label_of_what_has_begun_reads_what_to_do(
    boards: Any, lone: bool, other: str, began: str
) -> None:
    board = boards(lone=lone)
    label = "worker" if lone else "orchestrate"
    board.issues["epic"] = replace(board.issues["epic"], labels=frozenset({label}))
    board.settle()
    assert board.live()
    board.issues["epic"] = replace(board.issues["epic"], labels=frozenset({other}))
    board.dropped = True
    board.step()
    assert board.live() == []
    told = next(one for one in board.decision.blockers if one.reason == "relabelled")
    assert told.values == {"label": label, "other": other, "began": began}
