"""Work stays in the repository it began in: a number of a pull request means another one anywhere else."""

from dataclasses import replace

import pytest

from bot.machine.decision import CleanUp, ClosePullRequest, Merge, ShowCheck, StartRun, StopRun
from bot.machine.facts import Repository
from tests.machine.begun import begun

ON_GITHUB = (Merge, ClosePullRequest, ShowCheck, StartRun, CleanUp)


def test_work_that_began_says_where_it_is_and_what_is_named_now(boards):
    board = begun(boards)
    board.settle()
    assert board.issues["epic"].record.repository == "acme/youlab"
    board.named_now = "acme/other"
    for _ in range(2):
        board.settle()
    told = board.said("epic", "stays")
    assert len(told) == 1
    assert "acme/youlab" in told[0]
    assert "acme/other" in told[0]
    board.work(12)
    assert {one.repository for one in board.orders} == {"acme/youlab"}


def test_what_breaks_down_an_epic_holds_it_to_no_repository(boards):
    board = boards()
    board.settle()
    assert board.live()
    assert board.issues["epic"].record.repository == ""


@pytest.mark.parametrize("named", [None, Repository("acme/other", "main")])
def test_nothing_is_done_where_its_repository_is_not_named_any_more(boards, named):
    """A number was looked for in another repository: there it is somebody else's pull request."""
    board = begun(boards)
    board.work(3)
    board.repository = named
    board.pulls.clear()
    board.settle()
    decision = board.step()
    assert not board.live()
    assert not [one for one in decision.actions if isinstance(one, ON_GITHUB)]
    waits = {one.issue: one.reason for one in decision.blockers}
    tickets = {key for key, one in board.issues.items() if key != "epic" and one.record.repository}
    assert {waits[key] for key in tickets} == {"elsewhere"}


def test_what_runs_is_stopped_where_its_repository_is_not_named_any_more(boards):
    board = begun(boards)
    assert board.live()
    board.repository = None
    assert [one.reason for one in board.step().actions if isinstance(one, StopRun)]


def test_it_goes_on_when_its_repository_is_named_again(boards):
    board = begun(boards)
    board.work(2)
    place, board.repository = board.repository, None
    board.settle()
    board.repository = place
    board.work(12)
    assert board.stage("epic").value == "code_review"


def test_an_epic_that_goes_on_without_any_repository_says_so(boards):
    board = begun(boards)
    for key, one in board.issues.items():
        board.change(key, record=replace(one.record, repository=""))
    board.repository, board.named_now = None, ""
    assert "no_repository" in {one.reason for one in board.step().blockers}


def test_what_ended_while_its_repository_was_not_named_is_looked_at_until_it_is(boards):
    """Its pull request can only be closed then; the regular look leaves out what is closed."""
    board = begun(boards)
    board.work(3)
    place, pulls = board.repository, dict(board.pulls)
    board.repository, board.pulls = None, {}
    board.comments("epic", "cancel")
    board.settle()
    assert board.stage("epic").over
    assert not board.issues["epic"].record.closed
    board.repository, board.pulls = place, pulls
    board.settle()
    assert board.issues["epic"].record.closed
    assert not [one for one in board.pulls.values() if one.open]
