"""The story of an epic, decision by decision."""

from dataclasses import replace

import pytest

from bot.machine.facts import Repository, Rules
from bot.machine.pull_request import Checks, Mergeable
from bot.machine.record import Record
from bot.machine.stages import Disposition, Stage


def test_a_labelled_epic_is_broken_down_and_shown(board):
    board.settle()
    assert [order.prompt for order in board.orders] == ["breakdown"]
    assert board.stage("epic") is Stage.TODO
    board.begin()
    assert board.stage("epic") is Stage.PLAN
    board.finish()
    assert board.stage("epic") is Stage.PLAN_REVIEW
    assert "Settings storage" in board.said("epic", "breakdown-review")[0]
    assert board.created == 0
    assert "turn 1" in board.why("epic")


def test_a_breakdown_whose_comment_a_person_deleted_is_shown_again_and_can_be_approved(board):
    """Linear takes the id of what was deleted for used: it was posted again and again, and never stood there."""
    board.begin()
    board.finish()
    for _ in range(2):
        shown = next(one for one in board.issues["epic"].comments if one.topic.startswith("breakdown-review"))
        board.deletes("epic", shown)
        said = board.comments("epic", "approve")
        board.settle()
        assert board.answers(said)
        assert board.said("epic", "breakdown-review")
    board.comments("epic", "approve")
    board.settle()
    assert board.stage("epic") is Stage.DEV


def test_an_approval_makes_the_tickets_and_work_begins_where_nothing_blocks(approved):
    assert approved.created == 4
    assert approved.stage("epic") is Stage.DEV
    prompts = {(order.issue, order.prompt) for order in approved.orders}
    assert prompts == {("epic", "breakdown"), ("storage", "research"), ("feed", "research")}
    assert "YOU-2" in approved.why("theme")


def test_an_epic_goes_all_the_way_in_two_turns(approved):
    approved.work(3)
    assert approved.stage("storage") is Stage.MERGE
    assert approved.stages()["theme"] == "todo"
    approved.work(3)
    assert approved.stage("theme") is Stage.MERGE
    assert next(one for one in approved.orders if one.issue == "theme").base == "agent/YOU-2"
    approved.work(1)
    documentation = next(one for one in approved.orders if one.prompt == "documentation")
    assert documentation.merges == ("agent/YOU-2", "agent/YOU-3", "agent/YOU-4")
    assert approved.stage("epic") is Stage.CODE_REVIEW
    assert not approved.merges
    approved.comments("epic", "approve")
    approved.settle()
    assert set(approved.stages().values()) == {"done"}
    assert approved.merges[0].number == approved.pulls["storage"].number
    assert len(approved.merges) == 4
    assert sorted(approved.cleaned) == [
        "agent/YOU-1",  # the checkout in which the breakdown was made
        "agent/YOU-2", "agent/YOU-3", "agent/YOU-4", "agent/YOU-5", "agent/YOU-5-base",
    ]  # fmt: skip
    record = approved.issues["epic"].record
    assert record.turns == 2
    assert "4 of 4 tickets merged, 2 turns" in approved.said("epic", "closing")[0]


def test_no_looser_word_than_approve_or_merge_merges(approved):
    approved.work(7)
    said = approved.comments("epic", "lgtm")
    approved.settle()
    assert not approved.merges
    assert "no looser word" in approved.answers(said)[0]


def test_a_head_that_moved_after_the_summary_needs_a_new_approval(approved):
    approved.work(7)
    approved.pull(approved.pulls["feed"].number, head="another")
    said = approved.comments("epic", "approve")
    approved.settle()
    assert not approved.merges
    assert "changed since the summary" in approved.answers(said)[0]
    approved.comments("epic", "approve")
    approved.settle()
    assert len(approved.merges) == 4


def test_a_head_that_moves_while_the_train_runs_is_left_behind_and_asked_for_anew(approved):
    approved.work(7)
    approved.comments("epic", "approve")
    approved.pull(approved.pulls["feed"].number, mergeable=Mergeable.UNKNOWN)
    approved.step(), approved.step()
    approved.pull(approved.pulls["feed"].number, head="another", mergeable=Mergeable.YES)
    approved.settle()
    assert approved.pulls["feed"].number not in [one.number for one in approved.merges]
    assert approved.stage("epic") is Stage.CODE_REVIEW
    assert approved.stage("storage") is Stage.DONE


def test_any_other_text_in_review_runs_the_breakdown_again_with_it(board):
    board.settle().work()
    said = board.comments("epic", "Split the feed in two")
    board.settle()
    assert board.stage("epic") is Stage.PLAN
    assert board.orders[-1].variables["guidance"][0]["body"] == "Split the feed in two"
    assert board.answers(said)
    board.work()
    assert board.stage("epic") is Stage.PLAN_REVIEW
    assert board.issues["epic"].record.guidance == ()


def test_an_approval_beside_a_wish_counts_for_nothing_and_is_told_why(board):
    board.settle().work()
    approval = board.comments("epic", "approve")
    board.comments("epic", "Split the feed in two")
    board.settle()
    assert board.stage("epic") is Stage.PLAN
    assert "somebody wants it changed" in board.answers(approval)[0]


def test_an_approval_beside_a_wish_counts_where_people_write_the_tickets_themselves(board):
    board.add("one", "YOU-7", "A ticket that a person wrote")
    board.settle()
    wish, approval = board.comments("epic", "Call it otherwise"), board.comments("epic", "approve")
    board.settle()
    assert board.stage("epic") is Stage.DEV
    assert "tickets" in board.answers(wish)[0]
    assert board.answers(approval) == []


def test_an_approval_of_what_stands_still_is_answered_too(board):
    board.settle().work()
    board.moves("epic", Stage.MERGE)
    approval = board.comments("epic", "approve")
    board.settle()
    assert "an approved breakdown" in board.why("epic")
    assert "Nothing stands in review" in board.answers(approval)[0]


def test_an_edit_of_the_breakdown_is_shown_again_before_it_counts(board):
    board.settle().work()
    board.document = replace(board.document, content=board.document.content.replace("Activity feed", "Activity stream"))
    said = board.comments("epic", "approve")
    board.settle()
    assert board.created == 0
    assert "changed" in board.answers(said)[0]
    board.comments("epic", "approve")
    board.settle()
    assert board.issues["feed"].title == "Activity stream"


def test_an_edit_after_the_approval_voids_it_and_starts_nothing_new(approved):
    before = len(approved.orders)
    approved.document = replace(approved.document, content=approved.document.content.replace("Activity feed", "Other"))
    approved.settle()
    assert approved.stage("epic") is Stage.PLAN_REVIEW
    assert "no longer counts" in approved.said("epic", "void")[0]
    approved.begin().finish()
    assert approved.orders[before:] == []
    approved.comments("epic", "approve")
    approved.settle()
    assert [order.prompt for order in approved.orders[before:]] == ["plan", "plan"]
    assert approved.stage("epic") is Stage.DEV
    assert approved.created == 4


def test_a_task_taken_out_of_the_breakdown_gives_its_ticket_up(approved):
    content = approved.document.content
    start = content.index("## 3.")
    approved.document = replace(approved.document, content=content[:start])
    approved.settle()
    approved.comments("epic", "approve")
    approved.settle()
    assert approved.stage("feed") is Stage.CANCELED
    assert approved.stage("storage") is not Stage.CANCELED


def test_a_ticket_that_came_from_another_epic_is_neither_given_up_nor_taken_for_one_of_this(board):
    """Whatever its key: approving a breakdown canceled it, or left out the task of the same key."""
    board.settle().begin().finish()
    board.add("strange", "YOU-77", "Feed of another", labels=("orchestrated",))
    board.add("other", "YOU-78", "Else", labels=("orchestrated",))
    board.change("strange", of_another=True, record=Record("strange", task="feed"))
    board.change("other", of_another=True, record=Record("other", task="else"))
    board.comments("epic", "approve")
    board.settle()
    assert board.stage("epic") is Stage.DEV
    assert {"storage", "theme", "feed"} <= board.issues.keys()
    assert Stage.CANCELED not in {board.stage("strange"), board.stage("other")}


def test_a_guest_approves_nothing_and_is_told_so(board, gina):
    board.settle().work()
    said = board.comments("epic", "approve", author=gina)
    board.settle()
    assert board.created == 0
    assert "guests may not" in board.answers(said)[0]


def test_an_edited_comment_approves_nothing(board):
    board.settle().work()
    said = board.comments("epic", "approve", edited=True)
    board.settle()
    assert board.created == 0
    assert "edited" in board.answers(said)[0]


def test_an_approval_written_before_anything_was_shown_counts_for_nothing(board):
    board.comments("epic", "approve")
    board.settle().work()
    assert board.stage("epic") is Stage.PLAN_REVIEW
    assert board.created == 0


def test_an_epic_with_children_skips_the_breakdown_and_asks_for_them(board):
    board.add("one", "YOU-2", "By hand", "Written by a person")
    board.settle()
    assert board.orders == []
    assert "By hand" in board.said("epic", "breakdown-review")[0]
    board.comments("epic", "approve")
    board.settle()
    assert {order.issue for order in board.orders} == {"one"}
    assert board.issues["documentation"].blocked_by[0].issue == "one"


def test_what_is_wrong_at_the_start_is_one_comment_and_no_work(board):
    board.repository = None
    board.settle()
    assert board.orders == []
    assert board.issues["epic"].disposition is Disposition.NEEDS_INPUT
    assert "No repository is configured" in board.said("epic", "wrong")[0]
    board.repository = Repository("acme/youlab", "main")
    board.settle()
    assert [order.prompt for order in board.orders] == ["breakdown"]
    assert board.issues["epic"].disposition is None


def test_a_missing_spec_a_huge_spec_and_missing_states_each_say_what_to_do(board):
    board.change("epic", description="  ")
    board.settle()
    assert "is the spec" in board.said("epic", "wrong-no_spec")[0]
    board.change("epic", description="x" * 200_000)
    board.settle()
    assert "200000 characters" in board.said("epic", "wrong-spec_too_long")[0]
    board.states_missing = ("In Dev",)
    board.settle()
    assert "callboard setup" in board.said("epic", "wrong-states_missing")[0]
    assert board.orders == []


def test_without_the_documentation_gate_there_is_no_such_ticket(board):
    board.rules = Rules(documentation=False)
    board.settle().work()
    board.comments("epic", "approve")
    board.settle()
    assert "documentation" not in board.issues


def test_documentation_with_nothing_to_change_is_done(approved):
    approved.work(6)
    approved.begin().finish(nothing_to_do=True, head=None)
    assert approved.stage("documentation") is Stage.DONE
    assert approved.stage("epic") is Stage.CODE_REVIEW


def test_failing_checks_keep_dependents_and_the_merge_waiting(approved):
    approved.checks = Checks.RED
    approved.work(3)
    approved.pull(approved.pulls["storage"].number, failing=("tests",))
    approved.settle()
    assert approved.stage("storage") is Stage.CODE_REVIEW
    assert "failing on pull request" in approved.why("storage")
    assert "theme" not in {order.issue for order in approved.orders}


def test_cancel_of_the_epic_stops_everything(approved):
    approved.begin()
    approved.comments("epic", "cancel")
    approved.settle()
    assert approved.live() == []
    assert set(approved.stages().values()) == {"canceled"}


def test_the_label_taken_away_stops_what_runs_and_starts_nothing(approved):
    approved.begin()
    approved.dropped = True
    approved.settle()
    assert approved.live() == []


def test_help_status_and_why_are_answered_in_the_thread(approved):
    comments = [approved.comments("epic", word) for word in ("help", "status", "why")]
    why = approved.comments("theme", "why")
    approved.settle()
    assert all(approved.answers(one) for one in comments)
    assert "YOU-2" in approved.answers(why)[0]


def test_a_voided_approval_also_holds_back_the_next_stage_of_what_runs(approved):
    approved.begin()
    before = len(approved.orders)
    approved.document = replace(approved.document, content=approved.document.content.replace("Activity feed", "Other"))
    approved.settle()
    approved.finish()
    assert approved.orders[before:] == []
    assert "waiting for the approval of YOU-1" in approved.why("storage")


def test_a_merged_branch_stays_while_an_open_pull_request_stands_on_it(approved):
    approved.work(6)
    assert approved.pulls["theme"].base_branch == "agent/YOU-2"
    approved.comments("theme", "another colour")
    approved.settle()
    assert approved.stage("theme") is Stage.DEV
    approved.pull(approved.pulls["storage"].number, merged=True, open=False, merge_commit="m")
    approved.settle()
    assert approved.stage("storage") is Stage.DONE
    assert "agent/YOU-2" not in approved.cleaned
    approved.work()
    assert approved.pulls["theme"].base_branch == "main"
    assert "agent/YOU-2" in approved.cleaned


@pytest.mark.parametrize("how", ["missing", "dropped"])
def test_a_wish_on_what_stands_still_is_noted_and_reaches_the_next_worker(board, how):
    board.settle().work()
    if how == "missing":
        board.moves("epic", Stage.MERGE)
    else:
        board.dropped = True
    wish = board.comments("epic", "Split the feed in two")
    board.settle()
    assert "the next worker is told" in board.answers(wish)[0]
    board.dropped = False
    board.moves("epic", Stage.PLAN)
    board.comments("epic", "retry")
    board.settle()
    assert board.orders[-1].variables["guidance"][0]["body"] == "Split the feed in two"


def closed_and_opened_anew(board):
    """Somebody closes a pull request, and there is another one of the same head; returns its number."""
    pull = board.pulls["feed"]
    board.pulls["feed"] = replace(pull, number=pull.number + 10)
    return pull.number + 10


def test_another_pull_request_of_the_same_head_is_shown_before_it_can_be_approved(approved):
    """Somebody closed the one that the summary named, and that one was approved (seed 54567)."""
    approved.work(12)
    closed_and_opened_anew(approved)
    said = approved.comments("epic", "approve")
    approved.settle()
    assert "changed since the summary" in approved.answers(said)[0]
    assert len(approved.said("epic", "summary")) == 2
    assert approved.merges == []


def test_the_approval_of_a_merge_counts_for_no_other_pull_request_of_the_same_head(approved):
    approved.work(12)
    approved.comments("epic", "approve")
    for pull in list(approved.pulls.values()):
        approved.pull(pull.number, mergeable=Mergeable.UNKNOWN)
    approved.step()
    approved.step()
    number = closed_and_opened_anew(approved)
    for pull in list(approved.pulls.values()):
        approved.pull(pull.number, mergeable=Mergeable.YES)
    approved.settle()
    assert approved.merges
    assert number not in {one.number for one in approved.merges}
    assert "`approve`" in approved.why("epic")
