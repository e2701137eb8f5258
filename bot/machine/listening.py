"""What people said since last time: every new comment is acted upon once, and nobody is ignored in silence.

A comment is *heard* when its id stands in the record. Commands act here; approvals and wishes are handed to the stage
(`Heard`), which alone knows what stands in review. Words of people who may not steer never reach an agent; if what
they wrote is a command, they are told why it did nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.machine.approval import Act, Allowed, Denied, act_of, authorise
from bot.machine.comments import Command, Word, parse
from bot.machine.decision import NOTHING, Action, Decision, Dispose, Move, Post, StopRun
from bot.machine.echo import MOST_HOPS, MOST_REPEATS, Line, is_echo
from bot.machine.facts import Comment, Facts, Run, Ticket, record_of
from bot.machine.guidance import heard_as
from bot.machine.record import Record
from bot.machine.stages import Disposition, Stage


@dataclass(frozen=True)
class Heard:
    """The new comments of one issue, sorted: what is left for its stage to act upon, oldest first."""

    record: Record
    approvals: tuple[Comment, ...] = ()
    wishes: tuple[Comment, ...] = ()
    questions: tuple[tuple[Comment, Word], ...] = ()
    """Comments that ask for `status`, `why` or `help`; answered when the blockers are known."""
    decision: Decision = NOTHING
    disposition: Disposition | None = None
    """The disposition after what was said."""
    canceled: bool = False


def listen(facts: Facts, ticket: Ticket) -> Heard:
    """Hear the new comments of one issue (the epic or a ticket); where it is archived nobody can be answered."""
    record = record_of(ticket)
    heard = Heard(record, disposition=ticket.issue.disposition)
    known = frozenset(record.heard)
    said = () if ticket.issue.archived else _said(facts, ticket)
    new = [one for one in said if not one.ours and one.id not in known]
    for comment in sorted(new, key=lambda one: (one.created_at, one.id)):
        heard = _hear(facts, ticket, heard, comment)
    return heard


def _said(facts: Facts, ticket: Ticket) -> tuple[Comment, ...]:
    """The comments of an issue, and those of the epic that were found to concern it."""
    if ticket.issue.id == facts.epic.issue.id:
        return ticket.issue.comments
    about = {comment for comment, tickets in record_of(facts.epic).concerns if ticket.issue.id in tickets}
    return (*ticket.issue.comments, *(one for one in facts.epic.issue.comments if one.id in about))


def _hear(facts: Facts, ticket: Ticket, heard: Heard, comment: Comment) -> Heard:
    heard = replace(heard, record=replace(heard.record, heard=(*heard.record.heard, comment.id)))
    command = parse(comment.body)
    if _is_echo(ticket, comment):
        name = comment.author.name if comment.author else ""
        said = Post(ticket.issue.id, "echo", "echo", {"author": name})
        return replace(heard, decision=heard.decision + Decision((said,)))
    act = act_of(comment)
    verdict = authorise(comment, act, facts.rules)
    if isinstance(verdict, Denied):
        author = comment.author
        human = author is not None and not author.app and (author.person or author.guest or not author.active)
        if command.word is Word.TEXT or not human:
            return heard
        return _reply(heard, ticket, comment, "refused", {"word": comment.body.strip()[:40], "reason": verdict.reason})
    assert isinstance(verdict, Allowed)
    if act is Act.APPROVE:
        return replace(heard, approvals=(*heard.approvals, comment))
    if command.word is Word.TEXT:
        guided = replace(
            heard.record,
            guidance=(*heard.record.guidance, comment.id),
            as_heard=heard_as(heard.record, record_of(facts.epic), comment),
            turns=heard.record.turns + 1,
        )
        return replace(heard, record=guided, wishes=(*heard.wishes, comment))
    if command.word in (Word.STATUS, Word.WHY, Word.HELP):
        return replace(heard, questions=(*heard.questions, (comment, command.word)))
    return _obey(facts, ticket, heard, comment, command)


def _is_echo(ticket: Ticket, comment: Comment) -> bool:
    """Whether its author answers everything at once: any text, or the same command again and again."""
    text = parse(comment.body).word is Word.TEXT
    lines = [
        Line("" if one.ours else one.author.id if one.author else "-", one.created_at)
        for one in ticket.issue.comments
        if one.ours or (parse(one.body).word is Word.TEXT if text else one.body == comment.body)
    ]
    said = Line(comment.author.id if comment.author else "-", comment.created_at)
    return is_echo(said, lines, MOST_HOPS if text else MOST_REPEATS)


def _obey(facts: Facts, ticket: Ticket, heard: Heard, comment: Comment, command: Command) -> Heard:
    issue = ticket.issue.id
    everything = facts.tickets if issue == facts.epic.issue.id and not facts.lone else ()
    match command.word:
        case Word.PAUSE:
            return _act(heard, ticket, comment, "paused", Dispose(issue, Disposition.PAUSED))
        case Word.RESUME:
            return _act(heard, ticket, comment, "resumed", Dispose(issue, None))
        case Word.STOP:
            stops = [_stop(run, comment) for one in (ticket, *everything) for run in one.runs if run.live]
            return _act(heard, ticket, comment, "stopped", Dispose(issue, Disposition.PAUSED), *stops)
        case Word.RETRY:
            fresh = replace(
                heard.record, runs=0, attempts=0, hiccups=0, wait_until=None, resume=True, rounds=(), failure=""
            )
            others = [Dispose(one.issue.id, None) for one in everything if one.issue.disposition is Disposition.BLOCKED]
            return _act(replace(heard, record=fresh), ticket, comment, "retried", Dispose(issue, None), *others)
        case Word.CANCEL:
            return _act(replace(heard, canceled=True), ticket, comment, "canceled", Move(issue, Stage.CANCELED))
        case Word.BUDGET:
            allowed = replace(heard.record, budget_usd=command.amount)
            return _reply(
                replace(heard, record=allowed), ticket, comment, "budget", {"amount": f"{command.amount:.2f}"}
            )
    raise AssertionError(command.word)


def _stop(run: Run, comment: Comment) -> StopRun:
    return StopRun(run.issue, run.id, f"{comment.author.name if comment.author else 'somebody'} said stop")


def _act(heard: Heard, ticket: Ticket, comment: Comment, words: str, *actions: Action) -> Heard:
    for action in actions:
        if isinstance(action, Dispose) and action.issue == ticket.issue.id:
            heard = replace(heard, disposition=action.disposition)
    heard = replace(heard, decision=heard.decision + Decision(actions))
    return _reply(heard, ticket, comment, words, {})


def _reply(heard: Heard, ticket: Ticket, comment: Comment, words: str, values: dict[str, str]) -> Heard:
    return replace(heard, decision=heard.decision + Decision((reply(ticket, comment, words, values),)))


def reply(ticket: Ticket, comment: Comment, words: str, values: Mapping[str, Any]) -> Post:
    """An answer in the thread of a person's comment; on a ticket that it was handed on to, a comment of its own.

    A thread is of one issue: Linear refuses an answer that stands elsewhere, and all that was to be written with it.
    """
    thread = (comment.parent or comment.id) if comment in ticket.issue.comments else None
    return Post(ticket.issue.id, f"reply-{comment.id}", words, values, parent=thread)


def noted(ticket: Ticket, heard: Heard) -> Decision:
    """Say that the next run will be told; what was said on the epic is answered there."""
    here = {comment.id for comment in ticket.issue.comments}
    return Decision(tuple(reply(ticket, comment, "noted", {}) for comment in heard.wishes if comment.id in here))
