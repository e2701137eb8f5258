"""From Linear's answers to facts: who is a person, what is ours, which record is believed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.linear import wire
from bot.linear.marker import comment_id, effect_id, mark
from bot.linear.reading import Reader
from bot.linear.records import seal
from bot.machine.facts import Comment
from bot.machine.record import Record
from bot.machine.stages import STATES, Disposition, Stage

KEY, US, ALICE = "the key", "user-us", "user-alice"
READER = Reader({stage: state.name for stage, state in STATES.items()}, [KEY], US, {ALICE: ("YOU", "OPS")})
PERSON = {"id": ALICE, "name": "Alice", "active": True, "guest": False, "app": False}
MOMENT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def comment(**fields: Any) -> Comment:
    node = {"id": "c", "body": "approve", "createdAt": MOMENT, "user": PERSON, **fields}
    return READER.comment("issue-1", wire.Comment.model_validate(node))


def test_a_member_who_types_in_linear_is_a_person() -> None:
    author = comment().author
    assert author is not None
    assert author.person
    assert (author.id, author.name, author.teams) == (ALICE, "Alice", ("YOU", "OPS"))


STRANGE = {
    "no user": {"user": None},
    "a bot": {"botActor": {"id": None, "name": "GitHub"}},
    "a bot without user": {"user": None, "botActor": {"id": "b", "name": "GitHub"}},
    "an external user": {"externalUser": {"id": "x"}},
    "an external user alone": {"user": None, "externalUser": {"id": "x", "name": "Eve"}},
    "an external thread": {"externalThread": {"id": None}},
    "synced": {"syncedWith": [{"id": "slack"}]},
    "on behalf of": {"onBehalfOf": {"id": "x"}},
    "an agent session": {"agentSession": {"id": "x"}},
    "an app": {"user": {**PERSON, "app": True}},
    "a guest": {"user": {**PERSON, "guest": True}},
    "deactivated": {"user": {**PERSON, "active": False}},
}


@pytest.mark.parametrize("fields", STRANGE.values(), ids=STRANGE)
def test_everybody_else_is_not(fields: dict[str, Any]) -> None:
    author = comment(**fields).author
    assert author is None or not author.person


def test_a_comment_that_is_synced_with_nothing_is_simply_a_comment() -> None:
    author = comment(syncedWith=[]).author
    assert author is not None
    assert author.person


def test_an_edit_is_seen() -> None:
    assert comment(editedAt=MOMENT).edited
    assert not comment().edited


OURS = comment_id("issue-1", "panel")
MARKED = mark("text", issue="issue-1", topic="panel", key=KEY)
FORGED = mark("text", issue="issue-1", topic="panel", key="a guess")


@pytest.mark.parametrize(
    ("fields", "ours"),
    [
        ({"id": OURS, "body": MARKED}, True),
        ({"id": OURS, "body": MARKED, "user": {**PERSON, "id": US}}, True),
        ({"id": OURS, "body": FORGED, "user": {**PERSON, "id": US}}, True),
        ({"id": OURS, "body": FORGED}, False),
        ({"id": "copied", "body": MARKED}, False),
        ({"id": "copied", "body": MARKED, "user": {**PERSON, "id": US}}, False),
        ({"id": OURS, "body": "no marker", "user": {**PERSON, "id": US}}, False),
    ],
    ids=[
        "signed",
        "signed, by us",
        "by us under the derived id",
        "a guess under the derived id",
        "a copied marker",
        "a copied marker by a person whose key we use",
        "no marker",
    ],
)
def test_our_own_comments_are_proven(fields: dict[str, Any], ours: bool) -> None:
    seen = comment(**fields)
    assert (seen.ours, seen.topic) == (ours, "panel" if ours else "")
    if ours:
        assert seen.author is not None
        assert not seen.author.person


def attachment(record: Record, *, key: str = KEY, own: bool = False) -> wire.Attachment:
    return wire.Attachment(
        id=effect_id("record", "issue-1") if own else f"a{record.generation}", metadata=seal(record, key)
    )


RECORD = Record(issue="issue-1", generation=3)


def test_the_record_under_our_id_decides_whatever_others_attach() -> None:
    older_but_bolder = attachment(replace(RECORD, generation=9))
    assert READER.record("issue-1", [older_but_bolder, attachment(RECORD, own=True)])[:2] == (RECORD, "")


def test_a_forged_record_under_our_id_is_refused_even_beside_a_good_copy() -> None:
    record, why, _ = READER.record("issue-1", [attachment(RECORD), attachment(RECORD, key="a guess", own=True)])
    assert record is None
    assert "not signed" in why


def test_without_our_id_the_furthest_signed_record_counts() -> None:
    others = [attachment(replace(RECORD, generation=generation)) for generation in (1, 3, 2)]
    assert READER.record("issue-1", others) == (RECORD, "", "a3")


def test_attachments_of_others_are_no_records() -> None:
    assert READER.record("issue-1", [wire.Attachment(id="x", metadata={"pr": 7})]) == (None, "", "")


def issue(**fields: Any) -> wire.Issue:
    node: dict[str, Any] = {"id": "issue-1", "identifier": "YOU-1", "title": "t", "url": "u", "priority": 2.0}
    node |= {"createdAt": MOMENT, "team": {"key": "YOU"}, "state": {"name": "IN DEV", "type": "started"}}
    lists = {name: {"nodes": []} for name in ("labels", "inverseRelations", "attachments", "comments")}
    return wire.Issue.model_validate(node | lists | fields)


def test_a_state_is_known_whatever_its_case() -> None:
    assert READER.issue(issue()).stage is Stage.DEV
    assert READER.issue(issue(state={"name": "In Progress", "type": "started"})).stage is None


def test_our_labels_are_known_whatever_their_case() -> None:
    seen = READER.issue(issue(labels={"nodes": [{"name": "Needs Input"}, {"name": "Bug"}]}))
    assert seen.labels == {"needs input", "Bug"}
    assert seen.disposition is Disposition.NEEDS_INPUT


def test_only_blocks_relations_block() -> None:
    def relation(kind: str, number: int, **other: Any) -> dict[str, Any]:
        there = {"id": f"b{number}", "identifier": f"YOU-{number}", "state": {"name": "Done", "type": "completed"}}
        return {"type": kind, "issue": there | other}

    nodes = [
        relation("blocks", 2),
        relation("related", 3),
        relation("duplicate", 4),
        relation("blocks", 5, state={"name": "Todo", "type": "unstarted"}),
        relation("blocks", 6, state={"name": "Todo", "type": "unstarted"}, trashed=True),
        relation("something new", 7),
        relation("blocks", 8, state={"name": "Todo", "type": "unstarted"}, archivedAt=MOMENT),
    ]
    seen = READER.issue(issue(inverseRelations={"nodes": nodes}))
    assert [(one.identifier, one.stage, one.over) for one in seen.blocked_by] == [
        ("YOU-2", Stage.DONE, True),
        ("YOU-5", Stage.TODO, False),
        ("YOU-6", Stage.TODO, True),
        ("YOU-8", Stage.TODO, True),
    ]


def test_what_lies_in_the_trash_counts_as_archived() -> None:
    assert READER.issue(issue(trashed=True)).archived
    assert READER.issue(issue(archivedAt=MOMENT)).archived
    assert not READER.issue(issue()).archived
