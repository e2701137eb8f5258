"""A record that can't be believed spends nothing, obeys nothing, and is replaced only by a person's word."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot.machine import record as records
from bot.machine.decision import CleanUp
from bot.machine.facts import Mover
from bot.machine.pull_request import PullRequest
from bot.machine.record import generation_of
from bot.machine.stages import Disposition, Stage


def forge(board, key="feed"):
    """The record of an issue can't be believed from now on; its runs are over."""
    board.change(key, record=None, record_refused="it is not signed with this service's key")
    return board.settle()


def test_nothing_new_starts_in_the_whole_epic_because_nobody_knows_what_it_has_cost(approved):
    forge(approved.begin())
    count = len(approved.orders)
    approved.finish().settle()
    assert len(approved.orders) == count, "storage went on spending"
    assert approved.issues["feed"].disposition is Disposition.BLOCKED
    assert "can't be believed" in approved.said("feed", "record-refused")[0]
    assert "nobody knows what the epic has cost" in approved.why("storage")
    assert "and more of" in approved.said("epic", "panel")[0]


@pytest.mark.parametrize("how", ["done", "deleted", "dropped", "epic"])
def test_what_is_over_or_not_called_any_more_stops_also_when_its_record_can_not_be_believed(approved, how):
    forge(approved.begin())
    assert [run for run in approved.live() if run.issue == "feed"], "it may be put back"
    match how:
        case "done":
            approved.change("feed", stage=Stage.DONE, state_name="Done", state_type="completed")
        case "deleted":
            approved.change("feed", archived=True)
        case "dropped":
            approved.dropped = True
        case "epic":
            approved.comments("epic", "cancel")
    approved.settle()
    assert not [run for run in approved.live() if run.issue == "feed"]


def test_the_epics_own_record_holds_everything_too(approved):
    approved.change("epic", record=None, record_refused="gone")
    approved.begin().finish().settle()
    assert approved.live() == []
    assert "can't be believed" in approved.why("epic")


@pytest.mark.parametrize("said", ["cancel", "stop", "pause", "budget $9000", "approve", "Do it differently"])
def test_what_was_said_before_is_not_obeyed_again(approved, said):
    approved.comments("feed", "retry")
    comment = approved.comments("feed", said)
    answered = approved.settle().answers(comment)
    approved.change("feed", labels=frozenset(), stage=Stage.RESEARCH)
    forge(approved)
    assert approved.stage("feed") is Stage.RESEARCH
    assert approved.answers(comment) == answered, "the answer that stands is not written anew"
    assert approved.issues["feed"].record is None


def test_a_person_who_says_retry_after_being_told_has_it_begun_anew(approved):
    approved.begin().finish()
    before = approved.issues["feed"].record
    forge(approved)
    approved.change("feed", task="feed")
    word = approved.comments("feed", "retry")
    approved.step()
    fresh = approved.issues["feed"].record
    assert fresh is not None
    assert fresh.generation > before.generation > 0
    assert (fresh.settled, fresh.task, fresh.approval) == (before.generation, "feed", None)
    assert "only as far as it is still known" in approved.answers(word)[0]
    approved.change("feed", record_refused="")
    approved.settle()
    assert approved.issues["feed"].disposition is None
    assert approved.orders[-1].generation > before.generation
    assert approved.orders[-1].prompt == "research"


def test_a_word_is_heard_also_when_somebody_deleted_what_we_said_of_the_record(approved):
    """Its id is used, so it never stands there again; `retry` was not heard any more, for ever."""
    forge(approved.begin().finish())
    [told] = [one for one in approved.issues["feed"].comments if one.topic == "record-refused"]
    approved.deletes("feed", told)
    approved.settle()
    assert approved.said("feed", "record-refused") == []
    approved.comments("feed", "retry")
    approved.settle()
    [again] = approved.said("feed", "record-refused-")
    assert "can't be believed" in again
    assert approved.issues["feed"].record is None, "nobody knew what was asked"
    approved.comments("feed", "retry")
    approved.step()
    assert approved.issues["feed"].record is not None


def test_an_earlier_word_is_no_reason_to_say_it_twice(approved):
    approved.comments("feed", "retry")
    approved.settle()
    forge(approved.begin().finish())
    assert len(approved.said("feed", "record-refused")) == 1


def test_what_was_thrown_away_since_is_not_begun_anew(approved):
    forge(approved.begin().finish())
    approved.comments("feed", "retry")
    approved.change("feed", archived=True, task="feed")
    ordered = [one for one in approved.orders if one.issue == "feed"]
    approved.settle()
    assert [one for one in approved.orders if one.issue == "feed"] == ordered
    approved.change("feed", archived=False)
    approved.step()
    assert approved.stage("feed") is Stage.TODO, "somebody restored it, and the word counts now"


def test_the_epic_is_done_also_when_the_record_of_what_was_thrown_away_can_not_be_believed(approved):
    for key in set(approved.issues) - {"epic", "feed"}:
        approved.moves(key, Stage.DONE)
    approved.settle()
    forge(approved)
    record = replace(approved.issues["epic"].record, stage=Stage.MERGE)
    approved.change("epic", stage=Stage.MERGE, state_name="Ready to Merge", record=record)
    approved.settle()
    assert approved.stage("epic") is not Stage.DONE
    approved.change("feed", archived=True, task="feed")
    approved.settle()
    assert approved.stage("epic") is Stage.DONE


@pytest.mark.parametrize("merged", [True, False])
def test_what_is_left_of_finished_work_is_taken_away_though_its_new_record_knows_of_no_push(approved, merged):
    """Found by the simulation: the branch and the checkout of merged work stayed for ever."""
    forge(approved.begin().finish())
    if merged:
        approved.pulls["feed"] = PullRequest(
            7, "https://github/pull", "node", open=False, merged=True, head="sha", head_branch="agent/YOU-4",
            base_branch="main",
        )  # fmt: skip
    approved.change("feed", stage=Stage.DONE, state_name="Done", state_type="completed", labels=frozenset())
    approved.settle()
    approved.comments("feed", "retry")
    cleaned = [one for one in approved.step().actions if isinstance(one, CleanUp)]
    assert [(one.branch, one.delete_branch) for one in cleaned] == [("agent/YOU-4", merged)]
    assert approved.issues["feed"].record.branch == ""


@pytest.mark.parametrize(("base", "stage"), [("main", Stage.DONE), ("agent/YOU-3", Stage.TODO)])
def test_what_automation_calls_done_is_done_only_when_it_is_merged_where_it_ends(approved, base, stage):
    forge(approved.begin().finish())
    approved.pulls["feed"] = PullRequest(
        7, "https://github/pull", "node", open=False, merged=True, head="sha", head_branch="agent/YOU-4",
        base_branch=base,
    )  # fmt: skip
    shown = {"stage": Stage.DONE, "state_name": "Done", "state_type": "completed", "mover": Mover.AUTOMATION}
    approved.change("feed", labels=frozenset(), **shown)
    approved.settle()
    approved.comments("feed", "retry")
    approved.step()
    assert approved.issues["feed"].record.stage is stage


def test_what_ended_in_a_state_of_a_person_s_own_is_over_also_when_it_is_begun_anew(approved):
    forge(approved.begin().finish())
    approved.change("feed", stage=None, state_name="Shipped", state_type="completed", mover=Mover.PERSON)
    approved.settle()
    approved.comments("feed", "retry")
    approved.step()
    assert approved.issues["feed"].record.stage is Stage.DONE
    assert approved.issues["feed"].state_name == "Shipped"


def test_nobody_else_and_no_earlier_word_has_it_begun_anew(approved, gina):
    approved.comments("feed", "retry")
    approved.settle()
    forge(approved)
    approved.comments("feed", "retry", author=gina)
    approved.comments("feed", "just go on")
    approved.settle()
    assert approved.issues["feed"].record is None
    assert approved.issues["feed"].disposition is Disposition.BLOCKED


def test_an_epic_begun_anew_needs_a_new_approval_of_what_stands(approved):
    approved.change("epic", record=None, record_refused="gone")
    approved.settle()
    approved.comments("epic", "retry")
    approved.step()
    approved.change("epic", record_refused="")
    approved.settle()
    assert approved.stage("epic") is Stage.PLAN_REVIEW
    assert approved.issues["epic"].record.approval is None
    assert "approval of YOU-1" in approved.why("storage")
    created = approved.created
    approved.comments("epic", "approve")
    approved.settle()
    assert approved.stage("epic") is Stage.DEV
    assert approved.created == created


@pytest.mark.parametrize(
    ("topic", "generation"),
    [
        ("research-3", 3),
        ("plan-12", 12),
        ("blocked-checks-4", 4),
        ("blocked-4", 4),
        ("needs_input-2", 2),
        ("breakdown-review-1-0123456789ab", 1),
        ("summary-7-123456789012345678", 7),
        ("given-up-5", 5),
        ("reply-1234", 0),
        ("panel", 0),
        ("void-0123456789ab", 0),
        ("void-012345678901", 0),
    ],
)
def test_what_we_said_tells_the_generation_that_it_was_said_in(topic, generation):
    assert generation_of(topic) == generation


def test_every_topic_with_a_generation_is_known():
    """Or a record that is put back to before it would go unnoticed."""
    house = Path(records.__file__).parents[2]
    found = set()
    for file in [*house.glob("handlers/*.py"), *house.glob("bot/machine/*.py")]:
        found |= set(re.findall(r'f"([^"\s]*\{record\.generation\}[^"\s]*)"', file.read_text()))
        found |= {f"{words}-{{record.generation}}" for words in re.findall(r'topic_of\("(\w+)"', file.read_text())}
    assert len(found) >= 8
    for topic in found:
        filled = (
            topic.replace("{record.generation}", "42").replace("{words}", "needs_input").replace("{kind}", "checks")
        )
        filled = filled.replace("needs_input-review", "plan_review-review")
        filled = re.sub(r"\{[^}]*\}", "0123456789ab", filled)
        assert generation_of(filled) == 42, topic
