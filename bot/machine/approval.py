"""Who may, and what their approval counts for: it is no unless everything says yes (design.md section 7, S-10, S-12).

An approval is a person's comment as it stands. Deleting or editing that comment takes the approval back, for everything
that is not merged yet; a new comment gives it again.
"""

from dataclasses import dataclass

from bot.machine.facts import Comment, Rules, Ticket
from bot.machine.record import Approval
from bot.machine.stages import Stage


@dataclass(frozen=True)
class Allowed:
    """The person may."""


@dataclass(frozen=True)
class Denied:
    """The person may not; `reason` completes the sentence “… because …”."""

    reason: str


def authorise(comment: Comment, rules: Rules) -> Allowed | Denied:
    """Whether the author of a comment may command and be listened to."""
    author = comment.author
    if comment.ours or author is None or author.app:
        return Denied("it was not written by a person in Linear")
    if author.guest:
        return Denied("guests may not steer Callboard")
    if not author.active:
        return Denied("its author is no longer active in this workspace")
    if not author.person:
        return Denied("it was not written by a person in Linear")
    if rules.people and author.id not in rules.people:
        return Denied("the policy names other people for this (`people.users`)")
    return Allowed()


def approves(comment: Comment, rules: Rules) -> Allowed | Denied:
    """Whether a comment can count as an approval: its author may, and nobody touched it since."""
    if comment.edited:
        return Denied("it was edited after it was written; write a new comment")
    return authorise(comment, rules)


def stands(approval: Approval, asked: Ticket, rules: Rules) -> bool:
    """Whether the comment that approved a merge on `asked` is still there as it was written, by somebody who may."""
    comment = next((one for one in asked.issue.comments if one.id == approval.comment), None)
    return comment is not None and isinstance(approves(comment, rules), Allowed)


def counts_for(approval: Approval, ticket: Ticket, head: str) -> bool:
    """Whether an approval of the merge counts for a head of a ticket.

    It counts for the head that was shown, and for what the service alone made of that head by bringing it up to date
    with its base without a conflict: no other change is in it. When work below that was approved with it is canceled
    since, it counts no more: the branch may still hold that work.
    """
    given = dict(approval.heads)
    canceled = {below.issue for below in ticket.issue.blocked_by if below.stage is Stage.CANCELED}
    if ticket.issue.id not in given or canceled & given.keys():
        return False
    carried = ticket.issue.record.carried if ticket.issue.record else None
    return head == given[ticket.issue.id] or carried == (given[ticket.issue.id], head)
