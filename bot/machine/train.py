"""Turn 3: the merge train. What was approved is merged, each as its turn comes, and nothing else.

A merge and a place in GitHub's merge queue are bound to a head, so they are used. GitHub's auto-merge is not: it stays
on when somebody pushes, and would merge what nobody approved; so it is never switched on.
"""

from dataclasses import replace

from bot.machine import calling
from bot.machine.approval import counts_for, stands
from bot.machine.decision import (
    NOTHING,
    Blocker,
    CleanUp,
    ClosePullRequest,
    Decision,
    Dequeue,
    Enqueue,
    Merge,
    Move,
    Post,
    Retarget,
)
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.inert import disarmed
from bot.machine.mending import update
from bot.machine.pull_request import Mergeable, PullRequest
from bot.machine.record import Approval, Record
from bot.machine.running import has_a_run_out, start
from bot.machine.stack import (
    base_branch_of,
    base_of,
    checks_are_green,
    has_landed,
    in_train_order,
    look_again,
    merged_into,
    waits_in_a_circle,
)
from bot.machine.stages import Stage

SHOWN = 20
"""Paths that a sentence names at most."""
_REFUSED_SECONDS = 60.0
"""How often GitHub is asked again what it refuses."""


def couple(facts: Facts, ticket: Ticket, approval: Approval) -> Decision:
    """One look at one car of the merge train: merge it, or say what it waits for."""
    pull, issue = ticket.pull_request, ticket.issue
    if pull is None:
        return Decision(blockers=(Blocker(issue.id, "no_pull_request"),))
    assert facts.repository is not None
    if unnamed(approval, ticket) and counts_for(approval, ticket, pull.head):
        return Decision(blockers=(unapproved(facts, ticket, approval),))
    if not covers(approval, ticket):
        return Decision(blockers=(Blocker(issue.id, "head_moved", {"head": pull.head[:12]}),))
    below = [
        one
        for one in facts.tickets
        if one.issue.id in {b.issue for b in issue.blocked_by} and not has_landed(facts, one)
    ]
    if below:
        names = ", ".join(one.issue.identifier for one in below)
        train = Blocker(issue.id, "train", {"tickets": names})
        return Decision(blockers=(*waits_in_a_circle(facts, ticket), train))
    moving = follow_base(facts, ticket)
    if moving.actions:
        return moving
    if pull.merging.queue:
        return _queue(facts, ticket, pull)
    if pull.behind:
        return _catch_up(facts, ticket, approval)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is not None:
        return Decision(blockers=(blocker,), recheck_after=look_again(facts, ticket, pull))
    title = f"{issue.identifier}: {disarmed(issue.title)}"
    merge = Merge(facts.repository.name, pull.number, pull.head, title, pull.merging.methods)
    refused = _refused(facts, ticket, pull)
    return Decision((merge,), refused, recheck_after=_REFUSED_SECONDS if refused else 0.1)


def _refused(facts: Facts, ticket: Ticket, pull: PullRequest) -> tuple[Blocker, ...]:
    """What GitHub said to it before: it is asked again, and meanwhile people can read why nothing happens."""
    said = facts.refused.get(ticket.issue.id)
    return (Blocker(ticket.issue.id, "rules", {"number": pull.number, "reason": said}),) if said else ()


def _catch_up(facts: Facts, ticket: Ticket, approval: Approval) -> Decision:
    """The rules want it up to date with its base: one car after the other, since each merge puts the others behind."""
    first = next(iter(riding(facts, approval)), ticket)
    if first.issue.id != ticket.issue.id and not facts.lone:
        return Decision(blockers=(Blocker(ticket.issue.id, "train", {"tickets": first.issue.identifier}),))
    return start(facts, ticket, update(facts, ticket))


def _queue(facts: Facts, ticket: Ticket, pull: PullRequest) -> Decision:
    """GitHub's own merge queue merges it; a push puts it out of the queue, so no other head can slip in.

    It is remembered before it is put there: of a round that fails after that nobody would know whether it was a person.
    """
    assert facts.repository is not None
    noted = replace(record_of(ticket), queued=pull.head)
    if pull.queue is not None:
        values = {"number": pull.number, "position": pull.queue.position, "state": pull.queue.state}
        return Decision(blockers=(Blocker(ticket.issue.id, "queued", values),), recheck_after=30.0, record=noted)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is not None:
        return Decision(blockers=(blocker,), recheck_after=look_again(facts, ticket, pull))
    if record_of(ticket).queued != pull.head:
        return Decision(recheck_after=0.0, record=noted)
    enqueue = Enqueue(facts.repository.name, pull.number, pull.head)
    refused = _refused(facts, ticket, pull)
    return Decision((enqueue,), refused, recheck_after=_REFUSED_SECONDS if refused else 2.0, record=noted)


def out_of_the_queue(facts: Facts, ticket: Ticket, record: Record) -> Decision:
    """What we put into GitHub's merge queue comes out again once it shall not be merged, whatever became of the ticket.

    What a person put there is theirs. `record` is the ticket's after this round.
    """
    pull, repository = ticket.pull_request, facts.repository
    if pull is None or pull.queue is None or repository is None or record.queued != pull.head:
        return NOTHING
    if _rides(facts, ticket, pull):
        return NOTHING
    return Decision((Dequeue(repository.name, pull.number),), record=replace(record, queued=""))


def _rides(facts: Facts, ticket: Ticket, pull: PullRequest) -> bool:
    """Whether it is approved as it is, and nobody said since that it shall wait, stop, or be something else.

    Who calls the ticket done says nothing of the kind.
    """
    approval, epic = given(facts, facts.epic), facts.epic.issue
    if approval is None or not counts_for(approval, ticket, pull.head) or record_of(ticket).guidance:
        return False
    if calling.standstill(facts, epic.id) is not None or epic.disposition or ticket.issue.disposition:
        return False
    return epic.stage is Stage.MERGE and ticket.issue.stage in (Stage.MERGE, Stage.DONE)


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
    pull, epic, missing = ticket.pull_request, facts.epic.issue.identifier, unnamed(approval, ticket)
    if pull is not None and pull.protected is None:
        return Blocker(ticket.issue.id, "changes_unknown", {"number": pull.number})
    if not missing:
        return Blocker(ticket.issue.id, "approval", {"epic": epic})
    paths = ", ".join(missing[:SHOWN]) + (" …" if len(missing) > SHOWN else "")
    return Blocker(ticket.issue.id, "protected", {"epic": epic, "paths": paths})


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


def was_ejected(approval: Approval, pull: PullRequest) -> bool:
    """Whether the merge queue took it out since it was approved: it is put aside until a person approves again.

    GitHub tells whole seconds: in the second of the approval, it counts as taken out after it.
    """
    return pull.queue is None and pull.ejected is not None and pull.ejected.at >= approval.at.replace(microsecond=0)


def put_out(ticket: Ticket, pull: PullRequest) -> Blocker:
    """That the merge queue took it out, and why."""
    reason = pull.ejected.reason if pull.ejected else ""
    return Blocker(ticket.issue.id, "ejected", {"number": pull.number, "reason": reason})


def what_stands_against(facts: Facts, ticket: Ticket, pull: PullRequest) -> Blocker | None:
    """The first thing that speaks against merging this head, or None: a circle in Linear, or what GitHub shows."""
    issue = ticket.issue.id
    for circle in waits_in_a_circle(facts, ticket):
        return circle
    if not pull.open and not pull.merged:
        return Blocker(issue, "closed", {"number": pull.number})
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


def riding(facts: Facts, approval: Approval | None) -> tuple[Ticket, ...]:
    """The tickets that can still merge under this approval: approved as they are, sound, and stacked on such only."""
    aboard: dict[str, Ticket] = {}
    for ticket in in_train_order(facts):
        pull = ticket.pull_request
        if approval is None or pull is None or ticket.issue.disposition is not None:
            continue
        moving = has_a_run_out(ticket) and counts_for(approval, ticket, record_of(ticket).head)
        if not moving and not covers(approval, ticket):
            continue
        against = what_stands_against(facts, ticket, pull)
        below = [one for one in facts.tickets if one.issue.id in {b.issue for b in ticket.issue.blocked_by}]
        sound = (moving or against is None or against.reason in _PASSING) and not was_ejected(approval, pull)
        if sound and all(has_landed(facts, one) or one.issue.id in aboard for one in below):
            aboard[ticket.issue.id] = ticket
    return tuple(one for one in aboard.values() if not (one.pull_request and one.pull_request.merged))


_PASSING = frozenset({"computing", "checks", "conflict", "rerunning"})
"""Reasons that pass by themselves, or that the service takes away: bringing up to date may clear a conflict."""


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
    closed = (ClosePullRequest(facts.repository.name, pull.number),) if pull.open else ()
    return Decision((*closed, Move(ticket.issue.id, Stage.DONE), post), recheck_after=0.0)


def _merged_elsewhere(facts: Facts, ticket: Ticket, pull: PullRequest) -> Blocker:
    below = merged_into(facts, pull)
    if below is not None and not (below.issue.stage is not None and below.issue.stage.over):
        return Blocker(ticket.issue.id, "ticket", {"ticket": below.issue.identifier, "state": below.issue.state_name})
    values = {
        "number": pull.number,
        "branch": pull.base_branch,
        "base": facts.repository.base if facts.repository else "",
    }
    return Blocker(ticket.issue.id, "merged_elsewhere", values)


def follow_base(facts: Facts, ticket: Ticket) -> Decision:
    """A pull request that was stacked goes into the base branch once everything below it has landed."""
    pull, repository = ticket.pull_request, facts.repository
    if pull is None or repository is None or not pull.open or pull.base_branch == repository.base:
        return NOTHING
    stands_on = record_of(ticket).stands_on or repository.base
    if base_of(facts, ticket).branch != repository.base or stands_on != repository.base:
        return NOTHING  # first the branch itself moves on, so that it shows nothing of what lies below
    return Decision((Retarget(repository.name, pull.number, repository.base),), recheck_after=0.5)


def leave(facts: Facts, ticket: Ticket, record: Record) -> Decision:
    """Take away the branches and the checkout of merged work, unless another one's work still stands on one of them.

    Deleting it would close an open pull request into it (facts on GitHub), and lose what was merged into it and is
    nowhere else yet. What ended without a merge only loses its checkout: nobody but a person knows whether the branch
    is of any use.
    """
    pull, repository = ticket.pull_request, facts.repository
    if repository is None or not record.branch:
        return Decision(record=record)
    if pull is None or not is_merged(facts, ticket):
        return leave_checkout(facts, record)
    own_base = (base_branch_of(record.branch),) if record.own_base else ()
    branches = (pull.head_branch, record.branch, *own_base)
    if any(_stands_on(facts, one, branch) for one in facts.tickets for branch in branches):
        return Decision(record=record)
    work = CleanUp(repository.name, record.branch, delete_branch=True, merged=pull.head)
    clean = (work, *(CleanUp(repository.name, branch, delete_branch=True) for branch in own_base))
    return Decision(clean, record=replace(record, branch="", base="", own_base=False))


def _stands_on(facts: Facts, ticket: Ticket, branch: str) -> bool:
    """Also what can't be known: the pull request of a record that is not believed is not read."""
    pull = ticket.pull_request
    if pull is None or pull.base_branch != branch:
        return pull is None and bool(ticket.issue.record_refused)
    return pull.open or (pull.merged and not has_landed(facts, ticket))


def leave_checkout(facts: Facts, record: Record) -> Decision:
    """Take away the checkout, and leave the branch, if there is one, to people."""
    if facts.repository is None or not record.branch:
        return Decision(record=record)
    clean = CleanUp(facts.repository.name, record.branch, delete_branch=False)
    return Decision((clean,), record=replace(record, branch="", base=""))


def put_away(facts: Facts, record: Record) -> Decision:
    """Take away the checkout, once, of work that is over for now and whose branch may still be merged.

    That the record forgets what the work began on says that it is gone: whatever begins again says so anew.
    """
    if facts.repository is None or not record.branch or not record.base:
        return Decision(record=record)
    clean = CleanUp(facts.repository.name, record.branch, delete_branch=False)
    return Decision((clean,), record=replace(record, base=""))
