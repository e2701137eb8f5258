"""From a request to a hint: signature, freshness, and what the body speaks of."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.engine.reception import DEPTH, Reception, Verdict
from bot.linear.webhook import receive, verify

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SECRET = "lin_wh_secret"
ISSUE = "0e7b1c5a-0000-4000-8000-000000000001"
EPIC = "0e7b1c5a-0000-4000-8000-000000000002"
DOCUMENT = "0e7b1c5a-0000-4000-8000-000000000003"


def signed(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def delivered(
    fields: Any, *, age: float = 0.0, headers: dict[str, str] | None = None, secrets: tuple[str, ...] = (SECRET,)
) -> Reception:
    if isinstance(fields, dict):
        fields = {"webhookTimestamp": (NOW.timestamp() - age) * 1000, **fields}
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    told = {"linear-delivery": "d-1", "linear-signature": signed(body)} | (headers or {})
    return receive(told, body, secrets, NOW)


def issue(**data: Any) -> dict[str, Any]:
    return {"type": "Issue", "action": "update", "data": {"id": ISSUE, **data}}


def test_a_signed_issue_event_becomes_a_hint() -> None:
    reception = delivered(issue(parentId=EPIC, title="x", labels=[]))
    assert reception.verdict is Verdict.OK
    assert reception.delivery is not None
    assert reception.delivery.subject == f"linear:{ISSUE}"
    assert (reception.delivery.source, reception.delivery.delivery) == ("linear", "d-1")
    assert (reception.delivery.event, reception.delivery.late) == ("Issue.update", False)
    assert reception.parent == EPIC


@pytest.mark.attack("S-15")
def test_what_we_did_ourselves_is_kept_and_wakes_nobody() -> None:
    body = json.dumps({"webhookTimestamp": NOW.timestamp() * 1000, "actor": {"id": "we"}, **issue()}).encode()
    told = {"linear-delivery": "d-1", "linear-signature": signed(body)}
    ours = receive(told, body, [SECRET], NOW, own="we").delivery
    assert ours is not None
    assert (ours.subject, ours.ignored) == (None, "our own act")
    for own in ("", "somebody else"):
        theirs = receive(told, body, [SECRET], NOW, own=own).delivery
        assert theirs is not None
        assert (theirs.subject, theirs.ignored) == (f"linear:{ISSUE}", None)
    for actor in (None, "we", {"name": "we"}, ["we"]):
        body = json.dumps({"webhookTimestamp": NOW.timestamp() * 1000, "actor": actor, **issue()}).encode()
        strange = receive({**told, "linear-signature": signed(body)}, body, [SECRET], NOW, own="we").delivery
        assert strange is not None
        assert strange.ignored is None


NOT_SIGNATURES = {
    "missing": None,
    "empty": "",
    "upper case": signed(b"{}").upper(),
    "truncated": signed(b"{}")[:-1],
    "longer": signed(b"{}") + "0",
    "with prefix": "sha256=" + signed(b"{}"),
    "with spaces": f" {signed(b'{}')} ",
    "with a newline": signed(b"{}") + "\n",
    "twice": f"{signed(b'{}')},{signed(b'{}')}",
    "SHA-1": hmac.new(SECRET.encode(), b"{}", hashlib.sha1).hexdigest(),
    "SHA-512": hmac.new(SECRET.encode(), b"{}", hashlib.sha512).hexdigest(),
    "wrong secret": signed(b"{}", "another"),
    "empty secret": signed(b"{}", ""),
    "re-serialised": signed(b"{ }"),
    "plain hash": hashlib.sha256(b"{}").hexdigest(),
    "not hex": "g" * 64,
    "not ASCII": "é" * 64,
    "other digits": "٠" * 64,
    "zeros": "0" * 64,
    "null byte": signed(b"{}") + "\0",
    "base64": "RBNvA1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o=",
}


@pytest.mark.parametrize("signature", NOT_SIGNATURES.values(), ids=NOT_SIGNATURES)
@pytest.mark.attack("S-01")
def test_what_is_not_our_signature_is_refused(signature: str | None) -> None:
    headers = {"linear-delivery": "d-1"} | ({} if signature is None else {"linear-signature": signature})
    assert receive(headers, b"{}", [SECRET], NOW).verdict is Verdict.UNAUTHORIZED


@pytest.mark.attack("S-01")
def test_nothing_is_parsed_before_the_signature_is_good() -> None:
    headers = {"linear-signature": "0" * 64}
    assert receive(headers, b"not json", [SECRET], NOW).verdict is Verdict.UNAUTHORIZED


@pytest.mark.proves("S-01")
def test_a_secret_can_be_changed_while_both_are_in_use() -> None:
    assert delivered(issue(), secrets=("new", SECRET)).verdict is Verdict.OK
    assert delivered(issue(), secrets=("new",)).verdict is Verdict.UNAUTHORIZED


@pytest.mark.parametrize("secrets", [(), ("",), (SECRET, "")])
@pytest.mark.attack("S-01")
def test_an_empty_secret_is_no_secret(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify(b"{}", signed(b"{}"), secrets)


HOUR = 3600


@pytest.mark.parametrize(
    ("age", "verdict", "stored", "late"),
    [
        (0, Verdict.OK, True, False),
        (-59, Verdict.OK, True, False),
        (-61, Verdict.BAD_REQUEST, False, False),
        (59, Verdict.OK, True, False),
        (61, Verdict.OK, True, True),
        (HOUR, Verdict.OK, True, True),
        (6 * HOUR, Verdict.OK, True, True),
        (8 * HOUR, Verdict.OK, True, True),
        (9 * HOUR, Verdict.OK, False, False),
        (24 * HOUR, Verdict.OK, False, False),
    ],
)
@pytest.mark.proves("S-02")
def test_age_decides_whether_it_is_fresh_late_or_dropped(
    age: float, verdict: Verdict, stored: bool, late: bool
) -> None:
    reception = delivered(issue(), age=age)
    assert (reception.verdict, reception.delivery is not None) == (verdict, stored)
    if reception.delivery:
        assert reception.delivery.late is late


@pytest.mark.parametrize("stamp", [None, "1795255200123", True, {}, [], float("nan"), float("inf")])
@pytest.mark.attack("S-02")
def test_without_a_number_for_a_timestamp_it_is_refused(stamp: Any) -> None:
    assert delivered({**issue(), "webhookTimestamp": stamp}).verdict is Verdict.BAD_REQUEST


@pytest.mark.attack("S-02")
def test_a_missing_timestamp_is_not_taken_from_the_unsigned_header() -> None:
    body = json.dumps(issue()).encode()
    headers = {"linear-delivery": "d", "linear-signature": signed(body)}
    headers["linear-timestamp"] = str(NOW.timestamp() * 1000)
    assert receive(headers, body, [SECRET], NOW).verdict is Verdict.BAD_REQUEST


def test_a_negative_timestamp_is_merely_old() -> None:
    reception = delivered({**issue(), "webhookTimestamp": -1})
    assert (reception.verdict, reception.delivery) == (Verdict.OK, None)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b"[" * 10_000, b'{"a":' * 10_000, b'{"a":"' + b"x" * 100],
    ids=["empty", "null", "list", "text", "cut", "bytes", "deep list", "deep object", "open text"],
)
@pytest.mark.attack("S-03")
def test_what_is_not_a_json_object_of_sane_depth_is_refused(body: bytes) -> None:
    assert delivered(body).verdict is Verdict.BAD_REQUEST


def test_brackets_in_text_are_not_depth() -> None:
    assert delivered(issue(title='\\"[' * DEPTH * 2)).verdict is Verdict.OK


@pytest.mark.attack("S-03")
def test_many_open_quotes_cost_no_time() -> None:
    assert delivered(b'{"' + b'\\"' * 1_000_000).verdict is Verdict.BAD_REQUEST


@pytest.mark.parametrize("name", ["", "x" * 101, "d 1", "d\n1"])
@pytest.mark.attack("S-03")
def test_without_a_sane_delivery_id_it_is_refused(name: str) -> None:
    assert delivered(issue(), headers={"linear-delivery": name}).verdict is Verdict.BAD_REQUEST


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"type": "Issue", "action": "remove", "data": {"id": ISSUE}}, ISSUE),
        ({"type": "Comment", "action": "create", "data": {"id": "c", "issueId": ISSUE}}, ISSUE),
        ({"type": "Attachment", "action": "update", "data": {"id": "a", "issueId": ISSUE}}, ISSUE),
        ({"type": "Reaction", "data": {"id": "r", "comment": {"id": "c", "issueId": ISSUE}}}, ISSUE),
        ({"type": "Document", "data": {"id": DOCUMENT}}, DOCUMENT),
        ({"type": "AgentSessionEvent", "agentSession": {"id": "s", "issue": {"id": ISSUE}}}, ISSUE),
    ],
)
def test_a_known_event_speaks_of_an_issue(fields: dict[str, Any], subject: str) -> None:
    reception = delivered(fields)
    assert reception.delivery is not None
    assert reception.delivery.subject == f"linear:{subject}"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "Dragon", "action": "create", "data": {}}, "unknown event type Dragon"),
        ({}, "unknown event type (none)"),
        ({"type": "Comment", "data": {"id": "c", "issueId": None, "projectId": "p"}}, "Comment is on no issue"),
    ],
)
def test_what_concerns_us_not_is_stored_and_ignored_with_a_reason(fields: dict[str, Any], reason: str) -> None:
    reception = delivered(fields)
    assert reception.verdict is Verdict.OK
    assert reception.delivery is not None
    assert (reception.delivery.ignored, reception.delivery.subject) == (reason, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "Issue", "data": None},
        {"type": "Issue", "data": {"id": 7}},
        {"type": "Issue", "data": {"id": "../../etc"}},
        {"type": "Comment", "data": {"issueId": ISSUE}},
        {"type": "AgentSessionEvent", "data": {}},
    ],
)
def test_a_known_event_of_another_shape_is_parked_not_dropped(fields: dict[str, Any]) -> None:
    reception = delivered(fields)
    assert reception.verdict is Verdict.OK
    assert reception.delivery is not None
    assert (reception.delivery.parked or "").startswith(f"malformed {fields['type']}")
    assert reception.delivery.subject is None


def test_fields_that_linear_adds_do_no_harm() -> None:
    reception = delivered({**issue(milestone={"a": [1]}), "sparkles": True})
    assert reception.delivery is not None
    assert reception.delivery.parked is None
