"""Killed at every side effect, before it, after the other side applied it, and after it was noted: the same end.

Each story is short and brings the service to some of its verbs (`bot/simulator/crash/points.py` says which). It is
played once without a death, and that is how it must end with one, whether database and data folder are kept or lost.
`make crash` plays all of them; the suite plays a sample.
"""

import os

import pytest

from bot.simulator.crash import POINTS
from bot.simulator.github import Protection, QueueRule, ScriptedCI

SAMPLE = {
    "begun/git.push/applied/lost",
    "work/agent.run/applied/kept",
    "built/github.merge/applied/lost",
    "built/github.ensure_pull/applied/kept",
    "built/linear.comment-2/applied/lost",
    "stack/git.push/applied/kept",
}
PLAN = """## Phase 1: Write it
Write the module.
### Success Criteria
#### Automated Verification:
- [ ] Tests pass: `python3 -m unittest`
"""
WANTED = os.environ.get("CALLBOARD_CRASH", "sample")
"""A point, or all below a story or a verb of it (`review`, `review/git.push`); `all`; or the sample of the suite."""
NAMES = {"all": {""}, "sample": SAMPLE}.get(WANTED, {WANTED})
CHOSEN = [point for point in POINTS if any(f"{point.name}/".startswith(f"{one}/".lstrip("/")) for one in NAMES)]
if not CHOSEN or len(CHOSEN) < len(NAMES):
    raise pytest.UsageError(f"there is no such crash point: {', '.join(sorted(NAMES))}")


def repository(world):
    return world.github.repository("acme/youlab")


async def alone(world, _follows):
    """A ticket from its label to its merge."""
    ticket = world.epic("A module with a name.", title="Write alone.py")
    world.alice.labels(ticket, "worker")
    await world.says(ticket, "**Turns 2 and 3.**")
    world.alice.comments(ticket, "merge")
    await world.is_in(ticket, "Done")


async def begun(world, _follows):
    """A ticket from its label until a person is to read its plan."""
    world.obeys(gates='plan = "person"')
    ticket = world.epic("A module with a name.", title="Write begun.py")
    world.alice.labels(ticket, "worker")
    await world.is_in(ticket, "Plan in Review")
    await world.says(ticket, "`approve`")


async def work(world, _follows):
    """A ticket whose plan is accepted, through the loop to the pull request that waits for its merge."""
    ticket = await world.planned("Write work.py", PLAN)
    await world.says(ticket, "**Turns 2 and 3.**")


async def built(world, _follows):
    """An epic whose work is done, from its pull request to its merge."""
    epic = await world.built({"one": ()})
    await world.asked(epic)
    await world.is_in(epic, "Done")


async def epic(world, _follows):
    """An epic is broken down, the breakdown is changed on a wish, and its tickets are made; more is not to happen."""
    epic = world.epic()
    world.alice.labels(epic, "orchestrate")
    await world.says(epic, "**Turn 1.**")
    world.alice.comments(epic, "Write them well")
    await world.until(lambda: sum("**Turn 1.**" in one for one in world.said(epic)) == 2, "turn 1 again")
    await world.is_in(epic, "Plan in Review")
    world.alice.comments(epic, "pause")
    await world.until(lambda: "paused" in epic.label_names, "paused")
    world.alice.comments(epic, "approve")
    await world.until(lambda: len(world.linear.issues()) == 5, "the tickets")


async def talk(world, _follows):
    """What people say about a ticket that waits, and the labels that come and go."""
    ticket, _ = await world.stands("Write talk.py")
    await world.says(ticket, "**Turns 2 and 3.**")
    world.alice.comments(ticket, "pause")
    await world.until(lambda: "paused" in ticket.label_names, "paused")
    world.alice.comments(ticket, "help")
    world.alice.comments(ticket, "resume")
    await world.until(lambda: "paused" not in ticket.label_names, "resumed")


async def stack(world, _follows):
    """Two branches, one upon the other, that land by squashing: the upper one is rebased and retargeted."""
    place = repository(world)
    place.merge_commits, place.squash_merges, place.rebase_merges = False, True, False
    epic = await world.built({"one": (), "two": ("one",)})
    await world.asked(epic)
    await world.is_in(epic, "Done")


async def base(world, _follows):
    """A ticket upon two others: its base is made of both."""
    epic = await world.built({"one": (), "two": ()}, documentation=True)
    await world.asked(epic)
    await world.is_in(epic, "Done")


async def queue(world, follows):
    """Through the merge queue, once taken out of it by a pause."""
    world.github.protect("acme/youlab", "main", Protection(checks=("test",), queue=QueueRule()))
    jobs = {"test": lambda trial: "hangs" if trial.pull is None and not world.goes else "success"}
    world.goes = False
    await follows(ScriptedCI(world.github, jobs))
    epic = await world.built({"one": ()})
    await world.asked(epic)
    await world.until(lambda: world.pull("one").queued, "in the queue")
    world.alice.comments(epic, "pause")
    await world.until(lambda: not world.pull("one").queued, "out of the queue")
    await world.says(epic, "Paused")


async def checks(world, follows):
    """A flaky check runs once more."""
    await follows(ScriptedCI(world.github, {"test": ["failure", "success"]}))
    await world.stands("Write flaky.py")


async def review(world, _follows):
    """A review with a remark on a line is worked in and answered."""
    ticket, pull = await world.stands("Write feed.py")
    await world.says(ticket, "**Turns 2 and 3.**")
    bob = world.on_github("bob")
    await bob.reviews(pull, "request changes", "One small thing.", comments=[("feed.py", 1, "Call it FEED")])
    await world.until(lambda: bob.user in pull.requested and pull.threads[0].resolved_by, "bob is asked again")
    await world.waits(pull, "bob asked for changes")


async def cancel(world, _follows):
    """Given up with an open pull request."""
    epic = await world.built({"one": ()})
    await world.shown(epic)
    world.alice.comments(epic, "cancel")
    await world.until(lambda: world.pull("one").state == "closed", "closed")


async def stop(world, _follows):
    """A worker that would never end is stopped."""
    ticket = world.epic("A module with a name.", title="Write nothing, hang")
    world.alice.labels(ticket, "worker")
    await world.is_in(ticket, "Research in Progress")
    world.alice.comments(ticket, "stop")
    await world.until(lambda: "paused" in ticket.label_names, "paused")
    await world.says(ticket, "Stopped")


STORIES = {
    one.__name__: one
    for one in (alone, begun, work, built, epic, talk, stack, base, queue, checks, review, cancel, stop)
}


@pytest.mark.parametrize("point", CHOSEN, ids=lambda point: point.name)
async def test_killed_here_the_story_goes_on_to_the_same_end(plays, reference, point):
    story = STORIES[point.story]
    wanted = await reference(point.story, story)
    played = await plays(story, point, wanted.ending)
    for kind, times in played.runs.items():
        assert times <= wanted.runs.get(kind, 0) + 1, f"{kind} ran {times} times"
