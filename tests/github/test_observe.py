"""Pull requests as facts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.github.client import NotFound
from bot.github.observe import Observe
from bot.machine.pull_request import Checks, Ejection, Mergeable, Merging, QueueState

HEAD, OLD = "a" * 40, "b" * 40
ALICE = {"__typename": "User", "login": "alice"}
BOT = {"__typename": "Bot", "login": "coderabbitai"}


ME = (200, {"login": "callboard", "id": 5})


@pytest.fixture
def observe(github, repository):
    github.answers["GET /user"] = ME

    async def observe(*nodes: dict[str, Any] | None, numbers=(7,)):
        data = {"repository": {**repository, **{f"p{index}": node for index, node in enumerate(nodes)}}}
        github.answers["POST /api/graphql"] = (200, {"data": data})
        return await Observe(github.github()).observe_pulls("acme/youlab", numbers)

    return observe


async def test_a_good_pull_request_is_read(observe, a_pull):
    one = (await observe(a_pull()))[7]
    assert (one.open, one.merged, one.head, one.head_branch, one.base_branch) == (
        True,
        False,
        HEAD,
        "agent/YOU-1",
        "main",
    )
    assert (one.mergeable, one.checks, one.open_threads, one.review_required) == (Mergeable.YES, Checks.NONE, 0, False)


async def test_many_pull_requests_cost_one_request(github, observe, a_pull):
    found = await observe(a_pull(number=3), a_pull(number=5), a_pull(number=9), numbers=(9, 3, 5, 3))
    assert sorted(found) == [3, 5, 9]
    asked = [one for one in github.asked if one.path == "/api/graphql"]
    assert len(asked) == 1
    assert asked[0].body["variables"] == {"owner": "acme", "name": "youlab", "n0": 3, "n1": 5, "n2": 9}


async def test_no_number_costs_no_request(github, observe):
    assert await observe(numbers=()) == {}
    assert github.asked == []


async def test_one_that_does_not_exist_is_left_out(github, a_pull, repository):
    github.answers["GET /user"] = ME
    missing = {"type": "NOT_FOUND", "path": ["repository", "p1"], "message": "Could not resolve to a PullRequest"}
    github.answers["POST /api/graphql"] = (
        200, {"data": {"repository": {**repository, "p0": a_pull(), "p1": None}}, "errors": [missing]},
    )  # fmt: skip
    assert list(await Observe(github.github()).observe_pulls("acme/youlab", (7, 8))) == [7]


async def test_a_missing_repository_is_not_an_empty_answer(github):
    github.answers["GET /user"] = ME
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
async def test_mergeable_is_what_github_says(observe, a_pull, said, meant):
    assert (await observe(a_pull(mergeable=said)))[7].mergeable is meant


async def test_a_merged_one_names_its_commit(observe, a_pull):
    one = (await observe(a_pull(state="MERGED", mergeCommit={"oid": OLD})))[7]
    assert (one.open, one.merged, one.merge_commit) == (False, True, OLD)


async def test_an_approval_counts_for_its_commit_only_and_a_refusal_for_all(observe, a_pull, page):
    reviews = [
        {"state": "APPROVED", "author": ALICE, "commit": {"oid": HEAD}},
        {"state": "APPROVED", "author": {"__typename": "User", "login": "bob"}, "commit": {"oid": OLD}},
        {"state": "APPROVED", "author": None, "commit": None},
        {"state": "CHANGES_REQUESTED", "author": BOT, "commit": {"oid": OLD}},
    ]
    one = (await observe(a_pull(latestOpinionatedReviews=page(*reviews), reviewDecision="REVIEW_REQUIRED")))[7]
    assert one.approved_by == ("alice",)
    assert one.changes_requested_by == ("coderabbitai[bot]",)
    assert one.review_required


@pytest.mark.parametrize(
    ("newest", "older", "found"), [("open", "closed", 9), ("closed", "closed", 9), ("closed", "open", 4)]
)
async def test_the_pull_request_of_a_branch_is_the_open_one_else_the_newest(github, newest, older, found):
    github.answers["GET /repos/acme/youlab/pulls"] = (
        200,
        [{"number": 9, "state": newest, "head": {"ref": "agent/YOU-1"}},
         {"number": 4, "state": older, "head": {"ref": "agent/YOU-1"}}],
    )  # fmt: skip
    assert await Observe(github.github()).find_pull("acme/youlab", "agent/YOU-1") == found
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


async def test_what_github_says_about_landing_is_read(observe, a_pull, page):
    out = {"reason": "checks failed", "createdAt": "2026-05-04T12:00:00Z", "beforeCommit": {"oid": OLD}}
    node = a_pull(
        mergeStateStatus="BLOCKED", isMergeQueueEnabled=True, timelineItems=page(out),
        mergeQueueEntry={"position": 2, "state": "AWAITING_CHECKS"},
        autoMergeRequest={"enabledAt": "2026-05-04T12:00:00Z"},
    )  # fmt: skip
    one = (await observe(node))[7]
    assert one.merging == Merging(queue=True, auto_merge_allowed=False, methods=("merge", "squash"))
    assert one.queue == QueueState(2, "awaiting_checks")
    assert one.ejected == Ejection("checks failed", datetime(2026, 5, 4, 12, tzinfo=UTC), OLD)
    assert (one.auto_merge, one.behind) == (True, False)
    assert one.blocked_by_rules == "GitHub's rules for main ask for something that #7 does not have yet"


async def test_what_left_the_queue_because_it_was_merged_was_not_put_out(observe, a_pull, page):
    out = {"reason": "merge", "createdAt": "2026-05-04T12:00:00Z", "beforeCommit": None}
    assert (await observe(a_pull(state="MERGED", timelineItems=page(out))))[7].ejected is None


async def test_a_branch_that_is_behind_is_so_and_nothing_is_made_up(observe, a_pull):
    one = (await observe(a_pull(mergeStateStatus="BEHIND")))[7]
    assert (one.behind, one.blocked_by_rules, one.auto_merge) == (True, "", False)
    assert (one.queue, one.ejected, one.merging.queue) == (None, None, False)


@pytest.mark.parametrize(("author", "us"), [(5, True), (6, False)])
async def test_whose_pull_request_it_is(observe, a_pull, author, us):
    node = a_pull(author={"__typename": "User", "login": "callboard", "databaseId": author})
    assert (await observe(node))[7].author_is_us is us


async def test_files_that_github_has_no_list_of_are_known_to_nobody(observe, github, a_pull):
    """The round of the whole epic would fail, for as long as GitHub finds the changes too many."""
    pull = (await observe(a_pull()))[7]
    late = "Server Error: Sorry, this diff is taking too long to generate."
    wrong = {"message": late, "errors": [{"resource": "PullRequest", "field": "diff", "code": "not_available"}]}
    github.answers |= {
        "GET /repos/acme/youlab/pulls/7": (200, {"url": f"{github.url}/api/v3/repos/acme/youlab/pulls/7"}),
        "GET /repos/acme/youlab/pulls/7/files": (422, wrong),
    }
    assert await Observe(github.github()).changed_files("acme/youlab", pull) is None
    assert "GET /repos/acme/youlab/pulls/7/files" in github.operations()
