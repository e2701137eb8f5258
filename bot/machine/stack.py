"""What a ticket waits for, and what its branch stands on: the one place that knows the rule of stacks.

No blocker in the way: the base branch. One blocker that isn't merged yet: the blocker's branch. Two or more: a base of
their own, made by merging them. Work that a person merged into another branch is on that one. A blocker outside the
epic can only be waited for, never stacked upon.
"""

import re
from dataclasses import dataclass

from bot.machine.decision import Blocker
from bot.machine.facts import Blocking, Facts, Ticket
from bot.machine.pull_request import Checks, Mergeable, PullRequest
from bot.machine.record import Record
from bot.machine.stages import Stage

_IDENTIFIER = re.compile(r"[A-Z][A-Z0-9]*-[0-9]+", re.ASCII)


@dataclass(frozen=True)
class Base:
    """Where a branch starts. `merges` are the branches that are merged into `branch` first."""

    branch: str
    merges: tuple[str, ...] = ()


def branch_of(identifier: str) -> str:
    """The branch of a ticket: `agent/YOU-12` for `YOU-12`. One id and nothing else: Linear links issues by them.

    Raises:
        ValueError: that is no Linear identifier.
    """
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"{identifier!r} is no identifier of a ticket")
    return f"agent/{identifier}"


def own_branch(ticket: Ticket) -> str:
    """The branch of a ticket's work: the one it is known to have, also when Linear gave the ticket another identifier.

    It does so when a ticket is moved to another team, and for all tickets of a team whose key is changed.
    """
    known = ticket.issue.record.branch if ticket.issue.record else ""
    pushed = ticket.pull_request.head_branch if ticket.pull_request else ""
    return known or pushed or branch_of(ticket.issue.identifier)


def base_branch_of(branch: str) -> str:
    """The branch on which several blockers of a ticket are merged first: `agent/YOU-12-base`."""
    return f"{branch}-base"


def waits_for(facts: Facts, ticket: Ticket) -> tuple[Blocker, ...]:
    """A blocker for each issue below this ticket that is not far enough yet."""
    return tuple(
        Blocker(ticket.issue.id, "ticket", {"ticket": below.identifier, "state": below.state_name})
        for below in ticket.issue.blocked_by
        if not _far_enough(facts, below)
    )


def waits_in_a_circle(facts: Facts, ticket: Ticket) -> tuple[Blocker, ...]:
    """A blocker when this ticket waits for itself in the end: only a person knows which of the relations is wrong.

    Linear lets anybody make such a circle. The epic, which waits for all its tickets, can be in one.
    """
    tickets = {one.issue.id: one for one in facts.tickets}
    names = {one.issue.id: one.issue.identifier for one in (facts.epic, *facts.tickets)}
    ways, seen = list[tuple[str, ...]]([(ticket.issue.id,)]), set[str]()
    for way in ways:  # which grows: the shortest circle is found first
        here = tickets.get(way[-1])
        for issue in [below.issue for below in here.issue.blocked_by] if here else tickets:
            if issue == ticket.issue.id:
                return (Blocker(issue, "circle", {"tickets": ", ".join(sorted(names[one] for one in way))}),)
            if issue in names and issue not in seen and not (issue in tickets and has_landed(facts, tickets[issue])):
                seen.add(issue)
                ways.append((*way, issue))
    return ()


def base_of(facts: Facts, ticket: Ticket) -> Base:
    """The base of a ticket whose blockers are all far enough, or were made its blockers since.

    One that has pushed nothing has no branch yet: nothing waits for that here. In a circle it is what the ticket's
    branch stands on already: nobody can say which lies below, and two branches would be moved onto each other for ever.
    """
    assert facts.repository is not None
    own, record = own_branch(ticket), ticket.issue.record
    if waits_in_a_circle(facts, ticket):
        return Base(goes_into(facts, record) if record else facts.repository.base)
    below = [one for one in merges_after(facts, ticket) if _has_a_branch(one)]
    branches = tuple(dict.fromkeys(_branch_with(facts, one) for one in below))
    if not branches:
        return Base(facts.repository.base)
    if len(branches) == 1:
        return Base(branches[0])
    return Base(base_branch_of(own), branches)


def merges_after(facts: Facts, ticket: Ticket) -> tuple[Ticket, ...]:
    """The blockers that must land first; what a person merged into the ticket's own branch lands with it."""
    siblings = (_sibling(facts, blocking) for blocking in ticket.issue.blocked_by)
    ahead = (one for one in siblings if one and not has_landed(facts, one))
    return tuple(one for one in ahead if _branch_with(facts, one) != own_branch(ticket))


def _has_a_branch(ticket: Ticket) -> bool:
    return ticket.pull_request is not None or bool(ticket.issue.record and ticket.issue.record.head)


def _branch_with(facts: Facts, ticket: Ticket) -> str:
    """The branch that has the work of a ticket: its own, or that into which a person merged it.

    Its own may be gone then: GitHub can be set to delete a branch with its merge.
    """
    merges = _merges(facts, ticket)
    return merges[-1].base_branch if merges else own_branch(ticket)


def _merges(facts: Facts, ticket: Ticket) -> list[PullRequest]:
    """The ticket's pull request, if it was merged, and that of the branch into which it was, and so on."""
    merges, pull = list[PullRequest](), ticket.pull_request
    while pull is not None and pull.merged and pull not in merges:
        merges.append(pull)
        below = merged_into(facts, pull)
        pull = below.pull_request if below else None
    return merges


def goes_into(facts: Facts, record: Record) -> str:
    """Where the pull request of finished work goes: into what it began on, or where a person merged that.

    Into the base branch where that landed, or is no ticket's of the epic any more: its branch may be gone, and GitHub
    opens no pull request into a branch that is not there. What stood on it is taken out of the work next. Work that was
    given up, and taken up again with a result that came since, no longer says what it began on.
    """
    assert facts.repository is not None
    if record.base and record.base == base_branch_of(record.branch):
        return record.base
    below = next((one for one in facts.tickets if own_branch(one) == record.base), None)
    if below is None or has_landed(facts, below):
        return facts.repository.base
    branch = _branch_with(facts, below)
    return branch if branch != record.branch else facts.repository.base


def has_landed(facts: Facts, ticket: Ticket) -> bool:
    """Whether the work is on the base branch, or the ticket is over in another way.

    What a person merged into the branch of another ticket is there only when that one is.
    """
    if ticket.issue.over:
        return True
    base = facts.repository.base if facts.repository else None
    return any(base in (None, one.base_branch) for one in _merges(facts, ticket))


def is_merged_in_a_circle(facts: Facts, ticket: Ticket) -> bool:
    """Whether people merged it into what was merged into its own branch in the end: nothing lands by itself then."""
    merges = _merges(facts, ticket)
    return bool(merges) and merges[-1].base_branch == own_branch(ticket)


def merged_into(facts: Facts, pull: PullRequest) -> Ticket | None:
    """The ticket whose branch a pull request goes into."""
    return next((one for one in facts.tickets if own_branch(one) == pull.base_branch), None)


def in_train_order(facts: Facts) -> tuple[Ticket, ...]:
    """The epic's tickets with every blocker before what it blocks; members of a circle come last."""
    placed: dict[str, Ticket] = {}
    waiting = {ticket.issue.id: ticket for ticket in facts.tickets}
    while waiting:
        free = [t for t in waiting.values() if not any(below.issue in waiting for below in t.issue.blocked_by)]
        for ticket in free or tuple(waiting.values()):
            placed[ticket.issue.id] = waiting.pop(ticket.issue.id)
    return tuple(placed.values())


def checks_are_green(facts: Facts, ticket: Ticket, pull: PullRequest) -> bool:
    """Whether every check that counts passed on this head; having none counts once checks had time to appear."""
    record = ticket.issue.record
    return pull.checks is Checks.GREEN or (record is not None and will_have_no_checks(facts, record, pull))


def will_have_no_checks(facts: Facts, record: Record, pull: PullRequest) -> bool:
    """Whether it was seen without a check for as long as they may take to appear: at two looks so far apart.

    Dates don't tell, since a clock may be set by half an hour between them. What was found out is remembered, so that a
    service which begins anew does not wait again.
    """
    if pull.checks is not Checks.NONE:
        return False
    watched = facts.unchecked.get(record.issue, 0.0)
    return record.unchecked == pull.head or watched >= facts.rules.checks_appear_seconds


def look_again(facts: Facts, ticket: Ticket, pull: PullRequest) -> float:
    """Seconds until a look at what GitHub shows of a head is worth it, when nobody tells us sooner."""
    if pull.open and pull.mergeable is Mergeable.UNKNOWN:  # of a closed one it is never known
        return 1.5  # for an hour on end this would still fit into what Linear allows
    if pull.checks is Checks.NONE and not checks_are_green(facts, ticket, pull):
        return max(0.1, facts.rules.checks_appear_seconds - facts.unchecked.get(ticket.issue.id, 0.0))
    return 60.0


def _far_enough(facts: Facts, below: Blocking) -> bool:
    sibling = _sibling(facts, below)
    stage = sibling.issue.stage if sibling else below.stage
    if below.over and (sibling is None or sibling.issue.over):
        return True  # what something else than a person calls done may not be
    if sibling is None or facts.rules.dependents_wait_for_done or stage not in (Stage.CODE_REVIEW, Stage.MERGE):
        return False
    pull = sibling.pull_request
    return pull is not None and (pull.merged or checks_are_green(facts, sibling, pull))


def _sibling(facts: Facts, below: Blocking) -> Ticket | None:
    return next((ticket for ticket in facts.tickets if ticket.issue.id == below.issue), None)
