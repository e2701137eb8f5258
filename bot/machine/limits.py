"""What holds a run back that is about the whole service: the pause, the day's money, and the circuit breakers.

The pause and the day pass by themselves. A breaker stands against what nobody thought of: something that starts runs
again and again. That of a ticket opens when it had too many runs, and a person's `retry` closes it; that of the hour
counts the runs of everybody, and closes as the hour passes.
"""

from datetime import UTC, datetime, timedelta

from bot.machine.decision import Blocker, Decision, until
from bot.machine.facts import Facts, Ticket
from bot.machine.record import Record

_AGAIN = 60.0
"""Seconds after which a breaker of the hour is looked at again."""


def held_back(facts: Facts, ticket: Ticket, record: Record) -> Decision | None:
    """The first of the limits that keeps a run from starting now, or None."""
    return paused(facts, ticket) or _day(facts, ticket) or _breaker(facts, ticket, record)


def paused(facts: Facts, ticket: Ticket) -> Decision | None:
    """The model's account is at its limit: everybody waits until it resets."""
    end = facts.service.paused_until
    if end is None or end <= facts.now:
        return None
    values = {"until": end.isoformat(timespec="minutes"), "why": facts.service.paused_why}
    return Decision(blockers=(Blocker(ticket.issue.id, "usage_limit", values),), recheck_after=until(facts.now, end))


def _day(facts: Facts, ticket: Ticket) -> Decision | None:
    if facts.service.today_usd < facts.rules.day_usd:
        return None
    midnight = _midnight(facts.now)
    values = {
        "spent": f"{facts.service.today_usd:.2f}",
        "budget": f"{facts.rules.day_usd:.2f}",
        "until": midnight.isoformat(timespec="minutes"),
    }
    return Decision(
        blockers=(Blocker(ticket.issue.id, "day_budget", values),), recheck_after=until(facts.now, midnight)
    )


def _breaker(facts: Facts, ticket: Ticket, record: Record) -> Decision | None:
    if record.runs >= facts.rules.runs_per_ticket:
        values = {"runs": record.runs, "issue": ticket.issue.identifier}
        return Decision(blockers=(Blocker(ticket.issue.id, "runs_per_ticket", values),))
    if facts.service.runs_lately >= facts.rules.runs_per_hour:
        return Decision(
            blockers=(Blocker(ticket.issue.id, "runs_per_hour", {"runs": facts.service.runs_lately}),),
            recheck_after=_AGAIN,
        )
    return None


def _midnight(now: datetime) -> datetime:
    """When the next day begins, in UTC, as the till counts days."""
    return (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
