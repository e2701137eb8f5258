"""Canceled: workers stop, the pull request closes, branch and checkout go; for an epic, all of its tickets."""

from dataclasses import replace

from bot.machine.decision import Action, ClosePullRequest, Decision, Dispose, Move
from bot.machine.facts import Facts, Ticket
from bot.machine.landing import leave, leave_checkout
from bot.machine.listening import Heard
from bot.machine.running import stops
from bot.machine.stages import Stage
from handlers.replies import over


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Give up the breakdown, and every ticket that isn't over."""
    moves = tuple(Move(one.issue.id, Stage.CANCELED) for one in facts.tickets if not one.issue.over)
    return (
        over(facts, ticket, heard)
        + Decision((*stops(ticket, "was canceled"), *moves))
        + leave_checkout(facts, heard.record)
    )


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Give up one ticket. Its branch stays, for people, unless it was merged before."""
    actions: list[Action] = [*stops(ticket, "was canceled"), Move(ticket.issue.id, Stage.CANCELED)]
    pull = ticket.pull_request
    if facts.repository is not None and pull is not None and pull.open:
        actions.append(ClosePullRequest(ticket.issue.id, facts.repository.name, pull.number))
    if ticket.issue.disposition is not None:
        actions.append(Dispose(ticket.issue.id, None))
    # A branch that has to stay for now goes later, and only this number finds its pull request then.
    known = pull.number if pull is not None else heard.record.pull_request
    left = leave(facts, ticket, replace(heard.record, head="", pull_request=known))
    return over(facts, ticket, heard) + Decision(tuple(actions)) + left
