"""Bugs that the simulation found, each as values: what branches and checkouts stand on, and when they go."""

from dataclasses import replace

import pytest

from bot.machine.decision import CleanUp, Retarget
from bot.machine.pull_request import Mergeable, PullRequest
from bot.machine.stack import Base, base_branch_of, base_of, branch_of, goes_into
from bot.machine.stages import Disposition, Stage
from tests.machine.begun import begun, blocked_by


def test_the_checkout_of_the_breakdown_goes_with_the_epic(boards):
    board = begun(boards)
    board.comments("epic", "cancel")
    board.settle()
    assert "agent/YOU-1" in board.cleaned


def test_a_conflict_with_a_branch_that_the_work_no_longer_stands_on_is_not_mended_but_left_behind(boards):
    board = begun(boards)
    board.work(12)
    pull = replace(board.pulls["theme"], base_branch="agent/YOU-2", mergeable=Mergeable.CONFLICT)
    record = replace(board.issues["theme"].record, stands_on="main")
    board.pulls["theme"] = pull
    board.change("theme", record=record, blocked_by=())
    board.step()
    assert not [run for run in board.live() if run.issue == "theme"]
    assert [one.base for one in board.decision.actions if isinstance(one, Retarget)] == ["main"]


@pytest.mark.parametrize("merged", [False, True])
def test_the_branch_of_a_ticket_that_was_given_up_is_left_to_people_unless_it_was_merged_before(boards, merged):
    board = begun(boards)
    board.work(12)
    board.pull(board.pulls["storage"].number, base_branch="main", open=not merged, merged=merged, merge_commit="m")
    board.change("storage", stage=Stage.CANCELED, state_name="Canceled", state_type="canceled")
    cleaned = [one for _ in range(4) for one in board.step().actions if isinstance(one, CleanUp)]
    assert [(one.branch, one.delete_branch) for one in cleaned] == [("agent/YOU-2", merged)]


def test_work_that_is_done_again_after_its_pull_request_was_closed_gets_a_new_one(boards):
    board = begun(boards)
    board.work(12)
    board.pull(board.pulls["storage"].number, open=False)
    board.moves("storage", Stage.DEV)
    board.settle().work(2)
    assert board.stage("storage") is Stage.CODE_REVIEW
    assert board.issues["storage"].record.pull_request is None, "the newest is looked for, not the one that was closed"


def test_a_branch_whose_base_went_on_must_follow_it(boards):
    board = begun(boards)
    board.work(12)
    board.updates = False
    board.pull(board.pulls["storage"].number, head="went-on")
    board.change("storage", record=replace(board.issues["storage"].record, head="went-on"))
    board.step()
    update = board.orders[-1]
    assert (update.issue, update.prompt, update.about["must"]) == ("theme", "update", True)


def test_a_branch_that_somebody_merged_into_the_one_below_does_not_follow_that(boards):
    """An update finds it contained, and changes nothing: it was wanted again and again."""
    board = begun(boards)
    board.work(12)
    board.updates = False
    orders = len(board.orders)
    board.pull(board.pulls["storage"].number, head="has-both")
    board.change("storage", record=replace(board.issues["storage"].record, head="has-both"))
    theme = board.issues["theme"].record
    board.change("theme", record=replace(theme, base_at=theme.head))
    board.step()
    assert board.orders[orders:] == []


def test_work_that_was_given_up_and_taken_up_again_with_its_late_result_goes_into_the_base_branch(approved):
    given_up = replace(approved.work(3).issues["feed"].record, base="", branch="")
    assert goes_into(approved.facts(), given_up) == "main"


def test_finished_work_goes_to_where_a_person_merged_what_it_stands_on(boards):
    """The branch that it began on went with that merge, perhaps: GitHub opens no pull request into it."""
    board = begun(boards)
    board.work(12)
    theme = board.issues["theme"].record
    assert goes_into(board.facts(), theme) == theme.base == board.pulls["storage"].head_branch
    board.pull(board.pulls["storage"].number, open=False, merged=True, base_branch=board.pulls["feed"].head_branch)
    assert goes_into(board.facts(), theme) == board.pulls["feed"].head_branch
    board.pull(board.pulls["storage"].number, base_branch=theme.branch)
    assert goes_into(board.facts(), theme) == "main", "not into itself"


def test_finished_work_goes_into_the_base_branch_where_what_it_stands_on_is_no_ticket_of_the_epic_any_more(boards):
    board = begun(boards)
    board.work(12)
    facts, theme = board.facts(), board.issues["theme"].record
    without = replace(facts, tickets=tuple(one for one in facts.tickets if one.issue.id != "storage"))
    assert goes_into(without, theme) == "main"
    assert goes_into(without, replace(theme, base=base_branch_of(theme.branch))) == base_branch_of(theme.branch)


def test_a_branch_that_somebody_deleted_before_it_had_a_pull_request_is_theirs_to_say(approved):
    approved.work(2).begin()
    running = next(run for run in approved.live() if run.issue == "feed")
    approved.end(running, approved._result(running))
    approved.gone = {"feed"}
    approved.settle()
    assert "feed" not in approved.pulls
    assert approved.issues["feed"].disposition is Disposition.NEEDS_INPUT
    assert "that is gone" in approved.said("feed", "missing")[0]
    approved.gone = set()
    approved.comments("feed", "resume")
    approved.settle()
    assert approved.pulls["feed"].open


def test_the_checkout_of_what_a_person_calls_done_goes_although_its_pull_request_is_open_and_the_branch_with_its_merge(
    approved,
):
    approved.work(12)
    approved.moves("storage", Stage.DONE)
    approved.settle().step()
    assert "still open" in approved.why("storage")
    assert approved.cleaned == ["agent/YOU-2"], "once"
    approved.pull(approved.pulls["storage"].number, open=False, merged=True, merge_commit="m")
    approved.pulls.pop("theme")  # nothing stands on its branch any more
    last = [one for _ in range(3) for one in approved.step().actions if isinstance(one, CleanUp)]
    assert [(one.branch, one.delete_branch) for one in last] == [("agent/YOU-2", True)]


@pytest.mark.parametrize("given_up", ["before its pull request", "with it"])
def test_the_branch_of_work_that_was_given_up_and_taken_up_again_goes_with_its_merge(boards, given_up):
    board = begun(boards, documentation=False)
    board.work(12)
    pull = board.pulls["feed"]
    if given_up == "with it":
        board.comments("feed", "cancel")
    else:
        del board.pulls["feed"]
        board.change("feed", record=replace(board.issues["feed"].record, pull_request=None))
        board.moves("feed", Stage.DONE)
    board.settle()
    assert board.issues["feed"].record.branch == ""
    board.change("feed", record=replace(board.issues["feed"].record, head=pull.head))
    if given_up == "with it":
        board.pull(pull.number, open=True)
    board.moves("feed", Stage.CODE_REVIEW)
    board.settle()
    assert board.pulls["feed"].open
    merged = replace(board.pulls["feed"], number=9, open=False, merged=True, base_branch="main", merge_commit="m")
    board.pulls["feed"] = merged
    last = [one for _ in range(5) for one in board.step().actions if isinstance(one, CleanUp)]
    assert [(one.branch, one.delete_branch) for one in last] == [("agent/YOU-4", True)]


def test_a_branch_that_only_a_person_can_free_is_not_looked_at_every_second(boards):
    board = begun(boards)
    board.work(12)
    below, above = board.pulls["storage"], board.pulls["theme"]
    assert above.base_branch == below.head_branch
    for key in board.pulls:
        if key != "theme":
            board.pull(board.pulls[key].number, open=False, merged=True, base_branch="main", merge_commit="m")
    for key in board.issues:
        board.moves(key, Stage.DONE)
    board.settle()
    decision = board.step()
    assert decision.recheck_after is not None
    assert decision.recheck_after >= 60.0
    assert below.head_branch not in board.cleaned
    board.pull(above.number, open=False)
    board.settle()
    assert below.head_branch in board.cleaned
    assert board.step().recheck_after is None


def test_the_own_base_of_merged_work_stays_while_other_work_stands_on_it(boards):
    """A person merged the work into its own base, where the next one went on; deleting that closed its pull request."""
    board = begun(boards)
    board.work(12)
    below, above = board.pulls["storage"], board.pulls["theme"]
    own_base = base_branch_of(below.head_branch)
    board.change("storage", record=replace(board.issues["storage"].record, own_base=True))
    board.pull(below.number, open=False, merged=True, base_branch=own_base, merge_commit="m")
    board.pull(above.number, base_branch=own_base)
    board.moves("storage", Stage.DONE)
    board.step()
    assert board.cleaned == []
    board.pull(above.number, base_branch="main")
    board.step()
    assert board.cleaned == [below.head_branch, own_base]


def test_a_branch_stays_while_nobody_knows_what_stands_on_it_because_a_record_can_not_be_believed(boards):
    """Deleting it would close the pull request of that ticket, which is not read before its record is believed."""
    board = begun(boards)
    board.work(12)
    below = board.pulls["storage"]
    board.change("theme", record=None, record_refused="forged")
    board.pulls.pop("theme")
    board.pull(below.number, open=False, merged=True, merge_commit="m")
    board.settle()
    assert board.stage("storage") is Stage.DONE
    assert below.head_branch not in board.cleaned


def test_what_was_merged_and_then_given_up_knows_its_pull_request_while_its_branch_has_to_stay(boards):
    """Only that number finds it again: the branch of merged work stayed for ever."""
    board = begun(boards)
    board.work(12)
    below, theme = board.pulls["storage"], board.pulls.pop("theme")
    board.change("storage", record=replace(board.issues["storage"].record, pull_request=None))
    board.pull(below.number, open=False, merged=True, base_branch="main", merge_commit="m")
    believed = board.issues["theme"].record
    board.change("theme", record=None, record_refused="forged")
    board.change("storage", stage=Stage.CANCELED, state_name="Canceled", state_type="canceled")
    board.step()
    assert below.head_branch not in board.cleaned
    assert board.issues["storage"].record.pull_request == below.number
    board.change("theme", record=believed, record_refused="")
    board.pulls["theme"] = replace(theme, base_branch="main")
    cleaned = [one for one in board.step().actions if isinstance(one, CleanUp)]
    assert [(one.branch, one.delete_branch, one.merged) for one in cleaned] == [(below.head_branch, True, below.head)]


def test_what_stands_on_work_that_a_person_merged_into_another_branch_stands_on_that_one(boards):
    board = begun(boards)
    board.change("theme", blocked_by=(*board.issues["theme"].blocked_by, *blocked_by(board, "feed")))
    storage, feed = (branch_of(board.issues[key].identifier) for key in ("storage", "feed"))
    board.pulls["feed"] = PullRequest(1, "", "", True, False, "a", feed, "main")
    board.pulls["storage"] = PullRequest(2, "", "", False, True, "b", storage, feed)
    facts = board.facts()
    theme = next(one for one in facts.tickets if one.issue.id == "theme")
    assert base_of(facts, theme) == Base(feed)  # its own branch may be deleted


def test_a_blocker_that_was_added_after_the_work_began_and_has_no_branch_yet_is_no_base(boards):
    board = begun(boards, dependents_wait_for_done=True)
    board.work(1)
    assert board.stage("feed") is Stage.PLAN
    board.change("feed", blocked_by=blocked_by(board, "theme"))
    board.settle().work(8)
    assert board.stage("theme") is Stage.TODO
    assert {one.base for one in board.orders if one.issue == "feed"} == {"main"}
    assert board.stage("feed").rank >= Stage.CODE_REVIEW.rank


def test_work_into_which_a_person_merged_what_lies_below_does_not_stand_on_itself(boards):
    board = begun(boards)
    storage, theme = (branch_of(board.issues[key].identifier) for key in ("storage", "theme"))
    board.pulls["storage"] = PullRequest(2, "", "", False, True, "b", storage, theme)
    facts = board.facts()
    above = next(one for one in facts.tickets if one.issue.id == "theme")
    assert base_of(facts, above) == Base("main")


@pytest.mark.parametrize("rounds", range(9))
def test_work_goes_on_upon_its_branches_when_linear_gives_the_tickets_other_identifiers(approved, rounds):
    """Somebody changes the key of the team, or moves a ticket to another one, in the midst of the work."""
    approved.work(rounds)
    for key, issue in approved.issues.items():
        approved.change(key, identifier=issue.identifier.replace("YOU", "LAB"))
    approved.work(12 - rounds)
    approved.comments("epic", "approve")
    approved.settle()
    assert set(approved.stages().values()) == {"done"}
    assert len(approved.merges) == len(approved.pulls) == 4
    stacked = next(one for one in approved.orders if one.issue == "theme")
    below = next(one for one in approved.orders if one.issue == "storage")
    assert stacked.base == below.branch
    assert len({one.branch for one in approved.orders if one.issue == "theme"}) == 1


def test_what_people_merged_into_each_other_lands_by_their_hands_alone(boards):
    """Each waited for the other for ever, and nobody was told."""
    board = begun(boards)
    board.work(12)
    for one, other in (("storage", "theme"), ("theme", "storage")):
        branch = board.pulls[other].head_branch
        board.pull(board.pulls[one].number, base_branch=branch, open=False, merged=True, merge_commit="m")
        board.change(one, stage=Stage.MERGE, state_name="Ready to Merge")
    board.step()
    for one, branch in (("storage", "agent/YOU-3"), ("theme", "agent/YOU-2")):
        assert f"was merged into {branch}, not into main" in board.why(one)
