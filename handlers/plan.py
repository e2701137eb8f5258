"""Plan in Progress: an epic is broken down into tasks; a ticket gets its implementation plan."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.machine import breakdown
from bot.machine import plan as plan_format
from bot.machine.decision import Decision, Move, Post, WriteBreakdown
from bot.machine.errors import UserError
from bot.machine.facts import Facts, Ticket
from bot.machine.listening import Heard, noted
from bot.machine.record import Record
from bot.machine.running import start, take_in, work
from bot.machine.stages import Stage
from handlers import orders
from handlers.results import artifact_of, summary_of, topic_of, with_record


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Run the breakdown worker; write its breakdown where people can read and edit it, and ask for turn 1."""
    order = orders.breakdown(facts, ticket)

    def taken(record: Record, result: Mapping[str, Any]) -> Decision:
        try:
            proposed = proposed_by(result)
        except UserError as error:
            failed = {"kind": "work_failed", "error": f"the breakdown can't be used: {error}"}
            return take_in(facts, with_record(ticket, record), order, failed, taken)
        write = WriteBreakdown(ticket.issue.id, breakdown.write(proposed))
        move = Move(ticket.issue.id, Stage.PLAN_REVIEW)
        return Decision((write, move), recheck_after=0.0, record=replace(record, shown=None, approval=None))

    said = noted(ticket, heard)
    return said + work(facts, ticket, order, taken)


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Run the planning worker; the plan goes to a person where the policy asks for one, else straight on."""

    def taken(record: Record, result: Mapping[str, Any]) -> Decision:
        wrong = wrong_with(result)
        if wrong:
            failed = {"kind": "work_failed", "error": f"the plan can't be used: {' '.join(wrong)}"}
            written = replace(record, plan=artifact_of(result))
            return take_in(facts, with_record(ticket, written), orders.plan(wrong), failed, taken)
        record = replace(record, plan=artifact_of(result), approval=None, shown=None)
        values = {"url": result.get("document_url", ""), "summary": summary_of(result)}
        post = Post(ticket.issue.id, topic_of("plan", ticket, record), "plan", values)
        if facts.rules.plan_by_person:
            return Decision((post, Move(ticket.issue.id, Stage.PLAN_REVIEW)), recheck_after=0.0, record=record)
        move = Decision((post, Move(ticket.issue.id, Stage.READY)))
        return move + start(facts, with_record(ticket, record), orders.dev(facts, ticket))

    said = noted(ticket, heard)
    return said + work(facts, ticket, orders.plan(), taken)


def wrong_with(result: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with the plan that an agent handed in, a sentence each; a worker can mend it before it is read."""
    document = str((result.get("outcome") or {}).get("document", ""))
    return tuple(f"Line {one.line}: {one.message}" for one in plan_format.read(document).findings)


def proposed_by(result: Mapping[str, Any]) -> breakdown.Breakdown:
    """The breakdown that an agent declared, checked by reading it back the way people will read it.

    Raises:
        UserError: it can't be used.
    """
    outcome = result.get("outcome") or {}
    tasks = tuple(
        breakdown.Task(
            key=str(task.get("key", "")),
            title=str(task.get("title", "")),
            description=str(task.get("description", "")),
            scope=str(task.get("scope", "")),
            depends_on=tuple(task.get("depends_on") or ()),
            areas=tuple(task.get("areas") or ()),
            impact=str(task.get("impact", "")),
        )
        for task in outcome.get("tasks") or ()
    )
    unknown = {key for task in tasks for key in task.depends_on} - {task.key for task in tasks}
    if unknown:
        raise UserError(f"tasks depend on {', '.join(sorted(unknown))}, which is no task")
    proposed = breakdown.Breakdown(str(outcome.get("summary", "")), tasks, tuple(outcome.get("questions") or ()))
    breakdown.read(breakdown.write(proposed))
    return proposed
