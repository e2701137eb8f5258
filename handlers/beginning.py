"""How a stage is begun by a worker: the ticket moves when the worker has really started, not when it was asked for."""

from dataclasses import replace

from bot.machine.decision import Decision, Move
from bot.machine.facts import Facts, RunState, Ticket, record_of
from bot.machine.running import Order, current_run, work
from bot.machine.stages import Stage


def begin(facts: Facts, ticket: Ticket, order: Order, stage: Stage) -> Decision:
    """Order the run, wait for a free worker, then move to the stage that takes its result in."""
    run = current_run(ticket)
    if run is None or run.state in (RunState.QUEUED, RunState.CANCELED):
        return work(facts, ticket, order, lambda record, _result: Decision(record=record))
    record = replace(record_of(ticket), generation=run.generation)
    again = 0.0 if run.state is RunState.FINISHED else None  # it ended before we looked: the next look takes it in
    return Decision((Move(ticket.issue.id, stage),), recheck_after=again, record=record)
