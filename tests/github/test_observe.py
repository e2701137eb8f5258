"""Pull requests as facts."""

from typing import Any

import pytest

from bot.github.checks import read_checks
from bot.github.client import NotFound
from bot.github.observe import Observe, pulls_document
from bot.machine.facts import Checks, Mergeable

HEAD, OLD = "a" * 40, "b" * 40
ALICE = {"__typename": "User", "login": "alice"}
BOT = {"__typename": "Bot", "login": "coderabbitai"}


def run(
    name: str, conclusion: str | None = "SUCCESS", *, status="COMPLETED", required=False, app="ci"
) -> dict[str, Any]:
    return {
        "__typename": "CheckRun", "name": name, "status": status, "conclusion": conclusion, "isRequired": required,
        "checkSuite": {"app": {"slug": app}},
    }  # fmt: skip


def status(name: str, state: str = "SUCCESS", *, required: bool = False) -> dict[str, Any]:
    return {"__typename": "StatusContext", "context": name, "state": state, "isRequired": required}


def commit(*contexts: dict[str, Any], oid: str = HEAD, state: str = "SUCCESS", more: bool = False) -> dict[str, Any]:
    rollup = {"state": state, "contexts": {"pageInfo": {"hasNextPage": more}, "nodes": list(contexts)}}
    return {"oid": oid, "statusCheckRollup": rollup if contexts or state == "EXPECTED" else None}


def pull(**changed: Any) -> dict[str, Any]:
    return {
        "id": "PR_1", "number": 7, "url": "http://x/7", "state": "OPEN", "isDraft": False, "headRefOid": HEAD,
        "headRefName": "agent/YOU-1", "baseRefName": "main", "mergeCommit": None, "mergeable": "MERGEABLE",
        "reviewDecision": None, "latestOpinionatedReviews": {"nodes": []},
        "reviewThreads": {"pageInfo": {"hasNextPage": False}, "nodes": []},
        "commits": {"nodes": [{"commit": commit(run("test"))}]}, **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("contexts", "expected", "failing", "waiting"),
    [
        ([], Checks.NONE, (), ()),
        ([run("test")], Checks.GREEN, (), ()),
        ([run("a", "NEUTRAL"), run("b", "SKIPPED"), status("c")], Checks.GREEN, (), ()),
        ([run("a", None, status="IN_PROGRESS")], Checks.PENDING, (), ("a",)),
        ([run("a", None, status="QUEUED"), run("b")], Checks.PENDING, (), ("a",)),
        ([status("a", "PENDING")], Checks.PENDING, (), ("a",)),
        ([status("a", "EXPECTED")], Checks.PENDING, (), ("a",)),
        ([run("a", "FAILURE"), run("b", None, status="QUEUED")], Checks.RED, ("a",), ("b",)),
        ([status("a", "ERROR"), status("b", "FAILURE")], Checks.RED, ("a", "b"), ()),
        *[([run("a", bad)], Checks.RED, ("a",), ()) for bad in ("CANCELLED", "TIMED_OUT", "ACTION_REQUIRED", "STALE")],
        ([run("a", "SOMETHING_NEW")], Checks.UNKNOWN, (), ()),
        ([run("needed", required=True), run("optional", "FAILURE")], Checks.GREEN, (), ()),
        ([run("needed", "FAILURE", required=True), run("optional")], Checks.RED, ("needed",), ()),
        ([run("ours", "FAILURE", app="callboard"), run("test")], Checks.GREEN, (), ()),
        ([run("ours", None, status="IN_PROGRESS", app="callboard")], Checks.NONE, (), ()),
        ([run("ours", required=True, app="callboard"), run("test", "FAILURE")], Checks.RED, ("test",), ()),
    ],
)  # fmt: skip
def test_the_checks_of_a_commit_say_together(contexts, expected, failing, waiting):
    verdict = read_checks(commit(*contexts), HEAD, "callboard")
    assert (verdict.checks, verdict.failing, verdict.waiting) == (expected, failing, waiting)


def test_the_checks_of_another_commit_say_nothing():
    assert read_checks(commit(run("test"), oid=OLD), HEAD, None).checks is Checks.UNKNOWN


def test_more_checks_than_were_read_are_never_green():
    assert read_checks(commit(run("test"), more=True), HEAD, None).checks is Checks.UNKNOWN


def test_a_required_check_that_nobody_has_reported_is_waited_for():
    assert read_checks(commit(run("other"), state="EXPECTED"), HEAD, None).checks is Checks.PENDING
    assert read_checks(commit(state="EXPECTED"), HEAD, None).checks is Checks.PENDING


@pytest.fixture
def observe(github):
    github.answers["GET /user"] = (200, {"login": "alice", "id": 5})

    async def observe(*nodes: dict[str, Any] | None, numbers=(7,)):
        data = {"repository": {f"p{index}": node for index, node in enumerate(nodes)}}
        github.answers["POST /api/graphql"] = (200, {"data": data})
        return await Observe(github.github()).observe_pulls("acme/youlab", numbers)

    return observe


async def test_a_good_pull_request_is_read(observe):
    one = (await observe(pull()))[7]
    assert (one.open, one.merged, one.head, one.head_branch, one.base_branch) == (
        True,
        False,
        HEAD,
        "agent/YOU-1",
        "main",
    )
    assert (one.mergeable, one.checks, one.open_threads, one.review_required) == (Mergeable.YES, Checks.GREEN, 0, False)


async def test_many_pull_requests_cost_one_request(github, observe):
    found = await observe(pull(number=3), pull(number=5), pull(number=9), numbers=(9, 3, 5, 3))
    assert sorted(found) == [3, 5, 9]
    asked = [one for one in github.asked if one.path == "/api/graphql"]
    assert len(asked) == 1
    assert asked[0].body["variables"] == {"owner": "acme", "name": "youlab", "n0": 3, "n1": 5, "n2": 9}


async def test_no_number_costs_no_request(github, observe):
    assert await observe(numbers=()) == {}
    assert github.asked == []


async def test_one_that_does_not_exist_is_left_out(github):
    github.answers["GET /user"] = (200, {"login": "alice", "id": 5})
    missing = {"type": "NOT_FOUND", "path": ["repository", "p1"], "message": "Could not resolve to a PullRequest"}
    github.answers["POST /api/graphql"] = (
        200, {"data": {"repository": {"p0": pull(), "p1": None}}, "errors": [missing]},
    )  # fmt: skip
    assert list(await Observe(github.github()).observe_pulls("acme/youlab", (7, 8))) == [7]


async def test_a_missing_repository_is_not_an_empty_answer(github):
    github.answers["GET /user"] = (200, {"login": "alice", "id": 5})
    missing = {"type": "NOT_FOUND", "path": ["repository"], "message": "Could not resolve to a Repository"}
    github.answers["POST /api/graphql"] = (200, {"data": {"repository": None}, "errors": [missing]})
    with pytest.raises(NotFound):
        await Observe(github.github()).observe_pulls("acme/youlab", (7,))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("MERGEABLE", Mergeable.YES),
        ("CONFLICTING", Mergeable.CONFLICT),
        ("UNKNOWN", Mergeable.UNKNOWN),
        ("?", Mergeable.UNKNOWN),
    ],
)
async def test_mergeable_is_what_github_says(observe, said, meant):
    assert (await observe(pull(mergeable=said)))[7].mergeable is meant


async def test_a_merged_one_names_its_commit(observe):
    one = (await observe(pull(state="MERGED", mergeCommit={"oid": OLD})))[7]
    assert (one.open, one.merged, one.merge_commit) == (False, True, OLD)


async def test_an_approval_counts_for_its_commit_only_and_a_refusal_for_all(observe):
    reviews = [
        {"state": "APPROVED", "author": ALICE, "commit": {"oid": HEAD}},
        {"state": "APPROVED", "author": {"__typename": "User", "login": "bob"}, "commit": {"oid": OLD}},
        {"state": "APPROVED", "author": None, "commit": None},
        {"state": "CHANGES_REQUESTED", "author": BOT, "commit": {"oid": OLD}},
    ]
    one = (await observe(pull(latestOpinionatedReviews={"nodes": reviews}, reviewDecision="REVIEW_REQUIRED")))[7]
    assert one.approved_by == ("alice",)
    assert one.changes_requested_by == ("coderabbitai[bot]",)
    assert one.review_required


async def test_a_bots_thread_ends_with_its_code_and_a_persons_when_it_is_resolved(observe):
    def thread(author: Any, *, resolved: bool = False, outdated: bool = False) -> dict[str, Any]:
        return {"isResolved": resolved, "isOutdated": outdated, "comments": {"nodes": [{"author": author}]}}

    threads = [
        thread(ALICE), thread(ALICE, resolved=True), thread(ALICE, outdated=True),
        thread(BOT), thread(BOT, resolved=True), thread(BOT, outdated=True), thread(None),
    ]  # fmt: skip
    page = {"pageInfo": {"hasNextPage": False}, "nodes": threads}
    assert (await observe(pull(reviewThreads=page)))[7].open_threads == 4


async def test_the_newest_pull_request_of_a_branch_is_found(github):
    github.answers["GET /repos/acme/youlab/pulls"] = (
        200, [{"number": 9, "head": {"ref": "agent/YOU-1"}}, {"number": 4, "head": {"ref": "agent/YOU-1"}}],
    )  # fmt: skip
    assert await Observe(github.github()).find_pull("acme/youlab", "agent/YOU-1") == 9
    query = github.asked[0].query
    assert "head=acme%3Aagent%2FYOU-1" in query
    assert "state=all" in query
    github.answers["GET /repos/acme/youlab/pulls"] = (200, [])
    assert await Observe(github.github()).find_pull("acme/youlab", "agent/YOU-1") is None


async def test_the_branch_of_a_pull_request_is_asked_once_and_a_forks_is_none(github):
    def head(home: Any) -> dict[str, Any]:
        return {"head": {"ref": "agent/YOU-1", "repo": home}}

    github.answers["GET /repos/acme/youlab/pulls/1"] = (200, head({"full_name": "acme/YouLab"}))
    github.answers["GET /repos/acme/youlab/pulls/2"] = (200, head({"full_name": "mallory/youlab"}))
    github.answers["GET /repos/acme/youlab/pulls/3"] = (200, head(None))
    github.answers["GET /repos/acme/youlab/pulls/4"] = (404, {"message": "Not Found"})
    observe = Observe(github.github())
    for _ in range(2):
        branches = [await observe.branch_of_pull("acme/youlab", number) for number in (1, 2, 3, 4)]
        assert branches == ["agent/YOU-1", None, None, None]
    assert len(github.asked) == 4


async def test_a_permission_is_asked_and_a_stranger_has_none(github):
    github.answers["GET /repos/acme/youlab/collaborators/alice/permission"] = (200, {"permission": "write"})
    github.answers["GET /repos/acme/youlab/collaborators/mallory/permission"] = (404, {"message": "Not Found"})
    observe = Observe(github.github())
    assert await observe.permission("acme/youlab", "alice") == "write"
    assert await observe.permission("acme/youlab", "mallory") == "none"


def test_the_document_repeats_the_marked_part():
    text = pulls_document(3)
    assert "$n0: Int!, $n1: Int!, $n2: Int!" in text
    assert [f"p{index}: pullRequest(number: $n{index})" in text for index in range(4)] == [True, True, True, False]
    assert text.count("isRequired(pullRequestNumber: $n2)") == 2
