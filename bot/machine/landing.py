"""What is on the base branch is done; its branch and its checkout go when nothing needs them any more."""

from dataclasses import replace

from bot.machine.decision import Blocker, CleanUp, ClosePullRequest, Decision, Move, Post
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.pull_request import PullRequest
from bot.machine.record import Record
from bot.machine.stack import base_branch_of, has_landed, is_merged_in_a_circle, merged_into
from bot.machine.stages import Stage


def landed(facts: Facts, ticket: Ticket) -> Decision:
    """The ticket's work is on the base branch: it is done. Its branch goes when nothing stands on it any more.

    A stacked pull request that a person merged into the branch below is not there yet: it lands with that one.
    """
    pull, issue = ticket.pull_request, ticket.issue
    assert pull is not None
    if _came_along(facts, ticket):
        return _over_without_a_merge(facts, ticket, pull)
    if not has_landed(facts, ticket):
        return Decision(blockers=(_merged_elsewhere(facts, ticket, pull),))
    post = Post(
        issue.id, "merged", "merged", {"number": pull.number, "url": pull.url, "commit": pull.merge_commit[:12]}
    )
    return Decision((Move(issue.id, Stage.DONE), post), recheck_after=0.0)


def is_merged(facts: Facts, ticket: Ticket) -> bool:
    """Whether nothing of it is left to merge."""
    return ticket.pull_request is not None and (ticket.pull_request.merged or _came_along(facts, ticket))


def _came_along(facts: Facts, ticket: Ticket) -> bool:
    """Whether the base branch has all of it already, although its pull request goes into another branch.

    Somebody merged what was stacked on it, and it came along. GitHub counts only what goes into that very branch as
    merged, and takes the pull request nowhere else: it has no new commits there.
    """
    pull, record, repository = ticket.pull_request, record_of(ticket), facts.repository
    if pull is None or pull.merged or repository is None or pull.base_branch == repository.base:
        return False
    return record.stands_on == repository.base and pull.head == record.head == record.base_at


def _over_without_a_merge(facts: Facts, ticket: Ticket, pull: PullRequest) -> Decision:
    assert facts.repository is not None
    values = {"number": pull.number, "url": pull.url, "branch": pull.base_branch, "base": facts.repository.base}
    post = Post(ticket.issue.id, "merged", "came_along", values)
    closed = (ClosePullRequest(ticket.issue.id, facts.repository.name, pull.number),) if pull.open else ()
    return Decision((*closed, Move(ticket.issue.id, Stage.DONE), post), recheck_after=0.0)


def _merged_elsewhere(facts: Facts, ticket: Ticket, pull: PullRequest) -> Blocker:
    below = merged_into(facts, pull)
    if below is not None and not below.issue.over and not is_merged_in_a_circle(facts, ticket):
        return Blocker(ticket.issue.id, "ticket", {"ticket": below.issue.identifier, "state": below.issue.state_name})
    values = {
        "number": pull.number,
        "branch": pull.base_branch,
        "base": facts.repository.base if facts.repository else "",
    }
    return Blocker(ticket.issue.id, "merged_elsewhere", values)


def leave(facts: Facts, ticket: Ticket, record: Record) -> Decision:
    """Take away the branches and the checkout of merged work, unless another one's work still stands on one of them.

    Deleting it would close an open pull request into it (facts on GitHub), and lose what was merged into it and is
    nowhere else yet. What ended without a merge only loses its checkout: nobody but a person knows whether the branch
    is of any use.
    """
    pull, repository = ticket.pull_request, facts.repository
    if repository is None or not record.branch:
        return Decision(_clean_up(facts, record), record=record)  # it may be named again
    if pull is None or not is_merged(facts, ticket):
        return leave_checkout(facts, record)
    own_base = (base_branch_of(record.branch),) if record.own_base else ()
    branches = (pull.head_branch, record.branch, *own_base)
    if any(_stands_on(facts, one, branch) for one in facts.tickets for branch in branches):
        return Decision(record=record)
    work = CleanUp(record.issue, repository.name, record.branch, delete_branch=True, merged=pull.head)
    clean = (work, *(CleanUp(record.issue, repository.name, branch, delete_branch=True) for branch in own_base))
    return Decision(clean, record=replace(record, branch="", base="", own_base=False))


def _stands_on(facts: Facts, ticket: Ticket, branch: str) -> bool:
    """Also what can't be known: the pull request of a record that is not believed is not read."""
    pull = ticket.pull_request
    if pull is None or pull.base_branch != branch:
        return pull is None and bool(ticket.issue.record_refused)
    return pull.open or (pull.merged and not has_landed(facts, ticket))


def leave_checkout(facts: Facts, record: Record) -> Decision:
    """Take away the checkout, and leave the branch, if there is one, to people."""
    clean = _clean_up(facts, record)
    return Decision(clean, record=replace(record, branch="", base="") if clean else record)


def put_away(facts: Facts, record: Record) -> Decision:
    """Take away the checkout, once, of work that is over for now and whose branch may still be merged.

    That the record forgets what the work began on says that it is gone: whatever begins again says so anew.
    """
    clean = _clean_up(facts, record) if record.base else ()
    return Decision(clean, record=replace(record, base="") if clean else record)


def _clean_up(facts: Facts, record: Record) -> tuple[CleanUp, ...]:
    """Of the checkout alone, which is here, whether callboard.toml names its repository or not."""
    name = record.repository or (facts.repository.name if facts.repository else "")
    return (CleanUp(record.issue, name, record.branch, delete_branch=False),) if name and record.branch else ()
