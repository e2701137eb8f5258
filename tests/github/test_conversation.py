"""Who said what on a pull request, and who of them may."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.github.client import Identity
from bot.github.conversation import Listener
from bot.github.marks import marked, marker, topic_of, unmarked
from bot.github.observe import Observe
from bot.github.people import KEPT
from bot.machine.errors import Transient
from bot.machine.pull_request import Opinion, Remark, Review, Thread

PLACE = "acme/youlab"
NOON, LATER = datetime(2026, 5, 4, 12, tzinfo=UTC), datetime(2026, 5, 4, 13, tzinfo=UTC)
APP = Identity("callboard[bot]", 9, "callboard")
PERSON = Identity("alice", 5)
ALICE = {"__typename": "User", "login": "alice", "databaseId": 5}
BOB = {"__typename": "User", "login": "bob", "databaseId": 6}
RABBIT = {"__typename": "Bot", "login": "coderabbitai", "databaseId": 7}
US = {"__typename": "Bot", "login": "callboard", "databaseId": 9}


def said(author: Any, body: str = "Hm", **changed: Any) -> dict[str, Any]:
    return {
        "id": "C1", "body": body, "createdAt": "2026-05-04T12:00:00Z", "lastEditedAt": None, "isMinimized": False,
        "url": "http://x/c1", "diffHunk": "@@ -1 +1 @@", "replyTo": None, "author": author, **changed,
    }  # fmt: skip


def thread(*comments: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "id": "T1", "isResolved": False, "isOutdated": False, "path": "a.py", "line": 8, "startLine": 6,
        "comments": {"pageInfo": {"hasNextPage": False}, "nodes": list(comments)}, **changed,
    }  # fmt: skip


def review(author: Any, state: str = "APPROVED", **changed: Any) -> dict[str, Any]:
    return {
        "id": "R1", "state": state, "body": "Fine", "submittedAt": "2026-05-04T13:00:00Z", "lastEditedAt": None,
        "url": "http://x/r1",
        "commit": {"oid": "abc"}, "author": author, **changed,
    }  # fmt: skip


@pytest.fixture
def hear(a_pull, page) -> Callable[..., Any]:
    def hear(identity: Identity = APP, *, writers: tuple[int, ...] = (), threads=(), comments=(), reviews=()):
        node = a_pull(reviewThreads=page(*threads), comments=page(*comments), reviews=page(*reviews))
        listener = Listener(identity, frozenset(writers))
        return listener.threads(node), listener.conversation(node), listener.reviews(node)

    return hear


def test_a_thread_is_read_with_the_code_around_it(hear):
    answer = said(BOB, "No", id="C2", replyTo={"id": "C1"})
    threads, _, _ = hear(writers=(5,), threads=[thread(said(ALICE, lastEditedAt="2026-05-04T13:00:00Z"), answer)])
    first = Remark("C1", "alice", "Hm", NOON, edited_at=LATER, person=True, may=True, url="http://x/c1")
    second = Remark("C2", "bob", "No", NOON, person=True, reply_to="C1", url="http://x/c1")
    assert threads == (Thread("T1", "a.py", 8, 6, diff_hunk="@@ -1 +1 @@", remarks=(first, second)),)


def test_a_thread_whose_code_has_changed_has_no_line(hear):
    (one,), _, _ = hear(threads=[thread(said(BOB), isOutdated=True)])
    assert (one.line, one.start_line, one.outdated, one.open) == (None, None, True, True)


@pytest.mark.parametrize(
    ("author", "resolved", "outdated", "is_open"),
    [
        (ALICE, False, False, True), (ALICE, False, True, True), (ALICE, True, False, False),
        (RABBIT, False, False, True), (RABBIT, False, True, False), (RABBIT, True, False, False),
        (None, False, True, True),
    ],
)  # fmt: skip
def test_a_bots_thread_ends_with_its_code_and_a_persons_when_it_is_resolved(hear, author, resolved, outdated, is_open):
    (one,), _, _ = hear(threads=[thread(said(author), isResolved=resolved, isOutdated=outdated)])
    assert one.open is is_open


@pytest.mark.parametrize(
    ("identity", "resolver", "settled"),
    [
        (APP, "bob", True), (APP, "callboard", False), (APP, "callboard[bot]", False), (APP, "coderabbitai", False),
        (APP, None, False), (PERSON, "alice", False), (PERSON, "bob", True),
    ],
)  # fmt: skip
def test_what_a_person_resolved_is_settled_and_what_we_or_a_bot_of_the_thread_resolved_is_not(
    hear, identity, resolver, settled
):
    by = {"login": resolver} if resolver else None
    (one,), _, _ = hear(identity, threads=[thread(said(RABBIT), said(BOB), isResolved=True, resolvedBy=by)])
    assert one.settled is settled


def test_a_thread_without_its_remarks_is_a_thread_all_the_same(hear):
    (one,), _, _ = hear(threads=[thread()])
    assert (one.remarks, one.diff_hunk, one.open) == ((), "", True)


@pytest.mark.parametrize(
    ("author", "login", "person", "may"),
    [
        (ALICE, "alice", True, True), (BOB, "bob", True, False), (RABBIT, "coderabbitai[bot]", False, False),
        (None, "ghost", False, False), ({"__typename": "Mannequin", "login": "alice"}, "alice", False, False),
        ({"__typename": "Organization", "login": "alice"}, "alice", False, False), (US, "callboard[bot]", False, False),
    ],
)  # fmt: skip
def test_only_a_person_who_may_write_may(hear, author, login, person, may):
    _, (remark,), (verdict,) = hear(writers=(5, 9), comments=[said(author)], reviews=[review(author)])
    for one in (remark, verdict):
        assert (one.author, one.person, one.may, one.ours) == (login, person, may, author is US)


def test_a_review_says_what_it_was_given_for(hear):
    nodes = [
        review(ALICE),
        review(BOB, "CHANGES_REQUESTED", commit=None),
        review(BOB, "PENDING"),
        review(BOB, "DISMISSED"),
    ]
    _, _, (first, second, third) = hear(writers=(5,), reviews=nodes)
    assert first == Review(
        "R1", "alice", Opinion.APPROVED, "Fine", "abc", LATER, person=True, may=True, url="http://x/r1"
    )
    assert (second.state, second.commit) == (Opinion.CHANGES_REQUESTED, "")
    assert third.state is Opinion.DISMISSED


def test_what_somebody_hid_is_left_out_of_the_conversation_and_marked_in_a_thread(hear):
    hidden = said(BOB, isMinimized=True)
    (one,), conversation, _ = hear(threads=[thread(hidden)], comments=[hidden, said(ALICE)])
    assert one.remarks[0].minimized
    assert [remark.author for remark in conversation] == ["alice"]


def test_what_our_app_says_is_ours_and_its_mark_is_not_shown(hear):
    _, (one, other), _ = hear(comments=[said(US, marked("Done", "feedback 3")), said(US, "By hand")])
    assert (one.ours, one.topic, one.body) == (True, "feedback 3", "Done")
    assert (other.ours, other.topic) == (True, "")


def test_with_a_persons_token_only_the_mark_makes_it_ours_and_nobody_else_can_copy_it(hear):
    comments = [said(ALICE, marked("Done", "a")), said(ALICE, "typed"), said(BOB, marked("Copied", "a"))]
    _, (ours, typed, copied), _ = hear(PERSON, writers=(5, 6), comments=comments)
    assert [(one.ours, one.person, one.may) for one in (ours, typed, copied)] == [
        (True, False, False), (False, True, True), (False, True, True),
    ]  # fmt: skip
    assert copied.topic == ""
    assert "callboard" in copied.body


def test_a_mark_counts_only_at_the_very_end():
    assert topic_of(marked("Done\n", "run 1")) == "run 1"
    assert topic_of(marked("Done", "run 1") + "\r\n  ") == "run 1"
    assert topic_of(f"> {marker('run 1')}\n\nI don't think so") == ""
    assert unmarked(marked("Done", "run 1")) == "Done"


@pytest.mark.parametrize("topic", ["", "a\nb", "a-->b", "a--b", "a>"])
def test_a_topic_can_not_break_out_of_its_mark(topic):
    with pytest.raises(ValueError):
        marker(topic)


@pytest.fixture
def reads(github, a_pull, page, repository) -> Callable[..., Any]:
    """Observations of a pull request on which these people said something; `clock` is moved by the test."""
    github.answers["GET /user"] = (200, {"login": "callboard", "id": 5})
    clock = [0.0]
    observer = Observe(github.github(), clock=lambda: clock[0])

    async def reads(*authors: Any, at: float = 0.0):
        clock[0] = at
        node = a_pull(comments=page(*(said(author) for author in authors)))
        github.answers["POST /api/graphql"] = (200, {"data": {"repository": {**repository, "p0": node}}})
        return (await observer.observe_pulls(PLACE, [7]))[7].conversation

    return reads


def permission(login: str) -> str:
    return f"GET /repos/{PLACE}/collaborators/{login}/permission"


def may(word: str, person: int) -> tuple[int, dict[str, Any]]:
    return 200, {"permission": word, "user": {"id": person}}


async def test_everybody_is_asked_for_once_in_a_while_and_bots_never(github, reads):
    github.answers[permission("alice")] = [may("write", 5), may("read", 5)]
    github.answers[permission("bob")] = (404, {"message": "Not Found"})
    for at in (0.0, KEPT - 1):
        assert [one.may for one in await reads(ALICE, BOB, RABBIT, None, ALICE, at=at)] == [
            True,
            False,
            False,
            False,
            True,
        ]
    asked = [one for one in github.operations() if "collaborators" in one]
    assert sorted(asked) == [permission("alice"), permission("bob")]
    assert [one.may for one in await reads(ALICE, at=KEPT + 1)] == [False]


@pytest.mark.proves("S-10")
async def test_who_takes_over_the_login_of_a_writer_may_nothing(github, reads):
    thief = {**ALICE, "databaseId": 66}
    github.answers[permission("alice")] = [may("write", 5), may("write", 5)]
    assert [one.may for one in await reads(ALICE)] == [True]
    assert [(one.author, one.may) for one in await reads(thief, at=1.0)] == [("alice", False)]
    renamed = {**ALICE, "login": "alice-again"}
    assert [one.may for one in await reads(renamed, thief, at=2.0)] == [True, False]
    nobody = {"__typename": "User", "login": "alice"}
    assert [one.may for one in await reads(nobody, {**nobody, "databaseId": None}, at=3.0)] == [False, False]


@pytest.mark.proves("S-10")
def test_who_takes_over_our_own_login_is_not_us(hear):
    thief = {**ALICE, "databaseId": 66}
    _, (ours, copied), _ = hear(PERSON, comments=[said(ALICE, marked("Done", "a")), said(thief, marked("Done", "a"))])
    assert [(one.ours, one.topic) for one in (ours, copied)] == [(True, "a"), (False, "")]


@pytest.mark.parametrize(("word", "allowed"), [("admin", True), ("write", True), ("read", False), ("none", False)])
async def test_writing_is_what_it_takes(github, reads, word, allowed):
    github.answers[permission("alice")] = may(word, 5)
    assert [one.may for one in await reads(ALICE)] == [allowed]


async def test_when_github_does_not_say_who_may_nothing_is_decided(github, reads):
    github.answers[permission("alice")] = (502, {})
    with pytest.raises(Transient):
        await reads(ALICE)
