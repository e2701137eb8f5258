"""Single tickets, people who change their minds, and services that fail before and after they did what was asked."""

import asyncio

from bot.engine.pace import Pace
from bot.simulator.faults import Fault, When
from bot.simulator.post_office import Habits


async def test_a_single_ticket_labelled_worker_runs_alone(world):
    ticket = world.epic("A module with a name.", title="Write alone.py")
    world.alice.labels(ticket, "worker")
    await world.is_in(ticket, "Ready to Merge")
    await world.says(ticket, "**Turns 2 and 3.**")
    assert len(world.linear.issues()) == 1
    world.bob.comments(ticket, "lgtm")
    await world.says(ticket, "no looser word does")
    world.bob.comments(ticket, "merge")
    await world.is_in(ticket, "Done")
    assert "alone.py" in await world.log("ls-tree", "--name-only", "main")


async def test_cancel_stops_the_workers_and_closes_what_is_open(world):
    runs = world.theatre.service.engine.runs
    epic = world.epic()
    world.alice.labels(epic, "orchestrate")
    await world.approved(epic)
    await world.until(lambda: world.pulls, "a pull request")
    world.alice.comments(epic, "cancel")
    await world.is_in(epic, "Canceled")
    await world.until(lambda: all(one.state.name == "Canceled" for one in world.linear.children(epic)), "all canceled")
    await world.until(lambda: all(one.state == "closed" for one in world.pulls), "pull requests closed")
    async with asyncio.timeout(300):
        while not {one.state for one in await runs(f"epic:{epic.id}")} <= {"finished", "canceled"}:
            await world.quiet(0.1)


async def test_moving_a_ticket_back_by_hand_runs_that_stage_again(world):
    ticket = world.epic("A module with a name.", title="Write again.py")
    world.alice.labels(ticket, "worker")
    await world.is_in(ticket, "Ready to Merge")
    world.alice.comments(ticket, "Mind the edge cases")
    await world.until(lambda: ticket.state.name != "Ready to Merge", "work begins again")
    await world.is_in(ticket, "Ready to Merge")
    prompts = [path.read_text() for path in (world.theatre.settings.home / "runs").rglob("prompt.md")]
    assert sum("Mind the edge cases" in prompt for prompt in prompts) == 1


async def test_the_whole_way_through_failing_services(opens):
    hurried = Pace(tick=0.1, poll=0.1, resync=2.0, sweep=1.0, first_retry=0.05, last_retry=0.5, tries=50, lag=1.0)
    world = await opens(habits=Habits(drop=0.3, double=0.3, delay=0.1), pace=hurried)
    for operation in ("issueCreate", "commentCreate", "issueUpdate", "attachmentCreate", "query issue"):
        world.linear.faults.plant(Fault(500, When.BEFORE, body="oops"), match=operation)
        world.linear.faults.plant(Fault(502, When.AFTER, body="<html>"), match=operation, times=2)
        world.linear.faults.plant(Fault(0, When.AFTER), match=operation)
    for operation in ("POST /repos/acme/youlab/pulls", "/merge", "graphql", "git receive-pack", "DELETE /repos"):
        world.github.faults.plant(Fault(502, When.BEFORE, body="<html>"), match=operation)
        world.github.faults.plant(Fault(502, When.AFTER, body="<html>"), match=operation)
        world.github.faults.plant(Fault(0, When.AFTER), match=operation)
    epic = await world.plays()
    await world.has_merged_all(epic)
    assert len(world.linear.faults.happened) >= 15
    assert len(world.github.faults.happened) >= 10


async def test_a_single_ticket_remains_one_while_its_label_is_gone(world):
    """It was taken for an epic then: nobody saw to its pull request."""
    ticket, pull = await world.stands("Write dropped.py")
    world.alice.unlabels(ticket, "worker")
    world.alice.comments(ticket, "cancel")
    await world.is_in(ticket, "Canceled")
    await world.until(lambda: pull.state == "closed", "its pull request is closed")
