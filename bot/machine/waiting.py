"""Why things wait, for people: whose turn it is, how far an epic is, and one answer to `why` for everybody who asks."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from bot.machine.decision import Blocker, Decision, Move
from bot.machine.doubt import doubted
from bot.machine.facts import Facts, Ticket
from bot.machine.moving import stage_of
from bot.machine.spending import budget, spent
from bot.machine.stages import STATES, Stage

PERSON = frozenset(
    {
        "breakdown_unreadable",
        "changes_unknown",
        "changes_requested",
        "checks_failed",
        "circle",
        "closed",
        "disposition",
        "done_but_open",
        "done_too_early",
        "draft",
        "dropped",
        "relabelled",
        "budget",
        "ejected",
        "elsewhere",
        "head_moved",
        "merged_elsewhere",
        "missing",
        "no_repository",
        "no_spec",
        "no_such_stage",
        "not_called",
        "not_followed",
        "open_reviews",
        "plan_review",
        "protected",
        "record_refused",
        "refused",
        "review",
        "rules",
        "runs_per_ticket",
        "spec_too_long",
        "states_missing",
        "stuck",
        "threads",
        "turn_1",
        "turn_3",
    }
)
"""Reasons that pass only when a person does something."""

BELOW = frozenset({"ticket", "tickets", "epic", "train", "approval", "protected", "epic_over"})
"""Reasons that name other issues: whoever asks why wants to know what those wait for."""

BAR = 10
"""Signs in the bar of the panel."""


def progress(facts: Facts, decision: Decision) -> dict[str, Any]:
    """What the panel, `status` and the pages show: how far, a row per ticket, whose turn it is, and the cost."""
    moved = {action.issue: action.stage for action in decision.actions if isinstance(action, Move)}
    stages = {one.issue.id: moved.get(one.issue.id) or stage_of(one.issue) for one in (facts.epic, *facts.tickets)}
    epic = facts.epic.issue
    counts = Counter(stages[one.issue.id] for one in facts.tickets)
    return {
        "stage": str(stages[epic.id]),
        "state": STATES[stages[epic.id]].name,
        "rows": [_row(one, stages[one.issue.id], decision) for one in facts.tickets],
        "counts": [(counts[stage], STATES[stage].name) for stage in reversed(Stage) if counts[stage]],
        "bar": _bar(stages[one.issue.id] for one in facts.tickets),
        "blockers": [blocker for blocker in decision.blockers if blocker.issue == epic.id],
        "turns": turns(facts, decision),
        "over": stages[epic.id].over,
        "spent": f"{spent(facts):.2f}" + (" and more" if doubted(facts) else ""),
        "budget": f"{budget(facts):.2f}",
    }


def turns(facts: Facts, decision: Decision) -> list[tuple[str, Blocker]]:
    """What people must do, each with the issue's identifier; what the epic waits for comes first."""
    names = _names(facts)
    asked = [one for one in decision.blockers if one.reason in PERSON and one.issue in names]
    asked.sort(key=lambda one: one.issue != facts.epic.issue.id)
    return [(names[one.issue], one) for one in asked]


def why(facts: Facts, decision: Decision, issue: str) -> tuple[tuple[str, Blocker], ...]:
    """Why an issue (by its id) waits, down to what somebody must do: (identifier, reason), its own reasons first.

    Empty when nothing stands in its way.
    """
    names = _names(facts)
    ids = {name: key for key, name in names.items()}
    seen: set[str] = set()
    found: list[tuple[str, Blocker]] = []
    queue = [issue]
    while queue:
        one = queue.pop(0)
        if one in seen or one not in names:
            continue
        seen.add(one)
        for blocker in (each for each in decision.blockers if each.issue == one):
            found.append((names[one], blocker))
            queue += [ids[name] for name in named(blocker) if name in ids]
    return tuple(found)


def named(blocker: Blocker) -> Iterator[str]:
    """The identifiers of the issues that a reason names."""
    if blocker.reason in BELOW:
        for value in ("ticket", "tickets", "epic"):
            yield from str(blocker.values.get(value, "")).split(", ")


def _row(ticket: Ticket, stage: Stage, decision: Decision) -> dict[str, Any]:
    pull, issue = ticket.pull_request, ticket.issue
    blockers = [blocker for blocker in decision.blockers if blocker.issue == issue.id]
    return {
        "id": issue.id,
        "identifier": issue.identifier,
        "title": issue.title,
        "stage": str(stage),
        "state": STATES[stage].name,
        "running": next((one.values for one in blockers if one.reason == "running"), None),
        "pull_request": pull.number if pull else None,
        "url": pull.url if pull else "",
        "checks": str(pull.checks) if pull else "",
        "blockers": blockers,
    }


def _bar(stages: Iterator[Stage]) -> str:
    """How far all tickets are together, by how many stages each has behind it; canceled ones are left out."""
    ranks = [stage.rank for stage in stages if stage is not Stage.CANCELED]
    done = BAR * sum(ranks) // (len(ranks) * Stage.DONE.rank) if ranks else 0
    return "▰" * done + "▱" * (BAR - done)


def _names(facts: Facts) -> dict[str, str]:
    return {one.issue.id: one.issue.identifier for one in (facts.epic, *facts.tickets)}
