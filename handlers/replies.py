"""Answers that several stages give to what people said."""

from bot.machine.decision import Decision
from bot.machine.facts import Ticket
from bot.machine.listening import Heard, reply


def noted(ticket: Ticket, heard: Heard) -> Decision:
    """Say that the next run will be told; what was said on the epic is answered there."""
    here = {comment.id for comment in ticket.issue.comments}
    return Decision(tuple(reply(ticket, comment, "noted", {}) for comment in heard.wishes if comment.id in here))
