"""What an epic has cost, and may cost. Every sum is in US dollars.

The signed records tell it, so that a lost database costs no more than an estimate; what is not
recorded yet, the engine knows.
"""

from dataclasses import replace

from bot.machine.facts import Facts, Run, Ticket, record_of
from bot.machine.record import MOST_RAN, Ran, Record


def spent(facts: Facts) -> float:
    """US dollars that the epic and its tickets cost so far."""
    everything = {one.issue.id: one for one in (facts.epic, *facts.tickets)}
    recorded = sum(record_of(one).cost_usd for one in everything.values())
    return recorded + sum(_unrecorded(one) for one in everything.values())


def budget(facts: Facts) -> float:
    """US dollars that the epic may cost."""
    allowed = record_of(facts.epic).budget_usd
    return facts.rules.epic_usd if allowed is None else allowed


def charged(facts: Facts, before: Ticket, record: Record) -> Record:
    """The record with the cost of every run that it has settled since: also of those that were stopped or killed.

    What a run cost that nobody knows any more (the database was lost while it was under way) is taken to be as much as
    the dearest run of the epic so far: an estimate, so that the budget holds at least roughly.
    """
    known = record_of(before)
    cost = sum(_cost(run) for run in before.runs if known.settled < run.generation <= record.settled)
    lost = known.generation > known.settled and not before.runs  # one that knows an earlier run knows each that began
    if lost and (record.generation > known.generation or record.settled > known.settled):
        everything = (facts.epic, *facts.tickets)
        cost += max((ran.usd for one in everything for ran in record_of(one).ran), default=0.0)
    return replace(record, cost_usd=round(record.cost_usd + cost, 6)) if cost else record


def ran(facts: Facts, ticket: Ticket, record: Record) -> tuple[Ran, ...]:
    """The runs of a ticket, with the one that was just settled."""
    run = next((one for one in ticket.runs if one.generation == record.settled), None)
    if run is None or run.started_at is None:
        return record.ran
    took = (run.finished_at or facts.now) - run.started_at
    newest = Ran(run.stage, int(run.started_at.timestamp()), max(0, round(took.total_seconds())), round(_cost(run), 4))
    return (*record.ran, newest)[-MOST_RAN:]


def _cost(run: Run) -> float:
    """What a run cost, over all its starts."""
    return max(run.spent_usd, float((run.result or {}).get("cost_usd") or 0.0))


def _unrecorded(ticket: Ticket) -> float:
    """What runs cost whose result has not been taken in yet: those that ended, and those under way."""
    settled = record_of(ticket).settled
    return sum(_cost(run) for run in ticket.runs if run.generation > settled)
