"""Long lists are read to their end."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.github.observe import Observe
from bot.machine.errors import Transient
from bot.machine.pull_request import Checks

HEAD, OLD = "a" * 40, "b" * 40
PLACE = "acme/youlab"


def said(name: str) -> dict[str, Any]:
    return {
        "id": name, "body": name, "createdAt": "2026-05-04T12:00:00Z", "isMinimized": False, "url": "",
        "diffHunk": "@@", "replyTo": None, "author": None, "lastEditedAt": None,
    }  # fmt: skip


def thread(name: str, comments: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name, "isResolved": False, "isOutdated": False, "path": "a", "line": 1, "startLine": None,
        "comments": comments,
    }  # fmt: skip


def review(name: str) -> dict[str, Any]:
    when = "2026-05-04T12:00:00Z"
    return {
        "id": name, "state": "COMMENTED", "body": "", "submittedAt": when, "lastEditedAt": None, "url": "",
         "commit": None, "author": None,
    }  # fmt: skip


def check(name: str, conclusion: str = "SUCCESS") -> dict[str, Any]:
    return {
        "__typename": "CheckRun", "name": name, "status": "COMPLETED", "conclusion": conclusion, "isRequired": False,
        "databaseId": 0, "title": None, "summary": None, "detailsUrl": None, "checkSuite": None,
    }  # fmt: skip


def checks(contexts: dict[str, Any], oid: str = HEAD) -> dict[str, Any]:
    rollup = {"state": "SUCCESS", "contexts": contexts}
    return {"nodes": [{"commit": {"oid": oid, "statusCheckRollup": rollup}}]}


@pytest.fixture
def observe(github, a_pull, repository) -> Callable[..., Any]:
    github.answers["GET /user"] = (200, {"login": "callboard", "id": 5})

    async def observe(*pages: dict[str, Any], **pull: Any):
        first = {"data": {"repository": {**repository, "p0": a_pull(**pull)}}}
        rest = [{"data": {"node": node}} for node in pages]
        github.answers["POST /api/graphql"] = [(200, answer) for answer in (first, *rest)]
        return (await Observe(github.github()).observe_pulls(PLACE, [7]))[7]

    return observe


def asked_for(github) -> list[dict[str, Any]]:
    return [one.body["variables"] for one in github.asked if one.path == "/api/graphql"][1:]


@pytest.mark.parametrize(
    ("name", "item", "read"),
    [
        ("reviews", review, lambda pull: [one.id for one in pull.reviews]),
        ("comments", said, lambda pull: [one.id for one in pull.conversation]),
    ],
)
async def test_a_list_of_three_pages_is_whole(github, observe, page, name, item, read):
    pages = [{name: page(item("2"), more="y")}, {name: page(item("3"))}]
    pull = await observe(*pages, **{name: page(item("1"), more="x")})
    assert read(pull) == ["1", "2", "3"]
    assert asked_for(github) == [{"id": "PR_1", "after": "x"}, {"id": "PR_1", "after": "y"}]


async def test_no_open_thread_is_lost_however_many_there_are_and_no_remark_in_it(github, observe, page):
    first = page(*(thread(f"T{index}", page(said("a"))) for index in range(50)), more="x")
    rest = page(
        *(thread(f"T{index}", page(said("a"))) for index in range(50, 90)), thread("T90", page(said("a"), more="z"))
    )
    pull = await observe({"reviewThreads": rest}, {"comments": page(said("b"))}, reviewThreads=first)
    assert pull.open_threads == len(pull.threads) == 91
    assert [one.id for one in pull.threads[90].remarks] == ["a", "b"]
    assert asked_for(github) == [{"id": "PR_1", "after": "x"}, {"id": "T90", "after": "z"}]


async def test_a_failing_check_on_the_second_page_is_seen(observe, page):
    first, rest = page(check("a"), more="x"), checks(page(check("b", "FAILURE")))
    pull = await observe({"commits": rest}, commits=checks(first))
    assert (pull.checks, pull.failing) == (Checks.RED, ("b",))


async def test_checks_are_not_green_when_the_head_moved_between_two_pages(observe, page):
    pull = await observe({"commits": checks(page(check("b")), OLD)}, commits=checks(page(check("a"), more="x")))
    assert pull.checks is Checks.UNKNOWN


async def test_a_list_that_does_not_get_on_ends_as_an_error_not_as_a_loop(observe, page):
    with pytest.raises(Transient, match="twice"):
        await observe({"comments": page(said("2"), more="x")}, comments=page(said("1"), more="x"))


async def test_a_pull_request_that_vanishes_while_it_is_read_is_read_again_later(observe, page):
    with pytest.raises(Transient, match="lost"):
        await observe({}, comments=page(said("1"), more="x"))
