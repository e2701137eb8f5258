"""Plan in Review: turn 1 for an epic; for a ticket only where the policy asks a person to approve plans.

What is shown is named by a digest. The approval must come after our comment that showed it, from a person who may, and
the digest must still be the same; a document that was edited meanwhile is shown again, and needs its own approval.
"""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from bot.machine import archive, breakdown
from bot.machine.approval import Act, Denied, Subject, authorise
from bot.machine.breakdown import Breakdown, Task
from bot.machine.decision import Blocker, CreateTickets, Decision, Move, Post
from bot.machine.errors import UserError
from bot.machine.facts import Facts, Ticket, record_of, task_of
from bot.machine.listening import Heard, noted, reply
from bot.machine.record import Approval, Record
from bot.machine.running import start
from bot.machine.stack import in_train_order
from bot.machine.stages import Stage
from bot.machine.summary import shown_comment
from handlers import orders
from handlers.results import with_record

_WANTED_OTHERWISE = "somebody wants it changed; what comes of that is shown again, please approve that"


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Show the breakdown, hear the person, and make the tickets it approves."""
    try:
        proposed = _under_review(facts)
    except UserError as error:
        return _again(ticket, heard) if heard.wishes else _unreadable(ticket, heard, str(error))
    if facts.document is None and not proposed.tasks:  # somebody moved it here, or took all its tickets away
        return _again(ticket, heard)
    if heard.wishes and facts.document is not None:
        return _again(ticket, heard)
    values = {
        "tasks": _rows(proposed),
        "summary": proposed.summary,
        "url": facts.document.url if facts.document else "",
    }
    theirs = Decision(tuple(reply(ticket, one, "edit_children", {}) for one in heard.wishes))
    return theirs + _review(
        facts,
        ticket,
        heard,
        proposed.digest,
        "breakdown",
        values,
        lambda given: _create(facts, ticket, proposed, given),
    )


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Show the plan, hear the person, and let the work begin."""
    plan = heard.record.plan
    if heard.wishes or plan is None:
        return _again(ticket, heard)

    def begin(given: Approval) -> Decision:
        record = replace(heard.record, approval=given, shown=None, turns=heard.record.turns + 1)
        move = Decision((Move(ticket.issue.id, Stage.READY),))
        return move + start(facts, with_record(ticket, record), orders.dev(facts, ticket))

    return _review(facts, ticket, heard, plan.digest, "plan_review", {"path": plan.path}, begin)


def _rows(proposed: Breakdown) -> list[dict[str, str]]:
    """The table that a person approves; dependencies by the numbers of the table."""
    number = {task.key: str(index) for index, task in enumerate(proposed.tasks, 1)}
    return [
        {
            "title": task.title,
            "scope": task.scope,
            "after": ", ".join(number[key] for key in task.depends_on if key in number),
        }
        for task in proposed.tasks
    ]


def _under_review(facts: Facts) -> Breakdown:
    """What the document says, or the tickets that people wrote; of these, those in a circle say so themselves.

    Raises:
        UserError: nobody can read the document.
    """
    if facts.document is not None:
        return breakdown.read(facts.document.content)
    below = {ticket.issue.id: ticket.issue.identifier for ticket in facts.tickets}
    tasks = tuple(
        Task(
            ticket.issue.identifier,
            ticket.issue.title,
            ticket.issue.description,
            depends_on=tuple(below[one.issue] for one in ticket.issue.blocked_by if one.issue in below),
        )
        for ticket in in_train_order(facts)
        if record_of(ticket).task != breakdown.DOCUMENTATION
    )
    return Breakdown("", tasks)


def _review(
    facts: Facts, ticket: Ticket, heard: Heard, digest: str, words: str, values: Mapping[str, Any], approved: Any
) -> Decision:
    record, issue = heard.record, ticket.issue.id
    topic = _topic(ticket, record, f"{words}-review-{record.generation}", digest)
    blocker = Blocker(issue, "turn_1" if words == "breakdown" else "plan_review")
    now_shown = replace(record, shown=Approval(comment=topic, user="", at=facts.now, digest=digest))
    if record.shown is None or record.shown.comment != topic:
        # It may stand there although we were killed before we could remember it; its topic stands for its digest.
        record = now_shown if shown_comment(ticket, now_shown) else record
    shown = shown_comment(ticket, record) if record.shown and record.shown.digest == digest else None
    replies = Decision()
    subject = Subject(shown.created_at if shown else None, unchanged=shown is not None)
    for comment in heard.approvals:
        verdict = authorise(comment, Act.REVIEW, facts.rules, subject)
        if not isinstance(verdict, Denied) and record.shown is not None and comment.author is not None:
            given = replace(record.shown, comment=comment.id, user=comment.author.id, at=comment.created_at)
            done: Decision = approved(given)
            return replies + done
        reason = verdict.reason if isinstance(verdict, Denied) else ""
        replies += Decision((reply(ticket, comment, "refused", {"word": comment.body.strip()[:40], "reason": reason}),))
    show = Post(issue, topic, f"{words}_review" if words == "breakdown" else words, {**values, "digest": digest[:12]})
    if record.shown is None or record.shown.comment != topic:
        record = now_shown
    return replies + Decision((show,), (blocker,), record=record)


def _topic(ticket: Ticket, record: Record, name: str, digest: str) -> str:
    """What the comment is called that shows this.

    Where it was shown and is not there, a person deleted it: Linear takes its id for used, so it gets another name.
    Else it would never be shown again, and no approval would ever count.
    """
    shown = record.shown
    if shown is None or shown.digest != digest or not shown.comment.startswith(f"{name}-"):
        return f"{name}-{digest[:32]}"
    if shown_comment(ticket, record) is not None:
        return shown.comment
    return f"{name}-{sha256(f'{shown.comment} is gone'.encode()).hexdigest()[:32]}"


def _again(ticket: Ticket, heard: Heard) -> Decision:
    """A change is wanted: planning runs again with what was said, and what comes of it needs its own approval."""
    record = replace(heard.record, shown=None, approval=None)
    again = noted(ticket, heard) + Decision((Move(ticket.issue.id, Stage.PLAN),), recheck_after=0.0, record=record)
    return _refused(ticket, heard, _WANTED_OTHERWISE) + again if heard.wishes else again


def _refused(ticket: Ticket, heard: Heard, reason: str) -> Decision:
    """Every approval is answered with the same reason."""
    return Decision(
        tuple(
            reply(ticket, one, "refused", {"word": one.body.strip()[:40], "reason": reason}) for one in heard.approvals
        )
    )


def _create(facts: Facts, ticket: Ticket, proposed: Breakdown, given: Approval) -> Decision:
    """The approved tasks become tickets; those of an earlier approval that are gone are given up."""
    record: Record = replace(record_of(ticket), approval=given, shown=None, turns=record_of(ticket).turns + 1)
    tasks = breakdown.with_documentation(proposed.tasks) if facts.rules.documentation else proposed.tasks
    blocked_by: tuple[tuple[str, str], ...] = ()
    if facts.document is None:
        tasks = tuple(replace(task, depends_on=()) for task in tasks if task.key == breakdown.DOCUMENTATION)
        work = [one.issue.id for one in facts.tickets if record_of(one).task != breakdown.DOCUMENTATION]
        blocked_by = tuple((task.key, issue) for task in tasks for issue in work)
    wanted = {task.key for task in tasks}
    dropped = tuple(
        Move(one.issue.id, Stage.CANCELED)
        for one in facts.tickets
        if facts.document is not None and task_of(one) and task_of(one) not in wanted and not record_of(one).stage.over
    )
    create = CreateTickets(ticket.issue.id, ticket.issue.team, archive.wanted(facts, tasks), blocked_by)
    return Decision((create, *dropped, Move(ticket.issue.id, Stage.DEV)), recheck_after=0.0, record=record)


def _unreadable(ticket: Ticket, heard: Heard, mistake: str) -> Decision:
    post = Post(ticket.issue.id, "breakdown-unreadable", "breakdown_unreadable", {"mistake": mistake})
    waits = Blocker(ticket.issue.id, "breakdown_unreadable", {"mistake": mistake})
    return _refused(ticket, heard, mistake) + Decision((post,), (waits,), record=heard.record)
