"""Stuck is impossible to miss: what has no reason is said, and what has one is left in peace."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.machine import watchdog
from bot.machine.decision import Blocker, Decision, Move
from bot.machine.facts import Comment, RunState
from bot.machine.stages import Stage
from bot.machine.watchdog import Change, Memory, overdue, silent, stuck, unannounced

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def found(board: Any, *blockers: Blocker, seconds: float = 700, again: float | None = None) -> list[str]:
    """Who is stuck, when these are all the reasons and nothing has changed for so long."""
    facts = board.facts()
    unchanged = dict.fromkeys((one.issue.id for one in (facts.epic, *facts.tickets)), facts.now - timedelta(0, seconds))
    decision = Decision(blockers=blockers, recheck_after=again)
    return [one.issue for one in stuck(replace(facts, unchanged=unchanged), decision).blockers]


def identifier(board: Any, key: str) -> str:
    return str(board.issues[key].identifier)


def test_a_ticket_without_a_reason_is_stuck_after_a_while(approved):
    approved.runs.clear()
    rest = [Blocker(key, "draft", {"number": 1}) for key in approved.issues if key != "feed"]
    assert found(approved, *rest) == ["feed"]
    assert found(approved, *rest, seconds=500) == []
    assert found(approved, *rest, Blocker("feed", "draft", {"number": 1})) == []


def test_a_look_that_is_due_may_bring_something_but_not_for_ever(approved):
    approved.runs.clear()
    rest = [Blocker(key, "draft", {"number": 1}) for key in approved.issues if key != "feed"]
    assert found(approved, *rest, again=5.0) == []
    assert found(approved, *rest, again=5.0, seconds=2000) == ["feed"]


@pytest.mark.parametrize("reason", ["worker", "running", "no_pull_request"])
def test_who_waits_for_what_should_be_there_by_now_is_stuck(approved, reason):
    rest = [Blocker(key, "draft", {"number": 1}) for key in approved.issues if key != "feed"]
    said = Blocker("feed", reason, {"ahead": 0, "stage": "plan", "since": "now"})
    approved.runs.clear()
    assert found(approved, *rest, said) == ["feed"]


def test_who_has_a_live_run_is_not_stuck(approved):
    approved.begin()
    live = {run.issue for run in approved.live()}
    assert live
    assert not live & set(found(approved))
    assert all(run.state in (RunState.QUEUED, RunState.RUNNING) for run in approved.live())


def test_who_waits_for_what_is_ordered_just_now_is_not_stuck(approved):
    run = approved.orders[-1]
    approved.runs.clear()
    facts = approved.facts()
    above = next(key for key in approved.issues if key not in (run.issue, "epic"))
    waits = (
        *(Blocker(key, "draft", {"number": 1}) for key in approved.issues if key not in (run.issue, above)),
        Blocker(run.issue, "worker", {"ahead": 0}),
        Blocker(above, "ticket", {"ticket": identifier(approved, run.issue), "state": "Todo"}),
    )
    long_ago = dict.fromkeys((one.issue.id for one in (facts.epic, *facts.tickets)), facts.now - timedelta(seconds=700))
    facts = replace(facts, unchanged=long_ago)
    assert stuck(facts, Decision((run,), waits)).blockers == ()
    assert {one.issue for one in stuck(facts, Decision((), waits)).blockers} == {run.issue}


def test_what_moves_on_just_now_has_no_reason_and_needs_none(approved):
    approved.runs.clear()
    facts = approved.facts()
    long_ago = dict.fromkeys((one.issue.id for one in (facts.epic, *facts.tickets)), facts.now - timedelta(seconds=700))
    rest = tuple(Blocker(key, "draft", {"number": 1}) for key in approved.issues if key != "epic")
    moves = Decision((Move("epic", Stage.CODE_REVIEW),), rest)
    assert stuck(replace(facts, unchanged=long_ago), moves).blockers == ()
    still = stuck(replace(facts, unchanged=long_ago), Decision((), rest)).blockers
    assert [one.issue for one in still] == ["epic"]


def test_who_waits_for_what_is_at_work_is_not_stuck_though_that_gives_no_reason_of_its_own(approved):
    approved.begin()
    run = approved.live()[0]
    rest = [Blocker(key, "draft", {"number": 1}) for key in approved.issues if key not in (run.issue, "epic")]
    waits = Blocker("epic", "tickets", {"tickets": identifier(approved, run.issue)})
    assert found(approved, *rest, waits) == []
    approved.runs.clear()
    assert found(approved, *rest, waits) == [run.issue]


def test_tickets_that_wait_for_each_other_are_stuck_and_the_epic_above_them_is_not_named(approved):
    feed, storage = identifier(approved, "feed"), identifier(approved, "storage")
    approved.runs.clear()
    rest = [Blocker(key, "draft", {"number": 1}) for key in approved.issues if key not in ("feed", "storage", "epic")]
    circle = [
        Blocker("feed", "ticket", {"ticket": storage, "state": "Todo"}),
        Blocker("storage", "ticket", {"ticket": feed, "state": "Todo"}),
        Blocker("epic", "tickets", {"tickets": f"{feed}, {storage}"}),
    ]
    assert sorted(found(approved, *rest, *circle)) == ["feed", "storage"]
    outside = Blocker("storage", "ticket", {"ticket": "OPS-1", "state": "Todo"})
    assert found(approved, *rest, circle[0], circle[2], outside) == []


def test_only_the_root_is_named(approved):
    approved.runs.clear()
    feed = identifier(approved, "feed")
    rest = [Blocker(key, "draft", {"number": 1}) for key in approved.issues if key not in ("feed", "epic", "storage")]
    waits = [Blocker(key, "ticket", {"ticket": feed, "state": "Todo"}) for key in ("epic", "storage")]
    assert found(approved, *rest, *waits) == ["feed"]


def test_who_waits_for_what_has_only_just_come_to_a_stop_is_not_stuck(approved):
    approved.runs.clear()
    facts = approved.facts()
    unchanged = dict.fromkeys(approved.issues, facts.now - timedelta(seconds=700)) | {"feed": facts.now}
    rest = tuple(Blocker(key, "draft", {"number": 1}) for key in approved.issues if key not in ("feed", "theme"))
    waits = Blocker("theme", "ticket", {"ticket": identifier(approved, "feed"), "state": "Code Review"})
    late = replace(facts, unchanged=unchanged)
    assert stuck(late, Decision(blockers=(*rest, waits))).blockers == ()
    assert [one.issue for one in stuck(late, Decision(blockers=rest)).blockers] == ["theme"]


def test_what_is_over_is_never_stuck(approved):
    rest = [Blocker(key, "draft", {"number": 1}) for key in approved.issues if key != "feed"]
    stage = type(approved.issues["feed"].stage).DONE
    approved.change("feed", stage=stage, record=replace(approved.issues["feed"].record, stage=stage))
    assert found(approved, *rest) == []


def test_it_stands_on_the_panel_and_is_looked_at_again(approved, monkeypatch):
    monkeypatch.setattr(watchdog, "_explained", lambda _facts, _decision, ticket: ticket.issue.id != "feed")
    facts = approved.facts()
    whole = stuck(replace(facts, unchanged={"feed": facts.now - timedelta(0, 700)}), Decision())
    assert whole.recheck_after == watchdog.LOOK_AGAIN
    assert [one.reason for one in whole.blockers] == ["stuck"]


def test_the_memory_counts_from_the_last_change(approved):
    memory, tickets = Memory(), approved.facts().tickets
    assert set(memory.see(tickets, ago(100)).values()) == {ago(100)}
    assert set(memory.see(tickets, ago(50)).values()) == {ago(100)}
    first = replace(tickets[0], issue=replace(tickets[0].issue, state_name="Elsewhere"))
    unchanged = memory.see((first, *tickets[1:]), NOW)
    assert unchanged[first.issue.id] == NOW
    assert unchanged[tickets[1].issue.id] == ago(100)


def test_what_a_person_says_is_a_change_and_what_we_say_is_none(approved):
    memory, ticket = Memory(), approved.facts().tickets[0]
    ours = Comment("c1", "We did it.", None, NOW, ours=True)
    theirs = Comment("c2", "Nice!", None, NOW)
    memory.see([ticket], ago(100))
    with_ours = replace(ticket, issue=replace(ticket.issue, comments=(*ticket.issue.comments, ours)))
    memory.see([with_ours], ago(60))
    assert memory.changes == []
    with_both = replace(ticket, issue=replace(ticket.issue, comments=(*ticket.issue.comments, ours, theirs)))
    memory.see([with_both], NOW)
    assert [(one.source, one.seen_at, one.before) for one in memory.changes] == [("linear", NOW, ago(60))]
    memory.see([with_both], NOW)
    assert len(memory.changes) == 1


def changes(*seen: float, source: str = "github") -> list[Change]:
    return [Change(source, f"change {one}", ago(one), ago(one + 60)) for one in seen]


def test_a_source_is_silent_when_nothing_announces_what_changes():
    missed = unannounced(changes(300, 200, 100), {}, NOW)
    assert silent(missed) == {"github": 3}
    assert silent(unannounced(changes(300, 200, 100), {"linear": NOW}, NOW)) == {"github": 3}
    assert silent(unannounced(changes(300, 200, 100), {"github": ago(1000)}, NOW)) == {"github": 3}


def test_a_source_that_delivered_since_the_look_before_is_not():
    assert unannounced(changes(300, 200, 100), {"github": ago(150)}, NOW) == ()
    assert [one.what for one in unannounced(changes(300, 100), {"github": ago(200)}, NOW)] == ["change 100"]


def test_a_webhook_may_come_a_little_later_and_one_alone_may_be_lost():
    assert unannounced(changes(30, 20, 10), {}, NOW) == ()
    assert silent(unannounced(changes(300, 200), {}, NOW)) == {}


def test_a_key_without_a_good_round_is_overdue():
    live = {"epic:1": ago(2000), "epic:2": ago(2000), "epic:3": ago(100)}
    assert overdue(live, {"epic:2": ago(60)}, NOW) == ("epic:1",)
