"""The implementation loop as people in Linear see it: receipts, questions, what is blocked and how it goes on."""

import shutil
import sys
from pathlib import Path

import pytest

from bot.simulator.theatre import POLICY

AGENT = Path(__file__).with_name("phase_agent.py")


@pytest.fixture
async def begins(opens):
    """A lone ticket with this title, worked on by the agent of these stories."""

    async def begin(title, **settings):
        python = Path(sys.base_prefix) / "bin" / "python3"
        policy = POLICY.replace("checks_appear_seconds = 5", "checks_appear_seconds = 0.3") + (
            f'[agent]\nruntime = "command"\ncommand = ["{python}", "{AGENT}"]\n'
            f'[sandbox]\nread_only = ["{AGENT}"]\n[limits]\nmax_retries = 1\n'
        )
        world = await opens(policy=policy, **settings)
        ticket = world.alice.creates("YOU", title, "Keep and show it.")
        world.alice.labels(ticket, "worker")
        return world, ticket

    return begin


async def commits(world, ticket):
    listed = await world.log("log", "--reverse", "--format=%s", f"main..agent/{ticket.identifier}")
    return [line for line in listed.splitlines() if line.startswith("Phase")]


async def test_a_ticket_gets_its_receipt_before_its_review_and_one_commit_per_phase(begins):
    world, ticket = await begins("Store and show")
    await world.is_in(ticket, "Ready to Merge")
    receipt = await world.says(ticket, "**Verification**")
    assert "`test -f store.py`" in receipt
    assert "exit code 0" in receipt
    assert await commits(world, ticket) == ["Phase 1: Store it", "Phase 2: Show it"]
    body = world.pulls[0].body
    assert "`test -f show.py`" in body
    assert "Show it: It looks right" in body
    refs = await world.log("for-each-ref", "--format=%(refname)", "refs/callboard")
    assert refs == f"refs/callboard/unfinished/agent/{ticket.identifier}"


async def test_a_question_is_a_comment_and_the_next_comment_is_its_answer(begins):
    world, ticket = await begins("Store what asks")
    question = await world.says(ticket, "Which database?")
    assert "1. SQLite" in question
    assert "needs input" in ticket.label_names
    assert await commits(world, ticket) == []
    world.alice.comments(ticket, "SQLite, please")
    await world.is_in(ticket, "Ready to Merge")
    assert "needs input" not in ticket.label_names
    assert len(await commits(world, ticket)) == 2


async def test_what_is_blocked_says_what_was_tried_and_goes_on_from_there(begins):
    world, ticket = await begins("Show what breaks")
    blocked = await world.says(ticket, "**Blocked**")
    assert "phase 2 of 2: Show it" in blocked
    assert "after 2 attempts" in blocked
    assert "grep -q broken show.py" in blocked
    assert "blocked" in ticket.label_names
    assert await commits(world, ticket) == ["Phase 1: Store it"]
    world.alice.comments(ticket, "Please write it anew.")
    await world.is_in(ticket, "Ready to Merge")
    assert await commits(world, ticket) == ["Phase 1: Store it", "Phase 2: Show it"]
    assert "blocked" not in ticket.label_names


async def test_a_wish_after_the_work_is_one_more_commit_on_the_same_pull_request(begins):
    world, ticket = await begins("Store and show")
    await world.is_in(ticket, "Ready to Merge")
    world.alice.comments(ticket, "Add a wish, too.")
    await world.is_in(ticket, "In Dev")
    await world.is_in(ticket, "Ready to Merge")
    assert "wish.py" in await world.log("ls-tree", "-r", "--name-only", f"agent/{ticket.identifier}")
    assert len(world.pulls) == 1
    assert len(await commits(world, ticket)) == 2


async def test_deleting_everything_of_the_service_in_the_middle_of_a_plan_loses_nothing(begins):
    world, ticket = await begins("Show what breaks", database_url=None)
    await world.says(ticket, "**Blocked**")
    await world.theatre.stop()
    shutil.rmtree(world.theatre.settings.home / "repositories")
    shutil.rmtree(world.theatre.settings.home / "database")
    shutil.rmtree(world.theatre.settings.home / "runs")
    await world.theatre.start()
    world.alice.comments(ticket, "Please write it anew.")
    await world.is_in(ticket, "Ready to Merge")
    assert await commits(world, ticket) == ["Phase 1: Store it", "Phase 2: Show it"]
