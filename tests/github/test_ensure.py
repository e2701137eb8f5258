"""Verbs on GitHub that may be done twice."""

import pytest

from bot.github.client import HeadMoved, NoCommits, NotFound, NotMergeable
from bot.github.ensure import Ensure, marker
from bot.machine.errors import Refused, Transient

PLACE = "acme/youlab"
HEAD, OLD = "a" * 40, "b" * 40
PULLS, PULL, MERGE = f"/repos/{PLACE}/pulls", f"/repos/{PLACE}/pulls/7", f"/repos/{PLACE}/pulls/7/merge"
OPEN = {"number": 7, "head": {"ref": "agent/YOU-1", "sha": HEAD}, "base": {"ref": "main"}, "merged": False}


def invalid(message: str):
    return 422, {"message": "Validation Failed", "errors": [{"resource": "PullRequest", "message": message}]}


async def ensure_pull(github, base: str = "main") -> int:
    return await Ensure(github.github()).ensure_pull(PLACE, "agent/YOU-1", base, "YOU-1: Begin", "Body")


async def test_a_pull_request_is_opened(github):
    github.answers |= {f"GET {PULLS}": (200, []), f"POST {PULLS}": (201, OPEN)}
    assert await ensure_pull(github) == 7
    wanted = {"title": "YOU-1: Begin", "body": "Body", "base": "main", "head": "agent/YOU-1"}
    assert github.asked[-1].body == wanted


async def test_one_that_stands_is_kept(github):
    github.answers[f"GET {PULLS}"] = (200, [OPEN])
    assert await ensure_pull(github) == 7
    assert github.operations("P") == []


async def test_one_that_stands_on_another_base_moves_instead_of_getting_a_sister(github):
    github.answers |= {f"GET {PULLS}": (200, [OPEN]), f"PATCH {PULL}": (200, OPEN)}
    assert await ensure_pull(github, "agent/YOU-0") == 7
    assert github.operations("P") == [f"PATCH {PULL}"]
    assert github.asked[-1].body == {"base": "agent/YOU-0"}


async def test_one_that_appears_meanwhile_is_taken(github):
    github.answers |= {
        f"GET {PULLS}": [(200, []), (200, [OPEN])],
        f"POST {PULLS}": invalid("A pull request already exists for acme:agent/YOU-1."),
    }
    assert await ensure_pull(github) == 7


async def test_a_branch_without_commits_has_no_pull_request(github):
    github.answers |= {f"GET {PULLS}": (200, []), f"POST {PULLS}": invalid("No commits between main and agent/YOU-1")}
    with pytest.raises(NoCommits):
        await ensure_pull(github)


async def test_opening_is_not_sent_twice_when_its_answer_is_lost(github):
    github.answers |= {f"GET {PULLS}": (200, []), f"POST {PULLS}": (502, {})}
    with pytest.raises(Transient):
        await ensure_pull(github)
    assert github.operations("POST") == [f"POST {PULLS}"]


async def merge(github) -> None:
    await Ensure(github.github()).merge(PLACE, 7, HEAD, "YOU-1: Begin")


async def test_a_merge_is_bound_to_its_commit(github):
    github.answers[f"PUT {MERGE}"] = (200, {"sha": OLD, "merged": True})
    await merge(github)
    assert github.asked[0].body == {"sha": HEAD, "commit_title": "YOU-1: Begin", "merge_method": "merge"}


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (409, "Head branch was modified. Review and try the merge again.", HeadMoved),
        (405, "Base branch was modified. Review and try the merge again.", Transient),
        (405, "Pull Request is not mergeable", NotMergeable),
        (405, 'Required status check "test" is expected.', NotMergeable),
        (405, "At least 1 approving review is required by reviewers with write access.", NotMergeable),
        (405, "You're not authorized to push to this branch.", Refused),
        (403, "Resource not accessible by integration", Refused),
        (422, "whatever", NotMergeable),
        (500, "Server Error", Transient),
    ],
)
async def test_a_merge_that_is_refused_says_what_it_means_and_is_sent_once(github, status, message, error):
    github.answers |= {f"PUT {MERGE}": (status, {"message": message}), f"GET {PULL}": (200, OPEN)}
    with pytest.raises(error, match=message[:20]):
        await merge(github)
    assert github.operations("PUT") == [f"PUT {MERGE}"]


@pytest.mark.parametrize("answer", [(502, {}), (405, {"message": "Pull Request is not mergeable"}), (500, {})])
async def test_a_merge_whose_answer_was_lost_is_found_done(github, answer):
    github.answers |= {f"PUT {MERGE}": answer, f"GET {PULL}": (200, {**OPEN, "merged": True})}
    await merge(github)
    assert github.operations("PUT") == [f"PUT {MERGE}"]


@pytest.mark.parametrize("merged", [True, False])
async def test_another_head_is_never_taken_for_ours(github, merged):
    other = {**OPEN, "merged": merged, "head": {"ref": "agent/YOU-1", "sha": OLD}}
    github.answers |= {f"PUT {MERGE}": (405, {"message": "Pull Request is not mergeable"}), f"GET {PULL}": (200, other)}
    with pytest.raises(HeadMoved):
        await merge(github)


async def test_where_merge_commits_are_not_allowed_it_is_squashed(github):
    github.answers[f"PUT {MERGE}"] = [
        (405, {"message": "Merge commits are not allowed on this repository"}), (200, {"merged": True}),
    ]  # fmt: skip
    await merge(github)
    assert [one.body["merge_method"] for one in github.asked] == ["merge", "squash"]


async def test_where_nothing_is_allowed_the_operator_is_told(github):
    github.answers |= {
        f"PUT {MERGE}": (405, {"message": "Rebase merges are not allowed on this repository"}),
        f"GET {PULL}": (200, OPEN),
    }
    with pytest.raises(Refused, match="not allowed"):
        await merge(github)


async def test_a_pull_request_moves_gets_its_text_and_is_closed(github):
    github.answers[f"PATCH {PULL}"] = (200, OPEN)
    ensure = Ensure(github.github())
    await ensure.retarget(PLACE, 7, "main")
    await ensure.update_body(PLACE, 7, "New")
    await ensure.close_pull(PLACE, 7)
    assert [one.body for one in github.asked] == [{"base": "main"}, {"body": "New"}, {"state": "closed"}]


async def test_a_closed_one_does_not_move(github):
    github.answers[f"PATCH {PULL}"] = invalid("Cannot change the base branch of a closed pull request.")
    with pytest.raises(NotMergeable, match="closed"):
        await Ensure(github.github()).retarget(PLACE, 7, "main")


@pytest.mark.parametrize("answer", [(204, None), (422, {"message": "Reference does not exist"})])
async def test_a_branch_that_is_gone_is_gone(github, answer):
    github.answers[f"DELETE /repos/{PLACE}/git/refs/heads/agent/YOU-1"] = answer
    await Ensure(github.github()).delete_branch(PLACE, "agent/YOU-1")


@pytest.mark.parametrize("branch", ["main", "feature/x", "agent/YOU-1/../../heads/main", ""])
async def test_no_branch_but_ours_is_ever_deleted(github, branch):
    with pytest.raises(ValueError):
        await Ensure(github.github()).delete_branch(PLACE, branch)
    assert github.asked == []


def comment(number: int, login: str, body: str) -> dict[str, object]:
    url = f"/repos/{PLACE}/issues/comments/{number}"
    return {"id": number, "url": url, "body": body, "user": {"login": login}}


COMMENTS = f"/repos/{PLACE}/issues/7/comments"


@pytest.mark.parametrize(
    ("there", "done"),
    [
        ([], [f"POST {COMMENTS}"]),
        ([comment(1, "alice", f"Hello\n\n{marker('panel')}")], []),
        ([comment(1, "mallory", f"Hello\n\n{marker('panel')}")], [f"POST {COMMENTS}"]),
        ([comment(1, "alice", f"Hello\n\n{marker('other')}")], [f"POST {COMMENTS}"]),
        ([comment(1, "alice", f"Old\n\n{marker('panel')}")], [f"PATCH /repos/{PLACE}/issues/comments/1"]),
    ],
)
async def test_there_is_one_comment_about_a_topic(github, there, done):
    for one in there:
        one["url"] = f"{github.url}/api/v3{one['url']}"
    github.answers |= {
        "GET /user": (200, {"login": "alice", "id": 5}),
        f"GET {COMMENTS}": (200, there),
        f"POST {COMMENTS}": (201, {"id": 2}),
        f"PATCH /repos/{PLACE}/issues/comments/1": (200, {"id": 1}),
    }
    await Ensure(github.github()).comment_once(PLACE, 7, "panel", "Hello")
    assert github.operations("P") == done
    if done:
        assert github.asked[-1].body == {"body": f"Hello\n\n{marker('panel')}"}


def thread(*replies: tuple[str, str]) -> dict[str, object]:
    nodes = [{"body": body, "author": {"__typename": "User", "login": login}} for login, body in replies]
    return {"data": {"node": {"isResolved": False, "comments": {"nodes": nodes}}}}


async def test_a_thread_gets_one_reply_about_a_topic(github):
    done = {"data": {"addPullRequestReviewThreadReply": {"comment": {"id": "x"}}}}
    github.answers |= {"GET /user": (200, {"login": "alice", "id": 5})}
    ensure = Ensure(github.github())
    github.answers["POST /api/graphql"] = [(200, thread(("bob", marker("run-1")))), (200, done)]
    await ensure.reply_thread(PLACE, "PRRT_1", "Done", "run-1")
    sent = github.asked[-1].body
    assert sent["variables"] == {"thread": "PRRT_1", "body": f"Done\n\n{marker('run-1')}"}
    github.answers["POST /api/graphql"] = [(200, thread(("alice", f"Done\n\n{marker('run-1')}")))]
    before = len(github.asked)
    await ensure.reply_thread(PLACE, "PRRT_1", "Done", "run-1")
    assert len(github.asked) == before + 1


async def test_a_thread_that_is_gone_is_not_found(github):
    github.answers["POST /api/graphql"] = (200, {"data": {"node": None}})
    with pytest.raises(NotFound):
        await Ensure(github.github()).reply_thread(PLACE, "PRRT_1", "Done", "run-1")
