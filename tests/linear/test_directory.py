"""Teams by their keys: read once in a while, and whenever the policy names others."""

from typing import Any

import pytest

from bot.linear.directory import Directory
from bot.machine.errors import UserError


async def test_a_team_whose_key_was_changed_is_found_when_the_policy_names_it(office: Any) -> None:
    """The service told people to correct the policy, and had to be started again before that helped."""
    keys = ["YOU"]
    directory = Directory(office.client, lambda: keys)
    assert (await directory.team("YOU")).name == "YouLab"
    office.world.team("YOU").key = "LAB"
    keys[:] = ["LAB"]
    assert [one.key for one in await directory.teams()] == ["LAB"]


async def test_that_one_team_is_gone_is_nothing_to_the_others(office: Any) -> None:
    directory = Directory(office.client, lambda: ["YOU", "GONE"])
    assert (await directory.team("YOU")).key == "YOU"
    assert set((await directory.memberships()).values()) == {("YOU",)}
    for asked in (directory.teams(), directory.team("GONE")):
        with pytest.raises(UserError, match="no team GONE that the service can see: correct `teams`"):
            await asked
