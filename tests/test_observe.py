"""What of Linear is ours: the whole picture of an epic is read, or nothing."""

from datetime import UTC, datetime

import pytest

from bot.engine.port import Service
from bot.linear.observe import LinearPicture
from bot.machine.facts import Issue
from bot.machine.record import Record
from bot.machine.stages import Stage
from bot.observe import Observer
from bot.policy import Policy

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class World:
    """An epic without a label, and nothing else."""

    def __init__(self, **more):
        self.epic = Issue("e", "YOU-1", "T", "", "", "YOU", Stage.DEV, "In Dev", "started", frozenset(), 0, NOW, **more)

    async def observe_epic(self, _epic, _ledger):
        return LinearPicture(self.epic, (), (), "us")

    async def runs(self, _key):
        return ()

    async def service(self):
        return Service()

    async def route(self, _subject, _key):
        pass

    async def team(self, _key):
        return self

    def missing_states(self, _names):
        return {}


@pytest.mark.parametrize(
    ("known", "ours"),
    [({}, False), ({"record": Record("e")}, True), ({"record_refused": "it belongs to another issue"}, True)],
)
async def test_an_epic_without_its_label_is_ours_as_long_as_it_was_ever_known(known, ours):
    """Else nobody would stop its runs; found by the simulation where its record could not be believed."""
    world = World(**known)
    observer = Observer(world, world, world, world, Policy, lambda: NOW)
    facts = await observer.observe("e")
    assert (facts is not None and facts.dropped) is ours
