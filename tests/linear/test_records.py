"""What the service signs on Linear: records and markers, and that nobody else can."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.linear.marker import comment_id, digest_of, effect_id, mark, marker_of, proven, without_marker
from bot.linear.records import FIELD, Refusal, seal, unseal
from bot.machine.record import Approval, Artifact, Record
from bot.machine.stages import Stage

KEY, OLD = "a key", "an older key"
MOMENT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
RECORD = Record(
    issue="issue-1",
    stage=Stage.CODE_REVIEW,
    generation=7,
    attempts=2,
    cost_usd=1.25,
    heard=("c1", "c2"),
    approval=Approval("c2", "u1", MOMENT, heads=(("issue-2", "abc"),)),
    plan=Artifact("thoughts/shared/plans/x.md", "d", "c"),
    started_at=MOMENT,
)


def test_a_record_comes_back_as_it_was() -> None:
    assert unseal(seal(RECORD, KEY), "issue-1", [KEY]) == RECORD


def test_a_record_has_a_few_words_for_people() -> None:
    metadata = seal(RECORD, KEY)
    assert (metadata["stage"], metadata["attempts"], metadata["cost_usd"]) == ("code_review", 2, 1.25)


@pytest.mark.attack("S-14")
def test_the_words_for_people_are_not_believed() -> None:
    assert unseal({**seal(RECORD, KEY), "stage": "done", "attempts": 0}, "issue-1", [KEY]) == RECORD


def test_a_key_can_be_changed_while_old_records_are_about() -> None:
    assert unseal(seal(RECORD, OLD), "issue-1", [KEY, OLD]) == RECORD


def refused(metadata: dict[str, Any], issue: str = "issue-1") -> str:
    answer = unseal(metadata, issue, [KEY])
    assert isinstance(answer, Refusal)
    return answer.reason


@pytest.mark.attack("S-14")
def test_a_record_signed_by_another_is_refused() -> None:
    assert "not signed with this service's key" in refused(seal(RECORD, "a guess"))


@pytest.mark.attack("S-14")
def test_a_record_copied_to_another_issue_is_refused() -> None:
    assert "belongs to another issue" in refused(seal(RECORD, KEY), "issue-2")


@pytest.mark.parametrize("text", ["", "x", "a.b", "é", None, 7, ["x"]])
@pytest.mark.attack("S-14")
def test_a_record_that_is_no_signed_text_is_refused(text: Any) -> None:
    assert refused({FIELD: text})


@given(st.integers(min_value=0), st.characters(codec="ascii"))
@pytest.mark.attack("S-14")
def test_no_changed_character_goes_unnoticed(place: int, letter: str) -> None:
    text = seal(RECORD, KEY)[FIELD]
    place %= len(text) - 1  # the last of base64 may hold bits that nobody reads
    changed = text[:place] + letter + text[place + 1 :]
    if changed != text:
        assert refused({FIELD: changed})


def test_a_record_of_a_newer_version_is_read_as_far_as_we_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.linear import records

    fields = records._RECORD.dump_python(RECORD, mode="json") | {"mood": "sunny"}
    assert unseal({FIELD: records._serializer([KEY]).dumps(fields)}, "issue-1", [KEY]) == RECORD


def test_a_signed_record_that_makes_no_sense_is_refused_with_the_place() -> None:
    from bot.linear import records

    fields = records._RECORD.dump_python(RECORD, mode="json") | {"generation": "many"}
    assert "generation" in refused({FIELD: records._serializer([KEY]).dumps(fields)})


def test_ids_are_those_of_a_uuid_of_version_4_and_always_the_same() -> None:
    made = effect_id("comment", "issue-1", "panel")
    assert uuid.UUID(made).version == 4
    assert uuid.UUID(made).variant == uuid.RFC_4122
    assert made == made.lower() == effect_id("comment", "issue-1", "panel")


def test_parts_of_an_id_do_not_run_into_each_other() -> None:
    assert effect_id("a", "bc") != effect_id("ab", "c") != effect_id("a", "b", "c")


@pytest.mark.parametrize("topic", ["panel", "pull-request 7", "a--b", "plan.md", "über/alles", "x%2D-->"])
def test_a_marker_survives_any_topic(topic: str) -> None:
    body = mark("Hello", issue="issue-1", topic=topic, key=KEY)
    marker = marker_of(body)
    assert marker is not None
    assert marker.topic == topic
    assert proven(marker, comment=comment_id("issue-1", topic), issue="issue-1", keys=["new", KEY])
    assert body.count("--") == 2
    assert without_marker(body) == "Hello"


def test_a_marker_remembers_the_text_as_we_wrote_it() -> None:
    marker = marker_of(mark("- a\n- b", issue="i", topic="t", key=KEY).replace("- a\n- b", "* a\n\n* b"))
    assert marker is not None
    assert marker.digest == digest_of("- a\n- b") != digest_of("- a\n- c")


@pytest.mark.attack("S-14")
def test_a_marker_proves_nothing_elsewhere() -> None:
    marker = marker_of(mark("Hello", issue="i", topic="t", key=KEY))
    assert marker is not None
    home = comment_id("i", "t")
    assert proven(marker, comment=home, issue="i", keys=[KEY])
    assert not proven(marker, comment="copied", issue="i", keys=[KEY])
    assert not proven(marker, comment=home, issue="j", keys=[KEY])
    assert not proven(marker, comment=home, issue="i", keys=["a guess"])
    assert not proven(replace(marker, topic="u"), comment=home, issue="i", keys=[KEY])
    assert not proven(replace(marker, digest="0" * 16), comment=home, issue="i", keys=[KEY])


def test_the_last_marker_counts() -> None:
    quoted = mark("They said", issue="i", topic="theirs", key="theirs")
    marker = marker_of(mark(quoted, issue="i", topic="ours", key=KEY))
    assert marker is not None
    assert marker.topic == "ours"
