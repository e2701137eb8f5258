"""Bugs that the simulation found, each as values."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.machine.decision import CleanUp, CreateTickets, Post, Remember, Retarget, StartRun
from bot.machine.facts import Blocking, Rules
from bot.machine.pull_request import Checks, Mergeable, PullRequest, Remark
from bot.machine.record import Approval, Record, generation_of
from bot.machine.stack import Base, base_branch_of, base_of, branch_of, goes_into
from bot.machine.stages import Disposition, Stage
from bot.unchecked import Unchecked


def begun(boards, **rules):
    board = boards(rules=Rules(**rules))
    board.settle().work()
    board.comments("epic", "approve")
    return board.settle()


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


def test_what_a_person_deletes_is_given_up(boards):
    board = begun(boards)
    board.change("feed", archived=True)
    board.settle()
    assert board.stage("feed") is Stage.CANCELED
    assert not [run for run in board.live() if run.issue == "feed"]


def test_every_ticket_of_a_canceled_epic_is_canceled_also_when_the_epics_record_can_not_be_believed(boards):
    board = begun(boards)
    board.issues["epic"] = replace(board.issues["epic"], stage=Stage.CANCELED, record_refused="forged")
    board.settle()
    assert board.stage("feed") is Stage.CANCELED


def test_the_checkout_of_the_breakdown_goes_with_the_epic(boards):
    board = begun(boards)
    board.comments("epic", "cancel")
    board.settle()
    assert "agent/YOU-1" in board.cleaned


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


@pytest.mark.parametrize("merged", [False, True])
def test_the_branch_of_a_ticket_that_was_given_up_is_left_to_people_unless_it_was_merged_before(boards, merged):
    board = begun(boards)
    board.work(12)
    board.pull(board.pulls["storage"].number, base_branch="main", open=not merged, merged=merged, merge_commit="m")
    board.change("storage", stage=Stage.CANCELED, state_name="Canceled", state_type="canceled")
    cleaned = [one for _ in range(4) for one in board.step().actions if isinstance(one, CleanUp)]
    assert [(one.branch, one.delete_branch) for one in cleaned] == [("agent/YOU-2", merged)]


def test_a_ticket_that_was_begun_anew_while_nobody_knew_its_task_is_not_created_again_for_ever(boards):
    board = begun(boards)
    board.change("feed", task="feed", record=Record("feed"))
    assert not [one for one in board.step().actions if isinstance(one, CreateTickets)]
    assert board.issues["feed"].record.task == "feed"


def test_a_pull_request_says_why_it_waits_also_while_somebody_is_refused_there(boards):
    board = begun(boards)
    board.work(12)
    stranger = Remark("r1", "eve", "@callboard why?", board.now, person=True)
    board.pull(board.pulls["storage"].number, conversation=(stranger,))
    before = board.why("storage")
    board.step()
    assert board.why("storage") == before != ""


@pytest.mark.parametrize("key", ["epic", "feed"])
def test_what_a_person_calls_done_stops_its_worker(boards, key):
    board = begun(boards)
    if key == "epic":
        board = boards().settle()
    assert [run for run in board.live() if run.issue == key]
    board.change(key, stage=Stage.DONE, state_name="Done", state_type="completed")
    board.settle()
    assert not [run for run in board.live() if run.issue == key]


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


def test_work_that_is_done_again_after_its_pull_request_was_closed_gets_a_new_one(boards):
    board = begun(boards)
    board.work(12)
    board.pull(board.pulls["storage"].number, open=False)
    board.moves("storage", Stage.DEV)
    board.settle().work(2)
    assert board.stage("storage") is Stage.CODE_REVIEW
    assert board.issues["storage"].record.pull_request is None, "the newest is looked for, not the one that was closed"


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


def test_a_branch_whose_base_went_on_must_follow_it(boards):
    board = begun(boards)
    board.work(12)
    board.updates = False
    board.pull(board.pulls["storage"].number, head="went-on")
    board.change("storage", record=replace(board.issues["storage"].record, head="went-on"))
    board.step()
    update = board.orders[-1]
    assert (update.issue, update.prompt, update.about["must"]) == ("theme", "update", True)


def test_work_that_was_given_up_and_taken_up_again_with_its_late_result_goes_into_the_base_branch(approved):
    given_up = replace(approved.work(3).issues["feed"].record, base="", branch="")
    assert goes_into(approved.facts(), given_up) == "main"
    assert goes_into(approved.facts(), replace(given_up, base="agent/YOU-9")) == "agent/YOU-9"


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
    board.change("theme", blocked_by=(*board.issues["theme"].blocked_by, *_blocked_by(board, "feed")))
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
    board.change("feed", blocked_by=_blocked_by(board, "theme"))
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


def _blocked_by(board, key):
    one = board.issues[key]
    return (Blocking(key, one.identifier, one.stage, one.state_name, over=False),)


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
