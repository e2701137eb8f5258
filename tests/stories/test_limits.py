"""Limits as people meet them: the account's usage limit pauses everything once, and an echo gets nowhere."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.engine.port import RunState


@pytest.mark.proves("S-60")
async def test_a_usage_limit_pauses_everything_survives_a_restart_and_lifts_itself(opens):
    world = await opens()
    theatre = world.theatre
    epic = world.epic()
    until = datetime.now(UTC) + timedelta(seconds=12)
    await theatre.service.engine.till.pause(until, "The model's account is at its usage limit")
    world.alice.labels(epic, "orchestrate")
    await world.says(epic, "everything is paused until")
    await theatre.stop()
    await theatre.start()
    service = await theatre.service.engine.service()
    assert service.paused_until == until
    rows = await theatre.service.engine.runs(f"epic:{epic.id}")
    assert not any(row.state in (RunState.RUNNING, RunState.FINISHED) for row in rows)
    await world.says(epic, "**Turn 1.**")
    assert datetime.now(UTC) >= until


@pytest.mark.attack("S-15", "S-60")
async def test_an_echo_that_posts_with_a_member_s_key_gets_three_runs_at_most(world, monkeypatch):
    """It answers every comment of ours at once, in Linear, as a person would look who typed that."""
    monkeypatch.setattr("bot.machine.echo.HOP", timedelta(seconds=5))
    epic = world.epic()
    world.alice.labels(epic, "orchestrate")
    await world.says(epic, "**Turn 1.**")
    answered: set[str] = set()

    async def echo() -> None:
        while True:
            for one in world.linear.comments(epic):
                if one.user and one.user.app and one.id not in answered and "**Callboard**" not in one.body:
                    answered.add(one.id)
                    world.bob.comments(epic, f"Thank you! ({len(answered)})")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(echo())
    try:
        await world.says(epic, "answers here as fast as I write")
        await world.quiet(3)
    finally:
        task.cancel()
    rows = await world.theatre.service.engine.runs(f"epic:{epic.id}")
    assert len(rows) <= 1 + 3
    assert len(world.said(epic)) < 15
