"""Whose turn it is, how far an epic is, and why something waits."""

from dataclasses import replace

import pytest

from bot.machine.decide import decide
from bot.machine.decision import Blocker, Decision, Post
from bot.machine.facts import Refusal
from bot.machine.stages import Stage
from bot.machine.waiting import PERSON, progress, turns, why
from bot.words import reasons, say
from handlers import HANDLERS

BY_ITSELF = {
    "worker", "approval", "running", "ticket", "tickets", "epic", "outside", "train", "no_pull_request", "checks",
    "conflict", "epic_over",
    "computing", "reviewer", "queued", "cost_unknown", "usage_limit", "day_budget", "runs_per_hour",
}  # fmt: skip


@pytest.fixture
def three(board):
    """An epic of three tickets, one upon the other."""
    for number, stage in ((2, Stage.DONE), (3, Stage.CODE_REVIEW), (4, Stage.TODO)):
        board.add(f"t{number}", f"YOU-{number}", f"Ticket {number}")
        board.change(f"t{number}", stage=stage)
    return board.facts()


def test_every_reason_is_a_person_s_or_passes_by_itself():
    assert reasons() == PERSON | BY_ITSELF
    assert not PERSON & BY_ITSELF


def test_what_is_refused_of_one_ticket_is_its_own_reason_and_holds_up_no_other(approved):
    """Nothing is done about it until it is tried again: its record can't say that it was done."""
    said = "Team OPS lacks these workflow states: In Dev. Run `callboard setup` to create them."
    before = approved.issues["feed"]
    approved.refusals["feed"] = Refusal(said, 300.0)
    decision = approved.work().settle().decision
    assert [order.issue for order in approved.orders if order.issue == "feed" and order.stage != "research"] == []
    assert approved.issues["feed"].record == before.record, "it was remembered that something was done"
    assert approved.issues["storage"].record.stage is not Stage.TODO, "the others stood still"
    assert "Run `callboard setup`" in approved.why("feed")
    assert "Run `callboard setup`" in approved.said("epic", "panel")[0]
    assert decision.recheck_after <= 300.0
    approved.refusals["feed"] = Refusal(said)
    approved.settle()
    assert approved.issues["feed"].record != before.record
    assert "Run `callboard setup`" in approved.why("feed"), "nobody knows yet what came of it"


def test_while_it_is_tried_again_what_is_refused_the_panel_says_what_it_said_before(approved):
    """Else its text changed twice every five minutes, for as long as nobody puts it right (seed 80396)."""
    said = "Team OPS lacks these workflow states: In Dev."
    assert "waiting for YOU-2" in approved.why("theme"), "there is something else to tell"
    shown = []
    for wait in (300.0, 0.0):
        facts = replace(approved.facts(), refusals={"theme": Refusal(said, wait)})
        posts = [one for one in decide(facts, HANDLERS).actions if isinstance(one, Post)]
        shown += [one.values for one in posts if one.topic == "panel"]
    assert len(shown) == 2
    assert shown[0] == shown[1]


def test_what_runs_for_a_ticket_of_which_something_is_refused_can_be_stopped(approved):
    approved.begin()
    approved.refusals["feed"] = Refusal("Linear: no", 300.0)
    assert [run for run in approved.live() if run.issue == "feed"]
    approved.comments("feed", "stop")
    approved.settle()
    assert not [run for run in approved.live() if run.issue == "feed"]


def test_what_the_epic_asks_for_comes_first(three):
    decision = Decision(blockers=(Blocker("t3", "draft", {"number": 1}), Blocker("epic", "turn_3")))
    assert [(name, one.reason) for name, one in turns(three, decision)] == [("YOU-1", "turn_3"), ("YOU-3", "draft")]


def test_a_ticket_that_waits_for_the_approval_is_nobody_s_turn_before_the_epic_asks_for_it(three):
    approval = Blocker("t3", "approval", {"epic": "YOU-1"})
    assert turns(three, Decision(blockers=(approval,))) == []
    assert [one.reason for _, one in turns(three, Decision(blockers=(approval, Blocker("epic", "turn_3"))))] == [
        "turn_3"
    ]


def test_why_goes_down_to_the_one_who_must_act(three):
    decision = Decision(
        blockers=(
            Blocker("t4", "ticket", {"ticket": "YOU-3", "state": "Code Review"}),
            Blocker("t3", "changes_requested", {"people": "bob", "number": 7}),
        )
    )
    assert [(name, one.reason) for name, one in why(three, decision, "t4")] == [
        ("YOU-4", "ticket"),
        ("YOU-3", "changes_requested"),
    ]
    said = say("why", {"reasons": why(three, decision, "t4")})
    assert said.splitlines()[1] == (
        "* YOU-3: bob asked for changes on pull request #7 and must look again, or say there what is missing"
    )


def test_why_ends_where_tickets_wait_for_each_other(three):
    circle = tuple(
        Blocker(one, "ticket", {"ticket": other, "state": "Todo"}) for one, other in (("t3", "YOU-4"), ("t4", "YOU-3"))
    )
    assert len(why(three, Decision(blockers=circle), "t3")) == 2


def test_nothing_in_the_way_is_said():
    assert say("why", {"reasons": ()}) == "Nothing stands in the way.\n"


def test_the_panel_shows_how_far_who_runs_whose_turn_and_what_waits(three):
    running = {"stage": "code_review, fix", "since": "21 Nov 10:32 UTC"}
    waits = Blocker("t4", "ticket", {"ticket": "YOU-3", "state": "Code Review"})
    decision = Decision(blockers=(Blocker("t3", "running", running), waits))
    panel = say("panel", progress(three, decision))
    assert "1 Done · 1 Code Review · 1 Todo · $0.00 of $100.00" in panel
    assert "▰▰▰▰▰▱▱▱▱▱" in panel
    assert "**Nobody has to do anything now.**" in panel
    assert "| YOU-3 Ticket 3 | Code Review: code_review, fix since 21 Nov 10:32 UTC | – |" in panel
    assert "Waiting:\n* YOU-4: waiting for YOU-3, which is in Code Review" in panel
    asked = say("panel", progress(three, Decision(blockers=(Blocker("epic", "turn_3"), waits))))
    assert "**Your turn:**\n* YOU-1: turns 2 and 3: read the summary" in asked
    assert asked.count("turns 2 and 3") == 1
    assert "\n\n| ticket | now" in asked


def test_a_canceled_ticket_holds_the_bar_back_no_more(three, board):
    board.change("t4", stage=Stage.CANCELED)
    board.change("t3", stage=Stage.DONE)
    assert progress(board.facts(), Decision())["bar"] == "▰" * 10
