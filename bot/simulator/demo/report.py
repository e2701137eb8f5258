"""What the demo came to, as JSON: what Linear, GitHub and the engine say in the end, and the merged repository."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.machine import plan
from bot.machine.mending import BOTS, CHECKS, CONFLICT, FEEDBACK
from bot.simulator import linear
from bot.simulator.demo.show import Show
from bot.simulator.theatre import REPOSITORY

_PLANS = "thoughts/shared/plans"
_TRAILERS = ("Callboard-Ticket", "Callboard-Phase", "Callboard-Attempt")


async def report(show: Show) -> dict[str, Any]:
    """What design.md section 9 asks the report to hold, and what became of plans and pull requests.

    `phases` are those of every plan that is merged: `ticket`, `number`, `name`, `attempts`, `verified` (all its
    automated items are ticked), `commands`, and `commit`, the one commit on the base branch that was made of it.
    `review_rounds` counts the runs that worked a review in, by people or bots; `fix_runs` those that repaired `checks`
    or resolved a `conflict`; `merge_order` are the tickets in the order in which git has them on the base branch.
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
    world, repository = show.theatre.linear, show.theatre.github.repository(REPOSITORY).path
    agents = [row.order for row in show.runs.values() if row.order.spec["run"]["prompt"] != "update"]
    mended = Counter((row.spec["run"]["prompt"], row.spec["about"].get("kind")) for row in agents)
    people = [one for one in world.comments(show.epic) if one.user and not one.user.app]
    return {
        "epic": show.epic.identifier,
        "tickets": tickets,
        "turns": len(people),
        "seconds": round(show.seconds, 1),
        "max_parallel": show.parallel,
        "runs": len(agents),
        "cost_usd": round(sum(_cost(one) for one in world.all(linear.Attachment)), 4),
        "phases": await _phases(repository, [ticket.identifier for ticket in show.tickets]),
        "review_rounds": mended["feedback", FEEDBACK] + mended["feedback", BOTS],
        "fix_runs": {kind: mended["fix", kind] for kind in (CHECKS, CONFLICT)},
        "merge_order": await _merge_order(repository, {pull.merge_commit_sha: one for one, pull in pulls.items()}),
    }


async def _merge_order(repository: Path, merges: Mapping[str | None, str]) -> list[str]:
    """The tickets whose merge is on the base branch, oldest first. `merges` are tickets by their merge commit."""
    log = await _git(repository, "rev-list", "--first-parent", "--reverse", "main")
    return [merges[commit] for commit in log.split() if commit in merges]


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
