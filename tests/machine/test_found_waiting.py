"""Bugs that the simulation found, each as values: who waits for whom, and says so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.machine.facts import Blocking, Rules
from bot.machine.pull_request import Checks, Mergeable, Remark
from bot.machine.stages import Stage
from bot.unchecked import Unchecked
from tests.machine.begun import begun


def test_what_waits_for_a_merge_and_the_approval_of_that_merge_do_not_wait_for_each_other(boards):
    board = begun(boards, dependents_wait_for_done=True)
    board.work(12)
    assert board.stages()["theme"] == "todo"
    assert board.stage("epic") is Stage.CODE_REVIEW
    board.comments("epic", "approve")
    board.settle()
    assert board.stage("storage") is Stage.DONE
    board.work(1)
    assert board.stage("theme") is not Stage.TODO


def test_what_waits_for_work_that_a_person_merged_into_another_one_waits_for_the_merge_of_that(boards):
    board = begun(boards, dependents_wait_for_done=True)
    board.work(12)
    assert board.stages()["theme"] == "todo"
    into = board.pulls["feed"].head_branch
    board.pull(board.pulls["storage"].number, open=False, merged=True, base_branch=into)
    board.settle()
    assert "YOU-" not in board.why("epic"), "it waits for a person, and for no ticket"
    board.comments("epic", "approve")
    board.settle().work(2)
    assert board.stage("storage") is Stage.DONE
    assert board.stage("theme") is not Stage.TODO


def test_a_pull_request_that_waits_for_a_ticket_does_not_hold_that_ticket_back(boards):
    board = begun(boards, open_reviews=1)
    board.work(12)
    low, high = board.issues["storage"], board.issues["theme"]
    board.change("storage", stage=Stage.CODE_REVIEW, state_name="Code Review")
    pull = board.pulls.pop("storage", None) or board.pulls["theme"]
    board.pulls = {"theme": pull}
    board.change("storage", record=replace(low.record, stage=Stage.CODE_REVIEW, pull_request=None))
    assert {one.issue for one in high.blocked_by} == {"storage"}
    board.step()
    assert "wait for a person" not in board.why("storage")


def test_who_is_held_back_holds_back_nobody_behind_it(boards):
    """The one behind it is what the open pull request waits for: all three waited for each other."""
    board = begun(boards, open_reviews=1, documentation=False)
    board.work(12)
    pull = board.pulls["theme"] if "theme" in board.pulls else next(iter(board.pulls.values()))
    board.pulls = {"theme": pull}
    for key in ("feed", "storage"):
        record = replace(board.issues[key].record, stage=Stage.CODE_REVIEW, pull_request=None)
        board.change(key, stage=Stage.CODE_REVIEW, state_name="Code Review", record=record)
    board.issues = {key: board.issues[key] for key in ("epic", "feed", "storage", "theme")}  # feed comes first
    board.step()
    assert "wait for a person" in board.why("feed")
    assert "wait for a person" not in board.why("storage")


def test_nothing_starts_in_an_epic_that_somebody_closed_and_it_says_how_to_go_on(boards):
    board = begun(boards)
    board.change("epic", stage=Stage.DONE, state_name="Done")
    board.step()
    count = len(board.orders)
    board.work(3)
    assert len(board.orders) == count
    assert "move it back to In Dev" in board.why("epic")
    assert "YOU-1 is done" in board.why("feed")
    board.change("epic", stage=Stage.DEV, state_name="In Dev")
    board.settle()
    assert board.live()


def test_a_pull_request_says_why_it_waits_also_while_somebody_is_refused_there(boards):
    board = begun(boards)
    board.work(12)
    stranger = Remark("r1", "eve", "@callboard why?", board.now, person=True)
    board.pull(board.pulls["storage"].number, conversation=(stranger,))
    before = board.why("storage")
    board.step()
    assert board.why("storage") == before != ""


def test_a_closed_pull_request_of_which_github_tells_nothing_more_is_not_looked_at_every_second(boards):
    board = begun(boards)
    board.work(12)
    board.settle()
    board.pull(board.pulls["storage"].number, open=False, mergeable=Mergeable.UNKNOWN)
    board.settle().step()
    assert "was closed" in board.why("storage")
    assert (board.decision.recheck_after or 60.0) >= 60.0


def test_the_documentation_never_waits_for_itself(boards):
    board = boards(rules=Rules(documentation=True))
    for key, number in (("one", 2), ("two", 3)):
        board.add(key, f"YOU-{number}", key)
    board.settle()
    board.comments("epic", "approve")
    board.settle()
    board.moves("epic", Stage.PLAN_REVIEW)
    board.settle()
    board.comments("epic", "approve")
    board.settle()
    below = [one.issue for one in board.issues["documentation"].blocked_by]
    assert sorted(below) == ["one", "two"]


@pytest.fixture
def unchecked(boards):
    """The first pull request is open, and no check is on it yet."""
    board = begun(boards)
    board.checks = Checks.NONE
    for _ in range(12):
        if "feed" in board.pulls:
            break
        board.work()
    assert board.stage("feed") is Stage.CODE_REVIEW
    return board


def test_a_clock_that_is_set_by_half_an_hour_makes_nobody_believe_that_there_are_no_checks(unchecked):
    unchecked.clock_set = timedelta(minutes=30)
    unchecked.settle()
    assert unchecked.stage("feed") is Stage.CODE_REVIEW
    assert "the checks" in unchecked.why("feed")
    unchecked.pull(unchecked.pulls["feed"].number, checks=Checks.GREEN)
    unchecked.settle()
    assert unchecked.stage("feed") is Stage.MERGE


def test_a_head_on_which_no_check_appeared_in_their_time_counts_as_having_none(unchecked):
    left = unchecked.step().recheck_after
    assert 0 < left <= unchecked.rules.checks_appear_seconds
    unchecked.now += timedelta(seconds=left)
    unchecked.settle()
    assert unchecked.stage("feed") is Stage.MERGE


def test_a_service_that_begins_anew_does_not_wait_again_for_checks_that_never_came(unchecked):
    unchecked.now += timedelta(seconds=unchecked.rules.checks_appear_seconds)
    unchecked.settle()
    unchecked.watched = Unchecked(lambda: unchecked.now.timestamp())
    unchecked.settle()
    assert unchecked.stage("feed") is Stage.MERGE
    unchecked.pull(unchecked.pulls["feed"].number, head="another")
    unchecked.settle()
    assert unchecked.stage("feed") is Stage.CODE_REVIEW


def test_tickets_that_people_wrote_in_a_circle_are_shown_and_say_themselves_that_they_are_in_one(boards):
    board = boards()
    for key, identifier, below in (("one", "YOU-7", "two"), ("two", "YOU-8", "one")):
        board.add(key, identifier, f"Part {key}", "As said.")
        board.change(key, blocked_by=(Blocking(below, "YOU-0", Stage.TODO, "Todo", over=False),))
    board.settle()
    assert "Part one" in board.said("epic", "breakdown-review")[0]
    assert "YOU-7, YOU-8 wait for each other in a circle" in board.why("one")
    board.moves("two", Stage.CANCELED)
    board.comments("epic", "approve")
    board.settle()
    assert [one.issue for one in board.live()] == ["one"]


def test_a_merged_ticket_that_a_person_takes_back_keeps_nobody_from_being_asked_for_the_rest(boards):
    """The epic took it for about to be done. It waited for another one, and that for an approval (seed 44974)."""
    board = begun(boards, dependents_wait_for_done=True, documentation=False)
    board.work(12)
    board.comments("epic", "approve")
    for pull in list(board.pulls.values()):
        board.pull(pull.number, mergeable=Mergeable.UNKNOWN)
    board.step()
    assert board.stage("epic") is Stage.MERGE
    board.pull(board.pulls["feed"].number, open=False, merged=True, merge_commit="m")
    board.moves("feed", Stage.TODO)
    board.change("feed", blocked_by=board.issues["theme"].blocked_by)
    board.pull(board.pulls["storage"].number, head="f" * 40, mergeable=Mergeable.YES)
    board.settle()
    assert board.stage("feed") is Stage.TODO
    assert "`approve`" in board.why("epic")
    board.comments("epic", "approve")
    board.settle().work(1)
    assert board.stage("storage") is Stage.DONE
    assert board.stage("feed") is not Stage.TODO


def test_an_archived_ticket_whose_run_was_out_keeps_nobody_from_being_asked_for_the_rest(boards):
    """Its record can't be written any more: its run was out for ever, and it was waited for (seed 9167)."""
    board = begun(boards, documentation=False)
    board.work(12)
    board.comments("epic", "approve")
    for pull in list(board.pulls.values()):
        board.pull(pull.number, mergeable=Mergeable.UNKNOWN)
    board.step()
    assert board.stage("epic") is Stage.MERGE
    record = board.issues["feed"].record
    board.change("feed", record=replace(record, generation=record.generation + 1), archived=True)
    board.pull(board.pulls["storage"].number, head="f" * 40, mergeable=Mergeable.YES)
    board.settle()
    assert "`approve`" in board.why("epic")
    board.comments("epic", "approve")
    board.settle().work(1)
    assert board.stage("storage") is Stage.DONE


def test_what_waits_for_another_epic_holds_up_no_approval_of_what_is_ready(boards):
    """What it waits for may wait for this very merge: the two epics stood still for ever (stories 987, 2487, 2727)."""
    board = begun(boards, documentation=False)
    board.out["elsewhere"] = replace(board.issues["theme"], id="elsewhere", identifier="YOU-99", parent="other")
    board.change("theme", blocked_by=(Blocking("elsewhere", "YOU-99", Stage.TODO, "Todo", over=False),))
    board.work(12)
    assert board.stage("theme") is Stage.TODO
    assert board.stage("storage") is Stage.MERGE
    assert "`approve`" in board.why("epic")
    board.comments("epic", "approve")
    board.settle()
    assert board.stage("storage") is Stage.DONE
    assert "`approve`" not in board.why("epic"), "nothing is ready: nobody is asked"
    board.out["elsewhere"] = replace(board.out["elsewhere"], stage=Stage.DONE, state_name="Done")
    board.settle().work(12)
    assert "`approve`" in board.why("epic")
    board.comments("epic", "approve")
    board.settle()
    assert board.stage("epic") is Stage.DONE


def test_a_pull_request_that_is_closed_while_it_is_brought_up_to_date_holds_up_nothing_else(boards):
    """Nobody took the result of that run: it was out for ever, so it rode in the train for ever (seed 54147)."""
    board = begun(boards, documentation=False)
    board.work(12)
    board.updates = False
    for key in ("storage", "feed"):
        board.pull(board.pulls[key].number, behind=True)
    board.comments("epic", "approve")
    board.settle()
    (run,) = board.live()
    closed, other = run.issue, next(one for one in ("storage", "feed") if one != run.issue)
    board.pull(board.pulls[closed].number, open=False)
    board.pull(board.pulls[other].number, behind=False)
    board.work(1)
    assert "was closed" in board.why(closed)
    assert board.stage(other) is Stage.DONE
    assert board.stage("epic") is Stage.CODE_REVIEW
    board.pull(board.pulls[closed].number, open=True, behind=False)
    board.settle()
    assert board.issues[closed].record.settled == run.generation
    board.comments("epic", "approve")
    board.settle().work(12)
    assert board.stage(closed) is Stage.DONE
