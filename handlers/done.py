"""Done: nothing is left to do; people who still say something are answered."""

from bot.machine.account import account
from bot.machine.decision import Blocker, Decision, Post
from bot.machine.doubt import doubted
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.landing import is_merged, leave, leave_checkout, put_away
from bot.machine.listening import Heard
from bot.machine.running import stops
from bot.machine.stages import Stage
from handlers.replies import over

_ASKED_SECONDS = 600.0
"""How often to look whether a person did what a branch that should go waits for, if nobody tells us."""


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Close with what it came to."""
    left = Decision(stops(ticket, "is done")) + leave_checkout(facts, heard.record)  # of the breakdown's worker
    unmerged = [one for one in facts.tickets if not one.issue.over]
    if unmerged:
        names = ", ".join(one.issue.identifier for one in unmerged)
        waits = Blocker(ticket.issue.id, "done_too_early", {"tickets": names})
        return over(facts, ticket, heard) + Decision(blockers=(waits,)) + left
    merged = [one for one in facts.tickets if is_merged(facts, one)]
    tidy = all(not record_of(one).branch or one.issue.archived for one in merged)  # whose record stays as it is
    asked = doubted(facts) is not None or any(map(_is_open, facts.tickets))
    again = None if tidy else _ASKED_SECONDS if asked else 1.0
    closing = Post(ticket.issue.id, "closing", "closing", account(facts).values())
    return over(facts, ticket, heard) + Decision((closing,), recheck_after=again) + left


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """A ticket that a person closed by hand stops its worker; that its pull request stands open is said.

    Its branch goes with the merge, if that ever comes. Its checkout goes now: nobody may look at it again then.
    """
    pull, said = ticket.pull_request, over(facts, ticket, heard) + Decision(stops(ticket, "is done"))
    if pull is not None and _is_open(ticket):
        waits = Blocker(ticket.issue.id, "done_but_open", {"number": pull.number})
        return said + Decision(blockers=(waits,)) + put_away(facts, heard.record)
    return said + leave(facts, ticket, heard.record)


def _is_open(ticket: Ticket) -> bool:
    """Whether a person calls it done and is asked to see to its pull request."""
    return ticket.issue.stage is Stage.DONE and ticket.pull_request is not None and ticket.pull_request.open
