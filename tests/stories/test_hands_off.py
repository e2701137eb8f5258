"""Hands off: what a person did to a branch of ours stays there, is built upon, and is merged only when approved."""


def repository(world):
    return world.github.repository("acme/youlab")


def branch(world, name):
    return f"agent/{world.ticket(name).identifier}"


async def holds(world, commit, revision):
    return await world.log("merge-base", commit, revision) == commit


async def test_a_person_s_commit_is_built_upon_and_needs_a_new_approval(world):
    bob = world.on_github("bob")
    epic = await world.built({"one": ()})
    await world.shown(epic)
    pushed = await bob.pushes(repository(world), branch(world, "one"), {"bob.txt": "bob\n"}, "By bob")
    await world.shown(epic, 2)
    await bob.remarks(world.pull("one"), "one.py", 1, "Please say more")
    await world.until(lambda: world.prompts(world.ticket("one"), "feedback"), "a worker")
    await world.until(lambda: world.pull("one").head_sha != pushed, "its commit")
    assert await holds(world, pushed, branch(world, "one"))
    await world.asked(epic, 3)
    await world.is_in(epic, "Done")
    assert await holds(world, pushed, "main")


async def test_a_force_push_of_a_person_stands_and_needs_a_new_approval(world):
    bob = world.on_github("bob")
    epic = await world.built({"one": ()})
    await world.shown(epic)
    old = world.pull("one").head_sha
    forced = await bob.force_pushes(repository(world), branch(world, "one"), {"one.py": "NAME = 'bob'\n"}, "Mine")
    await world.shown(epic, 2)
    assert await world.log("rev-parse", branch(world, "one")) == forced
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
    assert await holds(world, forced, "main")
    assert not await holds(world, old, "main")
    assert "test_one.py" not in await world.log("ls-tree", "--name-only", "main")


async def test_a_branch_with_a_person_s_commit_is_merged_with_its_new_base_and_never_rewritten(world):
    bob = world.on_github("bob")
    epic = await world.built({"one": (), "two": ("one",)})
    await world.shown(epic)
    pushed = await bob.pushes(repository(world), branch(world, "two"), {"bob.txt": "bob\n"}, "By bob")
    await world.shown(epic, 2)
    await bob.merges(world.pull("one"), "squash")
    await world.until(lambda: world.pull("two").base_ref == "main", "retargeted")
    assert await holds(world, pushed, branch(world, "two"))
    await world.asked(epic, 3)
    await world.is_in(epic, "Done")
    assert await holds(world, pushed, "main")
    files = (await world.log("ls-tree", "-r", "--name-only", "main")).split()
    assert {"one.py", "two.py", "test_one.py", "test_two.py", "bob.txt"} <= set(files)


async def test_a_push_while_a_worker_is_at_it_is_kept_and_the_work_is_done_upon_it(world):
    bob = world.on_github("bob")
    epic = await world.built({"one": ()})
    await world.shown(epic)
    pushed = []

    async def push():
        pushed.append(await bob.pushes(repository(world), branch(world, "one"), {"bob.txt": "bob\n"}, "By bob"))

    world.github.meanwhile("git receive-pack acme/youlab", push)
    await bob.remarks(world.pull("one"), "one.py", 1, "Please say more")
    await world.until(lambda: pushed, "bob was quicker")
    await world.until(lambda: world.pull("one").threads[0].resolved_by, "answered")
    assert await holds(world, pushed[0], branch(world, "one"))
    assert "noted" in await world.log("show", f"{branch(world, 'one')}:one.py")
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
    assert await holds(world, pushed[0], "main")


async def test_a_ticket_that_a_person_deletes_is_given_up_and_keeps_nothing_waiting(world):
    epic = await world.built({"one": (), "two": ()})
    await world.shown(epic)
    world.alice.deletes_issue(world.ticket("one"))
    await world.until(lambda: not world.pull("one").open, "its pull request is closed")
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
    assert "two.py" in await world.log("ls-tree", "--name-only", "main")
    assert "one.py" not in await world.log("ls-tree", "--name-only", "main")


async def test_a_ticket_that_is_taken_out_of_its_epic_is_left_to_people_and_goes_on_when_it_is_back(world):
    epic = await world.built({"one": (), "two": ()})
    await world.shown(epic)
    one, pull = world.ticket("one"), world.pull("one")
    head = pull.head_sha
    world.alice.reparents(one, None)
    assert f"#{pull.number}" in await world.says(one, f"no ticket of {epic.identifier} any more")
    await world.shown(epic, 2)
    assert (pull.open, pull.head_sha, one.state.name) == (True, head, "Ready to Merge")
    world.alice.reparents(one, epic)
    await world.asked(epic, 3)
    await world.is_in(epic, "Done")
    assert all(world.pull(name).merged for name in ("one", "two"))
    assert len(world.pulls) == 2
    assert sum("any more" in body for body in world.said(one)) == 1


async def test_a_ticket_that_is_taken_out_of_its_epic_and_called_alone_goes_on_where_it_stands(world):
    epic = await world.built({"one": (), "two": ()})
    await world.shown(epic)
    one = world.ticket("one")
    world.alice.reparents(one, None)
    await world.says(one, "label it `worker`")
    world.alice.labels(one, "worker")
    await world.approved(one, "Ready to Merge")
    await world.is_in(one, "Done")
    assert world.pull("one").merged
    assert len([pull for pull in world.pulls if pull.head_ref == world.pull("one").head_ref]) == 1
