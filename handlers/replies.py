"""Answers that several stages give to what people said."""

from bot.machine.decision import Decision
from bot.machine.facts import Facts, Ticket
from bot.machine.listening import Heard, reply


def over(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Say that nothing comes of it any more; of what was said on the epic, that it is this ticket which is over."""
    here = {comment.id for comment in ticket.issue.comments}
    state, epic = ticket.issue.state_name, facts.epic.issue.identifier
    said = (*heard.approvals, *heard.wishes)
    return Decision(
        tuple(reply(ticket, one, "over", {"state": state, "epic": "" if one.id in here else epic}) for one in said)
    )
