"""Stacks: what stands on other work follows it, however that lands; nothing is lost, and no commit is there twice."""

import pytest

STACK = {"one": (), "two": ("one",), "three": ("two",)}


def allow(world, method):
    """The repository takes merges in this way only."""
    repository = world.github.repository("acme/youlab")
    repository.merge_commits, repository.squash_merges, repository.rebase_merges = (
        method == one for one in ("merge", "squash", "rebase")
    )


async def subjects(world, *revisions):
    return (await world.log("log", "--format=%s", *revisions)).splitlines()


async def own(world, name, base):
    """The subjects of the commits with which a branch goes beyond another, merges left out."""
    branch = f"agent/{world.ticket(name).identifier}"
    base = base if base == "main" else f"agent/{world.ticket(base).identifier}"
    return await subjects(world, "--no-merges", "--reverse", f"{base}..{branch}")


async def has_landed(world, *names):
    """Every module is on the base branch, every ticket done, and nothing of the work is left lying about."""
    files = (await world.log("ls-tree", "-r", "--name-only", "main")).split()
    assert {f"{name}.py" for name in names} | {f"test_{name}.py" for name in names} <= set(files)
    assert {world.ticket(name).state.name for name in names} == {"Done"}
    assert all(world.pull(name).merged and world.pull(name).base_ref == "main" for name in names)
    phases = [one for one in await subjects(world, "main") if one.startswith("Phase")]
    assert len(phases) == len(set(phases)), phases
    refs = (await world.log("for-each-ref", "--format=%(refname)")).split()
    assert [one for one in refs if "agent/" in one] == []
    return True


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
async def test_one_approval_lands_a_whole_stack_however_the_repository_merges(world, method):
    allow(world, method)
    epic = await world.built(STACK)
    await world.asked(epic)
    await world.is_in(epic, "Done")
    await has_landed(world, *STACK)
    summaries = [one for one in world.said(epic) if "**Turns 2 and 3.**" in one]
    assert len(summaries) == 1
    merged = sorted(world.pulls, key=lambda pull: pull.merged_at)
    assert [one.title.split("Write ")[1] for one in merged] == ["one.py", "two.py", "three.py"]
    if method == "squash":
        assert len(await subjects(world, "--first-parent", "main")) == 4


async def test_a_blocker_that_a_person_squashes_while_three_branches_stand_on_it(world):
    epic = await world.built({"one": (), "two": ("one",), "three": ("two",), "four": ("one",)})
    await world.shown(epic)
    await world.on_github("bob").merges(world.pull("one"), "squash")
    await world.until(lambda: {world.pull(one).base_ref for one in ("two", "four")} == {"main"}, "retargeted")
    await world.until(lambda: world.ticket("one").state.name == "Done", "the blocker done")
    assert await own(world, "two", "main") == ["Phase 1: two", "Phase 2: two"]
    assert await own(world, "four", "main") == ["Phase 1: four", "Phase 2: four"]
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
    await has_landed(world, "one", "two", "three", "four")


async def test_two_blockers_are_merged_into_a_base_that_goes_when_both_landed(world):
    epic = await world.built({"one": (), "two": (), "three": ("one", "two")})
    await world.until(lambda: world.pull("three"), "its pull request")
    assert world.pull("three").base_ref == f"agent/{world.ticket('three').identifier}-base"
    await world.asked(epic)
    await world.is_in(epic, "Done")
    await has_landed(world, "one", "two", "three")


async def test_what_a_worker_changes_below_reaches_what_stands_upon_it(world):
    epic = await world.built(STACK)
    await world.shown(epic)
    await world.on_github("bob").remarks(world.pull("one"), "one.py", 1, "Please say more")
    await world.until(lambda: world.pull("one").threads[0].resolved_by, "answered")
    await world.asked(epic, 2)
    head = world.pull("one").head_sha
    assert await world.log("merge-base", head, world.pull("three").head_sha) == head
    await world.is_in(epic, "Done")
    await has_landed(world, *STACK)
    assert "noted" in await world.log("show", "main:one.py")


async def test_a_real_conflict_goes_to_a_worker_and_neither_side_loses_anything(world):
    epic = await world.built({"one": (), "two": ()}, files={"one": {"list.txt": "ours\n"}})
    repository = world.github.repository("acme/youlab")
    await world.shown(epic)
    await world.on_github("bob").pushes(repository, "main", {"list.txt": "theirs\n", "new.txt": "new\n"}, "List")
    await world.until(lambda: len(world.prompts(world.ticket("one"), "fix")) == 1, "a worker resolves it")
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
    await has_landed(world, "one", "two")
    assert sorted((await world.log("show", "main:list.txt")).split()) == ["ours", "theirs"]
    assert await world.log("show", "main:new.txt") == "new"
    assert len(world.prompts(world.ticket("one"), "fix")) == 1
    assert world.prompts(world.ticket("two")) == []


async def test_work_goes_on_when_the_key_of_the_team_is_changed_in_its_midst(world):
    """Linear calls every ticket otherwise then; the branches that are there stay, and what comes stands on them."""
    epic = await world.built({"one": (), "two": ("one",)}, documentation=True)
    for one in world.linear.issues():
        one.previous_identifiers.append(one.identifier)
    world.linear.team("YOU").key = "LAB"
    policy = world.theatre.settings.config
    policy.write_text(policy.read_text().replace('teams = ["YOU"]', 'teams = ["LAB"]'))
    await world.asked(epic)
    await world.is_in(epic, "Done")
    assert epic.identifier.startswith("LAB-")
    first, second, documentation = (one.head_ref.rpartition("/")[2] for one in world.pulls)
    assert (first[:4], second[:4], documentation[:4]) == ("YOU-", "YOU-", "LAB-")
    assert all(one.merged and one.base_ref == "main" for one in world.pulls)
    assert await world.log("branch", "--list", "agent/*") == ""
