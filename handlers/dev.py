"""In Dev: workers implement the plan step by step; the epic watches its tickets until each is ready or stuck."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.machine import archive, breakdown
from bot.machine.breakdown import DOCUMENTATION
from bot.machine.decision import Blocker, CreateTickets, Decision, Move, Post
from bot.machine.errors import UserError
from bot.machine.facts import Facts, Ticket, task_of
from bot.machine.listening import Heard, noted
from bot.machine.record import Artifact, Record
from bot.machine.running import start, work
from bot.machine.stages import Stage
from bot.machine.summary import arrived
from handlers import orders
from handlers.code_review import request_review
from handlers.concerns import hand_on
from handlers.results import about_the_work, summary_of, topic_of, with_record


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Watch the breakdown stay what was approved, and the tickets arrive; then turn 2."""
    said = hand_on(facts, ticket, heard)
    heard = replace(heard, record=said.record or heard.record)
    changed = _changed_since_approval(facts, ticket, heard)
    if changed is not None:
        return said + changed
    if heard.record.approval is None:  # it was over before anybody approved it, and came back here
        return said + Decision((Move(ticket.issue.id, Stage.PLAN_REVIEW),), recheck_after=0.0, record=heard.record)
    missing = _missing_tasks(facts, heard)
    if missing:
        create = CreateTickets(ticket.issue.id, ticket.issue.team, missing)
        return said + Decision((create,), recheck_after=1.0, record=heard.record)
    if not facts.tickets and facts.document is None:  # what was approved is gone: there is nothing to wait for
        record = replace(heard.record, approval=None, shown=None)
        return said + Decision((Move(ticket.issue.id, Stage.PLAN),), recheck_after=0.0, record=record)
    if (facts.tickets or archive.taken_away(facts)) and all(arrived(facts, one) for one in facts.tickets):
        return said + Decision((Move(ticket.issue.id, Stage.CODE_REVIEW),), recheck_after=0.0, record=heard.record)
    under_way = [one.issue.identifier for one in facts.tickets if not arrived(facts, one)]
    return said + Decision(
        blockers=(Blocker(ticket.issue.id, "tickets", {"tickets": ", ".join(under_way)}),), record=heard.record
    )


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Run the implementation loop, a run for each step; the finished branch gets its pull request."""
    documentation = heard.record.task == DOCUMENTATION
    order = orders.dev(facts, ticket)

    def taken(record: Record, result: Mapping[str, Any]) -> Decision:
        if result.get("nothing_to_do"):
            post = Post(
                ticket.issue.id, f"nothing-{record.generation}", "nothing_to_do", {"summary": summary_of(result)}
            )
            return Decision((post, Move(ticket.issue.id, Stage.DONE)), record=record)
        if "changed_plan" in result:
            return _plan_changed(ticket, record, result["changed_plan"])
        if given_up := result.get("given_up"):
            post = Post(ticket.issue.id, f"given-up-{record.generation}", "given_up", {"paths": given_up})
            return Decision((post,)) + taken(record, {**result, "given_up": []})
        completed: Mapping[str, Any] = result if documentation else result.get("completed") or {}
        if not completed or (record.guidance and not documentation):
            return start(facts, with_record(ticket, record), order)
        return _completed(facts, ticket, replace(record, step=""), completed)

    said = noted(ticket, heard)
    return said + work(facts, ticket, order, taken)


def _completed(facts: Facts, ticket: Ticket, record: Record, completed: Mapping[str, Any]) -> Decision:
    """The work stands: its receipts are shown, its pull request opens; one that was closed before is past."""
    if ticket.pull_request is not None and not ticket.pull_request.open:
        record = replace(record, pull_request=None)
    record = replace(record, summary=summary_of(completed)[:2000], **about_the_work(completed))
    posts: tuple[Post, ...] = ()
    if "receipts" in completed:
        values = {"receipts": completed["receipts"], "by_worker": completed["by_worker"]}
        posts = (Post(ticket.issue.id, topic_of("receipt", ticket, record), "receipt", values),)
    move = Decision((*posts, Move(ticket.issue.id, Stage.CODE_REVIEW)), recheck_after=0.0, record=record)
    if facts.rules.open_reviews:
        return move  # where only so many may be open, they are opened one after the other
    return request_review(facts, with_record(ticket, record)) + move


def _plan_changed(ticket: Ticket, record: Record, plan: Mapping[str, str]) -> Decision:
    """The plan on the branch is not the one a person approved: nothing was begun, and it is shown again."""
    record = replace(record, plan=Artifact(plan["path"], plan["digest"], plan["commit"]), approval=None, shown=None)
    post = Post(ticket.issue.id, f"void-{record.generation}", "plan_void", {"path": plan["path"]})
    return Decision((post, Move(ticket.issue.id, Stage.PLAN_REVIEW)), recheck_after=0.0, record=record)


def _changed_since_approval(facts: Facts, ticket: Ticket, heard: Heard) -> Decision | None:
    approval = heard.record.approval
    if facts.document is None or approval is None:
        return None
    try:
        digest = breakdown.read(facts.document.content).digest
    except UserError:
        digest = "unreadable"
    if digest == approval.digest:
        return None
    post = Post(ticket.issue.id, f"void-{digest[:12]}", "breakdown_void", {})
    record = replace(heard.record, approval=None, shown=None)
    return Decision((post, Move(ticket.issue.id, Stage.PLAN_REVIEW)), recheck_after=0.0, record=record)


def _missing_tasks(facts: Facts, heard: Heard) -> tuple[breakdown.Task, ...]:
    """When tickets of approved tasks are not there (a write that failed half-way), all of them, so that they connect.

    But for those that a person took away.
    """
    refused = any(one.issue.record_refused for one in facts.tickets)  # then it can't be known which task that one is
    if facts.document is None or heard.record.approval is None or refused:
        return ()
    tasks = breakdown.read(facts.document.content).tasks
    there = {task_of(one) for one in facts.tickets}
    left = archive.wanted(facts, breakdown.with_documentation(tasks) if facts.rules.documentation else tasks)
    return () if all(task.key in there for task in left) else left
