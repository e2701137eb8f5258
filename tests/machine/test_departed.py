"""What is taken out of its epic, or deleted for ever, while work of ours is in it."""

from dataclasses import replace

import pytest

from bot.machine.decision import CleanUp, ClosePullRequest, Dequeue, Remember, StopRun
from bot.machine.facts import Refusal
from bot.machine.spending import left_usd, spent
from bot.machine.stages import Stage
from bot.words import say
from tests.machine.begun import begun


@pytest.fixture
def board(boards):
    """Everything is under way, and `storage` and `feed` have pull requests."""
    board = begun(boards)
    board.work(3)
    assert {"feed", "storage"} <= board.pulls.keys()
    return board


def at_work(board):
    return dict(board.issues["epic"].record.at_work)


def cleaned(decision):
    return [(one.branch, one.delete_branch) for one in decision.actions if isinstance(one, CleanUp)]


def test_the_epic_knows_which_of_its_tickets_have_a_branch_before_their_first_run_starts(boards):
    board = begun(boards)
    assert at_work(board) == {"storage": "agent/YOU-2", "feed": "agent/YOU-4"}
    remembered = [one.record for one in board.step().actions if isinstance(one, Remember) and one.issue == "epic"]
    assert remembered == []


def test_the_epic_forgets_a_ticket_with_its_branch(board):
    board.comments("feed", "cancel")
    board.settle()
    assert "feed" not in at_work(board)
    assert "storage" in at_work(board)


def test_what_is_taken_out_loses_its_run_and_its_checkout_and_keeps_branch_and_pull_request(boards):
    board = begun(boards)
    run = next(one for one in board.live() if one.issue == "feed")
    board.takes_out("feed")
    decision = board.step()
    assert [one.run for one in decision.actions if isinstance(one, StopRun)] == [run.id]
    assert cleaned(decision) == [("agent/YOU-4", False)]
    assert "feed" not in at_work(board)


def test_the_pull_request_of_what_is_taken_out_stays_open_and_people_are_told_once(board):
    board.takes_out("feed")
    decision = board.step()
    assert not [one for one in decision.actions if isinstance(one, ClosePullRequest)]
    assert board.pulls["feed"].open
    board.settle()
    [said] = board.kept
    text = say(said.words, said.values)
    assert (said.issue, f"#{board.pulls['feed'].number}" in text, "put it back under YOU-1" in text) == (
        "feed", True, True
    )  # fmt: skip
    assert board.cleaned.count("agent/YOU-4") == 1


@pytest.mark.parametrize("ours", [True, False])
def test_only_what_we_put_into_the_merge_queue_comes_out_although_github_does_not_show_it_there_yet(board, ours):
    pull = board.pulls["feed"]
    board.change("feed", record=replace(board.issues["feed"].record, queued=pull.head if ours else ""))
    board.takes_out("feed")
    out = [one.number for one in board.step().actions if isinstance(one, Dequeue)]
    assert out == [pull.number][: int(ours)]


def test_what_was_deleted_for_ever_comes_out_of_the_queue_and_is_told_on_the_epic(board):
    del board.issues["feed"]
    out = [one.number for one in board.step().actions if isinstance(one, Dequeue)]
    board.settle()
    assert out == [board.pulls["feed"].number]
    assert "agent/YOU-4" in board.cleaned
    [said] = board.said("epic", "departed")
    assert "`agent/YOU-4` was deleted" in said


def test_what_is_archived_where_it_is_now_is_told_on_the_epic(board):
    board.takes_out("feed")
    board.out["feed"] = replace(board.out["feed"], archived=True)
    board.settle()
    assert board.kept == []
    assert len(board.said("epic", "departed")) == 1


def test_what_is_over_and_has_no_open_pull_request_is_told_nobody(board):
    board.pull(board.pulls["feed"].number, open=False)
    board.takes_out("feed")
    board.out["feed"] = replace(board.out["feed"], stage=Stage.DONE, state_type="completed")
    board.settle()
    assert (board.kept, "agent/YOU-4" in board.cleaned, "feed" in at_work(board)) == ([], True, False)


def test_what_was_called_elsewhere_is_left_alone_but_for_our_run(boards):
    """It goes on there, on the same branch, and in the same checkout."""
    board = begun(boards)
    board.takes_out("feed")
    board.whose = "another epic"
    decision = board.step()
    assert [type(one) for one in decision.actions if isinstance(one, StopRun | CleanUp | Dequeue)] == [StopRun]
    assert (board.kept, "feed" in at_work(board)) == ([], False)


def test_what_came_back_between_two_looks_is_not_forgotten(board):
    board.takes_out("feed")
    board.whose = "epic"
    assert cleaned(board.step()) == []
    assert "feed" in at_work(board)


def test_what_is_put_back_goes_on_where_it_was(boards):
    board = begun(boards)
    board.takes_out("feed")
    board.settle()
    board.puts_back("feed")
    before = len(board.orders)
    board.settle()
    assert [one.issue for one in board.orders[before:]] == ["feed"]
    assert at_work(board)["feed"] == "agent/YOU-4"
    board.work(20)
    assert board.stage("epic") is Stage.CODE_REVIEW
    assert board.pulls["feed"].open


def test_what_departed_from_an_epic_of_which_nothing_may_be_written_waits_until_it_may(board):
    board.takes_out("feed")
    board.refusals["epic"] = Refusal("no", 60.0)
    assert cleaned(board.step()) == []
    assert "feed" in at_work(board)
    board.refusals.clear()
    board.settle()
    assert "agent/YOU-4" in board.cleaned


def test_the_branch_of_a_ticket_whose_record_is_not_believed_stays_known(board):
    board.change("feed", record=None, record_refused="forged")
    board.settle()
    assert "feed" in at_work(board)


def test_an_epic_is_not_closed_while_something_that_departed_is_not_seen_to(board):
    """While GitHub can't be read nobody knows whether it stands in the merge queue."""
    board.takes_out("feed")
    board.comments("epic", "cancel")
    facts = replace(board.facts(), departed=())
    board.facts = lambda: replace(type(board).facts(board), departed=())
    board.settle()
    assert not board.issues["epic"].record.closed
    del board.facts
    board.settle()
    assert facts.departed == ()
    assert board.issues["epic"].record.closed
    assert "agent/YOU-4" in board.cleaned


def test_what_waits_for_a_ticket_that_was_taken_out_says_so(boards):
    board = begun(boards)
    board.takes_out("storage")
    board.settle()
    assert "waiting for YOU-2, which is in Todo" in board.why("theme")
    board.out["storage"] = replace(board.out["storage"], stage=Stage.DONE, state_name="Done", state_type="completed")
    before = len(board.orders)
    board.settle()
    assert [one.issue for one in board.orders[before:]] == ["theme"]


def test_what_stood_on_a_ticket_that_was_taken_out_moves_on_to_the_base_branch(board):
    board.work(4)
    assert board.pulls["theme"].base_branch == "agent/YOU-2"
    board.takes_out("storage")
    board.settle().work(2)
    assert board.pulls["theme"].base_branch == "main"


def test_every_ticket_remembers_which_epic_it_is_part_of(board):
    """Else nobody could tell it from an epic where it stands alone and is called."""
    board.change("feed", record=replace(board.issues["feed"].record, epic="another"))
    board.settle()
    assert {key: one.record.epic for key, one in board.issues.items()} == {
        "epic": "", **dict.fromkeys(("storage", "theme", "feed", "documentation"), "epic")
    }  # fmt: skip


def test_what_departed_had_cost_stays_spent_and_counts_once_when_it_comes_back(board):
    """Else whoever moves tickets about would have a new budget each time."""
    before = spent(board.facts())
    cost = board.issues["feed"].record.cost_usd
    assert 0 < cost < before
    board.takes_out("feed")
    assert spent(board.facts()) == before
    board.step()
    assert dict(board.issues["epic"].record.left_usd) == {"feed": cost}
    assert "feed" not in at_work(board)
    assert spent(board.facts()) == before
    board.puts_back("feed")
    assert spent(board.facts()) == before


def test_the_run_that_departs_with_its_ticket_is_spent_too(boards):
    board = begun(boards)
    board.begin()
    run = next(one for one in board.live() if one.issue == "feed")
    before = spent(board.facts())
    board.set_run(run.id, spent_usd=3.0)
    board.takes_out("feed")
    board.step()
    assert spent(board.facts()) == before + 3.0


def test_what_was_deleted_for_ever_cost_what_its_runs_did_or_as_much_as_the_dearest(board):
    cost = sum((run.result or {})["cost_usd"] for run in board.runs["feed"])
    del board.issues["feed"]
    assert dict(left_usd(board.facts())) == {"feed": cost}
    del board.runs["feed"]  # the database is lost
    board.step()
    assert dict(board.issues["epic"].record.left_usd) == {"feed": 0.5}
