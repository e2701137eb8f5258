"""Turn 2 and turn 3: the summary that a person reads, the approval of exactly those heads, and the merge train.

A merge and a place in GitHub's merge queue are bound to a head, so they are used. GitHub's auto-merge is not: it stays
on when somebody pushes, and would merge what nobody approved; so it is never switched on.
"""

import hashlib
from dataclasses import replace

from bot.machine.approval import Denied, counts_for, stands
from bot.machine.comments import APPROVES_MERGE, parse
from bot.machine.decision import NOTHING, Action, Blocker, CleanUp, Decision, Enqueue, Merge, Move, Post, Retarget
from bot.machine.facts import Comment, Facts, Ticket
from bot.machine.listening import Heard, reply
from bot.machine.mending import update, wanted
from bot.machine.pull_request import Mergeable, PullRequest
from bot.machine.record import Approval, Record
from bot.machine.running import current_run, record_of, start
from bot.machine.stack import (
    base_branch_of,
    base_of,
    checks_are_green,
    has_landed,
    in_train_order,
    look_again,
    merged_into,
)
from bot.machine.stages import Stage


def heads(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Pairs of ticket id and head SHA of everything that is ready to merge now."""
    return tuple(
        (ticket.issue.id, ticket.pull_request.head)
        for ticket in in_train_order(facts)
        if ticket.pull_request and ticket.pull_request.open and ticket.issue.stage is Stage.MERGE
    )


def ask(facts: Facts, asking: Ticket, record: Record) -> Decision:
    """Show the summary of what would be merged; the approval will count for exactly these heads."""
    now = heads(facts)
    before = record.shown.comment if record.shown else ""  # so that the newest summary is always the newest comment
    shown_topic = f"summary-{record.generation}-{hash_of(now, before):x}"
    rows = [
        {
            "identifier": ticket.issue.identifier,
            "title": ticket.issue.title,
            "stage": str(ticket.issue.stage),
            "number": pull.number if (pull := ticket.pull_request) else None,
            "url": pull.url if pull else "",
            "head": pull.head[:12] if pull else "",
            "checks": str(pull.checks) if pull else "",
            "reviews": _reviews(pull) if pull else "",
            "why": _why(facts, ticket),
            "manual": record_of(ticket).manual,
            "cost": f"{record_of(ticket).cost_usd:.2f}",
        }
        for ticket in in_train_order(facts)
    ]
    post = Post(asking.issue.id, shown_topic, "summary", {"rows": rows, "lone": facts.lone})
    shown = Approval(comment=shown_topic, user="", at=facts.now, heads=now)
    return Decision((post,), record=replace(record, shown=shown, approval=without_heads(record.approval)))


def without_heads(approval: Approval | None) -> Approval | None:
    """What is left of an approval when the merge it allowed is asked for anew."""
    return replace(approval, heads=()) if approval else None


def arrived(facts: Facts, ticket: Ticket) -> bool:
    """Whether a ticket waits for the merge, is over, or stands still until a person does something."""
    stage = ticket.issue.stage
    if ticket.pull_request is not None and ticket.pull_request.merged:
        return True
    if (stage is not None and stage.over) or ticket.issue.disposition is not None:
        return True
    return stage in (Stage.CODE_REVIEW, Stage.MERGE) and _waits_for_a_person(facts, ticket)


def open_reviews(facts: Facts, but: Ticket) -> int:
    """How many pull requests of the epic wait for a person now, besides that of one ticket."""
    others = (one for one in facts.tickets if one.issue.id != but.issue.id)
    return sum(one.pull_request is not None and one.pull_request.open for one in others)


def is_held_back(facts: Facts, ticket: Ticket) -> bool:
    """Whether a finished ticket opens no pull request now, because enough of them wait for a person already."""
    if not facts.rules.open_reviews:
        return False
    ready = [one for one in facts.tickets if one.issue.stage is Stage.CODE_REVIEW and one.pull_request is None]
    before = next((index for index, one in enumerate(ready) if one.issue.id == ticket.issue.id), 0)
    return open_reviews(facts, ticket) + before >= facts.rules.open_reviews


def _waits_for_a_person(facts: Facts, ticket: Ticket) -> bool:
    pull = ticket.pull_request
    if pull is None:
        return ticket.issue.stage is Stage.MERGE or is_held_back(facts, ticket)
    if current_run(ticket) is not None or not pull.open or wanted(facts, ticket) is not None:
        return not pull.open and not pull.merged
    against = what_stands_against(facts, ticket, pull)
    if against is None or against.reason == "computing":
        return ticket.issue.stage is Stage.MERGE
    return against.reason in _FOR_PEOPLE


def _why(facts: Facts, ticket: Ticket) -> Blocker | None:
    """What keeps a ticket from merging, for the summary."""
    pull = ticket.pull_request
    if ticket.issue.stage is not None and ticket.issue.stage.over:
        return None
    if ticket.issue.disposition is not None:
        values = {"disposition": str(ticket.issue.disposition), "issue": ticket.issue.identifier}
        return Blocker(ticket.issue.id, "disposition", values)
    if pull is not None and pull.merged:
        return next(iter(landed(facts, ticket).blockers), None)
    approval = record_of(facts.epic).approval
    if pull is not None and approval is not None and was_ejected(approval, pull):
        return put_out(ticket, pull)
    if pull is None:
        return Blocker(ticket.issue.id, "open_reviews", {"count": open_reviews(facts, ticket)})
    return what_stands_against(facts, ticket, pull)


def _reviews(pull: PullRequest) -> str:
    """Who said what of a pull request: people and review bots."""
    words = [f"{name} approved" for name in pull.approved_by]
    words += [f"{name} wants changes" for name in pull.changes_requested_by]
    words += [f"{bot.login}: {bot.word.replace('_', ' ')}" for bot in pull.bots]
    return ", ".join(words)


_FOR_PEOPLE = frozenset({"closed", "draft", "changes_requested", "threads", "review", "rules"})
"""Reasons that only a person can take away."""


def hash_of(pairs: tuple[tuple[str, str], ...], before: str) -> int:
    """A short stable number for a set of heads shown after something else (a topic's name, not a proof)."""
    text = " ".join((before, *(head for _, head in pairs)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def shown_comment(ticket: Ticket, record: Record) -> Comment | None:
    """Our comment that showed what stands in review, as it stands in Linear now."""
    if record.shown is None:
        return None
    return next((one for one in ticket.issue.comments if one.ours and one.topic == record.shown.comment), None)


def hear_merge_approval(facts: Facts, ticket: Ticket, heard: Heard) -> tuple[Approval | None, Decision]:
    """The first comment that validly approves the merge of what was shown; every other approval is answered."""
    record, shown = heard.record, shown_comment(ticket, heard.record)
    replies: list[Action] = []
    for comment in heard.approvals:
        denied = _why_not(facts, record, shown, comment)
        if denied is None and record.shown is not None:
            assert comment.author is not None
            given = replace(record.shown, comment=comment.id, user=comment.author.id, at=comment.created_at)
            return given, Decision(tuple(replies), record=record)
        values = {"word": comment.body.strip()[:40], "reason": denied.reason if denied else ""}
        replies.append(reply(ticket, comment, "refused", values))
        if denied is _CHANGED:
            record = shown_anew(record)
    return None, Decision(tuple(replies), record=record)


def _why_not(facts: Facts, record: Record, shown: Comment | None, comment: Comment) -> Denied | None:
    if parse(comment.body).word not in APPROVES_MERGE:
        return Denied("merging needs `approve`, `approved` or `merge`; no looser word does")
    if record.shown is None or shown is None or comment.created_at <= shown.created_at:
        return Denied("it was written before the summary that it would approve")
    if record.shown.heads != heads(facts):
        return _CHANGED
    if not record.shown.heads:
        return Denied("nothing of what was shown can be merged yet; the summary says why")
    return None


_CHANGED = Denied("a pull request changed since the summary; a new summary follows, please approve that")


def couple(facts: Facts, ticket: Ticket, approval: Approval) -> Decision:
    """One look at one car of the merge train: merge it, or say what it waits for."""
    pull, issue = ticket.pull_request, ticket.issue
    if pull is None:
        return Decision(blockers=(Blocker(issue.id, "no_pull_request"),))
    assert facts.repository is not None
    if not covers(approval, ticket):
        return Decision(blockers=(Blocker(issue.id, "head_moved", {"head": pull.head[:12]}),))
    below = [
        one
        for one in facts.tickets
        if one.issue.id in {b.issue for b in issue.blocked_by} and not has_landed(facts, one)
    ]
    if below:
        names = ", ".join(one.issue.identifier for one in below)
        return Decision(blockers=(Blocker(issue.id, "train", {"tickets": names}),))
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
    title = f"{issue.identifier}: {issue.title}"
    merge = Merge(facts.repository.name, pull.number, pull.head, title, pull.merging.methods)
    return Decision((merge,), recheck_after=0.1)


def _catch_up(facts: Facts, ticket: Ticket, approval: Approval) -> Decision:
    """The rules want it up to date with its base: one car after the other, since each merge puts the others behind."""
    first = next(iter(riding(facts, approval)), ticket)
    if first.issue.id != ticket.issue.id and not facts.lone:
        return Decision(blockers=(Blocker(ticket.issue.id, "train", {"tickets": first.issue.identifier}),))
    return start(facts, ticket, update(facts, ticket))


def _queue(facts: Facts, ticket: Ticket, pull: PullRequest) -> Decision:
    """GitHub's own merge queue merges it; a push puts it out of the queue, so no other head can slip in."""
    assert facts.repository is not None
    if pull.queue is not None:
        values = {"number": pull.number, "position": pull.queue.position, "state": pull.queue.state}
        return Decision(blockers=(Blocker(ticket.issue.id, "queued", values),), recheck_after=30.0)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is not None:
        return Decision(blockers=(blocker,), recheck_after=look_again(facts, ticket, pull))
    return Decision((Enqueue(facts.repository.name, pull.number, pull.head),), recheck_after=2.0)


def covers(approval: Approval | None, ticket: Ticket) -> bool:
    """Whether an approval counts for the head of a pull request now."""
    pull = ticket.pull_request
    return pull is not None and approval is not None and counts_for(approval, ticket, pull.head)


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


def shown_anew(record: Record) -> Record:
    """The record that has the summary shown once more, also when the heads are the same."""
    return replace(record, shown=replace(record.shown, heads=())) if record.shown else record


def what_stands_against(facts: Facts, ticket: Ticket, pull: PullRequest) -> Blocker | None:
    """The first thing that GitHub shows against merging this head, or None."""
    issue = ticket.issue.id
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
        moving = current_run(ticket) is not None and counts_for(approval, ticket, record_of(ticket).head)
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
    if not has_landed(facts, ticket):
        return Decision(blockers=(_merged_elsewhere(facts, ticket, pull),))
    post = Post(
        issue.id, "merged", "merged", {"number": pull.number, "url": pull.url, "commit": pull.merge_commit[:12]}
    )
    return Decision((Move(issue.id, Stage.DONE), post), recheck_after=0.0)


def _merged_elsewhere(facts: Facts, ticket: Ticket, pull: PullRequest) -> Blocker:
    below = merged_into(facts, pull)
    if below is not None and below.issue.stage is not Stage.CANCELED:
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
    """Take away the branch and the checkout of merged work, unless an open pull request still stands on the branch.

    Deleting it then would close that pull request (facts on GitHub).
    """
    pull, repository = ticket.pull_request, facts.repository
    if pull is None or not pull.merged or repository is None or not record.branch:
        return Decision(record=record)
    others = [one.pull_request for one in facts.tickets if one.pull_request is not None]
    if any(other.open and other.base_branch == pull.head_branch for other in others):
        return Decision(record=record)
    own_base = (base_branch_of(record.branch),) if record.own_base else ()
    clean = tuple(CleanUp(repository.name, branch, delete_branch=True) for branch in (record.branch, *own_base))
    return Decision(clean, record=replace(record, branch="", base="", own_base=False))
