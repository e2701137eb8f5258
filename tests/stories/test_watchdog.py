"""A ticket that nobody can explain, and a webhook that stays away, told by the real service."""

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from bot.engine.pace import Pace
from bot.machine import watchdog

pytestmark = pytest.mark.slow
OFTEN = Pace(tick=0.1, poll=0.1, resync=0.3, sweep=1.0, lag=1.0)


async def test_a_ticket_that_stands_still_without_a_reason_is_named_on_the_panel(
    opens: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "PATIENCE", 1.0)
    world = await opens(pace=OFTEN)
    epic = await world.built({"one": (), "two": ()})
    monkeypatch.setattr(watchdog, "_explained", lambda _facts, _decision, one: one.issue.title != "Write one.py")
    ticket = world.ticket("one")
    await world.until(
        lambda: any(f"{ticket.identifier}: nothing has changed since" in one for one in world.said(epic)), "stuck"
    )
    assert REGISTRY.get_sample_value("callboard_stuck", {"epic": epic.identifier}) == 1
    monkeypatch.undo()
    await world.until(lambda: not any("nothing has changed since" in one for one in world.said(epic)), "well again")
    assert REGISTRY.get_sample_value("callboard_stuck", {"epic": epic.identifier}) is None


async def test_changes_that_no_webhook_announced_make_a_source_silent(opens: Any) -> None:
    world = await opens(pace=OFTEN, webhooks=False)
    ticket, _ = await world.reviewed("Write quiet.py")
    dog = world.theatre.service.watchdog
    await world.is_in(ticket, "Ready to Merge")
    for text in ("status", "why", "help"):
        world.alice.comments(ticket, text)
    await world.until(lambda: len(dog.memory.changes) >= 3, "three changes found by looking")
    await dog.look()
    assert dog.told == ()
    clock = dog.clock
    dog.clock = lambda: clock() + timedelta(minutes=2)
    await dog.look()
    assert any("Linear sends no webhooks" in one for one in dog.told), dog.told
