"""Moves by hand: a person may put any issue into any stage, and the machine follows where it can.

The record says which stage the machine last saw or set. Another one in Linear means that somebody moved the issue, or
that our own move was written and the record after it was not; both are treated alike, because following our own move
leads where we wanted to go.
"""

from dataclasses import dataclass, replace

from bot.machine.decision import NOTHING, Blocker, Decision, Dispose, Move, Post, StopRun
from bot.machine.facts import Issue, RunState, Ticket
from bot.machine.record import Record
from bot.machine.running import record_of
from bot.machine.stages import Disposition, Stage

_TYPES = {
    "triage": Stage.TODO,
    "backlog": Stage.TODO,
    "unstarted": Stage.TODO,
    "completed": Stage.DONE,
    "canceled": Stage.CANCELED,
    "duplicate": Stage.CANCELED,
}


@dataclass(frozen=True)
class Arrived:
    """Where an issue stands. `decision` is what following it took; `stuck` means that it can't go on there."""

    stage: Stage
    record: Record
    decision: Decision = NOTHING
    stuck: bool = False


def stage_of(issue: Issue) -> Stage:
    """The stage of an issue, also in states that are not ours: by Linear's type, else the stage we remember."""
    if issue.stage is not None:
        return issue.stage
    return _TYPES.get(issue.state_type) or (issue.record.stage if issue.record else Stage.TODO)


def arrive(ticket: Ticket, *, is_epic: bool, fresh: bool) -> Arrived:
    """Follow a move by hand, or put right a state that is none of ours. `fresh`: it was never seen before."""
    issue, record = ticket.issue, record_of(ticket)
    stage = stage_of(issue)
    if fresh:
        first = stage if stage.over else Stage.TODO
        return Arrived(first, replace(record, stage=first))
    if issue.stage is None and stage is record.stage and not stage.over:
        return Arrived(stage, record, Decision((Move(issue.id, stage),)))
    if stage is record.stage or stage.over:
        return Arrived(stage, replace(record, stage=stage))
    if stage.rank < record.stage.rank:
        return _back(ticket, stage, record)
    return _forward(ticket, stage, record, missing=_missing(ticket, stage, is_epic=is_epic))


def _back(ticket: Ticket, stage: Stage, record: Record) -> Arrived:
    again = replace(
        record,
        stage=stage,
        settled=record.generation,
        attempts=0,
        hiccups=0,
        wait_until=None,
        resume=True,
        step="",
        approval=None,
        shown=None,
    )
    return Arrived(stage, again, Decision(_stops(ticket, stage)))


def _forward(ticket: Ticket, stage: Stage, record: Record, *, missing: str) -> Arrived:
    if not missing:
        ahead = replace(record, stage=stage, settled=record.generation, attempts=0, resume=True, step="")
        return Arrived(stage, ahead, Decision(_stops(ticket, stage)))
    issue = ticket.issue
    values = {"state": issue.state_name, "missing": missing}
    return Arrived(
        stage,
        record,
        Decision(
            (Dispose(issue.id, Disposition.NEEDS_INPUT), Post(issue.id, f"missing-{stage}", "missing", values)),
            (Blocker(issue.id, "missing", values),),
        ),
        stuck=True,
    )


def _stops(ticket: Ticket, stage: Stage) -> tuple[StopRun, ...]:
    return tuple(
        StopRun(run.id, f"the ticket was moved to {stage}")
        for run in ticket.runs
        if run.state in (RunState.QUEUED, RunState.RUNNING) and run.stage != stage
    )


def _missing(ticket: Ticket, stage: Stage, *, is_epic: bool) -> str:
    """What must exist before the stage makes sense, in words; empty when all is there."""
    record = record_of(ticket)
    if is_epic:
        return "an approved breakdown" if stage.rank > Stage.PLAN_REVIEW.rank and record.approval is None else ""
    if stage is Stage.PLAN and record.research is None:
        return "a research document"
    if stage.rank in range(Stage.PLAN_REVIEW.rank, Stage.CODE_REVIEW.rank) and record.plan is None:
        return "an implementation plan"
    if stage in (Stage.CODE_REVIEW, Stage.MERGE) and not record.head:
        return "a pushed branch with the work"
    return ""
