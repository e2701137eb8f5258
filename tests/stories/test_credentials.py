"""Who tries the service with keys of theirs gives it accounts of its own later: what it said as a person stays said."""

from typing import Any

from bot.config import read_settings
from bot.linear.marker import marker_of
from bot.simulator.theatre import REPOSITORY


async def restarts(world: Any, **environment: str) -> None:
    """The service is stopped, and started with other credentials."""
    theatre = world.theatre
    await theatre.stop()
    own = ("LINEAR_CLIENT_", "GITHUB_APP_")
    told = {name: value for name, value in theatre.environment.items() if not name.startswith(own)}
    theatre.settings = read_settings(told | environment if environment else theatre.environment)
    await theatre.start()


async def test_what_began_with_keys_of_a_person_goes_on_with_accounts_of_its_own(opens):
    world = await opens()
    world.linear.credentials.keys["lin_api_bob"] = world.linear.user("bob")
    world.github.grant(REPOSITORY, "bob", "admin")
    await restarts(world, LINEAR_API_KEY="lin_api_bob", GITHUB_TOKEN=world.github.token_for("bob"))
    epic = world.epic()
    world.alice.labels(epic, "orchestrate")
    await world.is_in(epic, "Plan in Review")
    await world.until(lambda: any("**Turn 1.**" in one.body for one in world.linear.comments(epic)), "turn 1")
    world.alice.comments(epic, "approve")
    await world.until(lambda: world.pulls, "a pull request")
    await restarts(world)
    await world.approved(epic, "Code Review")
    await world.is_in(epic, "Done")
    markers = [(one.user.name, marker_of(one.body)) for one in world.linear.comments(epic)]
    assert [who for who, marker in markers if marker and marker.topic == "panel"] == ["Bob", "Callboard"]
    assert {pull.author.login for pull in world.pulls} == {"bob", "callboard[bot]"}
