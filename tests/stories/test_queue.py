"""GitHub's merge queue: it merges, at the head that was approved; what it puts out waits for a person."""

import pytest

from bot.simulator.github import Protection, QueueRule, ScriptedCI

SECOND = 1.1
"""GitHub tells whole seconds: an approval in the very second of a removal doesn't take it back."""


async def queued(world, follows, fails=()):
    """The base branch takes merges through its queue only; groups with the files of `fails` are red there."""
    world.github.protect("acme/youlab", "main", Protection(checks=("test",), queue=QueueRule()))
    world.fails = set(fails)

    def ends(trial):
        if trial.pull is not None or not world.fails:
            return "success"
        tried = [entry.pull for entry in trial.repository.queue if entry.group == trial.sha]
        return "failure" if any(f"Write {name}.py" in one.title for one in tried for name in world.fails) else "success"

    return await follows(ScriptedCI(world.github, {"test": ends}))


async def test_what_is_approved_goes_through_the_queue(world, follows):
    await queued(world, follows)
    epic = await world.built({"one": (), "two": ("one",)})
    await world.shown(epic)
    heads = {name: world.pull(name).head_sha for name in ("one", "two")}
    await world.asked(epic)
    await world.is_in(epic, "Done")
    assert all(pull.merged and pull.merged_by.login == "github-merge-queue[bot]" for pull in world.pulls)
    assert world.pull("one").head_sha == heads["one"]
    assert [one.reason for one in world.pull("one").removals] == ["MERGE"]
    assert not any(one.operation.startswith("PUT") and "/merge" in one.operation for one in world.github.requests)
    assert {world.ticket(name).state.name for name in ("one", "two")} == {"Done"}


async def test_what_the_queue_puts_out_is_put_aside_and_the_rest_goes_on_until_it_is_approved_again(world, follows):
    await queued(world, follows, fails=("one",))
    epic = await world.built({"one": (), "two": (), "three": ("one",)})
    await world.asked(epic)
    await world.until(lambda: world.pull("two").merged, "the independent one")
    await world.shown(epic, 2)
    assert not world.pull("one").merged
    assert not world.pull("three").merged
    assert "merge queue put pull request" in world.said(epic)[-1]
    await world.quiet(SECOND)
    assert len(world.pull("one").removals) == 1
    world.fails.clear()
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
    assert all(pull.merged for pull in world.pulls)


@pytest.mark.parametrize("who", ["by hand", "by a push"])
async def test_what_a_person_takes_out_of_the_queue_stays_out(world, follows, who):
    ci = await queued(world, follows)
    ci.jobs = {"test": lambda trial: "hangs" if trial.pull is None else "success"}
    bob = world.on_github("bob")
    epic = await world.built({"one": ()})
    await world.asked(epic)
    await world.until(lambda: world.pull("one").queued, "in the queue")
    if who == "by hand":
        await bob.dequeues(world.pull("one"))
    else:
        branch = world.pull("one").head_ref
        await bob.pushes(world.github.repository("acme/youlab"), branch, {"more.txt": "more\n"}, "More")
    await world.shown(epic, 2)
    await world.quiet(SECOND)
    assert world.pull("one").queued is None
    ci.jobs = {"test": ["success"]}
    await world.asked(epic, 2)
    await world.is_in(epic, "Done")
