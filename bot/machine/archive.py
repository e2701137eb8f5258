"""What a person archived or put into the trash: Linear shows it for a while as it was, and rejects every edit of it.

So it can't be moved to Canceled, nor be commented on, nor keep a newer record; one refused write would hold up all that
the same round writes. It counts as canceled without a word, unless it was over before. Whoever restores it finds it in
the state that it had, and work on it goes on from there.

What was deleted for ever, or is part of something else now, isn't shown at all. The epic goes on without it; it is not
made again: its id is used, and who has it now would find a fresh record in the place of its own. What becomes of the
work that was in it is said in `departed.py`.
"""

from dataclasses import replace

from bot.machine import breakdown
from bot.machine.breakdown import Task
from bot.machine.decision import CreateTickets, Decision, Dispose, Move, Post, Remember
from bot.machine.facts import Facts, Mover, Ticket, record_of, task_of
from bot.machine.moving import stage_of
from bot.machine.stages import Stage


def put_away(facts: Facts) -> Facts:
    """The facts as they count: what was archived before it was over is canceled, also for what waits for it."""
    everything = (facts.epic, *facts.tickets)
    gone = frozenset(one.issue.id for one in everything if one.issue.archived and not stage_of(one.issue).over)
    if not gone:
        return facts
    tickets = tuple(_as_it_counts(one, gone) for one in facts.tickets)
    return replace(facts, epic=_as_it_counts(facts.epic, gone), tickets=tickets)


def without_edits(facts: Facts, decision: Decision) -> Decision:
    """The decision without what Linear would reject."""
    archived = frozenset(one.issue.id for one in (facts.epic, *facts.tickets) if one.issue.archived)
    if not archived:
        return decision
    edits = Move | Dispose | Post | Remember
    kept = tuple(one for one in decision.actions if not (isinstance(one, edits) and one.issue in archived))
    return replace(decision, actions=kept)


def made(facts: Facts, decision: Decision) -> tuple[str, ...]:
    """The tasks whose tickets stand in the epic, or did; those that are made now stand there before this is written."""
    there = [task_of(one) for one in facts.tickets]
    new = [task.key for one in decision.actions if isinstance(one, CreateTickets) for task in one.tasks]
    return tuple(dict.fromkeys((*record_of(facts.epic).made, *filter(None, there), *new)))


def taken_away(facts: Facts) -> frozenset[str]:
    """The tasks whose tickets stood in the epic once, and don't any more."""
    return frozenset(record_of(facts.epic).made) - {task_of(one) for one in facts.tickets}


def wanted(facts: Facts, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """These tasks without those that were taken away, in the order in which they are made.

    Raises:
        UserError: the dependencies go in a circle.
    """
    gone = taken_away(facts)
    return breakdown.in_order(task for task in tasks if task.key not in gone)


def _as_it_counts(ticket: Ticket, gone: frozenset[str]) -> Ticket:
    issue = ticket.issue
    below = tuple(
        replace(one, stage=Stage.CANCELED, over=True) if one.issue in gone else one for one in issue.blocked_by
    )
    issue = replace(issue, blocked_by=below)
    if issue.id in gone:
        issue = replace(issue, stage=Stage.CANCELED, state_type="canceled", mover=Mover.UNKNOWN, moved_by=None)
    return replace(ticket, issue=issue)
