"""The merge button: what it does, and what it refuses in which words."""

import asyncio
from typing import Any

import pytest

from bot.simulator.faults import Fault, When
from bot.simulator.github import Protection
from tests.simulator.github.conftest import changed, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def merge(stage: Any, number: int = 1, **order: Any) -> Any:
    pull = stage.bot().get_pull(number)
    return await asyncio.to_thread(lambda: pull.merge(**order))


async def refusal(stage: Any, **order: Any) -> tuple[int, str]:
    error = await refused(lambda: stage.bot().get_pull(1).merge(**order))
    return error.status, error.data["message"]


async def parents(stage: Any, sha: str) -> int:
    return len((await stage.world.git.commit(stage.repo.path, sha)).parents)


async def test_a_merge_commit_has_both_as_parents(stage: Any) -> None:
    pull = await stage.opened()
    done = await merge(stage, sha=pull.head_sha, commit_title="Merge it")
    main = await stage.world.git.branch(stage.repo.path, "main")
    assert (done.merged, done.sha, pull.merged, pull.merge_commit_sha) == (True, main, True, main)
    made = await stage.world.git.commit(stage.repo.path, main)
    assert (made.parents[1], made.message.splitlines()[0]) == (pull.head_sha, "Merge it")
    events = await stage.events()
    assert events.index(("pull_request", "closed")) < len(events) - events[::-1].index(("push", None)) - 1
    assert (await stage.payload("pull_request", "closed"))["pull_request"]["merged_by"]["login"] == "callboard[bot]"


async def test_squash_leaves_one_commit(stage: Any) -> None:
    pull = await stage.opened()
    await stage.alice.pushes(stage.repo, "topic", {"b.txt": "b"}, "More")
    done = await merge(stage, merge_method="squash")
    assert await parents(stage, done.sha) == 1
    made = await stage.world.git.commit(stage.repo.path, done.sha)
    assert made.message.startswith(f"{pull.title} (#1)\n\n* Change topic\n\n* More")


async def test_rebase_replays_each_commit(stage: Any) -> None:
    await stage.opened(**{"app.py": changed(2)})
    await stage.alice.pushes(stage.repo, "topic", {"app.py": changed(2, 15)}, "Second")
    await stage.bob.pushes(stage.repo, "main", {"other.txt": "x"}, "Main moves on")
    done = await merge(stage, merge_method="rebase")
    messages = [one.message for one in await stage.world.git.commits(stage.repo.path, done.sha)]
    assert messages == ["Second", "Change topic", "Main moves on", "Initial commit"]
    assert await stage.world.git.text(stage.repo.path, "main", "app.py") == changed(2, 15).encode()
    assert await stage.world.git.text(stage.repo.path, "main", "other.txt") == b"x"


async def test_another_head_than_expected_is_a_409(stage: Any) -> None:
    pull = await stage.opened()
    old = pull.head_sha
    await stage.alice.pushes(stage.repo, "topic", {"b.txt": "b"}, "More")
    assert await refusal(stage, sha=old) == (409, "Head branch was modified. Review and try the merge again.")
    assert not pull.merged


async def test_a_conflict_is_a_405(stage: Any) -> None:
    await stage.opened()
    await stage.bob.pushes(stage.repo, "main", {"app.py": changed(10, by="other")}, "The same line")
    assert await refusal(stage) == (405, "Pull Request is not mergeable")


async def test_a_draft_is_a_405(stage: Any) -> None:
    pull = await stage.opened()
    pull.draft = True
    assert await refusal(stage) == (405, "Pull Request is still a draft")


async def test_a_method_that_is_switched_off_is_a_405(stage: Any) -> None:
    await stage.opened()
    stage.repo.merge_commits = False
    assert await refusal(stage) == (405, "Merge commits are not allowed on this repository.")


async def test_a_merged_pull_request_merges_no_second_time(stage: Any) -> None:
    await stage.opened()
    await merge(stage)
    assert await refusal(stage) == (405, "Pull Request is not mergeable")


async def test_required_checks_must_be_there_and_green(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(checks=("test",)))
    assert await refusal(stage) == (405, 'Required status check "test" is expected.')
    await stage.ci.pending(pull)
    assert await refusal(stage) == (405, 'Required status check "test" is pending.')
    await stage.ci.fails(pull)
    assert await refusal(stage) == (405, 'Required status check "test" is failing.')
    await stage.ci.passes(pull)
    assert (await merge(stage)).merged


async def test_a_required_approval_falls_with_a_push_where_the_rule_says_so(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(approvals=1, dismiss_stale=True))
    needed = "At least 1 approving review is required by reviewers with write access."
    assert await refusal(stage) == (405, needed)
    review = await stage.bob.reviews(pull, "approve")
    await stage.alice.pushes(stage.repo, "topic", {"b.txt": "b"}, "More")
    assert review.state == "DISMISSED"
    assert (await stage.payload("pull_request_review", "dismissed"))["review"]["state"] == "dismissed"
    assert await refusal(stage) == (405, needed)
    await stage.bob.reviews(pull, "approve")
    assert (await merge(stage)).merged


async def test_approval_by_a_reader_does_not_count(stage: Any) -> None:
    from bot.simulator.github import Person

    pull = await stage.opened()
    stage.world.grant(stage.repo, "eve", "read")
    stage.world.protect(stage.repo, "main", Protection(approvals=1))
    await Person(stage.world, "eve").reviews(pull, "approve")
    assert (await refusal(stage))[0] == 405


async def test_open_threads_block_where_the_rule_says_so(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(conversation_resolution=True))
    await stage.bob.remarks(pull, "app.py", 10, "Why?")
    assert await refusal(stage) == (405, "All comments must be resolved.")
    await stage.bob.resolves(pull.threads[0])
    assert (await merge(stage)).merged


async def test_a_strict_rule_wants_the_head_up_to_date(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(checks=("test",), strict=True))
    await stage.bob.pushes(stage.repo, "main", {"other.txt": "x"}, "Main moves on")
    await stage.ci.passes(pull)
    assert await refusal(stage) == (405, "Head branch is out of date. Review and try the merge again.")


async def test_an_app_may_not_merge_workflow_files(stage: Any) -> None:
    await stage.opened(**{".github/workflows/more.yml": "on: push\n"})
    status, message = await refusal(stage)
    assert status == 403
    assert message.startswith("refusing to allow a GitHub App to create or update workflow")


async def test_a_fault_after_the_merge_has_merged(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.faults.plant(Fault(502, When.AFTER), match="PUT /repos/acme/youlab/pulls/1/merge")
    assert (await refused(lambda: stage.bot().get_pull(1).merge())).status == 502
    assert pull.merged


async def test_a_fault_before_the_merge_has_not(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.faults.plant(Fault(502), match="PUT /repos/acme/youlab/pulls/1/merge")
    assert (await refused(lambda: stage.bot().get_pull(1).merge())).status == 502
    assert not pull.merged


async def test_a_connection_can_be_cut_without_a_word(stage: Any) -> None:
    import requests

    pull = await stage.opened()
    stage.world.faults.plant(Fault(0, When.AFTER), match="PUT /repos/acme/youlab/pulls/1/merge")
    with pytest.raises(requests.exceptions.ConnectionError):
        await merge(stage)
    assert pull.merged


async def test_auto_merge_is_refused_while_nothing_is_in_the_way(stage: Any) -> None:
    from github import GithubException

    pull = await stage.opened()
    stage.repo.auto_merge = True
    got = await asyncio.to_thread(stage.bot().get_pull, 1)
    stage.world.protect(stage.repo, "main", Protection())
    with pytest.raises(GithubException, match="Pull request is in clean status"):
        await asyncio.to_thread(lambda: got.enable_automerge(expected_head_oid=pull.head_sha))


async def test_auto_merge_merges_once_the_last_check_is_green(stage: Any) -> None:
    pull = await stage.opened()
    stage.repo.auto_merge = True
    stage.world.protect(stage.repo, "main", Protection(checks=("test",)))
    got = await asyncio.to_thread(stage.bot().get_pull, 1)
    await asyncio.to_thread(lambda: got.enable_automerge(expected_head_oid=pull.head_sha))
    assert pull.auto_merge is not None
    await stage.ci.passes(pull)
    for _ in range(50):
        if pull.merged:
            break
        await asyncio.sleep(0.02)
    assert pull.merged
    assert pull.merged_by.login == "callboard[bot]"
