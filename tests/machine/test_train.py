"""The merge train as values: whose word counts for what, and what takes it back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.machine.decide import decide
from bot.machine.decision import Dequeue, Enqueue, Merge
from bot.machine.facts import Blocking, Rules
from bot.machine.pull_request import Ejection, Mergeable, Merging, QueueState, Remark, Thread
from bot.machine.stages import Disposition, Stage
from bot.words import sentence
from handlers import HANDLERS


@pytest.fixture
def asked(approved):
    """Everything stands, and the merge was asked for."""
    return approved.work(12)


@pytest.fixture
def computing(asked):
    """The merge is approved, but GitHub does not know yet whether it can."""
    for pull in list(asked.pulls.values()):
        asked.pull(pull.number, mergeable=Mergeable.UNKNOWN)
    asked.said_yes = asked.comments("epic", "approve")
    asked.step()
    return asked


def known(board):
    for pull in list(board.pulls.values()):
        board.pull(pull.number, mergeable=Mergeable.YES)
    return board.settle()


def forget(board, comment):
    board.change("epic", comments=tuple(one for one in board.issues["epic"].comments if one.id != comment.id))


def edit(board, comment):
    comments = tuple(replace(one, edited=one.id == comment.id) for one in board.issues["epic"].comments)
    board.change("epic", comments=comments)


@pytest.mark.parametrize("take_back", [forget, edit])
def test_an_approval_whose_comment_is_deleted_or_edited_merges_nothing_and_can_be_given_again(computing, take_back):
    assert computing.stage("epic") is Stage.MERGE
    take_back(computing, computing.said_yes)
    known(computing)
    assert computing.merges == []
    assert computing.stage("epic") is Stage.CODE_REVIEW
    assert "deleted or edited" in computing.said("epic", "taken-back")[0]
    computing.comments("epic", "approve")
    computing.settle()
    assert computing.stage("epic") is Stage.DONE


@pytest.mark.parametrize("queue", [False, True])
def test_what_github_refuses_to_merge_says_why_while_it_is_asked_again(computing, queue):
    """It looks as if nothing spoke against it; without GitHub's own sentence nobody would know what to do."""
    number = computing.pulls["feed"].number
    for key, pull in list(computing.pulls.items()):
        computing.pull(pull.number, mergeable=Mergeable.YES, merging=Merging(queue=queue))
        computing.change(key, record=replace(computing.issues[key].record, queued=pull.head))
    said = dict.fromkeys(computing.pulls, "Commits must have verified signatures.")
    facts = replace(computing.facts(), merge_refused=said)
    decision = decide(facts, HANDLERS)
    assert number in {one.number for one in decision.actions if isinstance(one, Merge | Enqueue)}
    assert decision.recheck_after == 60.0
    said = [sentence(one) for one in decision.blockers if one.issue == "feed"]
    assert said == [
        f"a rule of the repository keeps pull request #{number} from merging: Commits must have verified signatures."
    ]


def test_a_paused_epic_merges_nothing_until_it_is_resumed(computing):
    computing.comments("epic", "pause")
    known(computing)
    assert computing.merges == []
    assert "paused" in computing.why("feed")
    computing.comments("epic", "resume")
    computing.settle()
    assert computing.stage("epic") is Stage.DONE


def test_an_approval_counts_no_more_for_what_stands_on_work_that_was_canceled_since(computing):
    computing.moves("storage", Stage.CANCELED)
    known(computing)
    assert [one.number for one in computing.merges] == [computing.pulls["feed"].number]
    assert computing.stage("theme") is Stage.MERGE
    assert computing.stage("epic") is Stage.CODE_REVIEW


@pytest.mark.parametrize("ours", [True, False])
def test_an_approved_head_that_moved_under_a_lost_run_is_looked_at_before_anybody_is_asked_anew(computing, ours):
    """The update was pushed, and the database lost before it could say so; or somebody else pushed meanwhile."""
    pull, record = computing.pulls["feed"], computing.issues["feed"].record
    computing.unheard = {"moved": pull.head} if ours else {}
    computing.change("feed", record=replace(record, generation=record.generation + 1))
    computing.pull(pull.number, head="moved")
    known(computing)
    assert [one.prompt for one in computing.orders if one.issue == "feed"][-1] == "update"
    assert ("moved" in [one.head for one in computing.merges]) is ours
    assert computing.stage("epic") is (Stage.DONE if ours else Stage.CODE_REVIEW)


@pytest.fixture
def queued(asked):
    """The approved pull requests are in GitHub's merge queue."""
    for pull in list(asked.pulls.values()):
        asked.pull(pull.number, merging=Merging(queue=True))
    asked.said_yes = asked.comments("epic", "approve")
    asked.step()
    asked.step()  # remembered first
    asked.step()
    assert any(isinstance(one, Enqueue) for one in asked.done)
    for one in [one for one in asked.done if isinstance(one, Enqueue)]:
        asked.pull(one.number, queue=QueueState(1, "awaiting_checks"))
    return asked


def dequeued(board):
    return {one.number for one in board.done if isinstance(one, Dequeue)}


@pytest.mark.parametrize("word", ["pause", "stop"])
def test_what_is_held_back_comes_out_of_the_queue(queued, word):
    queued.step()
    assert dequeued(queued) == set()
    queued.comments("epic", word)
    queued.step()
    assert dequeued(queued) >= {queued.pulls["feed"].number}


def test_what_was_approved_no_more_comes_out_of_the_queue(queued):
    forget(queued, queued.said_yes)
    queued.step()
    assert dequeued(queued) >= {queued.pulls["feed"].number}


def _asks(board):
    said = Remark("r1", "bob", "Why not a list?", board.now, person=True, may=True)
    return Thread("t1", "src/feed", 3, remarks=(said,))


_SAID_OTHERWISE = {
    "a wish on the ticket": lambda board: board.comments("feed", "Make it blue."),
    "a wish on the epic": lambda board: board.comments("epic", "YOU-4 should be blue."),
    "the ticket is moved back": lambda board: board.moves("feed", Stage.DEV),
    "the epic is moved back to its review": lambda board: board.moves("epic", Stage.CODE_REVIEW),
    "the epic is moved back to its work": lambda board: board.moves("epic", Stage.DEV),
    "the label is taken away": lambda board: setattr(board, "dropped", True),
    "a thread is opened": lambda board: board.pull(board.pulls["feed"].number, threads=(_asks(board),), open_threads=1),
    "nobody can believe what was approved": lambda board: board.change("epic", record=None, record_refused="forged"),
}


@pytest.mark.parametrize("how", _SAID_OTHERWISE)
def test_what_shall_not_be_merged_any_more_comes_out_of_the_queue_whatever_became_of_it(queued, how):
    queued.step()
    assert dequeued(queued) == set()
    _SAID_OTHERWISE[how](queued)
    queued.step()
    queued.step()
    assert queued.pulls["feed"].number in dequeued(queued)


def test_what_is_put_into_the_queue_is_remembered_before(computing):
    """A round that fails after it was put there, and before that is remembered, would leave it there for ever."""
    feed = computing.pulls["feed"]
    computing.pull(feed.number, mergeable=Mergeable.YES, merging=Merging(queue=True))
    computing.done.clear()
    computing.step()
    assert computing.issues["feed"].record.queued == feed.head
    assert not [one for one in computing.done if isinstance(one, Enqueue)]
    computing.step()
    assert [one.number for one in computing.done if isinstance(one, Enqueue)] == [feed.number]


def test_what_came_out_of_the_queue_and_is_put_there_by_a_person_is_theirs(queued):
    number = queued.pulls["feed"].number
    queued.comments("epic", "pause")
    queued.step()
    queued.done.clear()
    queued.pull(number, queue=QueueState(1, "awaiting_checks"))
    queued.step()
    assert dequeued(queued) == set()


def test_what_a_person_calls_done_while_it_is_in_the_queue_stays_there(queued):
    queued.moves("feed", Stage.DONE)
    queued.step()
    queued.step()
    assert dequeued(queued) == set()


def test_what_a_person_puts_into_the_queue_is_theirs(asked):
    number = asked.pulls["feed"].number
    asked.pull(number, merging=Merging(queue=True), queue=QueueState(1, "awaiting_checks"))
    asked.settle()
    assert dequeued(asked) == set()


@pytest.fixture
def alone(boards):
    board = boards(lone=True)
    board.change("epic", labels=frozenset({"worker"}), record=None)
    board.settle().work(4)
    assert board.stage("epic") is Stage.MERGE
    return board


def test_a_lone_ticket_that_the_queue_put_out_waits_for_a_new_approval(alone):
    number = alone.pulls["epic"].number
    alone.pull(number, merging=Merging(queue=True))
    alone.comments("epic", "approve")
    alone.step()
    alone.pull(number, ejected=Ejection("CI_FAILURE", alone.now + timedelta(seconds=1)))
    before = len(alone.done)
    for _ in range(5):
        alone.step()
    assert len(alone.done) == before
    assert "CI_FAILURE" in alone.why("epic")
    alone.comments("epic", "approve")
    alone.step()
    assert len(alone.done) > before


def test_a_lone_ticket_that_a_push_put_out_of_the_queue_shows_what_is_to_be_approved_now(alone):
    """It asked to approve again, and refused every approval, since what was shown was the head before."""
    number = alone.pulls["epic"].number
    alone.pull(number, merging=Merging(queue=True))
    alone.comments("epic", "approve")
    alone.step()
    alone.pull(number, head="b" * 40, ejected=Ejection("QUEUE_CLEARED", alone.now + timedelta(seconds=1)))
    alone.settle()
    before = len(alone.done)
    assert ("b" * 12) in next(
        one.body for one in reversed(alone.issues["epic"].comments) if "Turns 2 and 3" in one.body
    )
    alone.comments("epic", "approve")
    for _ in range(3):
        alone.step()
    assert len(alone.done) > before


def test_a_lone_ticket_whose_merge_was_approved_and_that_goes_back_builds_the_plan_that_was_approved(boards):
    board = boards(rules=Rules(plan_by_person=True), lone=True)
    board.change("epic", labels=frozenset({"worker"}), record=None)
    board.settle().work(2)
    assert board.stage("epic") is Stage.PLAN_REVIEW
    board.comments("epic", "approve")
    board.settle().work(2)
    assert board.stage("epic") is Stage.MERGE
    board.pull(board.pulls["epic"].number, mergeable=Mergeable.UNKNOWN)
    board.comments("epic", "approve")
    board.step()
    assert board.issues["epic"].record.turns == 2, "the plan, the merge"
    board.moves("epic", Stage.DEV)
    board.settle()
    orders = [one for one in board.orders if one.prompt == "implement"]
    assert len(orders) == 2
    assert orders[1].plan_digest == orders[0].plan_digest != ""


def test_a_lone_ticket_goes_back_to_its_review_while_something_stands_against_it(alone):
    number = alone.pulls["epic"].number
    alone.pull(number, review_required=True)
    alone.settle()
    assert alone.stage("epic") is Stage.CODE_REVIEW
    said = alone.comments("epic", "approve")
    alone.settle()
    assert "Nothing stands in review" in alone.answers(said)[0]
    alone.pull(number, review_required=False)
    alone.settle()
    assert alone.stage("epic") is Stage.MERGE
    assert alone.merges == []


def test_an_approval_in_the_very_round_that_sees_a_wish_is_answered(alone):
    alone.remarks("epic", "rename this")
    said = alone.comments("epic", "approve")
    alone.settle()
    assert "Nothing stands in review" in alone.answers(said)[0]
    assert alone.merges == []


def test_a_paused_lone_ticket_merges_nothing_and_forgets_no_approval(alone):
    alone.comments("epic", "pause")
    alone.settle()
    alone.comments("epic", "approve")
    alone.settle()
    assert alone.merges == []
    assert alone.issues["epic"].disposition is Disposition.PAUSED
    alone.comments("epic", "resume")
    alone.settle()
    assert alone.stage("epic") is Stage.DONE


def test_the_newest_comment_is_the_summary_that_an_approval_is_for_also_when_heads_come_back(asked):
    number = asked.pulls["feed"].number
    first = asked.issues["epic"].record.shown
    for people in (("bob",), ()):
        asked.pull(number, changes_requested_by=people)
        asked.settle()
    shown = asked.issues["epic"].record.shown
    newest = [one for one in asked.issues["epic"].comments if one.topic.startswith("summary")][-1]
    assert shown.heads == first.heads
    assert newest.topic == shown.comment != first.comment


def test_an_epic_that_a_person_moves_out_of_the_train_merges_nothing_and_keeps_turn_1(computing):
    computing.moves("epic", Stage.CODE_REVIEW)
    known(computing)
    assert computing.merges == []
    assert computing.issues["epic"].record.approval.digest
    computing.remarks("feed", "rename this")
    computing.settle().work()
    computing.comments("epic", "approve")
    computing.settle()
    assert computing.stage("epic") is Stage.DONE


def blocks(board, below, above):
    """A person puts a relation in Linear: one ticket blocks another."""
    blocking = Blocking(below, board.issues[below].identifier, Stage.TODO, "Todo", over=False)
    board.change(above, blocked_by=(*board.issues[above].blocked_by, blocking))


def test_tickets_that_wait_for_each_other_in_a_circle_wait_for_a_person_to_say_which_relation_is_wrong(approved):
    blocks(approved, "theme", "storage")
    approved.settle().work(12)
    assert "YOU-2, YOU-3 wait for each other in a circle" in approved.why("theme")
    approved.change("theme", blocked_by=())
    approved.settle().work(12)
    assert approved.stages()["theme"] == approved.stages()["storage"] == "merge"


def test_a_ticket_that_its_own_epic_blocks_is_in_a_circle_with_it(approved):
    blocks(approved, "epic", "theme")
    approved.settle().work(12)
    assert "YOU-1, YOU-3 wait for each other in a circle" in approved.why("theme")


def test_a_circle_that_is_made_when_the_work_is_done_merges_nothing_and_is_named(computing):
    blocks(computing, "theme", "storage")
    known(computing)
    assert [one.number for one in computing.merges] == [computing.pulls["feed"].number]
    assert "in a circle" in computing.why("theme")
    computing.change("storage", blocked_by=())
    computing.settle()
    assert computing.stages()["theme"] == computing.stages()["storage"] == "merge"
    computing.comments("epic", "approve")
    computing.settle()
    assert computing.stage("epic") is Stage.DONE


def test_what_came_along_when_the_work_above_it_was_merged_is_done_and_its_pull_request_closed(asked):
    """GitHub takes a pull request nowhere where it has no new commits: it was asked for that without end."""
    below, above = asked.pulls["storage"], asked.pulls["theme"]
    assert above.base_branch == below.head_branch
    asked.pull(below.number, open=False, merged=True, merge_commit="m")
    record = replace(asked.issues["theme"].record, stands_on="main", base_at=above.head)
    asked.change("theme", record=record)
    asked.settle()
    assert asked.stage("theme") is Stage.DONE
    assert not asked.pulls["theme"].open
    assert "came along" in asked.said("theme", "merged")[0]
    assert above.head_branch in asked.cleaned
    assert above.base_branch != "main"


def test_what_a_person_merged_into_the_work_that_waits_for_it_lands_with_that(asked):
    """Each waited for the other: the one for the merge of what it is in, that one for what lies below to land."""
    below, above = asked.pulls["storage"], asked.pulls["theme"]
    assert "storage" in {one.issue for one in asked.issues["theme"].blocked_by}
    asked.pull(below.number, open=False, merged=True, base_branch=above.head_branch)
    asked.settle().comments("epic", "approve")
    asked.settle()
    assert above.number in {one.number for one in asked.merges}
    assert asked.stage("theme") is asked.stage("storage") is Stage.DONE


def test_what_is_to_be_merged_and_has_no_pull_request_gets_one(approved):
    """It waited for one without a word, and nobody was about to open it."""
    approved.work(7)
    before = approved.pulls.pop("feed")
    approved.settle()
    assert approved.stage("feed") is Stage.MERGE
    assert approved.issues["feed"].record.pull_request == approved.pulls["feed"].number != before.number
