"""Very many live epics, put into the simulated services as if the service had worked on them for days."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.linear.marker import effect_id
from bot.linear.records import seal
from bot.machine.record import Approval, Record
from bot.machine.stages import STATES, Stage
from bot.simulator.github import pulls
from bot.simulator.linear.model import Actor, Issue
from bot.simulator.linear.talk import create_attachment
from bot.simulator.theatre import REPOSITORY, Theatre

PER_EPIC = 10
BUILT = 4
"""So many tickets of an epic have a pull request; the others wait for something outside, the last one for all."""


async def write_epics(theatre: Theatre, tickets: int) -> list[Issue]:
    """So many live tickets, ten to an epic."""
    alice = theatre.person("alice")
    outside = alice.creates("YOU", "Somebody else's work", "It takes long.", state=STATES[Stage.TODO].name)
    return [await _epic(theatre, number, outside) for number in range(tickets // PER_EPIC)]


async def _epic(theatre: Theatre, number: int, outside: Issue) -> Issue:
    alice, now = theatre.person("alice"), datetime.now(UTC)
    epic = alice.creates("YOU", f"Modules {number}", "Write modules.", state=STATES[Stage.DEV].name)
    for place in range(PER_EPIC):
        built, last = place < BUILT, place == PER_EPIC - 1
        title = "Update the documentation" if last else f"Write m{number}_{place}.py"
        state = STATES[Stage.MERGE if built else Stage.TODO].name
        ticket = alice.creates("YOU", title, f"Part {place}.", parent=epic, state=state)
        record = Record(ticket.id, task="documentation" if last else f"part-{place}")
        if built:
            record = await _built(theatre, ticket, record)
        else:
            for below in epic.children[:place] if last else [outside]:
                alice.blocks(below, ticket)
        remember(theatre, ticket, record)
    approval = Approval("turn-1", alice.user.id, now)
    remember(theatre, epic, Record(epic.id, stage=Stage.DEV, generation=1, settled=1, approval=approval))
    alice.labels(epic, "orchestrate")
    return epic


async def _built(theatre: Theatre, ticket: Issue, record: Record) -> Record:
    """A branch with a commit, its pull request, and what the service remembers of them."""
    world, place = theatre.github, theatre.github.repository(REPOSITORY)
    now = datetime.now(UTC) - timedelta(hours=1)
    bot = world.user("callboard[bot]")
    base, branch = await world.git.run(place.path, "rev-parse", "main"), f"agent/{ticket.identifier}"
    name = ticket.title.removeprefix("Write ")
    head = await world.git.write(
        place.path, f"refs/heads/{branch}", base, {name: "X = 1\n"}, f"Phase 1: {name}", world.signature(bot)
    )
    pull = await pulls.open_pull(
        world, place, bot, pulls.Proposal(title=ticket.title, head=branch, base="main", body="Done.")
    )
    return replace(
        record, stage=Stage.MERGE, generation=3, settled=3, branch=branch, base="main", head=head, head_at=now,
        seen=head, unchecked=head, base_at=base, stands_on="main", started_at=now, summary=f"wrote {name}",
        pull_request=pull.number,
    )  # fmt: skip


def remember(theatre: Theatre, issue: Issue, record: Record) -> None:
    """The issue has this signed record, as the service writes it."""
    world, settings = theatre.linear, theatre.settings
    page = f"{theatre.url}/issues/{issue.id}"
    fields = {"id": effect_id("record", issue.id), "issue_id": issue.id, "url": page, "title": "Callboard"}
    metadata = seal(record, settings.secret_key)
    create_attachment(world, Actor(world.user("callboard")), {**fields, "metadata": metadata})
