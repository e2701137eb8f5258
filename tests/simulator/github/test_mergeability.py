"""What happens to a pull request between a look at it and its merge, and stacks whose base is merged away."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from bot.simulator.faults import Fault
from bot.simulator.github import Protection
from tests.simulator.github.conftest import changed, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATE = """{ repository(owner: "acme", name: "youlab") { pullRequest(number: 1) { mergeable mergeStateStatus } } }"""


async def state(stage: Any) -> tuple[str, str]:
    read = (await stage.graphql(STATE))["data"]["repository"]["pullRequest"]
    return read["mergeable"], read["mergeStateStatus"]


async def test_mergeability_may_stay_unknown_for_long_and_begins_anew_with_every_push(stage: Any) -> None:
    stage.world.knobs.mergeable_delay = timedelta(minutes=5)
    pull = await stage.opened()
    for _ in range(4):
        assert await state(stage) == ("UNKNOWN", "UNKNOWN")
    stage.clock.ahead = timedelta(minutes=6)
    assert await state(stage) == ("MERGEABLE", "CLEAN")
    await stage.alice.pushes(stage.repo, "main", {"b.txt": "b"}, "The base moves")
    assert await state(stage) == ("UNKNOWN", "UNKNOWN")
    assert await state(stage) == ("UNKNOWN", "UNKNOWN")
    await stage.bob.merges(pull)


async def test_a_real_conflict_and_a_strict_rule_have_their_own_words(stage: Any) -> None:
    await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(checks=("test",), strict=True))
    await stage.alice.pushes(stage.repo, "main", {"b.txt": "b"}, "Elsewhere")
    await stage.ci.passes(stage.repo.pulls[1])
    await state(stage)
    assert await state(stage) == ("MERGEABLE", "BEHIND")
    await stage.alice.pushes(stage.repo, "main", {"app.py": changed(10, by="otherwise")}, "The same line")
    await state(stage)
    assert await state(stage) == ("CONFLICTING", "DIRTY")


async def test_a_head_that_moves_while_the_merge_is_asked_for_is_a_409(stage: Any) -> None:
    pull = await stage.opened()
    seen = pull.head_sha
    stage.world.meanwhile("/pulls/1/merge", lambda: stage.bob.pushes(stage.repo, "topic", {"b.txt": "b"}, "Late"))
    error = await refused(lambda: stage.bot().get_pull(1).merge(sha=seen))
    assert (error.status, error.data["message"]) == (
        409,
        "Head branch was modified. Review and try the merge again.",
    )
    assert (pull.open, pull.head_sha == seen) == (True, False)
    await asyncio.to_thread(lambda: stage.bot().get_pull(1).merge(sha=pull.head_sha))
    assert pull.merged


async def test_an_approval_may_be_withdrawn_at_the_last_moment(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(approvals=1))
    review = await stage.bob.reviews(pull, "approve")
    stage.world.meanwhile("/merge", lambda: stage.bob.dismisses(review))
    error = await refused(lambda: stage.bot().get_pull(1).merge(sha=pull.head_sha))
    assert (error.status, pull.open) == (405, True)


async def test_a_base_that_moves_during_the_merge_is_a_405(stage: Any) -> None:
    pull = await stage.opened()
    body = json.dumps({"message": "Base branch was modified. Review and try the merge again."})
    stage.world.faults.plant(Fault(405, body=body), match="/merge")
    error = await refused(lambda: stage.bot().get_pull(1).merge(sha=pull.head_sha))
    assert "Base branch was modified" in error.data["message"]
    await asyncio.to_thread(lambda: stage.bot().get_pull(1).merge(sha=pull.head_sha))


async def stack(stage: Any) -> list[Any]:
    """Three pull requests, each based on the one before."""
    made, base = [], "main"
    for name in ("one", "two", "three"):
        await stage.alice.force_pushes(stage.repo, name, {f"{name}.txt": name}, f"Add {name}", onto=base)
        made.append(await stage.alice.opens(stage.repo, name, base, name))
        base = name
    return made


@pytest.mark.parametrize("method", ["squash", "rebase"])
async def test_a_stack_moves_on_when_its_base_is_merged_and_still_carries_the_old_commits(
    stage: Any, method: str
) -> None:
    stage.repo.delete_branch_on_merge = True
    one, two, three = await stack(stage)
    await stage.alice.pushes(stage.repo, "main", {"b.txt": "b"}, "So that a rebase makes new commits")
    await stage.bob.merges(one, method)
    assert (two.open, two.base_ref, three.base_ref) == (True, "main", "two")
    assert (await stage.payload("pull_request", "edited"))["changes"]["base"]["ref"]["from"] == "one"
    own = await stage.world.git.commits(stage.repo.path, f"main..{two.head_sha}")
    assert [commit.message for commit in own] == ["Add two", "Add one"]


async def test_a_stack_whose_base_branch_is_deleted_through_the_api_is_closed(stage: Any) -> None:
    one, two, _ = await stack(stage)
    await stage.bob.merges(one, "squash")
    await stage.rest("DELETE", "/repos/acme/youlab/git/refs/heads/one")
    assert (two.open, two.merged) == (False, False)
    assert (await stage.payload("pull_request", "closed"))["pull_request"]["number"] == two.number
