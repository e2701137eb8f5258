"""The life of a run, as every stage with a worker sees it: order it, wait for it, take its result in.

A run belongs to the record's generation. `settled < generation` means that a result is still due; when the engine has
no such run (its database was lost), a new generation is ordered, so that a late result of the old one finds no taker.
Three kinds of failing are counted apart: the work (attempts), the transport (hiccups), the account's limit (no count).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.machine import calling, limits
from bot.machine.decision import Blocker, Decision, Dispose, Post, StartRun, StopRun, until
from bot.machine.doubt import doubted
from bot.machine.facts import Facts, Run, RunState, Ticket, record_of
from bot.machine.guidance import guidance, unheard
from bot.machine.pull_request import Failure
from bot.machine.record import Record
from bot.machine.spending import budget, ran, spent
from bot.machine.stack import base_of, own_branch
from bot.machine.stages import Disposition, Stage
from bot.machine.visible import visible_characters, visible_text

_TITLE = 256
"""Characters of a title that a worker is shown."""
Taken = Callable[[Record, Mapping[str, Any]], Decision]
"""What a stage makes of a successful result: the record with the run settled, and the result."""


@dataclass(frozen=True)
class Order:
    """What a stage wants a worker to do."""

    prompt: str
    stage: Stage
    variables: Mapping[str, Any]
    about: Mapping[str, Any] = field(default_factory=dict)
    """JSON that comes back with the result."""
    upstream: str = ""
    failures: tuple[Failure, ...] = ()


def stops(ticket: Ticket, how: str) -> tuple[StopRun, ...]:
    """End what runs of a ticket that is over or stands still; `how` that came is the end of a sentence about it."""
    return tuple(StopRun(run.issue, run.id, f"{ticket.issue.identifier} {how}") for run in ticket.runs if run.live)


def current_run(ticket: Ticket) -> Run | None:
    """The run whose result is due, or None."""
    record = record_of(ticket)
    newest = max(ticket.runs, key=lambda run: run.generation, default=None)
    if newest is None or newest.generation <= record.settled or newest.generation < record.generation:
        return None
    return newest


def has_a_run_out(ticket: Ticket) -> bool:
    """Whether a result is still due; also that of a run which was lost with the database, until there is another."""
    record = record_of(ticket)
    return record.settled < record.generation


def is_running(ticket: Ticket) -> bool:
    """Whether a worker is at it now."""
    run = current_run(ticket)
    return run is not None and run.state is RunState.RUNNING


def work(facts: Facts, ticket: Ticket, order: Order, taken: Taken) -> Decision:
    """One look at a stage that is done by a worker."""
    run, record = current_run(ticket), record_of(ticket)
    if run is None:
        return start(facts, ticket, order)
    record = replace(record, generation=run.generation)
    if run.state is RunState.QUEUED and (paused := limits.paused(facts, ticket)):
        return replace(paused, record=record)
    if run.state is RunState.QUEUED:
        return Decision(blockers=(Blocker(ticket.issue.id, "worker", {"ahead": run.ahead}),), record=record)
    if run.state is RunState.RUNNING:
        since = f"{run.started_at:%d %b %H:%M} UTC" if run.started_at else "just now"
        stage = f"{run.stage}, {record.step}" if record.step else run.stage
        return Decision(
            blockers=(Blocker(ticket.issue.id, "running", {"stage": stage, "since": since}),), record=record
        )
    settled = replace(record, settled=run.generation)
    if run.state is RunState.CANCELED or run.result is None:
        return start(facts, _with(ticket, settled), order)
    return take_in(facts, _with(ticket, settled), order, run.result, taken)


def take_in(facts: Facts, ticket: Ticket, order: Order, result: Mapping[str, Any], taken: Taken) -> Decision:
    """Sort a result by its kind; the ticket's record has the run settled already."""
    record = record_of(ticket)
    if order.prompt != "update":  # no agent's work
        record = replace(record, ran=ran(facts, ticket, record))
    record = _branch_now(facts, record, result)
    if at := result.get("loop"):
        record = replace(record, resume=False, step=f"{at['at']} ({at['next']})")
    match _kind(result):
        case "success":
            return taken(replace(_told(record, result), attempts=0, hiccups=0, wait_until=None), result)
        case "needs_input":
            outcome = result.get("outcome") or {}
            values = {
                "question": outcome.get("question") or result.get("summary", ""),
                "options": outcome.get("options") or [],
            }
            asking = replace(_told(record, result), resume=True)
            return _stand_still(ticket, asking, Disposition.NEEDS_INPUT, "needs_input", values)
        case "blocked":
            values = {
                "stage": record.step or str(order.stage),
                "attempts": result.get("attempts", 0),
                "error": result.get("error", ""),
                "tried": result.get("tried") or [],
            }
            return _stand_still(ticket, replace(record, resume=True), Disposition.BLOCKED, "blocked", values)
        case "usage_limit":
            resets = _moment(result.get("resets_at")) or facts.now + timedelta(minutes=15)
            return start(facts, _with(ticket, replace(record, wait_until=resets)), order)
        case "out_of_budget":  # what several runs share; a moment later it is seen here, too, and holds this one back
            later = replace(record, wait_until=facts.now + timedelta(seconds=30))
            return start(facts, _with(ticket, later), order)
        case "transport_failed":
            pause = min(300.0, 5.0 * 2 ** min(record.hiccups, 10))
            later = replace(record, hiccups=record.hiccups + 1, wait_until=facts.now + timedelta(seconds=pause))
            return start(facts, _with(ticket, later), order)
        case "stopped":
            return Decision(record=record)
    return _work_failed(facts, ticket, record, order, result)


def _kind(result: Mapping[str, Any]) -> str:
    """How a run ended, in the words of `bot.runs.contract.Ending`; one that raised has only an error."""
    error = result.get("error")
    passes = isinstance(error, Mapping) and error.get("type") == "Transient"
    return str(result.get("kind") or ("transport_failed" if passes else "work_failed"))


def _error(result: Mapping[str, Any]) -> str:
    error = result.get("error") or result.get("summary") or ""
    return f"{error.get('type')}: {error.get('message')}" if isinstance(error, Mapping) else str(error)


def start(facts: Facts, ticket: Ticket, order: Order) -> Decision:
    """Order a run, unless something holds it back; then say what."""
    record = record_of(ticket)
    held = _held_back(facts, ticket)
    if held is not None:
        return replace(held, record=record)
    base = base_of(facts, ticket)
    generation = record.generation + 1
    branch = own_branch(ticket)
    assert facts.repository is not None
    record = replace(
        record,
        generation=generation,
        runs=record.runs + 1,
        repository=facts.repository.name if _is_work(facts, ticket) else record.repository,
        branch=branch,
        base=base.branch,
        own_base=record.own_base or bool(base.merges),
        started_at=record.started_at or facts.now,
        wait_until=None,
        told=record.guidance,
    )
    run = StartRun(
        issue=ticket.issue.id,
        prompt=order.prompt,
        stage=order.stage,
        generation=generation,
        attempt=record.attempts + 1,
        priority=_priority(ticket, order.stage),
        header=_header(facts, ticket, order, record.attempts + 1),
        variables={**order.variables, "guidance": guidance(facts, ticket, record)},
        repository=facts.repository.name,
        branch=branch,
        base=base.branch,
        merges=base.merges,
        plan_digest=record.approval.digest if record.approval and order.prompt == "implement" else "",
        research_path=record.research.path if record.research else "",
        plan_path=record.plan.path if record.plan else "",
        resume=record.resume,
        wishes=record.guidance,
        about=order.about,
        head=record.head,
        upstream=order.upstream,
        failures=order.failures,
    )
    posts = unheard(facts, ticket, record)
    return Decision((*posts, run), (Blocker(ticket.issue.id, "worker", {"ahead": 0}),), record=record)


def _is_work(facts: Facts, ticket: Ticket) -> bool:
    """Whether a run pushes something; what breaks down an epic only reads."""
    return facts.lone or ticket.issue.id != facts.epic.issue.id


def is_approved(facts: Facts, ticket: Ticket) -> bool:
    """Whether work on a ticket is covered: alone by its label, in an epic by the approval that stands now."""
    return facts.lone or ticket.issue.id == facts.epic.issue.id or record_of(facts.epic).approval is not None


def _held_back(facts: Facts, ticket: Ticket) -> Decision | None:
    record, issue = record_of(ticket), ticket.issue
    if not is_approved(facts, ticket):
        return Decision(blockers=(Blocker(issue.id, "epic", {"epic": facts.epic.issue.identifier}),))
    if not facts.lone and facts.epic.issue.stage is Stage.DONE:  # somebody closed it while its tickets are under way
        return Decision(blockers=(Blocker(issue.id, "epic_over", {"epic": facts.epic.issue.identifier}),))
    for one in (ticket, facts.epic):
        if one.issue.disposition is not None:
            values = {"disposition": str(one.issue.disposition), "issue": one.issue.identifier}
            return Decision(blockers=(Blocker(issue.id, "disposition", values),))
    if (uncalled := calling.standstill(facts, issue.id)) is not None:
        return Decision(blockers=(uncalled,))
    if (unknown := doubted(facts)) is not None:
        return Decision(blockers=(Blocker(issue.id, "cost_unknown", {"issue": unknown.issue.identifier}),))
    if spent(facts) >= budget(facts):
        values = {
            "spent": f"{spent(facts):.2f}",
            "budget": f"{budget(facts):.2f}",
            "issue": facts.epic.issue.identifier,
        }
        return Decision(blockers=(Blocker(issue.id, "budget", values),))
    if (held := limits.held_back(facts, ticket, record)) is not None:
        return held
    if record.wait_until is not None and record.wait_until > facts.now:
        values = {"until": record.wait_until.isoformat(timespec="minutes")}
        return Decision(
            blockers=(Blocker(issue.id, "outside", values),), recheck_after=until(facts.now, record.wait_until)
        )
    return None


def _branch_now(facts: Facts, record: Record, result: Mapping[str, Any]) -> Record:
    """The record with the commits that the branch and its base have after a run."""
    head, base_at = str(result.get("head") or record.head), str(result.get("base_at") or "")
    if head != record.head:
        record = replace(record, head=head, head_at=facts.now, reran=(), reran_at=None)
    if base_at and _settles_base(result):
        record = replace(record, base_at=base_at, stands_on=record.base)
    onto_base = facts.repository is not None and record.base == facts.repository.base
    if (moved := result.get("carried")) is not None and onto_base:  # what lies below may not be approved yet
        before, after = str(moved[0]), str(moved[1])
        first = record.carried[0] if record.carried and record.carried[1] == before else before
        record = replace(record, carried=(first, after))
    return record


def _settles_base(result: Mapping[str, Any]) -> bool:
    """Whether the branch stands on its base after the run; one that mends something else leaves that as it was."""
    kind = (result.get("about") or {}).get("kind", "")
    return result.get("kind") == "success" and "conflict" not in result and kind in ("", "update", "conflict")


def _told(record: Record, result: Mapping[str, Any]) -> Record:
    """What people said is not said again to the next run, unless nobody acted upon it yet."""
    if result.get("told") is False or (result.get("about") or {}).get("kind") == "update":
        return record
    return replace(record, guidance=tuple(one for one in record.guidance if one not in record.told), told=())


def _work_failed(facts: Facts, ticket: Ticket, record: Record, order: Order, result: Mapping[str, Any]) -> Decision:
    failed = replace(record, attempts=record.attempts + 1, hiccups=0)
    if failed.attempts <= facts.rules.max_retries:
        return start(facts, _with(ticket, failed), order)
    values: dict[str, object] = {
        "stage": str(order.stage),
        "attempts": failed.attempts,
        "error": _error(result),
        "tried": [],
    }
    fresh = replace(failed, attempts=0)  # the label holds it back from here on; whoever takes it off starts anew
    return _stand_still(ticket, fresh, Disposition.BLOCKED, "blocked", values)


def _stand_still(
    ticket: Ticket, record: Record, disposition: Disposition, words: str, values: Mapping[str, Any]
) -> Decision:
    topic = f"{words}-{record.generation}"
    return Decision(
        (Dispose(ticket.issue.id, disposition), Post(ticket.issue.id, topic, words, values)),
        (Blocker(ticket.issue.id, "disposition", {"disposition": str(disposition), "issue": ticket.issue.identifier}),),
        record=record,
    )


def _priority(ticket: Ticket, stage: Stage) -> int:
    """Smaller goes first: what is nearest to done, then Linear's priority (0 there means none)."""
    return (Stage.CANCELED.rank - stage.rank) * 10 + (ticket.issue.priority or 5)


def _header(facts: Facts, ticket: Ticket, order: Order, attempt: int) -> dict[str, str]:
    issue = ticket.issue
    return {
        "TASK_ID": issue.identifier,
        "STAGE": str(order.stage),
        "ATTEMPT": str(attempt),
        "TITLE": visible_characters(issue.title)[:_TITLE],
        "DESCRIPTION": visible_text(issue.description),
        "SCOPE": "",
        "DEPENDENCIES": ", ".join(below.identifier for below in issue.blocked_by) or "none",
        "PARENT_TICKET": facts.epic.issue.identifier if not facts.lone and issue.id != facts.epic.issue.id else "none",
    }


def _with(ticket: Ticket, record: Record) -> Ticket:
    return replace(ticket, issue=replace(ticket.issue, record=record))


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
