"""The whole table of who says what where and when (V-8): 11 actors x 5 channels x 8 wordings x 6 timings, twice.

Every row is driven through the code that reads Linear's and GitHub's answers, and through `decide`. The rows that merge
are written by hand below; every other one must merge nothing, and leave no approval behind.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any

import pytest

from bot.github.client import Identity
from bot.github.conversation import Listener
from bot.linear import wire
from bot.linear.movers import mover_of
from bot.linear.reading import Reader
from bot.machine.approval import Act, Allowed, Subject, authorise
from bot.machine.comments import parse
from bot.machine.decide import decide
from bot.machine.decision import CreateTickets, Decision, Enqueue, Merge, Remember, StartRun
from bot.machine.facts import Author, Comment, Facts, Rules
from bot.machine.pull_request import Remark
from bot.machine.record import Record
from bot.machine.stages import STATES, Stage
from handlers import HANDLERS

US = "user-us"
READER = Reader({stage: state.name for stage, state in STATES.items()}, ["the key"], US)


def _user(name: str, **more: Any) -> dict[str, Any]:
    return {"id": f"user-{name}", "name": name, "active": True, "guest": False, "app": False} | more


ACTORS: dict[str, dict[str, Any]] = {
    "owner": {"user": _user("owner")},
    "writer": {"user": _user("writer")},
    "reader": {"user": _user("reader")},
    "stranger": {"user": None, "externalUser": {"id": "x", "name": "stranger"}},
    "ex-member": {"user": _user("ex-member", active=False)},
    "guest": {"user": _user("guest", guest=True)},
    "author": {"user": _user("author")},
    "requester": {"user": _user("requester")},
    "our app": {"user": _user("us", app=True)},
    "other bot": {"user": None, "botActor": {"id": "b", "name": "GitHub"}},
    "deleted": {"user": None},
}
NUMBERS = {name: number for number, name in enumerate(ACTORS, 1)}
ON_GITHUB: dict[str, dict[str, Any] | None] = {
    name: {"__typename": "User", "login": name, "databaseId": NUMBERS[name]} for name in ACTORS if " " not in name
} | {
    "our app": {"__typename": "Bot", "login": "callboard", "databaseId": NUMBERS["our app"]},
    "other bot": {"__typename": "Bot", "login": "helper", "databaseId": NUMBERS["other bot"]},
    "deleted": None,
}
LISTENER = Listener(
    Identity("callboard[bot]", NUMBERS["our app"], "callboard"),
    frozenset(NUMBERS[name] for name in ("owner", "writer", "author", "requester")),
)
CHANNELS = ("github review", "github comment", "linear comment", "linear synced reply", "linear move")
WORDINGS: dict[str, str] = {
    "exact": "approve",
    "quoted": "> approve\n\n`approve`",
    "negated": "don't approve",
    "hidden": "<!-- approve -->",
    "homoglyph": "\u0430pprove",
    "zero width": "app\u200brove",
    "other language": "genehmigt",
    "other commit": "approve 0123456789ab",
}
TIMINGS = ("before", "at shown", "after push", "after force-push", "after edit", "after role loss")

MERGES = {
    ("owner", "linear comment", "exact", "at shown"),
    ("writer", "linear comment", "exact", "at shown"),
    ("reader", "linear comment", "exact", "at shown"),  # a member of the workspace; the policy may name others
    ("author", "linear comment", "exact", "at shown"),  # pull requests are opened by our app; this one pushed to it
    ("requester", "linear comment", "exact", "at shown"),
}
MERGES_WHERE_THE_POLICY_NAMES_PEOPLE = {
    ("owner", "linear comment", "exact", "at shown"),
    ("writer", "linear comment", "exact", "at shown"),
}
NAMED = Rules(people=frozenset({"user-owner", "user-writer", "user-guest", "user-us", "user-ex-member", "b", "x", ""}))


@dataclass(frozen=True)
class Said:
    """What one row says, as the wire brings it."""

    actor: str
    channel: str
    wording: str
    at: datetime
    edited: bool = False
    lost: bool = False

    def into(self, facts: Facts) -> Facts:
        if self.channel.startswith("github"):
            return self._on_github(facts)
        if self.channel == "linear move":
            return self._moved(facts)
        return _with_comments(facts, READER.comment(facts.epic.issue.id, self._comment()))

    def _comment(self) -> wire.Comment:
        node: dict[str, Any] = {"id": "said", "body": WORDINGS[self.wording], "createdAt": self.at} | self._author()
        if self.edited:
            node["editedAt"] = self.at + timedelta(seconds=5)
        if self.channel == "linear synced reply":
            node |= {"parentId": "root", "syncedWith": [{"id": "slack"}], "externalThread": {"id": "t"}}
        return wire.Comment.model_validate(node)

    def _author(self) -> dict[str, Any]:
        author = ACTORS[self.actor]
        return author | {"user": author["user"] | {"active": False}} if self.lost and author["user"] else author

    def _moved(self, facts: Facts) -> Facts:
        """The actor puts the epic into Ready to Merge by hand."""
        author, state = self._author(), STATES[Stage.MERGE]
        change = {
            "createdAt": self.at, "toStateId": "merge", "actor": author["user"],
            "botActor": {"type": "github", **author["botActor"]} if author.get("botActor") else None,
        }  # fmt: skip
        moved = wire.Moved.model_validate(
            {
                "id": "epic",
                "state": {"id": "merge", "name": state.name, "type": state.type},
                "history": {"nodes": [change]},
            }
        )
        mover, who = mover_of(moved, US)
        issue = replace(facts.epic.issue, stage=Stage.MERGE, state_name=state.name, mover=mover, moved_by=who)
        return replace(facts, epic=replace(facts.epic, issue=issue))

    def _on_github(self, facts: Facts) -> Facts:
        """The same on every pull request."""
        when = self.at.isoformat().replace("+00:00", "Z")
        edited = when if self.edited else None
        node = {
            "id": "G1", "body": WORDINGS[self.wording], "createdAt": when, "lastEditedAt": edited, "isMinimized": False,
            "url": "http://x", "author": ON_GITHUB[self.actor], "state": "APPROVED", "submittedAt": when,
            "replyTo": None,
        }  # fmt: skip
        listener = replace(LISTENER, writers=frozenset()) if self.lost else LISTENER
        tickets = []
        for ticket in facts.tickets:
            pull = ticket.pull_request
            assert pull is not None
            one = node | {"commit": {"oid": pull.head}}
            reviews, remarks = {"reviews": {"nodes": [one]}}, {"comments": {"nodes": [one]}}
            if self.channel == "github review":
                pull = replace(pull, reviews=listener.reviews(reviews), approved_by=(self.actor,))
            else:
                pull = replace(pull, conversation=listener.conversation(remarks))
            tickets.append(replace(ticket, pull_request=pull))
        return replace(facts, tickets=tuple(tickets))


def _with_comments(facts: Facts, *comments: Comment) -> Facts:
    issue = facts.epic.issue
    return replace(facts, epic=replace(facts.epic, issue=replace(issue, comments=(*issue.comments, *comments))))


def _pushed(facts: Facts) -> Facts:
    """Every head is another one, whatever is in it."""
    pushed = (replace(one.pull_request, head=f"{one.pull_request.head}-2") for one in facts.tickets if one.pull_request)
    moved = (replace(one, pull_request=pull) for one, pull in zip(facts.tickets, pushed, strict=True))
    return replace(facts, tickets=tuple(moved))


def _after(facts: Facts, decision: Decision) -> Facts:
    """The epic as the decision leaves it: its record, and the stage that the record says."""
    records = [one.record for one in decision.actions if isinstance(one, Remember) and one.issue == "epic"]
    record: Record | None = records[-1] if records else facts.epic.issue.record
    assert record is not None
    issue = replace(facts.epic.issue, record=record, stage=record.stage, state_name=STATES[record.stage].name)
    return replace(facts, epic=replace(facts.epic, issue=issue), now=facts.now + timedelta(seconds=1))


def _merges(decision: Decision) -> bool:
    return any(isinstance(one, Merge | Enqueue) for one in decision.actions)


def _rounds(first: Facts, second: Facts, third: Facts) -> bool:
    """Whether anything is merged: in the round that hears the word, or in two more with the world as it is then."""
    heard = decide(first, HANDLERS)
    if _merges(heard):
        return True
    issue = _after(first, heard).epic.issue
    assert issue.record is not None
    if not (issue.record.approval and issue.record.approval.heads) and issue.stage is not Stage.MERGE:
        return False  # nothing was approved, so there is nothing that a later round could act upon
    for later in (second, third):
        now = replace(later.epic.issue, record=issue.record, stage=issue.stage, state_name=issue.state_name)
        facts = replace(later, epic=replace(later.epic, issue=now))
        decision = decide(facts, HANDLERS)
        if _merges(decision):
            return True
        issue = _after(facts, decision).epic.issue
    return False


def does_merge(base: Facts, actor: str, channel: str, wording: str, timing: str) -> bool:
    """Play a row, in both ways where a timing has two: the change came before the word was heard, or after."""
    shown = max(one.created_at for one in base.epic.issue.comments if one.topic.startswith("summary"))
    said = Said(actor, channel, wording, shown - timedelta(seconds=5) if timing == "before" else base.now)
    match timing:
        case "after push" | "after force-push":
            moved = said.into(_pushed(base))
            return _rounds(moved, moved, moved) or _rounds(said.into(base), moved, moved)
        case "after edit":
            edited = replace(said, edited=True).into(base)
            return _rounds(edited, edited, edited) or _rounds_between(base, said, replace(said, edited=True))
        case "after role loss":
            lost = replace(said, lost=True).into(base)
            return _rounds(lost, lost, lost) or _rounds_between(base, said, replace(said, lost=True))
    facts = said.into(base)
    return _rounds(facts, facts, facts)


def _rounds_between(base: Facts, said: Said, later: Said) -> bool:
    """It was well when it was heard, and changed before anything was merged."""
    changed = later.into(base)
    return _rounds(said.into(base), changed, changed)


@cache
def _base(boards: Any) -> Facts:
    """Turn 2: everything is ready, and the summary is shown."""
    board = boards()
    board.settle().work()
    board.comments("epic", "approve")
    board.settle().work(7)
    facts: Facts = board.facts()
    assert facts.epic.issue.stage is Stage.CODE_REVIEW
    assert all(one.issue.stage is Stage.MERGE for one in facts.tickets)
    return replace(facts, now=facts.now + timedelta(seconds=10))


def rows(actor: str, channel: str) -> Iterator[tuple[str, str, str, str]]:
    return product((actor,), (channel,), WORDINGS, TIMINGS)  # type: ignore[return-value]


@pytest.mark.attack("S-10", "S-11", "S-12", "S-16")
@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("actor", ACTORS)
def test_only_the_rows_written_by_hand_merge(boards: Any, actor: str, channel: str) -> None:
    base = _base(boards)
    named = replace(base, rules=NAMED)
    table = list(rows(actor, channel))
    assert len(table) == 48
    assert {row for row in table if does_merge(base, *row)} == {row for row in table if row in MERGES}
    by_name = {row for row in table if row[2] == "exact" and does_merge(named, *row)}
    assert by_name == {row for row in table if row in MERGES_WHERE_THE_POLICY_NAMES_PEOPLE}


def test_the_table_is_whole() -> None:
    table = [row for actor, channel in product(ACTORS, CHANNELS) for row in rows(actor, channel)]
    assert len(set(table)) == 2_640
    assert set(table) > MERGES > MERGES_WHERE_THE_POLICY_NAMES_PEOPLE


LOOKS_LIKE = [
    "> {}", "`{}`", "```\n{}\n```", "<!-- {} -->", "<b>{}</b>", "{} please", "don't {}", "{}\u200b", "\u200b{}",
    "\u202e{}", "{}\ufe0f", "\u00ad{}", "{}\n{}", "[{}](https://x)", "~~{}~~", "**{}**", "{} 0123456789ab", "@bot {}",
    "{}\u0000", "&#97;{}", "#{}", "{}?", "{},", "\U000e0061{}",
]  # fmt: skip
WORDS = ("approve", "merge", "yes", "budget $5000", "cancel", "retry", "stop", "pause", "resume")
TWINS = str.maketrans({"a": "\u0430", "e": "\u0435", "o": "\u043e", "p": "\u0440", "c": "\u0441", "$": "\uff04"})


@pytest.mark.attack("S-16", "S-60")
@pytest.mark.parametrize("word", WORDS)
def test_what_only_looks_like_a_word_is_none(word: str) -> None:
    said = [form.format(word, word) for form in LOOKS_LIKE]
    said += [word.translate(TWINS), "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in word)]
    said += [
        word[:2] + hidden + word[2:] for hidden in ("\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\n", "<!---->")
    ]
    for body in said:
        comment = _comment(body)
        assert parse(body).word == "text", body
        for act in set(Act) - {Act.ASK}:
            assert not isinstance(authorise(comment, act, Rules(), STANDS), Allowed), (body, act)


MOMENT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
STANDS = Subject(MOMENT, unchanged=True)
ALICE = Author("user-alice", "alice", person=True)


def _comment(body: str, author: Author | None = ALICE, **more: Any) -> Comment:
    return Comment("c", body, author, MOMENT + timedelta(seconds=1), **more)


ACTS = {
    Act.ASK: "make it blue",
    Act.STEER: "cancel",
    Act.SPEND: "budget $5000",
    Act.APPROVE: "approve",
    Act.REVIEW: "yes",
    Act.MERGE: "merge",
}


@pytest.mark.parametrize("act", Act)
def test_a_member_may_and_each_act_has_words_of_its_own(act: Act) -> None:
    assert isinstance(authorise(_comment(ACTS[act]), act, Rules(), STANDS), Allowed)
    for other in set(Act) - {act}:
        same = parse(ACTS[other]).word in ("approve", "merge", "yes") and act in (Act.APPROVE, Act.REVIEW, Act.MERGE)
        if not same:
            assert not isinstance(authorise(_comment(ACTS[other]), act, Rules(), STANDS), Allowed)


@pytest.mark.attack("S-10", "S-12", "S-60")
@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("actor", sorted(set(ACTORS) - {"owner", "writer", "reader", "author", "requester"}))
def test_nobody_without_standing_may_anything(act: Act, actor: str) -> None:
    node = {"id": "c", "body": ACTS[act], "createdAt": MOMENT + timedelta(seconds=1), **ACTORS[actor]}
    comment = READER.comment("epic", wire.Comment.model_validate(node))
    assert not isinstance(authorise(comment, act, Rules(), STANDS), Allowed)
    assert not isinstance(authorise(comment, act, NAMED, STANDS), Allowed)


STRANGE: list[dict[str, Any]] = [
    {"botActor": {"id": None, "name": "GitHub"}},
    {"externalUser": {"id": "x"}},
    {"externalThread": {"id": None}},
    {"syncedWith": [{"id": "slack"}]},
    {"onBehalfOf": {"id": "x"}},
    {"agentSession": {"id": "x"}},
]


@pytest.mark.attack("S-12", "S-60")
@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("fields", STRANGE, ids=lambda one: next(iter(one)))
def test_a_member_s_name_on_what_a_machine_brought_is_no_word_of_theirs(act: Act, fields: dict[str, Any]) -> None:
    node = {"id": "c", "body": ACTS[act], "createdAt": MOMENT, "user": _user("owner"), **fields}
    comment = READER.comment("epic", wire.Comment.model_validate(node))
    assert not isinstance(authorise(comment, act, Rules(), STANDS), Allowed)


@pytest.mark.attack("S-11", "S-12", "S-60")
@pytest.mark.parametrize("act", sorted(set(Act) - {Act.ASK}))
def test_an_edited_comment_moves_nothing(act: Act) -> None:
    assert not isinstance(authorise(_comment(ACTS[act], edited=True), act, Rules(), STANDS), Allowed)


@pytest.mark.attack("S-11")
@pytest.mark.parametrize("act", [Act.REVIEW, Act.MERGE])
@pytest.mark.parametrize(
    "subject",
    [
        None,
        Subject(),
        Subject(None, unchanged=True),
        Subject(MOMENT, unchanged=False),
        Subject(MOMENT + timedelta(seconds=1), unchanged=True),
        Subject(MOMENT + timedelta(hours=1), unchanged=True),
        Subject(MOMENT, unchanged=True, ready=False),
    ],
)
def test_an_approval_counts_only_for_what_was_shown_before_and_is_still_that(act: Act, subject: Subject | None) -> None:
    assert not isinstance(authorise(_comment(ACTS[act]), act, Rules(), subject), Allowed)


@pytest.mark.attack("S-10", "S-12")
@pytest.mark.parametrize("act", Act)
def test_on_github_only_writers_ask_for_work_and_nobody_does_more(act: Act) -> None:
    for person, may, ours in product((True, False), repeat=3):
        remark = Remark("r", "alice", ACTS[act], MOMENT, person=person, may=may, ours=ours)
        allowed = isinstance(authorise(remark, act, Rules(), STANDS), Allowed)
        assert allowed is (act is Act.ASK and person and may and not ours)


@pytest.mark.attack("S-10")
def test_what_nobody_knows_is_denied() -> None:
    for said in (None, "approve", 1, object()):
        assert not isinstance(authorise(said, Act.ASK, Rules()), Allowed)  # type: ignore[arg-type]
    for act in ("sudo", None, "MERGE"):
        assert not isinstance(authorise(_comment("merge"), act, Rules(), STANDS), Allowed)  # type: ignore[arg-type]
    assert not isinstance(authorise(_comment("merge", replace(ALICE, id="")), Act.MERGE, Rules(), STANDS), Allowed)


@pytest.mark.attack("S-10")
def test_in_linear_a_name_that_somebody_else_took_gives_no_rights() -> None:
    thief = replace(ALICE, id="user-thief")
    named = Rules(people=frozenset({ALICE.id}))
    for act, body in ((Act.MERGE, "merge"), (Act.STEER, "stop"), (Act.ASK, "please change it")):
        assert isinstance(authorise(_comment(body, ALICE), act, named, STANDS), Allowed)
        assert isinstance(authorise(_comment(body, replace(ALICE, name="Alicia")), act, named, STANDS), Allowed)
        assert not isinstance(authorise(_comment(body, thief), act, named, STANDS), Allowed)


@pytest.mark.attack("S-10", "S-16", "S-60")
@pytest.mark.parametrize("actor", ACTORS)
def test_only_a_member_s_plain_word_raises_the_budget(boards: Any, actor: str) -> None:
    base = _base(boards)
    allowed = actor in ("owner", "writer", "reader", "author", "requester")
    forms = ["budget $5000", "> budget $5000", "budget \uff045000", "bud\u200bget $5000", "<!-- budget $5000 -->"]
    for index, body in enumerate(forms):
        for synced, edited in product((False, True), repeat=2):
            node = {"id": "b", "body": body, "createdAt": base.now, **ACTORS[actor]}
            node |= {"syncedWith": [{"id": "s"}]} if synced else {}
            node |= {"editedAt": base.now} if edited else {}
            comment = READER.comment("epic", wire.Comment.model_validate(node))
            decision = decide(_with_comments(base, comment), HANDLERS)
            record = _after(base, decision).epic.issue.record
            assert record is not None
            expected = 5_000 if allowed and index == 0 and not synced and not edited else None
            assert record.budget_usd == expected, (body, synced, edited)


@pytest.mark.attack("S-10", "S-12")
@pytest.mark.parametrize("actor", ACTORS)
def test_turn_1_takes_the_same_people(boards: Any, actor: str) -> None:
    board = boards()
    facts: Facts = board.settle().work().facts()
    now = facts.now + timedelta(seconds=1)
    for channel, wording in product(("linear comment", "linear synced reply"), WORDINGS):
        said = Said(actor, channel, wording, now)
        decision = decide(said.into(facts), HANDLERS)
        made = any(isinstance(one, CreateTickets | StartRun) for one in decision.actions)
        member = actor in ("owner", "writer", "reader", "author", "requester")
        assert made is (member and channel == "linear comment" and wording == "exact"), (channel, wording)
