"""Turn 3: the merge train. What was approved is merged, each as its turn comes, and nothing else.

A merge and a place in GitHub's merge queue are bound to a head, so they are used. GitHub's auto-merge is not: it stays
on when somebody pushes, and would merge what nobody approved; so it is never switched on.
"""

from bot.machine import merge_queue
from bot.machine.approval import counts_for
from bot.machine.clearance import (
    ASKED_AGAIN_SECONDS,
    closed,
    covers,
    refused_before,
    unapproved,
    unnamed,
    what_stands_against,
)
from bot.machine.decision import NOTHING, Blocker, Decision, Merge, Retarget
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.inert import disarmed
from bot.machine.mending import update
from bot.machine.merge_queue import was_ejected
from bot.machine.record import Approval
from bot.machine.running import has_a_run_out, start
from bot.machine.stack import base_of, in_train_order, look_again, merges_after, waits_in_a_circle


def couple(facts: Facts, ticket: Ticket, approval: Approval) -> Decision:
    """One look at one car of the merge train: merge it, or say what it waits for."""
    pull, issue = ticket.pull_request, ticket.issue
    if pull is None:
        return Decision(blockers=(Blocker(issue.id, "no_pull_request"),))
    assert facts.repository is not None
    if shut := closed(ticket, pull):
        return Decision(blockers=(shut,))
    if unnamed(approval, ticket) and counts_for(approval, ticket, pull.head):
        return Decision(blockers=(unapproved(facts, ticket, approval),))
    if not covers(approval, ticket):
        return Decision(blockers=(Blocker(issue.id, "head_moved", {"head": pull.head[:12]}),))
    ahead = merges_after(facts, ticket)
    if ahead:
        names = ", ".join(one.issue.identifier for one in ahead)
        train = Blocker(issue.id, "train", {"tickets": names})
        return Decision(blockers=(*waits_in_a_circle(facts, ticket), train))
    moving = follow_base(facts, ticket)
    if moving.actions:
        return moving
    if pull.merging.queue:
        return merge_queue.ride(facts, ticket, pull)
    if pull.behind:
        return _catch_up(facts, ticket, approval)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is not None:
        return Decision(blockers=(blocker,), recheck_after=look_again(facts, ticket, pull))
    title = f"{issue.identifier}: {disarmed(issue.title)}"
    merge = Merge(issue.id, facts.repository.name, pull.number, pull.head, title, pull.merging.methods)
    refused = refused_before(facts, ticket, pull)
    return Decision((merge,), refused, recheck_after=ASKED_AGAIN_SECONDS if refused else 0.1)


def _catch_up(facts: Facts, ticket: Ticket, approval: Approval) -> Decision:
    """The rules want it up to date with its base: one car after the other, since each merge puts the others behind."""
    first = next(iter(riding(facts, approval)), ticket)
    if first.issue.id != ticket.issue.id and not facts.lone:
        return Decision(blockers=(Blocker(ticket.issue.id, "train", {"tickets": first.issue.identifier}),))
    return start(facts, ticket, update(facts, ticket))


def riding(facts: Facts, approval: Approval | None) -> tuple[Ticket, ...]:
    """The tickets that can still merge under this approval: approved as they are, sound, and stacked on such only."""
    aboard: dict[str, Ticket] = {}
    for ticket in in_train_order(facts):
        pull = ticket.pull_request
        if approval is None or pull is None or ticket.issue.disposition is not None:
            continue
        if ticket.issue.over and not pull.merged:
            continue  # given up, perhaps with a run out that a record which can't be written knows for ever
        moving = pull.open and has_a_run_out(ticket) and counts_for(approval, ticket, record_of(ticket).head)
        if not moving and not covers(approval, ticket):
            continue
        against = what_stands_against(facts, ticket, pull)
        sound = (moving or against is None or against.reason in _PASSING) and not was_ejected(approval, pull)
        if sound and all(one.issue.id in aboard for one in merges_after(facts, ticket)):
            aboard[ticket.issue.id] = ticket
    return tuple(one for one in aboard.values() if not (one.pull_request and one.pull_request.merged))


_PASSING = frozenset({"computing", "checks", "conflict", "rerunning"})
"""Reasons that pass by themselves, or that the service takes away: bringing up to date may clear a conflict."""


def follow_base(facts: Facts, ticket: Ticket) -> Decision:
    """A pull request that was stacked goes into the base branch once everything below it has landed."""
    pull, repository = ticket.pull_request, facts.repository
    if pull is None or repository is None or not pull.open or pull.base_branch == repository.base:
        return NOTHING
    stands_on = record_of(ticket).stands_on or repository.base
    if base_of(facts, ticket).branch != repository.base or stands_on != repository.base:
        return NOTHING  # first the branch itself moves on, so that it shows nothing of what lies below
    return Decision((Retarget(ticket.issue.id, repository.name, pull.number, repository.base),), recheck_after=0.5)
