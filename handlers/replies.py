"""Answers that several stages give to what people said."""

from bot.machine.decision import Decision
from bot.machine.facts import Ticket
from bot.machine.listening import Heard, reply


def nothing_to_approve(ticket: Ticket, heard: Heard) -> Decision:
    """Answer approvals where nothing stands in review."""
    return Decision(tuple(reply(ticket, comment, "nothing_to_approve", {}) for comment in heard.approvals))


def noted(ticket: Ticket, heard: Heard) -> Decision:
    """Say that the next run will be told."""
    return Decision(tuple(reply(ticket, comment, "noted", {}) for comment in heard.wishes))


def elsewhere(ticket: Ticket, heard: Heard) -> Decision:
    """Say where a wish must be said to have an effect."""
    return Decision(tuple(reply(ticket, comment, "elsewhere", {}) for comment in heard.wishes))
