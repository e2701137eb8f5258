"""Moves by hand: a person may put any issue into any stage, and the machine follows where it can.

The record says which stage the machine last saw or set. Another one in Linear means that somebody moved the issue, or
that our own move was written and the record after it was not; both are treated alike, because following our own move
leads where we wanted to go. Where it doesn't, because the result that it rested on is lost with the database, our own
move is taken back, and the stage that we remember runs again.

Linear's automation (its GitHub integration above all) is nobody, and people who may not steer have no say here either.
What they move is put right once for each stage and state. When the same happens again we don't fight: Linear shows what
they like, work goes on from the stage that we remember, and one comment says who does it and how to end it. What they
do is not undone where it says what we are about to say ourselves: done, when the pull request is merged where it ends.

A move of which the history tells nothing is taken for a person's. Linear writes no history in an issue's first three
minutes; nothing but a person, or we, moves an issue that has no branch yet.
"""

from dataclasses import dataclass, replace

from bot.machine.approval import Allowed, may_move
from bot.machine.breakdown import DOCUMENTATION
from bot.machine.decision import NOTHING, Blocker, Decision, Dispose, Move, Post, StopRun
from bot.machine.facts import Comment, Issue, Mover, Rules, Run, RunState, Ticket, record_of
from bot.machine.record import Approval, Record
from bot.machine.stages import Disposition, Stage

_TYPES = {
    "triage": Stage.TODO,
    "backlog": Stage.TODO,
    "unstarted": Stage.TODO,
    "completed": Stage.DONE,
    "canceled": Stage.CANCELED,
    "duplicate": Stage.CANCELED,
}
_RULES = Rules()


@dataclass(frozen=True)
class Arrived:
    """Where an issue stands. `decision` is what following it took; `stuck` means that it can't go on there."""

    stage: Stage
    record: Record
    decision: Decision = NOTHING
    stuck: bool = False


def stage_of(issue: Issue) -> Stage:
    """The stage of an issue, also in states that are not ours: by Linear's type, else the stage we remember.

    Where automation put it says nothing: then it is the stage we remember.
    """
    if issue.record is not None and issue.mover is Mover.AUTOMATION:
        return issue.record.stage
    if issue.stage is not None:
        return issue.stage
    return _TYPES.get(issue.state_type) or (issue.record.stage if issue.record else Stage.TODO)


def is_over_in_a_state_of_its_own(issue: Issue) -> bool:
    """Whether it is over as we remember, in a state of Linear that is not ours."""
    return issue.record is not None and is_over_as(issue, issue.record.stage)


def is_over_as(issue: Issue, stage: Stage) -> bool:
    """Whether a state of Linear that is not ours says that it is over in this way: all such states count as one."""
    return stage.over and issue.stage is None and _TYPES.get(issue.state_type) is stage


def arrive(ticket: Ticket, *, is_epic: bool, fresh: bool, rules: Rules = _RULES, base: str = "") -> Arrived:
    """Follow a move by hand, or put right what should not be followed.

    `fresh`: it was never seen before. `base`: the branch on which work is done.
    """
    issue, record = ticket.issue, record_of(ticket)
    stage = stage_of(issue)
    if fresh:
        first = stage if stage.over else Stage.TODO
        return Arrived(first, replace(record, stage=first))
    if issue.stage is not record.stage and (reason := _not_followed(issue, rules)):
        return _put_right(ticket, record, reason, base)
    if issue.stage is None and stage is record.stage and not is_over_in_a_state_of_its_own(issue):
        return _nowhere(issue, stage, record)
    if stage is record.stage or stage.over:
        return Arrived(stage, replace(record, stage=stage))
    missing = _missing(ticket, stage, is_epic=is_epic)
    planned = not is_epic and record.task != DOCUMENTATION
    jumped = missing and (record.stage.over or planned)  # it may never have come so far
    if stage.rank < record.stage.rank and not jumped:
        return _back(ticket, stage, record)
    if is_epic and _is_unheard(issue, stage, record):
        return Arrived(record.stage, record, Decision((Move(issue.id, record.stage),)))
    return _forward(ticket, stage, record, missing=missing)


def _nowhere(issue: Issue, stage: Stage, record: Record) -> Arrived:
    """Put back what stands in a state that means nothing; who took it out of Done is asked what was meant by it."""
    if not stage.over:
        return Arrived(stage, record, Decision((Move(issue.id, stage),)))
    means_nothing = Blocker(issue.id, "no_such_stage", {"state": issue.state_name})
    return Arrived(stage, record, Decision(blockers=(means_nothing,)))


def _not_followed(issue: Issue, rules: Rules) -> str:
    """Why a move doesn't count, as the end of a sentence; empty when it does."""
    if issue.mover is Mover.AUTOMATION:
        return "only people move tickets"
    if issue.mover is not Mover.PERSON:
        return ""
    verdict = may_move(Comment(issue.id, "", issue.moved_by, issue.created_at), rules)
    return "" if isinstance(verdict, Allowed) else verdict.reason


def _put_right(ticket: Ticket, record: Record, reason: str, base: str) -> Arrived:
    """Once for each stage and state; then only say so. The stage stays the one that we remember."""
    issue = ticket.issue
    if is_merged_as_said(ticket, base):
        return Arrived(record.stage, record)
    values = {
        "who": issue.moved_by.name if issue.moved_by else "Linear",
        "state": issue.state_name,
        "stage": str(record.stage),
        "team": issue.team,
        "reason": reason,
    }
    automatic = issue.mover is Mover.AUTOMATION
    said = Post(issue.id, "not-followed", "moved_by_automation" if automatic else "move_refused", values)
    pair = (str(record.stage), issue.state_name)
    if pair in record.put_right:
        return Arrived(record.stage, record, Decision((said,), (Blocker(issue.id, "not_followed", values),)))
    noted = replace(record, put_right=(*record.put_right, pair))
    back = Move(issue.id, record.stage)
    return Arrived(record.stage, noted, Decision((back,) if automatic else (back, said)))


def is_merged_as_said(ticket: Ticket, base: str) -> bool:
    """Whether Linear calls it done, and the work is merged: whoever said so, the next decision says it too.

    Not what was merged into another branch: a person may have to bring it on, and to say then that it is done.
    """
    done, pull = ticket.issue.stage is Stage.DONE or ticket.issue.state_type == "completed", ticket.pull_request
    return done and pull is not None and pull.merged and pull.base_branch == base


def _back(ticket: Ticket, stage: Stage, record: Record) -> Arrived:
    again = replace(
        record,
        stage=stage,
        settled=_settled(ticket, stage, record),
        attempts=0,
        hiccups=0,
        wait_until=None,
        resume=True,
        step="",
        approval=_kept(record, stage),
        shown=None,
    )
    return Arrived(stage, again, Decision(_stops(ticket, stage)))


def _kept(record: Record, stage: Stage) -> Approval | None:
    """What is approved still after a move back: a breakdown or plan that is built already, but no merge."""
    built = stage.rank > Stage.PLAN_REVIEW.rank
    return replace(record.approval, heads=()) if record.approval and built else None


def _forward(ticket: Ticket, stage: Stage, record: Record, *, missing: str) -> Arrived:
    issue = ticket.issue
    due = any(_is_due(run, record) and run.stage == record.stage for run in ticket.runs)
    if due and (missing or issue.mover is not Mover.PERSON):
        return Arrived(record.stage, record)  # what the result brings comes first; then our own move comes true
    if not missing:
        settled = _settled(ticket, stage, record)
        ahead = replace(record, stage=stage, settled=settled, attempts=0, resume=True, step="")
        return Arrived(stage, ahead, Decision(_stops(ticket, stage)))
    if _cut_short(ticket, record):
        return Arrived(record.stage, record, Decision((Move(issue.id, record.stage),)))
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


def _settled(ticket: Ticket, stage: Stage, record: Record) -> int:
    """A run for this very stage goes on, or its result counts; any other is over with the move."""
    goes_on = any(run.stage == stage and (_is_due(run, record) or _is_live(run, record)) for run in ticket.runs)
    return record.settled if goes_on else record.generation


def _is_due(run: Run, record: Record) -> bool:
    return run.state is RunState.FINISHED and run.generation == record.generation > record.settled


def _is_live(run: Run, record: Record) -> bool:
    return run.live and run.generation == record.generation


def _is_unheard(issue: Issue, stage: Stage, record: Record) -> bool:
    """Whether an epic stands before its merge by our own move, without the record that an approval was heard.

    The approval is heard again then. Where the history tells nothing, it may be a person's: that approves nothing.
    """
    approved = record.approval is not None and record.approval.heads
    ours = issue.mover in (Mover.US, Mover.UNKNOWN)
    return ours and record.stage is Stage.CODE_REVIEW and stage is Stage.MERGE and not approved


def _cut_short(ticket: Ticket, record: Record) -> bool:
    """Whether it was our own move, without the record that was to follow, and the result it rested on is lost.

    Where the history tells nothing, it is when the engine knows nothing of the run that we ordered: its database is
    lost. Then that stage runs again; a person who really was quicker moves the ticket once more.
    """
    if ticket.issue.mover is not Mover.UNKNOWN:
        return ticket.issue.mover is Mover.US
    return record.generation > record.settled and all(run.generation < record.generation for run in ticket.runs)


def _stops(ticket: Ticket, stage: Stage) -> tuple[StopRun, ...]:
    return tuple(
        StopRun(run.issue, run.id, f"the ticket was moved to {stage}")
        for run in ticket.runs
        if run.live and run.stage != stage
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
    if stage is Stage.MERGE and record.pull_request is None and ticket.pull_request is None:
        return "a pull request"
    return ""
