"""What of Linear is ours: the whole picture of an epic is read, or nothing."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.engine.port import Service
from bot.github.errors import Forbidden
from bot.linear.observe import LinearPicture
from bot.machine.facts import Issue
from bot.machine.record import Record
from bot.machine.stages import Stage
from bot.observe import UNREAD_SECONDS, Observer
from bot.policy import Policy

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class World:
    """An epic without a label, and nothing else."""

    def __init__(self, **more):
        self.tickets = ()
        self.epic = Issue("e", "YOU-1", "T", "", "", "YOU", Stage.DEV, "In Dev", "started", frozenset(), 0, NOW, **more)

    async def observe_epic(self, _epic, _ledger):
        return LinearPicture(self.epic, self.tickets, (), "us")

    async def find_pull(self, _repository, _branch):
        raise Forbidden("GitHub refused: This installation has been suspended")

    async def caller(self, _issue, _label, _viewer):
        return None

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


@pytest.mark.parametrize(
    ("record", "labels", "lone", "dropped"),
    [
        (None, {"worker"}, True, False),
        (None, {"orchestrate"}, False, False),
        (None, {"worker", "orchestrate"}, False, False),
        (Record("e", lone=True), {"orchestrate"}, False, False),
        (Record("e", lone=True, stage=Stage.RESEARCH), {"orchestrate"}, True, True),
        (Record("e", lone=True, stage=Stage.RESEARCH), {"worker", "orchestrate"}, True, False),
        (Record("e", lone=True, generation=1), {"orchestrate"}, True, True),
        (Record("e", stage=Stage.PLAN), {"worker"}, False, True),
        (Record("e", made=("store",)), {"worker"}, False, True),
        (Record("e", lone=True), set(), True, True),
    ],
)
async def test_what_began_as_an_epic_or_a_ticket_stays_that_whatever_its_label(record, labels, lone, dropped):
    """With the other label an epic was implemented without a plan, as a ticket, and its tickets were left alone."""
    world = World(record=record)
    world.epic = replace(world.epic, labels=frozenset(labels))
    facts = await Observer(world, world, world, world, Policy, lambda: NOW).observe("e")
    assert (facts.lone, facts.dropped) == (lone, dropped)


@pytest.mark.parametrize(("stage", "stands"), [(Stage.DEV, True), (Stage.PLAN_REVIEW, False)])
async def test_what_github_refuses_to_show_holds_up_what_depends_on_it_and_says_so(stage, stands):
    """The whole round failed, and nobody could read why the epic stood. Nobody decides on what could not be read."""
    world = World(record=Record("e", stage=stage))
    world.epic = replace(world.epic, stage=stage)
    work = Record("t", stage=Stage.CODE_REVIEW, head="sha", head_at=NOW, branch="agent/YOU-2")
    ticket = replace(world.epic, id="t", identifier="YOU-2", stage=Stage.CODE_REVIEW, record=work)
    over = replace(ticket, id="d", identifier="YOU-3", stage=Stage.DONE, record=Record("d", stage=Stage.DONE))
    world.tickets = (ticket, over)
    policy = Policy.model_validate({"repositories": [{"name": "acme/youlab", "teams": ["YOU"]}]})
    facts = await Observer(world, world, world, world, lambda: policy, lambda: NOW).observe("e")
    refused = {issue: (one.reason, one.wait) for issue, one in facts.refusals.items()}
    said = "GitHub refused: This installation has been suspended", UNREAD_SECONDS
    assert refused == {"t": said} | ({"e": said} if stands else {})
