"""Performing: the order of effects, and what is not done when something fails."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import quote

import pytest

from bot.github.client import HeadMoved, NotFound, NotMergeable
from bot.github.errors import Forbidden, Locked, Unprocessable
from bot.linear.batch import Sent
from bot.linear.ensure import ticket_id
from bot.machine.breakdown import Task
from bot.machine.decision import (
    Answer,
    CleanUp,
    CreateTickets,
    Decision,
    Merge,
    Move,
    OpenPullRequest,
    Post,
    Remember,
    Retarget,
    StartRun,
)
from bot.machine.errors import Transient
from bot.machine.facts import Departed, Facts, Issue, Refusal, Run, RunState, Ticket
from bot.machine.pull_request import PullRequest
from bot.machine.record import Record
from bot.machine.secrets import pattern_of
from bot.machine.stages import Stage
from bot.perform import LATER, SOON, Performer
from bot.policy import GitPolicy, Policy
from bot.refusals import PAUSES
from bot.telling import PANEL_SECONDS, Telling
from bot.voice import Voice


class Linear:
    def __init__(self, done, refused=()):
        self.done, self.refused = done, refused

    def move(self, issue, stage):
        self.done.append(f"move {stage}")

    def comment(self, issue, topic, body, parent=None):
        self.done.append(body.splitlines()[0])

    async def send(self):
        self.done.append("linear")
        return Sent(refused=dict(self.refused))


class Till:
    async def allow(self, *_):
        """The engine knows what it may cost; nothing else is asked of it."""


class GitHub:
    def __init__(self, done, error=None):
        self.done, self.error = done, error

    async def merge(self, *_):
        if self.error:
            raise self.error
        self.done.append("merge")

    async def ensure_pull(self, *_):
        raise self.error

    async def retarget(self, *_):
        if self.error and "base branch" in str(self.error):
            raise self.error
        self.done.append("retarget")

    async def answer(self, *_):
        if self.error:
            raise self.error

    reply = answer


def performer(done, error=None, *, begin=None, runs=None, policy=Policy, voice=None, note=lambda *_: None):
    async def clean(*_):
        done.append("clean")

    async def log_of(*_):
        return "line 1: boom"

    begins = begin or (lambda: Linear(done))
    telling = Telling(begins, runs, "https://callboard", voice or Voice(), note)
    return Performer(telling, GitHub(done, error), runs, clean, log_of, policy)


@pytest.fixture
def facts():
    now = datetime(2026, 11, 21, tzinfo=UTC)
    issue = Issue("e", "YOU-1", "T", "", "", "YOU", Stage.MERGE, "", "", frozenset(), 0, now)
    return Facts(now, "epic:e", Ticket(issue), (), None, None)


MERGE = Merge("e", "acme/youlab", 1, "sha", "YOU-1: T")
DECISION = Decision((MERGE, Retarget("e", "acme/youlab", 2, "main"), Move("e", Stage.DONE)), recheck_after=0.1)


async def test_github_comes_before_linear(facts):
    done = []
    assert await performer(done).perform(facts, DECISION) == 0.1
    assert done == ["merge", "retarget", "move done", "linear"]


@pytest.mark.parametrize("thread", ["", "PRRT_1"])
async def test_what_a_locked_conversation_does_not_take_holds_up_nothing(facts, thread):
    """Whoever locked it wants no answer there; the rest of the epic goes on."""
    done = []
    answer = Answer("e", "acme/youlab", 1, thread, "answer-1", "answer", {"body": "Done.", "commit": ""}, resolve=True)
    told = Decision((answer, Move("e", Stage.DONE)))
    await performer(done, Locked("GitHub refused: issue is locked")).perform(facts, told)
    assert done == ["move done", "linear"]


async def test_a_pull_request_that_is_gone_is_no_thread_that_somebody_deleted(facts):
    answer = Answer("e", "acme/youlab", 1, "", "answer-1", "answer", {"body": "Done.", "commit": ""})
    one = performer([], NotFound("no such pull request"))
    await one.perform(facts, Decision((answer,)))
    assert one.refusals.standing("e", facts.now, facts.now).reason == "no such pull request"


BODY = {
    "identifier": "YOU-1", "url": "", "summary": "", "verified": (), "by_worker": (), "skipped": (), "manual": (),
    "protected": (), "research": "", "plan": "", "stacked_on": "",
}  # fmt: skip
REFUSED = [Forbidden("GitHub refused: Resource not accessible by integration"), Unprocessable("Validation Failed")]


@pytest.mark.parametrize("error", REFUSED)
async def test_what_github_refuses_of_one_ticket_is_its_reason_and_linear_says_nothing_of_it(facts, error):
    """The others go on: Linear was told nothing of the whole epic, and nobody could read why it stood still."""
    ticket = replace(facts.epic, issue=replace(facts.epic.issue, id="t"))
    facts, done = replace(facts, tickets=(ticket,)), []
    one = performer(done, error)
    moves = (Move("t", Stage.DONE), Post("t", "merged", "merged", {}), Move("e", Stage.DONE))
    assert await one.perform(facts, Decision((replace(MERGE, issue="t"), *moves), recheck_after=900.0)) == PAUSES[0]
    assert done == ["move done", "linear"]
    assert one.refusals.standing("t", facts.now, facts.now) == Refusal(str(error), PAUSES[0])
    assert one.refusals.standing("e", facts.now, facts.now) is None


@pytest.mark.parametrize("asked", ["open", "retarget"])
async def test_a_pull_request_that_github_does_not_open_or_take_elsewhere_says_why(facts, asked):
    said, done = "Validation Failed: Proposed base branch does not exist", []
    opened = OpenPullRequest("e", "acme/youlab", "agent/YOU-1", "main", "T", BODY)
    action = opened if asked == "open" else Retarget("e", "acme/youlab", 1, "main")
    one = performer(done, NotMergeable(said))
    assert await one.perform(facts, Decision((action, Move("e", Stage.DEV)), recheck_after=0.5)) == LATER
    assert done == ["move dev", "linear"]
    assert one.refusals.standing("e", facts.now, facts.now).reason == said


async def test_a_checkout_is_gone_before_the_record_that_forgets_it_is_written(facts):
    done = []
    clean = CleanUp("e", "acme/youlab", "agent/YOU-1", delete_branch=False)
    await performer(done).perform(facts, Decision((Move("e", Stage.CANCELED), clean)))
    assert done == ["clean", "move canceled", "linear"]


async def test_linear_is_told_nothing_when_github_failed_but_the_other_actions_are_tried(facts):
    done = []
    with pytest.raises(Transient):
        await performer(done, Transient("502")).perform(facts, DECISION)
    assert done == ["retarget"]


@pytest.mark.parametrize(("error", "wait"), [(HeadMoved("moved"), SOON), (NotMergeable("a check is expected"), LATER)])
async def test_a_refusal_of_github_is_not_asked_for_again_in_a_hurry(facts, error, wait):
    done = []
    assert await performer(done, error).perform(facts, DECISION) == wait
    assert done == ["retarget", "move done", "linear"]


async def test_what_github_said_of_a_merge_is_known_to_the_next_decision_and_asked_again_ever_more_rarely(facts):
    pull = PullRequest(1, "", "", open=True, merged=False, head="sha", head_branch="agent/YOU-1", base_branch="main")
    one = performer([], NotMergeable("Commits must have verified signatures."))
    assert await one.perform(facts, DECISION) == LATER
    assert await one.perform(facts, replace(DECISION, recheck_after=60.0)) == 60.0
    assert one.refusals.of(pull) == "Commits must have verified signatures."
    assert one.refusals.of(replace(pull, head="another")) == ""
    one.github.error = None
    await one.perform(facts, DECISION)
    assert one.refusals.of(pull) == ""


async def test_what_linear_refuses_of_an_issue_is_its_reason_and_no_run_of_it_starts(facts):
    """No record says which generation it has; the next look tells why, and it is tried again ever more rarely."""
    said, done = {"e": "Linear: stateId could not be found."}, []
    one = performer(done, begin=lambda: Linear(done, said), runs=Till())
    start = StartRun("e", "research", Stage.RESEARCH, 1, 1, 0, {}, {}, "acme/youlab", "agent/YOU-1", "main")
    decision = Decision((Move("e", Stage.RESEARCH), start), recheck_after=900.0)
    for wait in (*PAUSES, PAUSES[-1]):
        assert await one.perform(facts, decision) == wait
        assert one.refusals.standing("e", facts.now, facts.now) == Refusal(said["e"], wait)
        facts = replace(facts, now=facts.now + timedelta(seconds=wait))
        assert one.refusals.standing("e", facts.now - timedelta(days=1), facts.now) == Refusal(said["e"])
    assert done == ["move research", "linear"] * 4
    changed = facts.now + timedelta(seconds=1)
    assert one.refusals.standing("e", changed, changed) == Refusal(said["e"])
    said.clear()
    assert await one.perform(facts, Decision((Move("e", Stage.RESEARCH),), recheck_after=900.0)) == 0.0
    assert one.refusals.standing("e", facts.now, facts.now) is None


def panel(text):
    return Decision((Post("e", "panel", "merged", {"commit": text, "number": 1, "url": ""}),), recheck_after=60.0)


async def test_a_panel_that_changes_often_is_edited_every_few_seconds_and_the_last_word_is_not_lost(facts):
    done = []
    one = performer(done)

    async def after(seconds, text):
        return await one.perform(replace(facts, now=facts.now + timedelta(seconds=seconds)), panel(text))

    assert await after(0, "a") == 60.0
    assert await after(1, "b") == PANEL_SECONDS - 1
    assert await after(2, "c") == PANEL_SECONDS - 2
    assert await after(4, "c") == 60.0
    assert [line for line in done if "Merged" in line] == [f"Merged as `{each}` through [#1]()." for each in "ac"]


async def test_the_last_panel_of_an_epic_waits_for_nothing(facts):
    done = []
    one = performer(done)
    over = replace(facts, epic=Ticket(replace(facts.epic.issue, stage=Stage.DONE)))
    for text in "ab":
        assert await one.perform(over, panel(text)) == 60.0
    assert len([line for line in done if "Merged" in line]) == 2


async def test_a_clock_that_was_set_back_holds_no_panel_up(facts):
    done = []
    one = performer(done)
    await one.perform(facts, panel("a"))
    assert await one.perform(replace(facts, now=facts.now - timedelta(days=1)), panel("b")) == 60.0


async def test_nothing_is_done_that_could_not_be_written_down(facts):
    done = []

    def full(*_):
        raise Transient("the disk is full")

    with pytest.raises(Transient):
        await performer(done, note=full).perform(facts, DECISION)
    assert done == []


async def test_every_act_is_written_down_before_it_is_done_and_a_refusal_after(facts):
    done = []

    def note(_facts, action, refused=""):
        done.append(f"note {type(action).__name__} {refused}".strip())

    await performer(done, HeadMoved("moved"), note=note).perform(facts, DECISION)
    assert done == ["note Merge", "note Merge moved", "note Retarget", "retarget", "note Move", "move done", "linear"]


class Whole(Linear):
    """Keeps every word of a comment."""

    def comment(self, issue, topic, body, parent=None):
        self.done.append(body)


@pytest.mark.attack("S-25", "S-51")
async def test_no_spelling_of_a_secret_is_posted(facts):
    secret = "canary/@7Qw://+zX9vB3nM5kLp2rT8"
    raw = secret.encode()
    echoes = [
        *(secret, secret[::-1], secret[7:], secret[:-7], raw.hex(), raw.hex().upper(), quote(secret, safe="")),
        *(base64.b64encode(part + raw).decode() for part in (b"", b"x", b"xy")),
        *(base64.urlsafe_b64encode(raw).decode(), base64.b64encode(raw).decode().rstrip("=")),
    ]
    assert len(echoes) == 12
    for echo in echoes:
        done: list[str] = []
        voice = Voice(partial(pattern_of([secret]).sub, "[secret]"))
        acting = performer(done, begin=lambda done=done: Whole(done), voice=voice)
        values = {"question": f"Is it {echo} ?", "options": [echo]}
        await acting.perform(facts, Decision((Post("e", "q", "needs_input", values), Post("e", "r", "refused",
            {"word": echo, "reason": echo}))))  # fmt: skip
        said = "".join(done).replace("\u200b", "")
        assert echo not in said, echo
        assert secret[7:-7] not in said
        assert said.count("[secret]") == 4, said


class Remembering(Linear):
    """Takes tickets, and keeps the numbers of the records that are written."""

    def create_tickets(self, _epic, tickets):
        return {one.key: f"made {one.key}" for one in tickets}

    def relation(self, blocker, blocked, epic):
        self.done.append(f"{blocker} blocks {blocked}")

    def record(self, issue, record, *, first, **_shown):
        self.done.append(f"{'first ' if first else ''}record {issue} {record.number}")
        return "signed"


class Numbers:
    def __init__(self, done):
        self.done = done

    async def intend(self, _key, above, known):
        self.done.append(f"intend, knowing {dict(known)}")
        return {issue: number + 1 for issue, number in above.items()}

    async def wrote(self, _key, seen):
        self.done.append(f"wrote {seen}")


async def test_a_record_has_a_number_before_anything_is_sent_and_is_noted_after(facts):
    done = []
    acting = performer(done, begin=lambda: Remembering(done), runs=Numbers(done))
    facts = replace(facts, numbers={"e": (4, 3)})
    await acting.perform(facts, Decision((Remember("e", Record("e", 4)), Move("e", Stage.DONE))))
    assert done == ["move done", "intend, knowing {'e': (4, 3)}", "record e 5", "linear", "wrote {'e': (5, 'signed')}"]


async def test_a_ticket_whose_record_is_not_believed_gets_no_fresh_one_when_its_tasks_are_approved_again(facts):
    done = []
    there = replace(facts.epic.issue, id=ticket_id("e", "store"), record_refused="forged")
    acting = performer(done, begin=lambda: Remembering(done), runs=Numbers(done))
    tasks = tuple(Task(key, key) for key in ("store", "page"))
    await acting.perform(replace(facts, tickets=(Ticket(there),)), Decision((CreateTickets("e", "YOU", tasks),)))
    assert [line for line in done if "record" in line] == ["first record made page 1"]


async def test_a_run_is_told_which_files_the_policy_protects(facts):
    orders = []

    class Runs:
        async def allow(self, *_):
            pass

        async def start_run(self, order):
            orders.append(order)

    header = dict.fromkeys(("TASK_ID", "STAGE", "TITLE", "DESCRIPTION", "SCOPE"), "")
    header |= {"DEPENDENCIES": "none", "PARENT_TICKET": "none"}
    start = StartRun("e", "plan", Stage.PLAN, 1, 1, 0, header, {}, "acme/youlab", "agent/YOU-1", "main")
    one = performer([], runs=Runs(), policy=lambda: Policy(git=GitPolicy(protected=("deploy/",))))
    await one.perform(facts, Decision((start,)))
    assert orders[0].spec["protected"] == ["deploy/"]


async def test_a_ticket_that_has_a_record_gets_no_fresh_one_although_the_record_names_no_task(facts):
    done = []
    there = replace(facts.epic.issue, id=ticket_id("e", "store"), record=Record(ticket_id("e", "store"), generation=1))
    acting = performer(done, begin=lambda: Remembering(done), runs=Numbers(done))
    create = CreateTickets("e", "YOU", (Task("store", "store"),))
    await acting.perform(replace(facts, tickets=(Ticket(there),)), Decision((create,)))
    assert not [line for line in done if "record" in line]


async def test_a_first_record_replaces_none_and_is_not_taken_for_what_stands_there(facts):
    """The ticket may have been there for long, as part of something else; the database was lost since."""
    done = []
    acting = performer(done, begin=lambda: Remembering(done), runs=Numbers(done))
    await acting.perform(facts, Decision((CreateTickets("e", "YOU", (Task("page", "page"),)),)))
    assert "first record made page 1" in done
    assert not [line for line in done if line.startswith("wrote")]


async def test_what_is_archived_blocks_nothing_that_is_made_since(facts):
    done = []
    there, gone = (replace(facts.epic.issue, id=one, archived=one == "gone") for one in ("there", "gone"))
    acting = performer(done, begin=lambda: Remembering(done), runs=Numbers(done))
    create = CreateTickets(
        "e",
        "YOU",
        (Task("documentation", "Document it"),),
        blocked_by=tuple(("documentation", one) for one in ("there", "gone")),
    )
    await acting.perform(replace(facts, tickets=(Ticket(there), Ticket(gone))), Decision((create,)))
    assert [line for line in done if "blocks" in line] == ["there blocks made documentation"]


async def test_what_departed_is_told_on_itself(facts):
    """It is none of the epic's tickets, and Linear is told nothing of those that are not known."""
    done = []
    out = Departed("out", "agent/YOU-3", replace(facts.epic.issue, id="out", identifier="YOU-3"))
    values = {
        "there": True, "identifier": "YOU-3", "epic": "YOU-1", "branch": "agent/YOU-3", "number": None, "url": "",
    }  # fmt: skip
    decision = Decision(
        (Post("out", "departed", "departed", values), CleanUp("e", "acme/youlab", "agent/YOU-3", False))
    )
    await performer(done).perform(replace(facts, departed=(out,)), decision)
    assert done[0] == "clean"
    assert done[1].startswith("This is no ticket of YOU-1 any more")


@pytest.mark.parametrize(("refused", "told"), [("", [("epic:e", 3.0, 0.75)]), ("forged", [])])
async def test_what_an_epic_may_cost_and_has_is_told_anew_only_while_its_record_is_believed(facts, refused, told):
    """Else a damaged record gave what was under way the policy's budget instead of a person's (seed 4730).

    What a ticket had cost that departed is told, too.
    """
    allowed = []

    class Runs(Numbers):
        async def allow(self, *values):
            allowed.append(values)

    record = None if refused else Record("e", budget_usd=3.0, left_usd=(("gone", 0.75),))
    run = Run("r", "e", "plan", 1, RunState.RUNNING)
    epic = replace(facts.epic, issue=replace(facts.epic.issue, record=record, record_refused=refused), runs=(run,))
    performs = performer([], begin=lambda: Remembering([]), runs=Runs([]))
    await performs.perform(replace(facts, epic=epic), Decision())
    assert allowed == told
    if refused:  # until it begins anew, with a record of this round (seed 6132)
        anew = Remember("e", Record("e", generation=2, budget_usd=5.0))
        await performs.perform(replace(facts, epic=epic), Decision((anew,)))
        assert allowed == [("epic:e", 5.0, 0.0)]
