"""Rounds that were cut short: what was written stands in Linear, and the record that was to follow does not."""

from dataclasses import replace

import pytest

from bot.machine.decision import Move, Post
from bot.machine.facts import Author, Mover
from bot.machine.record import Artifact
from bot.machine.stages import Disposition, Stage

ALICE = Author("user-alice", "alice", person=True)


class KilledError(Exception):
    """The service is killed here: nothing of the round that follows is written."""


def dies_behind(board, wanted):
    """Play until an action is applied; what was to follow in its round is not."""
    apply = board.apply

    def applies(action):
        apply(action)
        if wanted(action):
            raise KilledError

    board.apply = applies
    with pytest.raises(KilledError):
        board.settle().work(20)
    board.apply = apply


def posts(topic):
    return lambda action: isinstance(action, Post) and action.topic.startswith(topic)


def moved_and_lost(board, mover):
    """The research of `feed` is taken in, its move to the plan is written, and then all else is lost."""
    dies_behind(board, lambda action: action == Move("feed", Stage.PLAN))
    board.orders.clear()
    board.runs.clear()
    board.change("feed", mover=mover, moved_by=ALICE if mover is Mover.PERSON else None)


@pytest.mark.parametrize("mover", [Mover.US, Mover.UNKNOWN])
def test_our_own_move_whose_result_is_lost_is_taken_back_and_the_stage_runs_again(approved, mover):
    moved_and_lost(approved, mover)
    approved.step()
    assert approved.stage("feed") is Stage.RESEARCH
    approved.settle()
    assert [one.prompt for one in approved.orders if one.issue == "feed"] == ["research"]
    assert approved.said("feed", "missing") == []
    assert approved.issues["feed"].disposition is None
    approved.work(2)
    assert approved.issues["feed"].record.research is not None
    assert approved.issues["feed"].record.stage.rank >= Stage.PLAN.rank


@pytest.mark.parametrize("mover", [Mover.US, Mover.UNKNOWN, Mover.PERSON])
def test_a_result_whose_move_alone_was_written_is_taken_although_an_older_plan_is_known(approved, mover):
    """Only a person who goes on with the older plan leaves the newer one aside."""
    approved.work()
    older = Artifact("thoughts/plans/YOU-4.md", "older", "c")
    approved.change("feed", record=replace(approved.issues["feed"].record, plan=older))
    dies_behind(approved, lambda action: action == Move("feed", Stage.READY))
    approved.change("feed", mover=mover, moved_by=ALICE if mover is Mover.PERSON else None)
    approved.settle()
    assert (approved.issues["feed"].record.plan == older) is (mover is Mover.PERSON)


@pytest.mark.parametrize("words", ["research", "plan", "receipt"])
def test_what_was_told_of_a_run_that_is_lost_is_told_of_the_next_one_in_the_same_comment(approved, words):
    dies_behind(approved, lambda action: posts(f"{words}-")(action) and action.issue == "feed")
    approved.runs.clear()
    generation = approved.issues["feed"].record.generation
    approved.work(2)
    assert approved.issues["feed"].record.generation > generation
    assert len(approved.said("feed", f"{words}-")) == 1


def test_a_stage_that_is_run_again_on_a_wish_tells_its_result_again(approved):
    approved.work(2)
    approved.moves("feed", Stage.RESEARCH)
    approved.settle().work()
    assert len(approved.said("feed", "research-")) == 2


def test_what_is_over_is_closed_when_nothing_is_left_to_do_and_not_before(approved):
    dies_behind(approved, posts("summary"))
    approved.comments("epic", "approve")
    closed = []
    for _ in range(30):
        approved.step()
        closed.append(approved.issues["epic"].record.closed)
        assert not closed[-1] or (approved.stage("epic") is Stage.DONE and approved.said("epic", "closing"))
        assert not closed[-1] or all(not one.record.branch for one in approved.issues.values())
    assert closed[-1]
    assert "Nothing is left to do" in approved.said("epic", "panel")[0]
    approved.moves("epic", Stage.DEV)
    approved.step()
    assert not approved.issues["epic"].record.closed


def test_a_person_who_moves_it_there_is_told_what_is_missing_also_when_the_run_is_lost(approved):
    moved_and_lost(approved, Mover.PERSON)
    approved.settle()
    assert approved.issues["feed"].disposition is Disposition.NEEDS_INPUT
    assert "a research document" in approved.said("feed", "missing")[0]


def test_a_summary_that_was_shown_and_not_remembered_can_be_approved(approved):
    dies_behind(approved, posts("summary"))
    said = approved.comments("epic", "approve")
    approved.settle()
    assert approved.answers(said) == []
    assert len(approved.said("epic", "summary")) == 1
    assert set(approved.stages().values()) == {"done"}


def test_the_approval_of_a_summary_that_was_not_remembered_counts_for_no_other_head(approved):
    dies_behind(approved, posts("summary"))
    number = next(iter(approved.pulls.values())).number
    approved.pull(number, head="sha-pushed-since")
    said = approved.comments("epic", "approve")
    approved.settle()
    assert approved.answers(said)
    assert approved.merges == []
    assert len(approved.said("epic", "summary")) == 2


@pytest.mark.parametrize("mover", [Mover.US, Mover.UNKNOWN])
def test_an_approval_whose_move_was_written_and_not_its_record_is_heard_again(approved, mover):
    dies_behind(approved, posts("summary"))
    approved.settle()
    said = approved.comments("epic", "approve")
    dies_behind(approved, lambda action: action == Move("epic", Stage.MERGE))
    approved.change("epic", mover=mover)
    approved.settle()
    assert approved.answers(said) == []
    assert len(approved.said("epic", "summary")) == 1
    assert set(approved.stages().values()) == {"done"}


def test_a_breakdown_that_was_shown_and_not_remembered_can_be_approved(board):
    dies_behind(board, posts("breakdown-review"))
    said = board.comments("epic", "approve")
    board.settle()
    assert board.answers(said) == []
    assert board.stage("epic") is Stage.DEV


def test_the_approval_of_a_breakdown_that_was_not_remembered_counts_for_no_other_text(board):
    dies_behind(board, posts("breakdown-review"))
    board.document = replace(board.document, content=board.document.content.replace("storage", "storehouse"))
    said = board.comments("epic", "approve")
    board.settle()
    assert board.answers(said)
    assert board.stage("epic") is Stage.PLAN_REVIEW
