"""From the label to merged pull requests, over real sockets and real git."""

from bot.engine.pace import Pace
from bot.simulator.post_office import Habits


async def test_an_epic_goes_from_its_label_to_merged_pull_requests(world):
    epic = await world.plays()
    await world.has_merged_all(epic)
    order = [one.title.split(": ")[1] for one in sorted(world.pulls, key=lambda pull: pull.merged_at)]
    assert order.index("Write one.py") < order.index("Write two.py")
    assert order[-1] == "Update the documentation"


async def test_the_same_with_no_webhook_at_all(opens):
    world = await opens(webhooks=False, pace=Pace(tick=0.1, poll=0.1, resync=0.5, sweep=1.0, lag=1.0))
    await world.has_merged_all(await world.plays())


async def test_the_same_with_every_webhook_doubled_and_reordered(opens):
    world = await opens(habits=Habits(double=1.0, delay=0.2, reorder=True))
    await world.has_merged_all(await world.plays())


async def test_a_label_set_while_the_service_was_down_is_found(opens):
    world = await opens(webhooks=False, pace=Pace(tick=0.1, poll=0.1, resync=0.5, sweep=1.0, lag=1.0))
    await world.theatre.stop()
    epic = world.epic()
    world.alice.labels(epic, "orchestrate")
    await world.theatre.start()
    await world.says(epic, "**Turn 1.**")


async def test_a_service_that_is_stopped_in_the_middle_goes_on_where_it_was(world):
    epic = world.epic()
    world.alice.labels(epic, "orchestrate")
    await world.approved(epic)
    await world.until(
        lambda: any(one.state.name == "Plan in Progress" for one in world.linear.children(epic)), "a plan"
    )
    await world.theatre.stop()
    await world.theatre.start()
    await world.approved(epic, "Code Review")
    await world.is_in(epic, "Done")
    await world.has_merged_all(epic)
