"""Webhooks of GitHub: believed only as far as they are signed, and then only as hints."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from bot.engine.reception import Verdict
from bot.github.webhook import receive, verify

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECRET = "It's a Secret to Everybody"
VECTOR = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
REPOSITORY = {"full_name": "acme/youlab", "default_branch": "main"}


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def send(event: str, payload: object, *, own: str = "callboard[bot]", **headers: str):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    default = {"x-github-event": event, "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
    return receive({**default, "x-hub-signature-256": sign(body), **headers}, body, [SECRET], NOW, own=own)


def pull(ref: str, home: str | None = "acme/youlab", number: int = 7) -> dict[str, object]:
    repo = {"full_name": home} if home else None
    return {"number": number, "head": {"ref": ref, "sha": "a" * 40, "repo": repo}, "base": {"ref": "main"}}


@pytest.mark.proves("S-01")
def test_githubs_own_example_is_accepted():
    assert verify(b"Hello, World!", VECTOR, [SECRET])


@pytest.mark.proves("S-01")
def test_any_of_several_secrets_will_do():
    assert verify(b"Hello, World!", VECTOR, ["new one", SECRET])
    assert not verify(b"Hello, World!", VECTOR, ["new one"])


@pytest.mark.parametrize(
    "signature",
    [
        None, "", "sha256=", VECTOR.upper(), VECTOR.removeprefix("sha256="), VECTOR[:-1], VECTOR + "0", VECTOR + "\n",
        " " + VECTOR, VECTOR.replace("sha256", "sha1"), VECTOR.replace("sha256", "SHA256"), VECTOR + "," + VECTOR,
        "sha256=" + "0" * 64, "sha256=" + "ä" * 64, "sha256=" + "７" * 64, "sha256=" + VECTOR[7:].upper(),
        "sha256:" + VECTOR[7:], "sha1=" + hmac.new(SECRET.encode(), b"Hello, World!", "sha1").hexdigest(),
        sign(b"Hello, World! "), sign(b"Hello, World!", "other"),
    ],
)  # fmt: skip
@pytest.mark.attack("S-01")
def test_every_other_signature_is_refused(signature):
    assert not verify(b"Hello, World!", signature, [SECRET])


@pytest.mark.parametrize("secrets", [[], [""], ["good", ""]])
@pytest.mark.attack("S-01")
def test_a_missing_secret_is_never_a_pass(secrets):
    with pytest.raises(ValueError):
        verify(b"", sign(b"", "x"), secrets)


def test_the_signature_comes_before_the_parsing():
    reception = send("push", b"{" * 100_000, **{"x-hub-signature-256": "sha256=" + "0" * 64})
    assert (reception.verdict, reception.delivery) == (Verdict.UNAUTHORIZED, None)


@pytest.mark.attack("S-01")
def test_the_same_json_written_otherwise_is_not_what_was_signed():
    body = json.dumps({"ref": "refs/heads/x", "repository": REPOSITORY}).encode()
    headers = {"x-github-event": "push", "x-github-delivery": "1", "x-hub-signature-256": sign(body)}
    assert receive(headers, body + b" ", [SECRET], NOW).verdict is Verdict.UNAUTHORIZED


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"payload=%7B%7D", b"\xff", b"{" * 70, b'{"a":' * 5000])
@pytest.mark.attack("S-03")
def test_what_is_no_json_object_is_refused(body):
    assert send("push", body).verdict is Verdict.BAD_REQUEST


@pytest.mark.parametrize(
    "headers", [{"x-github-delivery": ""}, {"x-github-delivery": "a b"}, {"x-github-event": "a/b"}]
)
def test_a_request_without_id_or_event_is_refused(headers):
    assert send("push", {}, **headers).verdict is Verdict.BAD_REQUEST


def suite(branch: str | None, slug: str = "github-actions") -> dict[str, object]:
    return {"head_branch": branch, "head_sha": "a" * 40, "app": {"slug": slug, "id": 1}, "conclusion": "success"}


EVENTS = {
    "pull_request": {"action": "opened", "number": 7, "pull_request": pull("agent/YOU-12")},
    "pull_request_review": {"action": "submitted", "review": {"body": None}, "pull_request": pull("agent/YOU-12")},
    "pull_request_review_comment": {"action": "created", "comment": {}, "pull_request": pull("agent/YOU-12")},
    "pull_request_review_thread": {"action": "resolved", "thread": {}, "pull_request": pull("agent/YOU-12")},
    "check_run": {"action": "completed", "check_run": {"check_suite": suite("agent/YOU-12"), "app": {"slug": "ci"}}},
    "check_suite": {"action": "completed", "check_suite": suite("agent/YOU-12")},
    "workflow_run": {"action": "completed", "workflow_run": {"head_branch": "agent/YOU-12"}},
    "status": {"state": "success", "branches": [{"name": "main"}, {"name": "agent/YOU-12"}]},
    "push": {"ref": "refs/heads/agent/YOU-12", "before": "0" * 40},
}
QUEUED = f"gh-readonly-queue/main/pr-104-{'b' * 40}"


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_of_a_branch_of_ours_speaks_of_that_branch(event):
    payload = EVENTS[event]
    delivery = send(event, {**payload, "repository": REPOSITORY, "sender": {"login": "alice"}}).delivery
    assert delivery is not None
    assert (delivery.subject, delivery.ignored, delivery.parked) == ("github:acme/youlab@agent/YOU-12", None, None)
    assert delivery.event == (f"{event}.{payload['action']}" if "action" in payload else event)
    assert (delivery.source, delivery.received_at) == ("github", NOW)


@pytest.mark.parametrize("event", EVENTS)
def test_a_known_event_without_what_is_needed_is_parked(event):
    for payload in ({"repository": REPOSITORY}, {**EVENTS[event]}, {**EVENTS[event], "repository": {"full_name": "x"}}):
        delivery = send(event, payload).delivery
        assert delivery is not None
        assert delivery.parked
        assert delivery.parked.startswith(f"malformed {event}: ")
        assert delivery.subject is None


@pytest.mark.parametrize(
    "action",
    ["opened", "edited", "closed", "reopened", "synchronize", "ready_for_review", "converted_to_draft", "labeled",
     "review_requested", "auto_merge_enabled", "auto_merge_disabled", "enqueued", "dequeued", "locked", "new one"],
)  # fmt: skip
@pytest.mark.attack("S-05")
def test_whatever_happens_to_a_pull_request_of_ours_is_a_hint_whoever_did_it(action):
    for sender in ("alice", "callboard[bot]"):
        payload = {**EVENTS["pull_request"], "action": action, "repository": REPOSITORY, "sender": {"login": sender}}
        delivery = send("pull_request", payload).delivery
        assert delivery is not None
        assert delivery.subject == "github:acme/youlab@agent/YOU-12"


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("merge_group", {"action": "checks_requested", "merge_group": {"head_ref": f"refs/heads/{QUEUED}"}}),
        ("merge_group", {"action": "destroyed", "reason": "dequeued", "merge_group": {"head_ref": QUEUED}}),
        ("check_run", {"action": "completed", "check_run": {"check_suite": suite(QUEUED)}}),
        ("check_suite", {"action": "completed", "check_suite": suite(QUEUED)}),
        ("workflow_run", {"action": "completed", "workflow_run": {"head_branch": QUEUED}}),
        ("status", {"branches": [{"name": "main"}, {"name": QUEUED}]}),
        ("push", {"ref": f"refs/heads/{QUEUED}"}),
    ],
)
def test_what_happens_in_the_merge_queue_speaks_of_the_pull_request_in_it(event, payload):
    delivery = send(event, {**payload, "repository": REPOSITORY}).delivery
    assert delivery is not None
    assert delivery.subject == "github:acme/youlab#104"


@pytest.mark.parametrize(
    "branch", ["gh-readonly-queue/main/pr-0-" + "b" * 40, "gh-readonly-queue/main/pr-1-x", "x/pr-1-"]
)
def test_what_only_looks_like_a_merge_queue_is_not_ours(branch):
    delivery = send("push", {"ref": f"refs/heads/{branch}", "repository": REPOSITORY}).delivery
    assert delivery is not None
    assert delivery.ignored == "branch is not ours"


def test_a_check_made_for_another_branch_speaks_of_the_pull_request_whose_head_it_stands_on():
    brief = [None, {"number": 7, "head": {"ref": "agent/YOU-12"}, "base": {"ref": "main"}}]
    checks = {
        "check_run": {"check_suite": suite("main"), "pull_requests": brief},
        "check_suite": {**suite(None), "pull_requests": brief},
        "workflow_run": {"head_branch": "main", "pull_requests": brief},
    }
    for event, fields in checks.items():
        delivery = send(event, {"action": "completed", event: fields, "repository": REPOSITORY}).delivery
        assert delivery is not None
        assert delivery.subject == "github:acme/youlab@agent/YOU-12"


@pytest.mark.parametrize("action", ["rerequested", "requested_action"])
def test_a_press_on_a_button_of_our_own_check_is_a_persons_act(action):
    ours = suite("agent/YOU-12", "callboard")
    for event, fields in (("check_run", {"check_suite": ours, "app": {"slug": "callboard"}}), ("check_suite", ours)):
        delivery = send(event, {"action": action, event: fields, "repository": REPOSITORY}).delivery
        assert delivery is not None
        assert delivery.subject == "github:acme/youlab@agent/YOU-12"


def test_a_comment_in_the_conversation_speaks_of_the_pull_request():
    payload = {"action": "created", "repository": REPOSITORY, "issue": {"number": 7, "pull_request": {}}, "comment": {}}
    delivery = send("issue_comment", payload).delivery
    assert delivery is not None
    assert delivery.subject == "github:acme/youlab#7"


@pytest.mark.parametrize(
    ("event", "payload", "reason"),
    [
        ("ping", {"zen": "Keep it logically awesome."}, "ping"),
        ("installation", {"action": "created"}, "installation"),
        ("star", {"action": "created"}, "unknown event star"),
        ("issue_comment", {"issue": {"number": 3}}, "comment on an issue"),
        ("pull_request", {"pull_request": pull("feature/x")}, "branch is not ours"),
        ("pull_request", {"pull_request": pull("agent/YOU-12", "mallory/youlab")}, "pull request from a fork"),
        ("push", {"ref": "refs/heads/main"}, "branch is not ours"),
        ("push", {"ref": "refs/tags/v1"}, "branch is not ours"),
        ("status", {"branches": []}, "branch is not ours"),
        ("check_suite", {"check_suite": suite(None)}, "branch is not ours"),
        ("check_suite", {"check_suite": suite("agent/YOU-12", "callboard")}, "our own act"),
        (
            "check_run",
            {"check_run": {"check_suite": suite("agent/YOU-12"), "app": {"slug": "callboard"}}},
            "our own act",
        ),
    ],
)
def test_what_is_none_of_our_business_is_stored_with_its_reason(event, payload, reason):
    delivery = send(event, {**payload, "repository": REPOSITORY}).delivery
    assert delivery is not None
    assert (delivery.subject, delivery.ignored) == (None, reason)


@pytest.mark.attack("S-15")
def test_our_own_comment_wakes_nobody_but_a_persons_with_our_token_does():
    payload = {
        "action": "created", "repository": REPOSITORY, "pull_request": pull("agent/YOU-12"), "comment": {},
        "sender": {"login": "callboard[bot]"},
    }  # fmt: skip
    ours = send("pull_request_review_comment", payload).delivery
    assert ours is not None
    assert ours.ignored == "our own act"
    theirs = send("pull_request_review_comment", payload, own="").delivery
    assert theirs is not None
    assert theirs.subject


def test_a_pull_request_that_we_merged_ourselves_is_news_all_the_same():
    payload = {**EVENTS["pull_request"], "action": "closed", "sender": {"login": "callboard[bot]"}}
    delivery = send("pull_request", {**payload, "repository": REPOSITORY}).delivery
    assert delivery is not None
    assert delivery.subject


def test_a_pull_request_whose_fork_is_gone_is_judged_by_its_branch():
    delivery = send("pull_request", {"pull_request": pull("feature", None), "repository": REPOSITORY}).delivery
    assert delivery is not None
    assert delivery.ignored == "branch is not ours"


@pytest.mark.parametrize("ref", ["agent/YOU-1　;id", "agent/../main", "agent/you-1", "agent/YOU-1\n", "x" * 10_000])
@pytest.mark.attack("S-40")
def test_a_branch_with_a_hostile_name_is_not_ours(ref):
    delivery = send("push", {"ref": f"refs/heads/{ref}", "repository": REPOSITORY}).delivery
    assert delivery is not None
    assert delivery.ignored == "branch is not ours"
