"""Whether a pull request may be merged: an approval covers exactly this head, and nothing speaks against it."""

from bot.machine.approval import counts_for, stands
from bot.machine.decision import NOTHING, Blocker, Decision, Post
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.pull_request import Mergeable, PullRequest
from bot.machine.record import Approval
from bot.machine.stack import checks_are_green, merges_after, waits_in_a_circle
from bot.machine.stages import Stage

SHOWN = 20
"""Paths that a sentence names at most."""
ASKED_AGAIN_SECONDS = 60.0
"""How often GitHub is asked again what it refuses."""


def covers(approval: Approval | None, ticket: Ticket) -> bool:
    """Whether an approval counts for the head of a pull request now."""
    pull = ticket.pull_request
    if pull is None or approval is None or not counts_for(approval, ticket, pull.head):
        return False
    return pull.protected is not None and not unnamed(approval, ticket)


def unnamed(approval: Approval | None, ticket: Ticket) -> tuple[str, ...]:
    """The protected paths that a pull request changes and that the approval does not name."""
    changed = (ticket.pull_request.protected or ()) if ticket.pull_request else ()
    named = {path for issue, path in approval.protected if issue == ticket.issue.id} if approval else set[str]()
    return tuple(path for path in changed if path not in named)


def unapproved(facts: Facts, ticket: Ticket, approval: Approval | None) -> Blocker:
    """That a ticket waits for an approval, and for which."""
    pull, epic = ticket.pull_request, facts.epic.issue.identifier
    if pull is not None and pull.protected is None:
        return Blocker(ticket.issue.id, "changes_unknown", {"number": pull.number})
    ready = (one for one in _with_what_lies_below(facts, ticket) if one.issue.stage is Stage.MERGE)
    missing = tuple(dict.fromkeys(path for one in ready for path in unnamed(approval, one)))
    if not missing:
        return Blocker(ticket.issue.id, "approval", {"epic": epic})
    paths = ", ".join(missing[:SHOWN]) + (" …" if len(missing) > SHOWN else "")
    return Blocker(ticket.issue.id, "protected", {"epic": epic, "paths": paths})


def _with_what_lies_below(facts: Facts, ticket: Ticket) -> tuple[Ticket, ...]:
    """The tickets that a ticket merges after, lowest first, and itself: none of it merges without the rest."""
    found: dict[str, Ticket] = {ticket.issue.id: ticket}
    queue = [ticket]
    while queue:
        for one in merges_after(facts, queue.pop()):
            if one.issue.id not in found:
                found[one.issue.id] = one
                queue.append(one)
    return tuple(reversed(found.values()))


def given(facts: Facts, asked: Ticket) -> Approval | None:
    """The approval of a merge that stands on the epic or lone ticket now; None also when it was taken back."""
    approval = record_of(asked).approval
    if approval is None or not approval.heads or not stands(approval, asked, facts.rules):
        return None
    return approval


def taken_back(facts: Facts, asked: Ticket) -> Decision:
    """Tell the person whose approval counts no more because its comment is gone or was edited."""
    approval = record_of(asked).approval
    if approval is None or not approval.heads or given(facts, asked) is not None:
        return NOTHING
    return Decision((Post(asked.issue.id, f"taken-back-{approval.comment}", "approval_taken_back", {}),))


def closed(ticket: Ticket, pull: PullRequest) -> Blocker | None:
    """That somebody closed a pull request, and merged it not."""
    if pull.open or pull.merged:
        return None
    return Blocker(ticket.issue.id, "closed", {"number": pull.number})


def what_stands_against(facts: Facts, ticket: Ticket, pull: PullRequest) -> Blocker | None:
    """The first thing that speaks against merging this head, or None: a circle in Linear, or what GitHub shows."""
    issue = ticket.issue.id
    for circle in waits_in_a_circle(facts, ticket):
        return circle
    if shut := closed(ticket, pull):
        return shut
    if pull.draft:
        return Blocker(issue, "draft", {"number": pull.number})
    if pull.failing:
        return Blocker(issue, "checks_failed", {"checks": ", ".join(pull.failing), "number": pull.number})
    if not checks_are_green(facts, ticket, pull):
        return Blocker(issue, "checks", {"checks": ", ".join(pull.waiting) or "the checks", "number": pull.number})
    if pull.changes_requested_by:
        return Blocker(
            issue, "changes_requested", {"people": ", ".join(pull.changes_requested_by), "number": pull.number}
        )
    if pull.open_threads:
        return Blocker(issue, "threads", {"count": pull.open_threads, "number": pull.number})
    if pull.review_required:
        return Blocker(issue, "review", {"number": pull.number})
    if pull.mergeable is Mergeable.CONFLICT:
        return Blocker(issue, "conflict", {"number": pull.number, "base": pull.base_branch})
    if pull.mergeable is Mergeable.UNKNOWN:
        return Blocker(issue, "computing", {"number": pull.number})
    if pull.blocked_by_rules and not pull.behind:
        return Blocker(issue, "rules", {"number": pull.number, "reason": pull.blocked_by_rules})
    return None


def refused_before(facts: Facts, ticket: Ticket, pull: PullRequest) -> tuple[Blocker, ...]:
    """What GitHub said to it before: it is asked again, and meanwhile people can read why nothing happens."""
    said = facts.merge_refused.get(ticket.issue.id)
    return (Blocker(ticket.issue.id, "rules", {"number": pull.number, "reason": said}),) if said else ()
