"""What an epic has cost, and may cost. Every sum is in US dollars.

The signed records tell it, so that a lost database costs no more than an estimate; what is not
recorded yet, the engine knows.
"""

from dataclasses import replace

from bot.machine.facts import Departed, Facts, Run, Ticket, record_of
from bot.machine.record import MOST_RAN, Ran, Record


def spent(facts: Facts) -> float:
    """US dollars that the epic and its tickets cost so far, also those that are none of its any more.

    What counts when a model is called counts here too: else a run would begin, be turned away, and begin again.
    """
    everything = {one.issue.id: one for one in (facts.epic, *facts.tickets)}
    return max(facts.spent_usd, recorded(facts) + sum(_unrecorded(one) for one in everything.values()))


def recorded(facts: Facts) -> float:
    """What of it the records tell."""
    everything = {one.issue.id: record_of(one).cost_usd for one in (facts.epic, *facts.tickets)}
    return sum(everything.values()) + sum(usd for issue, usd in left_usd(facts) if issue not in everything)


def left_usd(facts: Facts) -> tuple[tuple[str, float], ...]:
    """Pairs of the id of a ticket that departed and what it had cost by then: that is no less spent for it."""
    left = dict(record_of(facts.epic).left_usd)
    return tuple((left | {one.issue: round(_had_cost(facts, one), 6) for one in facts.departed}).items())


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
        cost += _dearest(facts)
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


def _had_cost(facts: Facts, one: Departed) -> float:
    """By its record; where that went with it, by its runs, or as much as the dearest run, which is an estimate."""
    runs = [run for run in facts.orphans if run.issue == one.issue]
    record = one.now.record if one.now else None
    if record is not None:
        return record.cost_usd + sum(_cost(run) for run in runs if run.generation > record.settled)
    return sum(_cost(run) for run in runs) if runs else _dearest(facts)


def _dearest(facts: Facts) -> float:
    everything = (facts.epic, *facts.tickets)
    return max((ran.usd for one in everything for ran in record_of(one).ran), default=0.0)


def _unrecorded(ticket: Ticket) -> float:
    """What runs cost whose result has not been taken in yet: those that ended, and those under way."""
    settled = record_of(ticket).settled
    return sum(_cost(run) for run in ticket.runs if run.generation > settled)
