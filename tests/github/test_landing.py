"""How a pull request gets into its base, bound to its head."""

import pytest

from bot.github.client import HeadMoved, NotFound, NotMergeable
from bot.github.ensure import Ensure
from bot.github.errors import QueueRequired
from bot.machine.errors import Refused, Transient

PLACE = "acme/youlab"
HEAD, OLD = "a" * 40, "b" * 40
PULL, MERGE = f"/repos/{PLACE}/pulls/7", f"/repos/{PLACE}/pulls/7/merge"
OPEN = {"number": 7, "head": {"ref": "agent/YOU-1", "sha": HEAD}, "base": {"ref": "main"}, "merged": False}


async def merge(github) -> None:
    await Ensure(github.github()).merge(PLACE, 7, HEAD, "YOU-1: Begin")


@pytest.mark.proves("S-13")
async def test_a_merge_is_bound_to_its_commit(github):
    github.answers[f"PUT {MERGE}"] = (200, {"sha": OLD, "merged": True})
    await merge(github)
    wanted = {"sha": HEAD, "commit_title": "YOU-1: Begin", "commit_message": "", "merge_method": "merge"}
    assert github.asked[0].body == wanted


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (409, "Head branch was modified. Review and try the merge again.", HeadMoved),
        (405, "Base branch was modified. Review and try the merge again.", Transient),
        (405, "Pull Request is not mergeable", NotMergeable),
        (405, 'Required status check "test" is expected.', NotMergeable),
        (405, "At least 1 approving review is required by reviewers with write access.", NotMergeable),
        (405, "Repository rule violations found\n\nChanges must be made through the merge queue", QueueRequired),
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


@pytest.mark.parametrize(
    "message", ["Merge commits are not allowed on this repository.", "This branch must not contain merge commits."]
)
async def test_where_merge_commits_are_not_allowed_it_is_squashed(github, message):
    """That a branch wants a linear history is not among what the repository tells of its methods."""
    github.answers[f"PUT {MERGE}"] = [(405, {"message": message}), (200, {"sha": OLD, "merged": True})]
    await merge(github)
    assert [one.body["merge_method"] for one in github.asked] == ["merge", "squash"]


@pytest.mark.parametrize("answer", [(502, {}), (405, {"message": "Pull Request is not mergeable"}), (500, {})])
async def test_a_merge_whose_answer_was_lost_is_found_done(github, answer):
    github.answers |= {f"PUT {MERGE}": answer, f"GET {PULL}": (200, {**OPEN, "merged": True})}
    await merge(github)
    assert github.operations("PUT") == [f"PUT {MERGE}"]


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.attack("S-13")
async def test_another_head_is_never_taken_for_ours(github, merged):
    other = {**OPEN, "merged": merged, "head": {"ref": "agent/YOU-1", "sha": OLD}}
    github.answers |= {f"PUT {MERGE}": (405, {"message": "Pull Request is not mergeable"}), f"GET {PULL}": (200, other)}
    with pytest.raises(HeadMoved):
        await merge(github)


async def test_where_nothing_is_allowed_the_operator_is_told(github):
    github.answers |= {
        f"PUT {MERGE}": (405, {"message": "Rebase merges are not allowed on this repository"}),
        f"GET {PULL}": (200, OPEN),
    }
    with pytest.raises(Refused, match="not allowed"):
        await merge(github)


async def test_a_method_may_be_asked_for(github):
    github.answers[f"PUT {MERGE}"] = (200, {"merged": True})
    await Ensure(github.github()).merge(PLACE, 7, HEAD, "YOU-1: Begin", ("squash",))
    assert [one.body["merge_method"] for one in github.asked] == ["squash"]


def at(head: str = HEAD, *, merged: bool = False, queued: bool = False, auto: bool = False):
    pull = {
        "id": "PR_1", "merged": merged, "headRefOid": head, "isInMergeQueue": queued,
        "autoMergeRequest": {"enabledAt": "2026-05-04T12:00:00Z"} if auto else None,
    }  # fmt: skip
    return 200, {"data": {"repository": {"pullRequest": pull}}}


DONE = (200, {"data": {}})


def refused(message: str):
    return 200, {"data": None, "errors": [{"type": "UNPROCESSABLE", "message": message}]}


def graphql(github, *answers) -> Ensure:
    github.answers["POST /api/graphql"] = list(answers)
    return Ensure(github.github())


def variables(github) -> list[dict[str, object]]:
    """Of what was written."""
    return [one.body["variables"] for one in github.asked if one.body["query"].startswith("mutation")]


async def test_a_pull_request_is_queued_at_its_head(github):
    await graphql(github, at(), DONE).enqueue(PLACE, 7, HEAD)
    assert variables(github) == [{"pull": "PR_1", "head": HEAD}]


@pytest.mark.parametrize("state", [at(queued=True), at(merged=True)])
async def test_what_is_queued_or_merged_is_not_queued_again(github, state):
    await graphql(github, state).enqueue(PLACE, 7, HEAD)
    assert variables(github) == []


@pytest.mark.attack("S-13")
async def test_another_head_is_neither_queued_nor_left_to_auto_merge(github):
    ensure = graphql(github, at(OLD))
    with pytest.raises(HeadMoved):
        await ensure.enqueue(PLACE, 7, HEAD)
    with pytest.raises(HeadMoved):
        await ensure.enable_auto_merge(PLACE, 7, HEAD)
    assert variables(github) == []


async def test_a_head_that_moves_while_it_is_queued_is_said_to_have_moved(github):
    with pytest.raises(HeadMoved):
        await graphql(github, at(), refused("Head sha was modified"), at(OLD)).enqueue(PLACE, 7, HEAD)


async def test_why_the_queue_does_not_take_it_is_said_in_githubs_words(github):
    with pytest.raises(NotMergeable, match="not ready"):
        await graphql(github, at(), refused("Pull request is not ready"), at()).enqueue(PLACE, 7, HEAD)


async def test_what_the_queue_took_though_it_said_no_is_queued(github):
    await graphql(github, at(), refused("Already queued"), at(queued=True)).enqueue(PLACE, 7, HEAD)


async def test_a_pull_request_is_taken_out_of_the_queue_once(github):
    ensure = graphql(github, at(queued=True), DONE, at())
    for _ in range(2):
        await ensure.dequeue(PLACE, 7)
    assert variables(github) == [{"pull": "PR_1"}]


async def test_auto_merge_is_enabled_once_and_at_its_head(github):
    ensure = graphql(github, at(), DONE, at(auto=True))
    assert [await ensure.enable_auto_merge(PLACE, 7, HEAD, "squash") for _ in range(2)] == [True, True]
    assert variables(github) == [{"pull": "PR_1", "head": HEAD, "method": "SQUASH"}]


async def test_where_there_is_nothing_to_wait_for_auto_merge_says_so(github):
    ensure = graphql(github, at(), refused("Pull request Pull request is in clean status"))
    assert await ensure.enable_auto_merge(PLACE, 7, HEAD) is False


async def test_why_there_is_no_auto_merge_is_said_in_githubs_words(github):
    with pytest.raises(NotMergeable, match="not allowed"):
        await graphql(github, at(), refused("Auto merge is not allowed for this repository"), at()).enable_auto_merge(
            PLACE, 7, HEAD
        )


async def test_auto_merge_is_disabled_once(github):
    ensure = graphql(github, at(auto=True), DONE, at())
    for _ in range(2):
        await ensure.disable_auto_merge(PLACE, 7)
    assert variables(github) == [{"pull": "PR_1"}]


async def test_a_pull_request_that_is_not_there_is_not_found(github):
    with pytest.raises(NotFound):
        await graphql(github, (200, {"data": {"repository": {"pullRequest": None}}})).enqueue(PLACE, 7, HEAD)
