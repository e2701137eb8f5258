"""A wish said on the epic reaches the tickets it is about: those it names, or those that a worker finds it is about."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.machine.decision import Action, Decision
from bot.machine.facts import Comment, Facts, Ticket, record_of
from bot.machine.listening import Heard, reply
from bot.machine.record import Record
from bot.machine.running import current_run, work
from bot.machine.visible import visible_text
from handlers import orders
from handlers.results import with_record

_IDENTIFIER = re.compile(r"\b[A-Z][A-Z0-9]*-[0-9]+\b")
_NUMBER = re.compile(r"(?<![\w/])#([0-9]+)\b")
_KEPT = 30
"""Wishes that the epic's record keeps in mind."""


def hand_on(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Hand wishes on to their tickets; a worker is asked about those that name none. The record is in the decision."""
    record, actions = heard.record, list[Action]()
    for comment in heard.wishes:
        concerned = named_in(facts, comment)
        if concerned:
            record = _concern(record, comment.id, concerned)
            actions.append(reply(ticket, comment, "handed_on", {"tickets": _names(facts, concerned)}))
    ticket = with_record(ticket, record)
    if not record.guidance and current_run(ticket) is None:
        return Decision(tuple(actions), recheck_after=0.0 if actions else None, record=record)
    asked = work(facts, ticket, orders.concern(facts, ticket), _taken(facts, ticket))
    return Decision(tuple(actions), record=record) + asked


def named_in(facts: Facts, comment: Comment) -> tuple[str, ...]:
    """Ids of the tickets that a comment names by identifier or pull request; else of the only one; else none."""
    said = visible_text(comment.body)
    names, numbers = set(_IDENTIFIER.findall(said)), {int(one) for one in _NUMBER.findall(said)}
    under_way = [one for one in facts.tickets if not one.issue.over]
    found = [
        one.issue.id
        for one in under_way
        if one.issue.identifier in names or (one.pull_request and one.pull_request.number in numbers)
    ]
    return tuple(found) or (tuple(one.issue.id for one in under_way) if len(under_way) == 1 else ())


def _taken(facts: Facts, ticket: Ticket) -> Any:
    """A worker told which tickets the wishes are about."""

    def taken(record: Record, result: Mapping[str, Any]) -> Decision:
        told = record_of(ticket).told or record_of(ticket).guidance
        wanted = set((result.get("outcome") or {}).get("tickets") or ())
        concerned = tuple(one.issue.id for one in facts.tickets if one.issue.identifier in wanted)
        comments = [one for one in ticket.issue.comments if one.id in told]
        words, values = "handed_on", {"tickets": _names(facts, concerned)}
        if not concerned:
            words, values = "which_ticket", {}
        for comment in comments:
            record = _concern(record, comment.id, concerned)
        replies = tuple(reply(ticket, one, words, values) for one in comments)
        return Decision(replies, recheck_after=0.0, record=record)

    return taken


def _concern(record: Record, comment: str, concerned: tuple[str, ...]) -> Record:
    concerns = (*record.concerns, (comment, concerned)) if concerned else record.concerns
    guidance = tuple(one for one in record.guidance if one != comment)
    return replace(record, concerns=concerns[-_KEPT:], guidance=guidance)


def _names(facts: Facts, concerned: tuple[str, ...]) -> str:
    return ", ".join(one.issue.identifier for one in facts.tickets if one.issue.id in concerned)
