"""A picture of an epic for the pages: what the last round saw and decided, as plain values that survive JSON.

It decides nothing and nobody decides by it. It may be lost at any time; the next round paints another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.machine.decision import Blocker, Decision, Move
from bot.machine.facts import Facts, Run, RunState, Ticket, record_of
from bot.machine.moving import stage_of
from bot.machine.spending import budget, spent
from bot.machine.stages import Stage
from bot.machine.waiting import turns, why

MOST_RUNS = 60
"""Past runs of one ticket that are shown."""


@dataclass(frozen=True)
class Shown:
    """Why something waits, with the identifier of the issue that does."""

    issue: str
    reason: str
    values: Mapping[str, Any]

    @property
    def blocker(self) -> Blocker:
        """As the words want it."""
        return Blocker(self.issue, self.reason, self.values)


@dataclass(frozen=True)
class PastRun:
    """A run of a ticket. `ended` is how (see `Ending`), empty while it isn't."""

    id: str
    stage: str
    generation: int
    state: str
    started_at: datetime | None = None
    ended: str = ""
    summary: str = ""
    error: str = ""
    cost_usd: float = 0.0
    seconds: float = 0.0
    phases: tuple[str, ...] = ()
    """What was committed, one line for each phase."""


@dataclass(frozen=True)
class Proof:
    """A command that the service ran: its receipt."""

    command: str
    result: str
    seconds: float
    commit: str = ""
    output: str = ""


@dataclass(frozen=True)
class TicketPicture:
    """A ticket, or the epic itself. `after` are the identifiers of the epic's tickets that it waits for."""

    id: str
    identifier: str
    title: str
    url: str
    stage: Stage
    state: str
    disposition: str
    after: tuple[str, ...] = ()
    waits: tuple[Shown, ...] = ()
    """Its own reasons first, then those of whom it waits for."""
    branch: str = ""
    head: str = ""
    pull_request: int | None = None
    pull_url: str = ""
    checks: str = ""
    step: str = ""
    summary: str = ""
    attempts: int = 0
    cost_usd: float = 0.0
    verified: tuple[str, ...] = ()
    by_worker: tuple[str, ...] = ()
    """Those of them that only the worker ran."""
    skipped: tuple[str, ...] = ()
    manual: tuple[str, ...] = ()
    runs: tuple[PastRun, ...] = ()
    """Newest first."""
    proofs: tuple[Proof, ...] = ()


@dataclass(frozen=True)
class Picture:
    """An epic with its tickets."""

    key: str
    seen_at: datetime
    epic: TicketPicture
    tickets: tuple[TicketPicture, ...]
    turns: tuple[Shown, ...]
    """What people must do."""
    spent: float
    budget: float
    repository: str
    lone: bool
    breakdown_url: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.epic.stage.over

    @property
    def done(self) -> int:
        """How many tickets are done."""
        return sum(one.stage is Stage.DONE for one in self.tickets)


def paint(facts: Facts, decision: Decision) -> Picture:
    """What there is to see now."""
    moved = {action.issue: action.stage for action in decision.actions if isinstance(action, Move)}
    names = {one.issue.id: one.issue.identifier for one in (facts.epic, *facts.tickets)}

    def ticket(one: Ticket) -> TicketPicture:
        stage = moved.get(one.issue.id) or stage_of(one.issue)
        waits = tuple(Shown(name, each.reason, each.values) for name, each in why(facts, decision, one.issue.id))
        return _ticket(
            one, stage, tuple(names[each.issue] for each in one.issue.blocked_by if each.issue in names), waits
        )

    return Picture(
        key=facts.key,
        seen_at=facts.now,
        epic=ticket(facts.epic),
        tickets=tuple(ticket(one) for one in facts.tickets),
        turns=tuple(Shown(name, one.reason, one.values) for name, one in turns(facts, decision)),
        spent=round(spent(facts), 4),
        budget=budget(facts),
        repository=facts.repository.name if facts.repository else "",
        lone=facts.lone,
        breakdown_url=facts.document.url if facts.document else "",
    )


def with_past(new: Picture, old: Picture | None) -> Picture:
    """The new picture, with the runs and receipts of the old one that are known no more."""
    if old is None:
        return new
    before = {one.id: one for one in (old.epic, *old.tickets)}
    return replace(
        new,
        epic=_with_past(new.epic, before.get(new.epic.id)),
        tickets=tuple(_with_past(one, before.get(one.id)) for one in new.tickets),
    )


def _with_past(new: TicketPicture, old: TicketPicture | None) -> TicketPicture:
    if old is None:
        return new
    known = {one.id for one in new.runs}
    past = [one for one in old.runs if one.id not in known and one.state in (RunState.FINISHED, RunState.CANCELED)]
    runs = sorted((*new.runs, *past), key=lambda one: -one.generation)[:MOST_RUNS]
    return replace(new, runs=tuple(runs), proofs=new.proofs or old.proofs)


def _ticket(one: Ticket, stage: Stage, after: tuple[str, ...], waits: tuple[Shown, ...]) -> TicketPicture:
    issue, pull, record = one.issue, one.pull_request, record_of(one)
    return TicketPicture(
        id=issue.id,
        identifier=issue.identifier,
        title=issue.title,
        url=issue.url,
        stage=stage,
        state=issue.state_name,
        disposition=str(issue.disposition or ""),
        after=after,
        waits=waits,
        branch=record.branch,
        head=record.head,
        pull_request=pull.number if pull else None,
        pull_url=pull.url if pull else "",
        checks=str(pull.checks) if pull else "",
        step=record.step,
        summary=record.summary,
        attempts=record.attempts,
        cost_usd=record.cost_usd,
        verified=record.verified,
        by_worker=record.by_worker,
        skipped=record.skipped,
        manual=record.manual,
        runs=tuple(past_run(run) for run in one.runs),
        proofs=_proofs(one.runs),
    )


def past_run(run: Run) -> PastRun:
    """A run as pages show it."""
    result = run.result or {}
    error = result.get("error") or ""
    return PastRun(
        id=run.id,
        stage=run.stage,
        generation=run.generation,
        state=str(run.state),
        started_at=run.started_at,
        ended=str(result.get("kind") or ""),
        summary=str(result.get("summary") or ""),
        error=str(error.get("message", "")) if isinstance(error, Mapping) else str(error),
        cost_usd=float(result.get("cost_usd") or 0.0),
        seconds=float(result.get("seconds") or 0.0),
        phases=tuple(
            f"{one['number']}: {one['name']} ({one['commit'][:12]})" for one in _of(result.get("loop"), "phases")
        ),
    )


def _proofs(runs: tuple[Run, ...]) -> tuple[Proof, ...]:
    """The receipts of the newest run that has some."""
    for run in sorted(runs, key=lambda one: -one.generation):
        found = _of((run.result or {}).get("completed"), "receipts")
        if found:
            return tuple(
                Proof(
                    one["command"],
                    f"exit code {one['code']}" if one["ended"] == "exited" else str(one["ended"]),
                    float(one["seconds"]),
                    str(one.get("commit") or "")[:12],
                    str(one.get("output") or "")[-4_000:],
                )
                for one in found
            )
    return ()


def _of(result: Any, name: str) -> list[Mapping[str, Any]]:
    found = result.get(name) if isinstance(result, Mapping) else None
    return list(found) if isinstance(found, list) else []
