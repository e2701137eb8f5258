"""The account that the service acts as on Linear: a person's, whose key it has, or that of an application."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.linear.client import ApiKey, LinearClient
from bot.linear.ensure import Writes
from bot.linear.marker import without_marker
from bot.linear.observe import Observer
from bot.machine.errors import Refused
from bot.machine.facts import Issue
from bot.machine.stages import STATES, Stage

KEY = "the service's key"
STATE_NAMES = {stage: state.name for stage, state in STATES.items()}


class AsAlice:
    """The service when it was given alice's key."""

    def __init__(self, office: Any, client: LinearClient) -> None:
        self.office, self.client = office, client
        self.observer = Observer(client, states=lambda: STATE_NAMES, keys=[KEY])

    async def says(self, issue: Any, topic: str, text: str) -> Issue:
        """The service says something; returns the issue as it sees it then."""
        seen = (await self.observer.observe_epic(issue.id)).epic
        writes = Writes(self.client, self.office.directory, states=STATE_NAMES, key=KEY)
        writes.comment(seen, topic, text)
        await writes.send()
        return (await self.observer.observe_epic(issue.id)).epic


@pytest.fixture
async def before(office: Any) -> AsyncIterator[AsAlice]:
    async with LinearClient(ApiKey("lin_api_alice"), office.client.url) as client:
        yield AsAlice(office, client)


async def says(office: Any, issue: Any, topic: str, text: str) -> list[str]:
    """The service says something as an application; returns all comments of the issue, as people read them."""
    writes = office.writes()
    writes.comment((await office.observer.observe_epic(issue.id)).epic, topic, text)
    assert (await writes.send()).refused == {}
    return [without_marker(one.body) for one in office.world.comments(issue)]


async def test_a_personal_key_does_not_make_its_owner_us(office: Any, before: AsAlice) -> None:
    """With a personal key the service is alice; what alice types herself stays her own word."""
    issue = office.person("alice").creates("YOU", "Epic")
    office.person("alice").comments(issue, "approve")
    by_alice, by_us = (await before.says(issue, "panel", "text")).comments
    assert by_alice.author is not None
    assert by_us.author is not None
    assert by_alice.author.id == by_us.author.id
    assert (by_alice.author.person, by_alice.ours) == (True, False)
    assert (by_us.author.person, by_us.ours) == (False, True)


async def test_what_was_said_with_another_account_is_said_anew_when_it_changes(office: Any, before: AsAlice) -> None:
    """Linear lets nobody else edit a comment: each round of every epic that was under way would fail for ever."""
    issue = office.person("alice").creates("YOU", "Epic")
    await before.says(issue, "panel", "one")
    assert await says(office, issue, "panel", "one") == ["one"]
    assert await says(office, issue, "panel", "two") == ["one", "two"]
    assert await says(office, issue, "panel", "three") == ["one", "three"]
    assert await says(office, issue, "panel", "three") == ["one", "three"]
    seen = (await office.observer.observe_epic(issue.id)).epic.comments
    assert [(one.ours, one.topic, one.editable) for one in seen] == [(True, "panel", False), (True, "panel", True)]
    again = await before.says(issue, "panel", "four")
    assert [without_marker(one.body) for one in again.comments] == ["one", "three", "four"]


async def test_what_linear_does_not_let_us_do_holds_up_no_other_issue(office: Any, before: AsAlice) -> None:
    first, second = (office.person("alice").creates("YOU", title) for title in ("One", "Two"))
    said = await before.says(first, "panel", "one")
    strange = replace(said, comments=tuple(replace(one, editable=True) for one in said.comments))
    writes = office.writes()
    writes.comment(strange, "panel", "two")
    writes.label(strange, add=["paused"])
    writes.move((await office.observer.observe_epic(second.id)).epic, Stage.DEV)
    refused = (await writes.send()).refused
    assert refused == {f"panel of {first.id}": "Linear: You do not have access to this data."}
    assert second.state.name == STATE_NAMES[Stage.DEV]
    assert first.label_names == ["paused"]


async def test_a_single_thing_that_we_may_not_do_is_told_as_its_issues_reason(office: Any, before: AsAlice) -> None:
    """It is all that the round has to write: that says nothing about our credentials."""
    issue = office.person("alice").creates("YOU", "Epic")
    said = await before.says(issue, "panel", "one")
    writes = office.writes()
    writes.comment(replace(said, comments=tuple(replace(one, editable=True) for one in said.comments)), "panel", "two")
    assert (await writes.send()).refused == {f"panel of {issue.id}": "Linear: You do not have access to this data."}


async def test_when_we_may_do_nothing_at_all_our_credentials_are_at_fault(office: Any, before: AsAlice) -> None:
    first, second = (office.person("alice").creates("YOU", title) for title in ("One", "Two"))
    writes = office.writes()
    for issue in (first, second):
        said = await before.says(issue, "panel", "one")
        writes.comment(
            replace(said, comments=tuple(replace(one, editable=True) for one in said.comments)), "panel", "two"
        )
    office.forgets()
    with pytest.raises(Refused, match="do not have access"):
        await writes.send()
    assert len([one for one in office.asked if "commentUpdate" in one]) == 2
