"""What of Linear is ours: the whole picture of an epic is read, or nothing."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.engine.port import Service
from bot.github.errors import Forbidden
from bot.linear.ensure import ticket_id
from bot.linear.observe import LinearPicture
from bot.machine.breakdown import DOCUMENTATION
from bot.machine.facts import Issue, task_of
from bot.machine.pull_request import PullRequest
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

        self.elsewhere, self.asked = {}, []
        self.standing = None

    async def observe_epic(self, _epic, _ledger):
        return LinearPicture(self.epic, self.tickets, (), "us")

    async def find(self, issue):
        self.asked.append(issue)
        return self.elsewhere.get(issue, (None, ""))

    async def find_pull(self, _repository, branch):
        if self.standing is None:
            raise Forbidden("GitHub refused: This installation has been suspended")
        return self.standing.number if branch == self.standing.head_branch else None

    async def observe_pulls(self, _repository, numbers):
        return dict.fromkeys(numbers, self.standing)

    async def has_branch(self, _repository, _branch):
        return True

    async def caller(self, _issue, _label, _viewer):
        return None

    async def runs(self, _key):
        return ()

    async def spent(self, key):
        return 1.25

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
    [
        ({}, False),
        ({"record": Record("e")}, True),
        ({"record_refused": "it belongs to another issue"}, True),
        ({"record": Record("e", stage=Stage.DEV, epic="above")}, False),
    ],
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
        (Record("e", stage=Stage.CODE_REVIEW, epic="above"), {"worker"}, True, False),
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


POLICY = Policy.model_validate({"repositories": [{"name": "acme/youlab", "teams": ["YOU"]}]})


def departing(world):
    """An epic of which `t` has work, and is there, and `out` departed with its work."""
    works = (("t", "agent/YOU-2"), ("out", "agent/YOU-3"))
    world.epic = replace(world.epic, stage=Stage.DEV, record=Record("e", stage=Stage.DEV, at_work=works))
    ticket = replace(world.epic, id="t", identifier="YOU-2", record=Record("t", branch="agent/YOU-2", epic="e"))
    world.tickets = (ticket,)
    world.standing = PullRequest(7, "https://github/7", "node", True, False, "sha", "agent/YOU-3", "main")
    record = Record("out", branch="agent/YOU-3", head="sha", pull_request=7, epic="e")
    return replace(ticket, id="out", identifier="YOU-3", stage=Stage.CODE_REVIEW, record=record)


@pytest.mark.parametrize(("whose", "deleted", "pull"), [("", False, 7), ("", True, 7), ("another epic", False, None)])
async def test_what_departed_is_looked_for_by_its_id_with_its_pull_request(whose, deleted, pull):
    """Of what was deleted for ever only the branch is known, and GitHub finds the pull request by that."""
    world = World()
    out = departing(world)
    world.elsewhere["out"] = (None if deleted else out, whose)
    facts = await Observer(world, world, world, world, lambda: POLICY, lambda: NOW).observe("e")
    [found] = facts.departed
    assert (found.issue, found.branch, found.now, found.whose) == (
        "out",
        "agent/YOU-3",
        None if deleted else out,
        whose,
    )
    assert (found.pull_request.number if found.pull_request else None) == pull
    assert [one.issue.id for one in facts.tickets] == ["t"]
    assert world.asked == ["out"]


async def test_nobody_looks_for_what_departed_where_the_epic_remembers_none():
    world = World()
    departing(world)
    world.epic = replace(world.epic, record=replace(world.epic.record, at_work=(("t", "agent/YOU-2"),)))
    facts = await Observer(world, world, world, world, lambda: POLICY, lambda: NOW).observe("e")
    assert (facts.departed, world.asked) == ((), [])


async def test_what_departed_waits_while_github_refuses_to_be_read():
    world = World()
    out = departing(world)
    world.elsewhere["out"], world.standing = (replace(out, record=replace(out.record, pull_request=None)), ""), None
    facts = await Observer(world, world, world, world, lambda: POLICY, lambda: NOW).observe("e")
    assert (facts.departed, world.asked) == ((), ["out"])


async def test_what_was_made_for_another_epics_task_is_none_of_this_one_s():
    """It came from there, and its key may be that of a task of this one; a documentation ticket is whoever has it's."""
    world = World(record=Record("e"))
    keys = {
        ticket_id("e", "feed"): "feed",
        ticket_id("f", "feed"): "feed",
        ticket_id("f", "documentation"): DOCUMENTATION,
        "w": "",
    }
    world.tickets = tuple(
        replace(world.epic, id=one, identifier=f"YOU-{place}", parent="e", record=Record(one, task=key))
        for place, (one, key) in enumerate(keys.items(), 2)
    )
    observer = Observer(world, world, world, world, Policy, lambda: NOW)
    facts = await observer.observe("epic:e")
    assert [one.issue.of_another for one in facts.tickets] == [False, True, False, False]
    assert [task_of(one) for one in facts.tickets] == ["feed", "", DOCUMENTATION, ""]
