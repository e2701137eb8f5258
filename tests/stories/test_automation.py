"""The whole way while Linear's GitHub integration moves tickets by itself: the same end, nobody taken for a person."""

import asyncio
from datetime import timedelta
from typing import Any

from bot.simulator.linear import GitHubIntegration, connect_github
from bot.simulator.linear.github import PATH
from bot.simulator.linear.issues import update_issue

DEFAULTS = (("start", "In Progress"), ("review", "In Review"), ("merge", "Done"))
"""What Linear's integration does with an issue unless somebody changes it."""


def automate(world: Any) -> None:
    """Linear's integration is an App on GitHub like any other, and hears what happens there by webhook."""
    for event, state in DEFAULTS:
        world.linear.automate(world.linear.team("YOU"), event, state)
    world.linear.knobs.folded = timedelta()  # a story is over before an issue of Linear's has a history
    connect_github(world.linear, "between the two")
    world.github.app("linear", webhook_url=f"{world.theatre.linear_url}{PATH}", webhook_secret="between the two")


def moves(issue: Any) -> list[tuple[str, str, str]]:
    """From, to, and who: everything that moved an issue, oldest first."""
    return [
        (one.from_state.name, one.to_state.name, one.actor.display_name if one.actor else one.bot_actor.type)
        for one in issue.history
        if one.to_state
    ]


async def tidied(world: Any) -> None:
    """The branches go after the epic is done."""
    async with asyncio.timeout(20):
        while await world.log("branch", "--list", "agent/*"):
            await asyncio.sleep(0.1)


async def test_the_same_end_with_the_automation_switched_on_and_each_move_put_right_once(opens):
    world = await opens()
    automate(world)
    epic = await world.plays()
    await tidied(world)
    await world.has_merged_all(epic)
    for ticket in world.linear.children(epic):
        made = moves(ticket)
        by_github = [move[:2] for move in made if move[2] == "github"]
        assert by_github[0][1] == "In Progress", made
        assert len(by_github) == len(set(by_github)), made
        assert [who for before, _, who in made if before == "In Progress"] == ["callboard"], made
        assert {who for _, _, who in made} == {"callboard", "github"}
        assert not [text for text in world.said(ticket) if "not followed" in text or "keeps moving" in text]
        assert made[-1][1] == "Done"


async def test_automation_that_does_it_again_is_not_fought_and_work_goes_on(opens):
    world = await opens()
    world.linear.knobs.folded = timedelta()
    github = connect_github(world.linear, "between the two")
    epic = world.epic()
    world.alice.labels(epic, "orchestrate")
    await world.approved(epic)
    await world.until(lambda: len(world.linear.children(epic)) == 4, "the tickets")
    ticket = next(one for one in world.linear.children(epic) if one.title == "Write three.py")
    await world.is_in(ticket, "Research in Progress")
    drags(github, ticket, "In Review")
    await world.until(lambda: ticket.state.name != "In Review", "it is put right")
    stage = ticket.state.name
    drags(github, ticket, "In Review")
    later = ("Plan in Progress", "Ready for Dev", "In Dev", "Code Review", "Ready to Merge")
    await world.until(lambda: ticket.state.name in later, "work goes on")
    by_us = [move[:2] for move in moves(ticket) if move[2] == "callboard"]
    assert by_us.count(("In Review", stage)) == 1, by_us


def drags(github: GitHubIntegration, issue: Any, state: str) -> None:
    """Something happens on GitHub that moves an issue, whatever stage it is in."""
    update_issue(github.world, github.actor, issue, {"state_id": github.world.state(state).id})
