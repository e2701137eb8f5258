"""Bugs that the simulation found, each as values: stages, records and what people do to them."""

from dataclasses import replace

import pytest

from bot.machine.decision import CreateTickets, Post, Remember, StartRun, StopRun
from bot.machine.pull_request import PullRequest
from bot.machine.record import Approval, Record, generation_of
from bot.machine.stages import Stage
from tests.machine.begun import begun


def test_what_a_person_deletes_is_given_up(boards):
    board = begun(boards)
    board.change("feed", archived=True)
    board.settle()
    assert "agent/YOU-4" in board.cleaned
    assert not [run for run in board.live() if run.issue == "feed"]


def test_nothing_waits_for_what_a_person_deletes(boards):
    board = begun(boards)
    board.change("storage", archived=True)
    board.settle()
    assert board.orders[-1].issue == "theme"
    board.change("feed", archived=True)
    board.work(12)
    assert board.stage("epic") is Stage.CODE_REVIEW


def test_what_a_person_takes_out_of_the_epic_is_not_made_again_and_the_epic_goes_on_without_it(boards):
    """Its id is used: the epic asked for it in every round, for ever, and gave it a fresh record where it is now."""
    board = begun(boards)
    made = board.created
    del board.issues["feed"]
    board.work(12)
    assert board.created == made
    assert "feed" not in board.issues
    assert board.stage("epic") is Stage.CODE_REVIEW


def test_what_a_person_took_away_is_not_made_again_with_what_was_never_made(boards):
    board = begun(boards)
    for key in ("feed", "theme"):
        del board.issues[key]
    epic = board.issues["epic"].record
    board.change("epic", record=replace(epic, made=tuple(task for task in epic.made if task != "theme")))
    assert [one.key for one in _made(board.step())] == ["storage", "theme", "documentation"]


def test_what_a_person_took_away_is_not_made_again_when_the_breakdown_is_approved_again(boards):
    board = begun(boards)
    del board.issues["feed"]
    board.step()
    board.change("epic", stage=Stage.PLAN_REVIEW, state_name="Plan Review", state_type="started")
    board.settle()
    board.comments("epic", "approve")
    assert [one.key for one in _made(board.step())] == ["storage", "theme", "documentation"]


def _made(decision):
    return [task for one in decision.actions if isinstance(one, CreateTickets) for task in one.tasks]


def test_an_epic_of_which_everything_was_taken_away_comes_to_its_end(boards):
    board = begun(boards)
    for key in [key for key in board.issues if key != "epic"]:
        del board.issues[key]
    board.settle()
    assert board.stage("epic") is Stage.DONE


def test_what_runs_for_a_ticket_that_was_taken_out_of_the_epic_is_stopped(boards):
    board = begun(boards)
    run = next(one for one in board.live() if one.issue == "feed")
    del board.issues["feed"]
    stops = [one for one in board.step().actions if isinstance(one, StopRun)]
    assert [one.run for one in stops] == [run.id]


def test_what_is_restored_goes_on_where_it_was(boards):
    board = begun(boards)
    board.change("feed", archived=True)
    board.settle()
    before = len(board.orders)
    board.change("feed", archived=False)
    board.settle()
    assert [one.issue for one in board.orders[before:]] == ["feed"]


def test_what_is_archived_because_it_is_done_keeps_nothing_else_waiting(boards):
    board = begun(boards)
    board.work(12)
    board.pull(board.pulls["feed"].number, open=False, merged=True)
    board.change("feed", stage=Stage.DONE, state_name="Done", state_type="completed", archived=True)
    board.settle()
    board.comments("epic", "approve")
    board.settle().work(4)
    assert board.stage("epic") is Stage.DONE


def test_every_ticket_of_a_canceled_epic_is_canceled_also_when_the_epics_record_can_not_be_believed(boards):
    board = begun(boards)
    board.issues["epic"] = replace(board.issues["epic"], stage=Stage.CANCELED, record_refused="forged")
    board.settle()
    assert board.stage("feed") is Stage.CANCELED


def test_an_older_record_on_linear_is_put_right_although_nothing_else_is_to_do(boards):
    board = begun(boards)
    before = board.issues["epic"].record
    board.issues["epic"] = replace(board.issues["epic"], outdated=True)
    written = [one for one in board.step().actions if isinstance(one, Remember)]
    assert [(one.issue, one.record) for one in written] == [("epic", before)]


def test_a_ticket_that_is_moved_to_its_merge_before_it_has_a_pull_request_says_what_is_missing(boards):
    board = begun(boards)
    record = replace(board.issues["feed"].record, head="pushed")
    board.change("feed", stage=Stage.MERGE, state_name="Ready to Merge", record=record)
    board.settle()
    assert "needs a pull request" in board.why("feed")


@pytest.mark.parametrize("stage", [Stage.PLAN_REVIEW, Stage.DEV])
def test_an_epic_with_nothing_to_approve_and_nothing_under_way_gets_its_breakdown_first(boards, stage):
    board = boards()
    board.settle()
    record = replace(board.issues["epic"].record, stage=stage, approval=Approval("word", "user-alice", board.now, "d"))
    board.change("epic", stage=stage, record=record)
    board.step()
    assert board.stage("epic") is Stage.PLAN


def test_a_ticket_that_was_given_up_before_it_had_any_work_comes_back_only_to_where_it_was(boards):
    board = begun(boards)
    board.comments("feed", "cancel")
    board.settle()
    board.change("feed", stage=Stage.CODE_REVIEW, state_name="Code Review")
    board.settle()
    assert "needs a pushed branch with the work" in board.why("feed")
    board.change("feed", stage=Stage.RESEARCH, state_name="Research in Progress", labels=frozenset())
    board.settle()
    assert [run for run in board.live() if run.issue == "feed"]


def test_a_ticket_that_was_begun_anew_while_nobody_knew_its_task_is_not_created_again_for_ever(boards):
    board = begun(boards)
    board.change("feed", task="feed", record=Record("feed"))
    assert not [one for one in board.step().actions if isinstance(one, CreateTickets)]
    assert board.issues["feed"].record.task == "feed"


@pytest.mark.parametrize("key", ["epic", "feed"])
def test_what_a_person_calls_done_stops_its_worker(boards, key):
    board = begun(boards)
    if key == "epic":
        board = boards().settle()
    assert [run for run in board.live() if run.issue == key]
    board.change(key, stage=Stage.DONE, state_name="Done", state_type="completed")
    board.settle()
    assert not [run for run in board.live() if run.issue == key]


@pytest.mark.parametrize("back", ["a wish", "a person"])
def test_what_jumped_over_its_plan_is_not_implemented_without_one(boards, back):
    board = begun(boards)
    board.work(1)
    assert board.stage("feed") is Stage.PLAN
    board.pulls["feed"] = PullRequest(9, "https://github/pull", "node", True, False, "head", "agent/YOU-4", "main")
    board.moves("feed", Stage.CODE_REVIEW)
    board.settle()
    assert board.stage("feed") is Stage.CODE_REVIEW
    if back == "a wish":
        board.comments("feed", "Make it blue")
        board.settle().begin()
        assert board.stage("feed") is Stage.PLAN
    else:
        board.moves("feed", Stage.DEV)
        board.settle()
        assert "needs an implementation plan" in board.why("feed")
    assert not [one for one in board.orders if (one.issue, one.prompt) == ("feed", "implement")]


def test_a_summary_that_is_shown_while_a_run_is_ordered_names_no_generation_that_linear_does_not_know_yet(approved):
    approved.work(12)
    approved.comments("epic", "the settings page needs a toggle")
    record = approved.issues["epic"].record
    known = record.generation
    approved.change("epic", record=replace(record, shown=None))
    decision = approved.step()
    ordered = [one.generation for one in decision.actions if isinstance(one, StartRun) and one.issue == "epic"]
    shown = [one.topic for one in decision.actions if isinstance(one, Post) and one.topic.startswith("summary-")]
    assert ordered == [known + 1]
    assert [generation_of(one) for one in shown] == [known]
    approved.step()
    assert approved.issues["epic"].record.shown.comment == shown[0], "what was shown is known again"


def test_the_documentation_that_a_person_takes_back_to_ready_is_written_again_without_a_plan(approved):
    while approved.stage("documentation").rank < Stage.CODE_REVIEW.rank:
        approved.work()
    approved.moves("documentation", Stage.READY)
    approved.settle()
    made = [(one.prompt, one.stage) for one in approved.orders if one.issue == "documentation"]
    assert made == [("documentation", Stage.DEV)] * 2


def test_who_wants_an_unreadable_breakdown_changed_is_answered_and_a_worker_writes_it_anew(board):
    board.settle().work()
    board.document = replace(board.document, content="Nothing.")
    board.settle()
    assert "can't be read" in board.said("epic", "breakdown-unreadable")[0]
    said = board.comments("epic", "Write it anew.")
    board.settle()
    assert board.answers(said)
    board.work()
    assert board.stage("epic") is Stage.PLAN_REVIEW
    assert "Settings storage" in board.said("epic", "breakdown-review")[-1]
