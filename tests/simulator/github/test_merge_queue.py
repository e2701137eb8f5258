"""The merge queue, and auto-merge: what goes in, what comes out, and why."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from github import GithubException

from bot.simulator.github import ApiError, Person, Protection, Pull, QueueRule, ScriptedCI
from tests.simulator.github.conftest import changed, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTRY = """mutation($p: ID!, $sha: GitObjectID, $jump: Boolean) {
    enqueuePullRequest(input: {pullRequestId: $p, expectedHeadOid: $sha, jump: $jump}) {
        mergeQueueEntry { id state position jump enqueuer { login } pullRequest { number isInMergeQueue } } } }"""
LEAVE = "mutation($p: ID!) { dequeuePullRequest(input: {id: $p}) { mergeQueueEntry { pullRequest { number } } } }"


def queue(stage: Any, method: str = "squash", **rules: Any) -> None:
    stage.world.protect(stage.repo, "main", Protection(checks=("test",), queue=QueueRule(method), **rules))
    stage.app.installations[0].permissions["merge_queues"] = "read"
    stage.app.events = (*stage.app.events, "merge_group")


async def green(stage: Any, branch: str = "topic", **files: str) -> Pull:
    pull = await stage.opened(branch, **files)
    await stage.ci.passes(pull)
    return pull


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def told(stage: Any, action: str) -> Any:
    """A `merge_group` event, once it was sent."""
    await until(lambda: any((one.event, one.action) == ("merge_group", action) for one in stage.world.deliveries))
    return await stage.payload("merge_group", action)


async def reasons(stage: Any, count: int = 1) -> list[str]:
    """Why pull requests left the queue, once at least `count` of them have."""
    out = lambda: [one for one in stage.world.deliveries if one.action == "dequeued"]  # noqa: E731
    await until(lambda: len(out()) >= count)
    return [json.loads(one.letter.body)["reason"] for one in out()]


async def test_where_a_queue_rules_the_merge_button_is_refused(stage: Any) -> None:
    queue(stage)
    pull = await green(stage)
    error = await refused(lambda: stage.bot().get_pull(1).merge(sha=pull.head_sha))
    assert (error.status, error.data["message"]) == (405, "Changes must be made through the merge queue")
    rules = await stage.rest("GET", "/repos/acme/youlab/rules/branches/main")
    assert [one["type"] for one in rules] == ["required_status_checks", "merge_queue"]


async def test_a_group_is_checked_and_then_becomes_the_base(stage: Any) -> None:
    queue(stage)
    pull = await green(stage)
    answer = await stage.graphql(ENTRY, stage.app_token(), p=pull.node, sha=pull.head_sha)
    entry = answer["data"]["enqueuePullRequest"]["mergeQueueEntry"]
    assert (entry["position"], entry["enqueuer"]["login"]) == (1, "callboard")
    assert entry["pullRequest"] == {"number": 1, "isInMergeQueue": True}
    group = (await told(stage, "checks_requested"))["merge_group"]
    main = await stage.world.git.branch(stage.repo.path, "main")
    assert (group["head_ref"], group["base_sha"]) == (f"refs/heads/gh-readonly-queue/main/pr-1-{main}", main)
    error = await refused(lambda: stage.bot().get_pull(1).merge(sha=pull.head_sha))
    assert error.data["message"] == "Pull Request is in the merge queue"
    with pytest.raises(GithubException, match="Branches that are queued for merging cannot be updated"):
        await stage.rest("PUT", "/repos/acme/youlab/pulls/1/update-branch")
    await stage.ci.passes(pull, sha=group["head_sha"])
    await until(lambda: pull.merged and not stage.repo.queue)
    assert await stage.world.git.branch(stage.repo.path, "main") == group["head_sha"] == pull.merge_commit_sha
    assert len((await stage.world.git.commit(stage.repo.path, group["head_sha"])).parents) == 1
    assert await reasons(stage) == ["MERGE"]
    assert (await told(stage, "destroyed"))["reason"] == "merged"
    assert (await stage.payload("pull_request", "closed"))["pull_request"]["merged_by"]["login"] == (
        "github-merge-queue[bot]"
    )
    assert set(await stage.world.git.branches(stage.repo.path)) == {"main", "topic"}


async def test_who_fails_is_put_out_and_those_behind_are_tried_anew(stage: Any) -> None:
    queue(stage, "merge")
    first, second = await green(stage, "one", **{"a.txt": "a"}), await green(stage, "two", **{"b.txt": "b"})
    await stage.bob.enqueues(first)
    await stage.bob.enqueues(second)
    await until(lambda: second.queued.group)
    assert await stage.world.git.contains(stage.repo.path, first.queued.group, second.queued.group)
    old = second.queued.group
    await stage.ci.passes(second, sha=old)
    await stage.ci.fails(first, sha=first.queued.group)
    await until(lambda: first.queued is None and second.queued.group not in {None, old})
    assert (first.open, await reasons(stage)) == (True, ["CI_FAILURE"])
    assert not await stage.world.git.contains(stage.repo.path, first.head_sha, second.queued.group)
    await stage.ci.passes(second, sha=second.queued.group)
    await until(lambda: second.merged)
    assert first.open


async def test_a_conflict_with_what_is_in_front_puts_out(stage: Any) -> None:
    queue(stage)
    first = await green(stage, "one", **{"app.py": changed(10, by="one")})
    second = await green(stage, "two", **{"app.py": changed(10, by="two")})
    await stage.bob.enqueues(first)
    await stage.bob.enqueues(second)
    await until(lambda: second.queued is None)
    assert (await reasons(stage), first.queued is not None) == (["MERGE_CONFLICT"], True)


async def test_a_push_to_the_head_puts_out_even_where_the_new_head_is_green(stage: Any) -> None:
    queue(stage)
    pull = await green(stage)
    later = await stage.alice.force_pushes(stage.repo, "later", {"b.txt": "b"}, "One more", onto="topic")
    await stage.ci.passes(pull, sha=later)
    await stage.bob.enqueues(pull)
    await until(lambda: pull.queued.group)
    group = pull.queued.group
    await stage.bob.resets(stage.repo, "topic", later)
    await stage.ci.passes(pull, sha=group)
    await until(lambda: pull.queued is None)
    assert (pull.open, pull.head_sha) == (True, later)
    assert await reasons(stage) == ["UNKNOWN_REMOVAL_REASON"]


async def test_a_person_takes_it_out_or_a_reviewer_takes_back_the_approval(stage: Any) -> None:
    queue(stage, approvals=1)
    pull = await green(stage)
    await stage.bob.reviews(pull, "approve")
    await stage.bob.enqueues(pull)
    await until(lambda: pull.queued.group)
    await stage.graphql(LEAVE, p=pull.node)
    assert (pull.queued, await reasons(stage)) == (None, ["MANUAL"])
    assert "not in the merge queue" in (await stage.graphql(LEAVE, p=pull.node))["errors"][0]["message"]
    await stage.bob.enqueues(pull)
    await stage.bob.reviews(pull, "request changes", "Wait")
    await until(lambda: pull.queued is None)
    assert await reasons(stage, 2) == ["MANUAL", "BRANCH_PROTECTIONS"]


async def test_checks_that_never_report_time_out(stage: Any) -> None:
    queue(stage)
    pull = await green(stage)
    await stage.bob.enqueues(pull)
    await until(lambda: pull.queued.group)
    stage.clock.ahead = timedelta(hours=2)
    await stage.bob.comments(pull, "Still there?")
    await until(lambda: pull.queued is None)
    assert await reasons(stage) == ["CI_TIMEOUT"]


async def test_what_cannot_be_merged_cannot_be_queued(stage: Any) -> None:
    pull = await stage.opened()
    answer = await stage.graphql(ENTRY, p=pull.node)
    assert answer["errors"][0]["message"] == "Merge queue is not enabled for this branch"
    queue(stage)
    answer = await stage.graphql(ENTRY, p=pull.node)
    assert answer["errors"][0]["message"] == 'Required status check "test" is expected.'
    await stage.ci.passes(pull)
    answer = await stage.graphql(ENTRY, p=pull.node, sha="0" * 40)
    assert "Head sha was modified" in answer["errors"][0]["message"]
    await stage.bob.drafts(pull)
    assert "not in a mergeable state" in (await stage.graphql(ENTRY, p=pull.node))["errors"][0]["message"]


async def test_who_jumps_goes_first(stage: Any) -> None:
    queue(stage)
    first, second = await green(stage, "one", **{"a.txt": "a"}), await green(stage, "two", **{"b.txt": "b"})
    await stage.bob.enqueues(first)
    await until(lambda: first.queued.group)
    await stage.bob.enqueues(second, jump=True)
    await until(lambda: second.queued.group and first.queued.group and first.queued.base == second.queued.group)
    query = """{ repository(owner: "acme", name: "youlab") { mergeQueue { entries(first: 9) { nodes {
        position state jump pullRequest { number } } } } } }"""
    read = (await stage.graphql(query))["data"]["repository"]["mergeQueue"]["entries"]["nodes"]
    assert [(one["position"], one["pullRequest"]["number"], one["jump"]) for one in read] == [
        (1, 2, True),
        (2, 1, False),
    ]


async def test_auto_merge_goes_through_the_queue_with_a_ci_that_works_by_itself(stage: Any) -> None:
    queue(stage)
    stage.repo.auto_merge = stage.repo.delete_branch_on_merge = True
    async with ScriptedCI(stage.world, {"test": ["success"]}, seconds=0.1) as ci:
        pull = await stage.opened()
        await stage.alice.merges_when_ready(pull)
        await until(lambda: pull.merged)
        await ci.quiet()
    assert await reasons(stage) == ["MERGE"]
    assert await stage.world.git.branch(stage.repo.path, "topic") is None


async def test_who_is_put_out_is_not_put_in_again_by_auto_merge(stage: Any) -> None:
    queue(stage)
    stage.repo.auto_merge = True
    pull = await stage.opened()
    await stage.alice.merges_when_ready(pull)
    await stage.ci.passes(pull)
    group = (await told(stage, "checks_requested"))["merge_group"]["head_sha"]
    await stage.ci.fails(pull, sha=group)
    assert await reasons(stage) == ["CI_FAILURE"]
    await stage.bob.comments(pull, "What now?")
    await asyncio.sleep(0.1)
    assert (pull.open, pull.queued, pull.auto_merge) == (True, None, None)


async def test_a_clean_pull_request_has_no_need_of_auto_merge(stage: Any) -> None:
    pull = await green(stage)
    stage.repo.auto_merge = True
    stage.world.protect(stage.repo, "main", Protection(checks=("test",)))
    with pytest.raises(ApiError, match="Pull request Pull request is in clean status"):
        await stage.bob.merges_when_ready(pull)


async def test_auto_merge_ends_with_another_base_and_with_a_push_by_somebody_without_write(stage: Any) -> None:
    pull = await stage.opened()
    stage.repo.auto_merge = True
    stage.world.protect(stage.repo, "main", Protection(checks=("test",)))
    await stage.bob.merges_when_ready(pull)
    await stage.alice.pushes(stage.repo, "topic", {"app.py": changed(10, 11)}, "By a writer")
    assert pull.auto_merge
    stage.world.grant(stage.repo, "alice", "none")
    del stage.repo.roles["alice"]
    await Person(stage.world, "alice").pushes(stage.repo, "topic", {"app.py": changed(10, 12)}, "By nobody")
    assert pull.auto_merge is None
    assert "without write" in (await stage.payload("pull_request", "auto_merge_disabled"))["reason"]
    await stage.bob.merges_when_ready(pull)
    await stage.bob.pushes(stage.repo, "other", {"b.txt": "b"}, "Another base")
    await stage.bob.retargets(pull, "other")
    assert pull.auto_merge is None


async def test_a_ruleset_refuses_in_other_words(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(checks=("test", "lint", "e2e"), approvals=1, ruleset=True))
    await stage.ci.passes(pull)
    await stage.ci.pending(pull, "lint")
    error = await refused(lambda: stage.bot().get_pull(1).merge(sha=pull.head_sha))
    assert error.data["message"] == (
        "Repository rule violations found\n\n"
        "At least 1 approving review is required by reviewers with write access.\n\n"
        "2 of 3 required status checks have not succeeded: 1 pending and 1 expected.\n\n"
    )
