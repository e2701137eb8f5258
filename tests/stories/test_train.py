"""The merge train: what was approved is merged, that and nothing else, whatever happens on the way."""

import asyncio
from datetime import timedelta

import pytest

from bot.simulator.github import Protection, ScriptedCI


def repository(world):
    return world.github.repository("acme/youlab")


def branch(world, name):
    return f"agent/{world.ticket(name).identifier}"


def in_order(world):
    merged = sorted((one for one in world.pulls if one.merged), key=lambda pull: pull.merged_at)
    return [one.title.split("Write ")[1].removesuffix(".py") for one in merged]


@pytest.mark.attack("S-11", "S-13")
async def test_a_push_in_the_very_moment_of_the_merge_is_not_merged_before_it_is_approved(world):
    bob = world.on_github("bob")
    epic = await world.built({"one": ()})
    await world.shown(epic)
    approved = world.pull("one").head_sha
    pushed = []

    async def push():
        pushed.append(await bob.pushes(repository(world), branch(world, "one"), {"extra.txt": "more\n"}, "More"))

    world.github.meanwhile(f"PUT /repos/acme/youlab/pulls/{world.pull('one').number}/merge", push)
    await world.asked(epic)
    await world.shown(epic, 2)
    assert pushed
    assert not world.pull("one").merged
    assert "extra.txt" not in await world.log("ls-tree", "--name-only", "main")
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
    assert await world.log("merge-base", "main", pushed[0]) == pushed[0]
    assert await world.log("merge-base", "main", approved) == approved


async def test_nothing_merges_while_github_does_not_know_whether_it_can(opens):
    world = await opens()
    world.github.knobs.mergeable_delay = timedelta(seconds=3)
    epic = await world.built({"one": ()})
    await world.until(lambda: world.pull("one"), "its pull request")
    await world.quiet(1.5)
    assert world.ticket("one").state.name == "Code Review"
    await world.waits(world.pull("one"), "still computing")
    await world.asked(epic)
    await world.is_in(epic, "Done")
    assert world.pull("one").merged


async def test_branches_that_must_be_up_to_date_go_one_after_the_other_under_one_approval(world, follows):
    world.github.protect("acme/youlab", "main", Protection(checks=("test",), strict=True))
    await follows(ScriptedCI(world.github, {"test": ["success"]}))
    epic = await world.built({"one": (), "two": (), "three": ()})
    await world.asked(epic)
    await world.is_in(epic, "Done")
    first, second, third = sorted(world.pulls, key=lambda pull: pull.merged_at)
    for before, after in ((first, second), (second, third)):
        assert await world.log("merge-base", before.merge_commit_sha, after.head_sha) == before.merge_commit_sha
    assert sum("**Turns 2 and 3.**" in one for one in world.said(epic)) == 1


async def test_a_person_merges_by_hand_and_the_train_follows(world):
    epic = await world.built({"one": (), "two": (), "three": ("two",)})
    await world.shown(epic)
    await world.on_github("bob").merges(world.pull("two"))
    await world.is_in(world.ticket("two"), "Done")
    await world.until(lambda: world.pull("three").base_ref == "main", "retargeted")
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
    assert in_order(world)[0] == "two"
    assert len(in_order(world)) == 3
    assert await world.log("branch", "--list", "agent/*") == ""


async def test_everything_merged_by_hand_needs_no_approval(world):
    epic = await world.built({"one": (), "two": ("one",)})
    await world.shown(epic)
    await world.on_github("bob").merges(world.pull("one"))
    await world.until(lambda: world.pull("two").base_ref == "main", "retargeted")
    await world.on_github("bob").merges(world.pull("two"), "squash")
    await world.is_in(epic, "Done")
    assert {world.ticket(name).state.name for name in ("one", "two")} == {"Done"}


async def test_two_people_approve_at_once(world):
    epic = await world.built({"one": (), "two": ()})
    await world.shown(epic)
    world.alice.comments(epic, "approve")
    world.bob.comments(epic, "merge")
    await world.is_in(epic, "Done")
    assert sorted(in_order(world)) == ["one", "two"]
    requests = [one for one in world.github.requests if "/merge" in one.operation and one.operation.startswith("PUT")]
    assert len(requests) == 2


@pytest.mark.attack("S-11")
async def test_an_approval_that_is_deleted_before_the_merge_counts_no_more(world, follows):
    world.github.protect("acme/youlab", "main", Protection(checks=("test",), strict=True))
    ci = await follows(ScriptedCI(world.github, {"test": ["success"]}))
    epic = await world.built({"one": (), "two": ()})
    await world.shown(epic)
    ci.jobs = {"test": ["hangs"]}
    said = world.alice.comments(epic, "approve")
    await world.until(lambda: len(in_order(world)) == 1, "the first car")
    world.alice.deletes(said)
    await world.says(epic, "approval was deleted")
    waiting = next(one for one in world.pulls if not one.merged)
    assert world.ticket("two").state.name != "Done"
    ci.jobs = {"test": ["success"]}
    for check in [one for one in repository(world).check_runs if one.name == "test" and one.status != "completed"]:
        await ci.ci.passes(waiting, sha=check.suite.head_sha)
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
    assert waiting.merged


async def test_an_approval_counts_only_once_it_was_taken_back_and_given_again(world):
    epic = await world.built({"one": ()})
    await world.shown(epic)
    await world.theatre.stop()
    said = world.alice.comments(epic, "approve")
    world.alice.edits(said, "merge")
    await world.theatre.start()
    await world.says(epic, "it was edited after it was written")
    assert not world.pull("one").merged
    world.alice.comments(epic, "approve")
    await world.is_in(epic, "Done")


async def test_done_is_said_only_when_the_commit_is_on_the_base_branch_and_nothing_is_left_behind(world):
    epic = await world.built({"one": (), "two": ("one",)})
    await world.asked(epic)
    async with asyncio.timeout(300):
        while epic.state.name != "Done":
            for name in ("one", "two"):
                if world.ticket(name).state.name == "Done":
                    commit = world.pull(name).merge_commit_sha
                    assert await world.log("merge-base", "main", commit) == commit
            await world.quiet(0.05)
    await world.until(lambda: not list(world.theatre.settings.home.glob("repositories/**/.trees/agent/*")), "checkouts")
    refs = (await world.log("for-each-ref", "--format=%(refname)")).split()
    assert [one for one in refs if "agent/" in one] == []
    await world.says(epic, "2")


async def test_auto_merge_is_never_switched_on(world, follows):
    repository(world).auto_merge = True
    world.github.protect("acme/youlab", "main", Protection(checks=("test",)))
    await follows(ScriptedCI(world.github, {"test": ["success"]}, seconds=0.5))
    epic = await world.built({"one": ()})
    await world.asked(epic)
    await world.is_in(epic, "Done")
    assert not any("uto" in one.operation and "erge" in one.operation for one in world.github.requests)


async def test_the_documentation_comes_last_on_a_base_that_contains_all_others(world):
    epic = await world.built({"one": (), "two": ()}, documentation=True)
    last = next(one for one in world.linear.children(epic) if "documentation" in one.title)
    pull = await world.until(lambda: world.pull_of(last), "its pull request")
    files = (await world.log("ls-tree", "-r", "--name-only", pull.head_sha)).split()
    assert {"one.py", "two.py"} <= set(files)
    assert "documented" in pull.body
    await world.asked(epic)
    await world.is_in(epic, "Done")
    assert max(world.pulls, key=lambda one: one.merged_at) is pull
    assert await world.log("show", "main:README.md") == "# Documented"


async def test_documentation_with_nothing_to_change_says_so_and_is_done(world):
    await world.on_github("bob").pushes(repository(world), "main", {"README.md": "# Documented\n"}, "Document")
    epic = await world.built({"one": ()}, documentation=True)
    last = next(one for one in world.linear.children(epic) if "documentation" in one.title)
    await world.says(last, "There was nothing to change")
    await world.asked(epic)
    await world.is_in(epic, "Done")
    assert world.pull_of(last) is None
    assert last.state.name == "Done"
