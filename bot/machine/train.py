"""Turn 2 and turn 3: the summary that a person reads, the approval of exactly those heads, and the merge train."""

from dataclasses import replace

from bot.machine.approval import Denied
from bot.machine.comments import APPROVES_MERGE, parse
from bot.machine.decision import NOTHING, Action, Blocker, CleanUp, Decision, Merge, Move, Post, Retarget
from bot.machine.facts import Comment, Facts, Mergeable, PullRequest, Ticket
from bot.machine.listening import Heard, reply
from bot.machine.record import Approval, Record
from bot.machine.running import record_of
from bot.machine.stack import base_branch_of, base_of, checks_are_green, in_train_order, look_again
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
    shown_topic = f"summary-{record.generation}-{abs(hash_of(now)):x}"
    rows = [
        {
            "identifier": ticket.issue.identifier,
            "title": ticket.issue.title,
            "stage": str(ticket.issue.stage),
            "number": pull.number if (pull := ticket.pull_request) else None,
            "url": pull.url if pull else "",
            "head": pull.head[:12] if pull else "",
            "checks": str(pull.checks) if pull else "",
            "disposition": str(ticket.issue.disposition or ""),
            "summary": record_of(ticket).summary,
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


def arrived(ticket: Ticket) -> bool:
    """Whether a ticket waits for the merge, is over, or stands still for a person."""
    stage = ticket.issue.stage
    return (stage is not None and (stage is Stage.MERGE or stage.over)) or ticket.issue.disposition is not None


def hash_of(pairs: tuple[tuple[str, str], ...]) -> int:
    """A short stable number for a set of heads (a topic's name, not a proof)."""
    return int.from_bytes("".join(head[:4] for _, head in pairs).encode()[:24], "big") if pairs else 0


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
            return given, Decision(tuple(replies))
        values = {"word": comment.body.strip()[:40], "reason": denied.reason if denied else ""}
        replies.append(reply(ticket, comment, "refused", values))
    return None, Decision(tuple(replies))


def _why_not(facts: Facts, record: Record, shown: Comment | None, comment: Comment) -> Denied | None:
    if parse(comment.body).word not in APPROVES_MERGE:
        return Denied("merging needs `approve`, `approved` or `merge`; no looser word does")
    if record.shown is None or shown is None or comment.created_at <= shown.created_at:
        return Denied("it was written before the summary that it would approve")
    if record.shown.heads != heads(facts):
        return Denied("a pull request changed since the summary; a new summary follows, please approve that")
    return None


def couple(facts: Facts, ticket: Ticket, approval: Approval) -> Decision:
    """One look at one car of the merge train: merge it, or say what it waits for."""
    pull, issue = ticket.pull_request, ticket.issue
    if pull is None:
        return Decision(blockers=(Blocker(issue.id, "no_pull_request"),))
    assert facts.repository is not None
    if dict(approval.heads).get(issue.id) != pull.head:
        return Decision(blockers=(Blocker(issue.id, "head_moved", {"head": pull.head[:12]}),))
    below = [one for one in facts.tickets if one.issue.id in {b.issue for b in issue.blocked_by} and not _merged(one)]
    if below:
        names = ", ".join(one.issue.identifier for one in below)
        return Decision(blockers=(Blocker(issue.id, "train", {"tickets": names}),))
    moving = follow_base(facts, ticket)
    if moving.actions:
        return moving
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is not None:
        return Decision(blockers=(blocker,), recheck_after=look_again(facts, ticket, pull))
    title = f"{issue.identifier}: {issue.title}"
    return Decision((Merge(facts.repository.name, pull.number, pull.head, title),), recheck_after=0.1)


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
    return None


def riding(facts: Facts, approval: Approval | None) -> tuple[Ticket, ...]:
    """The tickets that can still merge under this approval: approved as they are, sound, and stacked on such only."""
    heads_given = dict(approval.heads) if approval else {}
    aboard: dict[str, Ticket] = {}
    for ticket in in_train_order(facts):
        pull = ticket.pull_request
        if pull is None or heads_given.get(ticket.issue.id) != pull.head or ticket.issue.disposition is not None:
            continue
        against = what_stands_against(facts, ticket, pull)
        below = [one for one in facts.tickets if one.issue.id in {b.issue for b in ticket.issue.blocked_by}]
        sound = against is None or against.reason in ("computing", "checks")
        if sound and all(_merged(one) or one.issue.id in aboard for one in below):
            aboard[ticket.issue.id] = ticket
    return tuple(one for one in aboard.values() if not _merged(one))


def landed(ticket: Ticket) -> Decision:
    """The ticket's work is on the base branch: it is done. Its branch goes when nothing stands on it any more."""
    pull, issue = ticket.pull_request, ticket.issue
    assert pull is not None
    post = Post(
        issue.id, "merged", "merged", {"number": pull.number, "url": pull.url, "commit": pull.merge_commit[:12]}
    )
    return Decision((Move(issue.id, Stage.DONE), post), recheck_after=0.0)


def follow_base(facts: Facts, ticket: Ticket) -> Decision:
    """A pull request that was stacked goes into the base branch once everything below it has landed."""
    pull, repository = ticket.pull_request, facts.repository
    if pull is None or repository is None or not pull.open or pull.base_branch == repository.base:
        return NOTHING
    if base_of(facts, ticket).branch != repository.base:
        return NOTHING
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
    own_base = (record.base,) if record.base == base_branch_of(record.branch) else ()
    clean = tuple(CleanUp(repository.name, branch, delete_branch=True) for branch in (record.branch, *own_base))
    return Decision(clean, record=replace(record, branch="", base=""))


def _merged(ticket: Ticket) -> bool:
    return bool(ticket.pull_request and ticket.pull_request.merged) or ticket.issue.stage in (
        Stage.DONE,
        Stage.CANCELED,
    )
