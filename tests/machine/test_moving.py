"""Who may move a ticket: people are followed, Linear's automation is put right once and then left alone."""

from dataclasses import replace
from typing import Any

import pytest

from bot.machine.decision import Move
from bot.machine.facts import Author, Mover, Rules
from bot.machine.moving import arrive, stage_of
from bot.machine.stages import Disposition, Stage

ALICE = Author("user-alice", "alice", person=True)
GITHUB = Author("github", "GitHub", person=False, app=True)


def moved(board: Any, key: str, state: str, by: Author | None = GITHUB, mover: Mover = Mover.AUTOMATION, **more: Any):
    """Somebody or something puts an issue into a state of Linear; each word as `bot/linear` tells it."""
    stage = more.get("stage")
    board.change(
        key, **{"stage": stage, "state_name": state, "state_type": "started", "mover": mover, "moved_by": by, **more}
    )


def moves(board: Any, key: str) -> list[Stage]:
    """Decide until nothing more happens; the moves of one issue on the way."""
    found = []
    for _ in range(8):
        decision = board.step()
        found += [one.stage for one in decision.actions if isinstance(one, Move) and one.issue == key]
        if not found or not [one for one in decision.actions if isinstance(one, Move)]:
            break
    return found


def test_what_the_github_integration_moves_is_put_right_and_no_run_is_disturbed(approved):
    approved.begin()
    orders = len(approved.orders)
    moved(approved, "feed", "In Progress")
    assert moves(approved, "feed") == [Stage.RESEARCH]
    assert approved.stage("feed") is Stage.RESEARCH
    assert len(approved.orders) == orders
    assert approved.said("feed", "not-followed") == []
    assert [run.issue for run in approved.live()] == ["storage", "feed"]


@pytest.mark.parametrize(
    ("state", "stage", "kind"),
    [
        ("Todo", Stage.TODO, "unstarted"),
        ("Ready to Merge", Stage.MERGE, "started"),
        ("Done", Stage.DONE, "completed"),
        ("Canceled", Stage.CANCELED, "canceled"),
        ("Backlog", None, "backlog"),
        ("Duplicate", None, "duplicate"),
    ],
)
def test_no_state_makes_automation_a_person(approved, state, stage, kind):
    approved.begin()
    moved(approved, "feed", state, stage=stage, state_type=kind)
    assert moves(approved, "feed") == [Stage.RESEARCH]
    assert approved.issues["feed"].disposition is None
    assert approved.issues["feed"].record.stage is Stage.RESEARCH
    assert [run.issue for run in approved.live()] == ["storage", "feed"]


def test_the_same_move_again_is_left_and_one_comment_says_who_does_it_and_where_to_switch_it_off(approved):
    approved.begin()
    for _ in range(4):
        moved(approved, "feed", "In Progress")
        approved.settle()
    assert approved.issues["feed"].state_name == "In Progress"
    [said] = approved.said("feed", "not-followed")
    assert "**GitHub** keeps moving this to In Progress" in said
    assert "Pull request and commit automations" in said
    assert "still in research, because only people move tickets" in approved.why("feed")


def test_work_goes_on_from_the_stage_we_remember_while_linear_shows_another(approved):
    approved.begin()
    for _ in range(2):
        moved(approved, "feed", "In Progress")
        approved.settle()
    approved.finish()
    assert approved.stage("feed") is Stage.PLAN
    assert approved.issues["feed"].record.stage is Stage.PLAN


def test_each_stage_and_state_is_put_right_once(approved):
    approved.begin()
    moved(approved, "feed", "In Progress")
    assert moves(approved, "feed") == [Stage.RESEARCH]
    moved(approved, "feed", "In Review")
    assert moves(approved, "feed") == [Stage.RESEARCH]
    approved.finish()
    moved(approved, "feed", "In Progress")
    assert moves(approved, "feed") == [Stage.PLAN]
    moved(approved, "feed", "In Review")
    assert moves(approved, "feed") == [Stage.PLAN]
    moved(approved, "feed", "In Review")
    assert moves(approved, "feed") == []
    assert approved.issues["feed"].record.put_right == (
        ("research", "In Progress"),
        ("research", "In Review"),
        ("plan", "In Progress"),
        ("plan", "In Review"),
    )


def test_done_by_the_merge_of_its_pull_request_is_not_fought(approved):
    approved.work(3)
    assert approved.stage("feed") is Stage.MERGE
    approved.pull(approved.pulls["feed"].number, merged=True, open=False, merge_commit="m")
    moved(approved, "feed", "Done", stage=Stage.DONE, state_type="completed")
    assert Stage.MERGE not in moves(approved, "feed")
    assert approved.issues["feed"].record.stage is Stage.DONE
    assert approved.issues["feed"].record.put_right == ()
    assert approved.said("feed", "merged")


def test_done_without_a_merge_is_put_right(approved):
    approved.work(3)
    moved(approved, "feed", "Done", stage=Stage.DONE, state_type="completed")
    approved.settle()
    assert approved.stage("feed") is Stage.MERGE


def test_a_finished_ticket_that_is_dragged_back_is_finished_again(approved):
    approved.work(3)
    approved.pull(approved.pulls["feed"].number, merged=True, open=False, merge_commit="m")
    approved.settle()
    moved(approved, "feed", "In Progress")
    assert moves(approved, "feed") == [Stage.DONE]
    moved(approved, "feed", "Code Review", stage=Stage.CODE_REVIEW)
    approved.settle()
    assert approved.stage("feed") is Stage.DONE


@pytest.mark.parametrize(("by", "mover"), [(ALICE, Mover.PERSON), (None, Mover.UNKNOWN)])
def test_what_a_person_takes_out_of_done_into_a_state_that_means_nothing_is_asked_for_and_not_put_back(
    approved, by, mover
):
    approved.moves("feed", Stage.DONE)
    approved.settle()
    moved(approved, "feed", "Released", by, mover, state_type="completed")
    assert moves(approved, "feed") == []
    assert approved.why("feed") == "", "another way of being over"
    moved(approved, "feed", "In QA", by, mover)
    assert moves(approved, "feed") == []
    assert "In QA means nothing here" in approved.why("feed")


def test_a_person_s_move_is_followed_also_from_where_automation_had_put_it(approved):
    approved.work(3)
    for _ in range(2):
        moved(approved, "feed", "In Progress")
        approved.settle()
    moved(approved, "feed", "Research in Progress", ALICE, Mover.PERSON, stage=Stage.RESEARCH)
    approved.settle()
    assert approved.issues["feed"].record.stage is Stage.RESEARCH
    assert [run.stage for run in approved.live() if run.issue == "feed"] == ["research"]


def test_what_was_merged_into_another_branch_is_put_back_from_done_so_that_a_person_can_say_that_it_is_done(approved):
    """The person is asked to move it to Done, which nobody can while it stands there."""
    approved.work(12)
    assert approved.pulls["theme"].base_branch != "main"
    approved.pull(approved.pulls["theme"].number, open=False, merged=True, base_branch="elsewhere", merge_commit="m")
    moved(approved, "theme", "Done", None, Mover.AUTOMATION, stage=Stage.DONE, state_type="completed")
    approved.step()
    assert approved.stage("theme") is not Stage.DONE


@pytest.mark.parametrize("mover", [Mover.US, Mover.UNKNOWN])
def test_our_own_move_and_one_that_history_does_not_tell_are_followed(approved, mover):
    approved.work(3)
    moved(approved, "feed", "Research in Progress", None, mover, stage=Stage.RESEARCH)
    approved.settle()
    assert approved.issues["feed"].record.stage is Stage.RESEARCH


@pytest.mark.parametrize(
    ("author", "rules", "reason"),
    [
        (Author("gina", "Gina", person=False, guest=True), Rules(), "guests may not steer"),
        (Author("olga", "Olga", person=False, active=False), Rules(), "no longer active"),
        (ALICE, Rules(people=frozenset({"bob"})), "the policy names other people"),
    ],
)
def test_a_move_by_who_may_not_steer_is_put_right_and_answered(approved, author, rules, reason):
    approved.begin()
    moved(approved, "feed", "Canceled", author, Mover.PERSON, stage=Stage.CANCELED, state_type="canceled")
    ticket = next(one for one in approved.facts().tickets if one.issue.id == "feed")
    arrived = arrive(ticket, is_epic=False, fresh=False, rules=rules)
    assert arrived.stage is Stage.RESEARCH
    back, said = arrived.decision.actions
    assert back == Move("feed", Stage.RESEARCH)
    approved.apply(said)
    [text] = approved.said("feed", "not-followed")
    assert "The move to Canceled by" in text
    assert reason in text
    again = arrive(replace(ticket, issue=replace(ticket.issue, record=arrived.record)), is_epic=False, fresh=False)
    if not rules.people:
        assert [type(one).__name__ for one in again.decision.actions] == ["Post"]


def test_a_guest_cancels_nothing(approved):
    approved.begin()
    gina = Author("gina", "Gina", person=False, guest=True)
    moved(approved, "feed", "Canceled", gina, Mover.PERSON, stage=Stage.CANCELED, state_type="canceled")
    approved.settle()
    assert approved.stage("feed") is Stage.RESEARCH
    assert [run.issue for run in approved.live()] == ["storage", "feed"]


def test_an_epic_that_linear_closes_early_is_put_right(approved):
    stage = approved.stage("epic")
    moved(approved, "epic", "Done", Author("", "Linear", person=False, app=True), stage=Stage.DONE)
    approved.change("epic", state_type="completed")
    approved.settle()
    assert approved.stage("epic") is stage


def test_automation_moves_nothing_past_what_is_missing(approved):
    approved.begin()
    moved(approved, "feed", "In Dev", stage=Stage.DEV)
    approved.settle()
    assert approved.issues["feed"].disposition is not Disposition.NEEDS_INPUT
    assert approved.said("feed", "missing") == []


def test_the_stage_of_an_issue_is_not_where_automation_put_it(approved):
    approved.begin()
    feed = approved.issues["feed"]
    put = replace(feed, stage=Stage.DONE, state_type="completed", mover=Mover.AUTOMATION)
    assert stage_of(put) is Stage.RESEARCH
    assert stage_of(replace(put, mover=Mover.PERSON)) is Stage.DONE
    assert stage_of(replace(put, record=None)) is Stage.DONE


def test_a_ticket_that_automation_calls_done_counts_as_done_for_nobody(approved):
    approved.begin()
    moved(approved, "storage", "Done", stage=Stage.DONE, state_type="completed")
    decision = approved.step()
    started = [one.issue for one in decision.actions if type(one).__name__ == "StartRun"]
    assert "theme" not in started
    assert approved.stage("theme") is Stage.TODO


def test_turn_2_comes_also_while_linear_shows_a_ticket_elsewhere(approved):
    approved.work(3)
    for _ in range(2):
        moved(approved, "feed", "In Progress")
        approved.settle()
    approved.work(8)
    assert approved.stage("epic") is Stage.CODE_REVIEW
    approved.comments("epic", "merge")
    approved.settle()
    assert approved.stages() == {"epic": "done", **{key: "done" for key in approved.issues if key != "epic"}}


def test_the_policy_s_people_hold_for_moves_too(approved):
    approved.rules = Rules(people=frozenset({"bob"}))
    approved.begin()
    moved(approved, "feed", "Canceled", ALICE, Mover.PERSON, stage=Stage.CANCELED, state_type="canceled")
    approved.settle()
    assert approved.stage("feed") is Stage.RESEARCH
    assert "the policy names other people" in approved.said("feed", "not-followed")[0]


@pytest.mark.parametrize("state", ["Duplicate", "Won't do"])
def test_what_a_person_gave_up_stays_in_the_state_that_says_how(approved, state):
    """Every round moved it to Canceled, which took the word duplicate away from it."""
    approved.begin().finish()
    approved.change(
        "feed", stage=None, state_name=state, state_type="duplicate" if state == "Duplicate" else "canceled"
    )
    moves = [one for _ in range(3) for one in approved.step().actions if isinstance(one, Move) and one.issue == "feed"]
    assert moves == []
    assert approved.issues["feed"].record.stage is Stage.CANCELED
    assert not [run for run in approved.live() if run.issue == "feed"]
