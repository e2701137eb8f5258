"""What the demo came to, as JSON: what Linear, GitHub and the engine say in the end, and the merged repository."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bot.machine import plan
from bot.simulator import linear
from bot.simulator.demo.show import Show
from bot.simulator.theatre import REPOSITORY

_PLANS = "thoughts/shared/plans"
_TRAILERS = ("Callboard-Ticket", "Callboard-Phase", "Callboard-Attempt")


async def report(show: Show) -> dict[str, Any]:
    """What design.md section 9 asks the report to hold, and `phases`: every phase of every plan that is merged.

    A phase has `ticket`, `number`, `name`, `attempts`, `verified` (all its automated items are ticked), `commands`,
    and `commit`, the one commit on the base branch that was made of it.
    """
    pulls = show.pulls
    tickets = [
        {
            "id": ticket.identifier,
            "title": ticket.title,
            "stage": ticket.state.name.lower(),
            "pr": pulls[ticket.identifier].number if ticket.identifier in pulls else None,
            "merged": ticket.identifier in pulls and pulls[ticket.identifier].merged,
        }
        for ticket in show.tickets
    ]
    world = show.theatre.linear
    people = [one for one in world.comments(show.epic) if one.user and not one.user.app]
    return {
        "epic": show.epic.identifier,
        "tickets": tickets,
        "turns": len(people),
        "seconds": round(show.seconds, 1),
        "max_parallel": show.parallel,
        "runs": len(show.runs),
        "cost_usd": round(sum(_cost(one) for one in world.all(linear.Attachment)), 4),
        "phases": await _phases(
            show.theatre.github.repository(REPOSITORY).path, [ticket.identifier for ticket in show.tickets]
        ),
    }


async def _phases(repository: Path, tickets: Sequence[str]) -> list[dict[str, Any]]:
    """The phases of the plans on the base branch, in the order of tickets and phases."""
    fields = "%x01".join(["%H", *(f"%(trailers:key={name},valueonly,separator=%x20)" for name in _TRAILERS)])
    log = await _git(repository, "log", f"--format={fields}", "main")
    commits = {(ticket, phase): (head, attempt) for head, ticket, phase, attempt in _rows(log) if phase}
    paths = (await _git(repository, "ls-tree", "-r", "--name-only", "main", _PLANS)).splitlines()
    found = []
    for ticket in tickets:
        for path in (path for path in paths if path.endswith(f"-{ticket}.md")):
            for phase in plan.read(await _git(repository, "show", f"main:{path}")).phases:
                head, attempt = commits.get((ticket, str(phase.number)), (None, "0"))
                found.append(
                    {
                        "ticket": ticket,
                        "number": phase.number,
                        "name": phase.name,
                        "attempts": int(attempt),
                        "verified": not phase.unticked,
                        "commands": [item.command for item in phase.automated],
                        "commit": head,
                    }
                )
    return found


def _rows(log: str) -> Iterator[list[str]]:
    return (line.split("\1") for line in log.splitlines())


async def _git(repository: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "git", "--git-dir", str(repository), *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"git {' '.join(arguments)} ended with {process.returncode}")
    return out.decode()


def _cost(attachment: linear.Attachment) -> float:
    value = attachment.metadata.get("cost_usd")
    return float(value) if isinstance(value, int | float) else 0.0
