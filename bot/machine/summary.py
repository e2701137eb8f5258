"""Turn 2 and the word that gives turn 3: the summary that a person reads, and the approval of exactly those heads."""

import hashlib
from dataclasses import replace

from bot.machine.approval import CHANGED, Act, Denied, Subject, authorise
from bot.machine.clearance import SHOWN, unapproved, what_stands_against
from bot.machine.comments import parse
from bot.machine.decision import Action, Blocker, Decision, Post
from bot.machine.facts import Comment, Facts, Ticket, record_of
from bot.machine.landing import landed
from bot.machine.listening import Heard, reply
from bot.machine.mending import wanted
from bot.machine.merge_queue import put_out, was_ejected
from bot.machine.protected import left_unnamed, meaningless
from bot.machine.pull_request import PullRequest
from bot.machine.record import Approval, Record
from bot.machine.running import current_run
from bot.machine.stack import in_train_order, waits_for
from bot.machine.stages import Stage


def heads(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Pairs of ticket id and head SHA of everything that is ready to merge now, and known in what it changes."""
    return tuple(
        (ticket.issue.id, pull.head)
        for ticket in in_train_order(facts)
        if (pull := ticket.pull_request) and pull.open and pull.protected is not None
        if ticket.issue.stage is Stage.MERGE
    )


def pulls(facts: Facts) -> tuple[tuple[str, int], ...]:
    """Pairs of ticket id and number of the pull request of all these."""
    numbers = {one.issue.id: one.pull_request.number for one in facts.tickets if one.pull_request}
    return tuple((issue, numbers[issue]) for issue, _ in heads(facts))


def is_as_shown(facts: Facts, shown: Approval) -> bool:
    """Whether what was shown is still what is ready to merge."""
    same = (shown.heads, shown.protected) == (heads(facts), protected_now(facts))
    return same and shown.pulls in ((), pulls(facts))


def protected_now(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Pairs of ticket id and protected path that what is ready to merge now changes."""
    ready = dict(heads(facts))
    return tuple(
        (ticket.issue.id, path)
        for ticket in facts.tickets
        if ticket.issue.id in ready and ticket.pull_request
        for path in ticket.pull_request.protected or ()
    )


def ask(facts: Facts, asking: Ticket, record: Record) -> Decision:
    """Show the summary of what would be merged; the approval will count for exactly these heads.

    Its comment names the generation that Linear knows already, not that of a run which is ordered only now.
    """
    now, numbers = heads(facts), pulls(facts)
    before = record.shown.comment if record.shown else ""  # so that the newest summary is always the newest comment
    shown_topic = f"summary-{record_of(asking).generation}-{hash_of(now, numbers, before):x}"
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
            "protected": (pull.protected or ()) if pull and pull.open else (),
        }
        for ticket in in_train_order(facts)
    ]
    post = Post(asking.issue.id, shown_topic, "summary", {"rows": rows, "lone": facts.lone})
    shown = Approval(shown_topic, "", facts.now, heads=now, protected=protected_now(facts), pulls=numbers)
    return Decision((post,), record=replace(record, shown=shown, approval=without_heads(record.approval)))


def without_heads(approval: Approval | None) -> Approval | None:
    """What is left of an approval when the merge it allowed is asked for anew."""
    return replace(approval, heads=(), protected=(), pulls=()) if approval else None


def arrived(facts: Facts, ticket: Ticket) -> bool:
    """Whether a ticket waits for the merge, is over, or stands still until a person does something.

    One that can't begin before others are merged waits for the merge as well: else it and the approval would wait for
    each other for ever.
    """
    stage = ticket.issue.stage
    if ticket.pull_request is not None and ticket.pull_request.merged:
        return True
    if ticket.issue.over or ticket.issue.disposition is not None:
        return True
    if stage in (Stage.CODE_REVIEW, Stage.MERGE):
        return _waits_for_a_person(facts, ticket)
    return stage is Stage.TODO and _waits_for_the_merge(facts, ticket, frozenset())


def open_reviews(facts: Facts, but: Ticket) -> int:
    """How many pull requests of the epic wait for a person now, besides that of one ticket and those that wait for it:
    nobody could merge these first."""
    above = {but.issue.id}
    for _ in facts.tickets:
        above |= {one.issue.id for one in facts.tickets if above & {below.issue for below in one.issue.blocked_by}}
    others = (one for one in facts.tickets if one.issue.id not in above)
    return sum(one.pull_request is not None and one.pull_request.open for one in others)


def is_held_back(facts: Facts, ticket: Ticket) -> bool:
    """Whether a finished ticket opens no pull request now, because enough of them wait for a person already."""
    if not facts.rules.open_reviews:
        return False
    ready = [one for one in facts.tickets if one.issue.stage is Stage.CODE_REVIEW and one.pull_request is None]
    before = 0
    for one in ready:
        held_back = open_reviews(facts, one) + before >= facts.rules.open_reviews
        if one.issue.id == ticket.issue.id:
            return held_back
        before += not held_back  # who is held back is in nobody's way
    return open_reviews(facts, ticket) >= facts.rules.open_reviews


def _waits_for_the_merge(facts: Facts, ticket: Ticket, above: frozenset[str]) -> bool:
    """Whether everything that keeps a ticket from its beginning is done as far as it can be without a merge.

    What is none of this epic's may wait for a merge of this epic's in its turn, which nobody can see from here. So it
    keeps nothing from being shown that is ready.
    """
    below = {blocker.values["ticket"] for blocker in waits_for(facts, ticket)}
    waits = [one for one in facts.tickets if one.issue.identifier in below]
    outside = len(waits) < len(below)
    if not below or (outside and not heads(facts)) or ticket.issue.id in above:
        return False
    return all(
        _waits_for_a_person(facts, one)
        if one.issue.stage in (Stage.CODE_REVIEW, Stage.MERGE)
        else one.issue.stage is Stage.TODO and _waits_for_the_merge(facts, one, above | {ticket.issue.id})
        for one in waits
    )


def _waits_for_a_person(facts: Facts, ticket: Ticket) -> bool:
    """Whether nothing is done for it until a person says so, or until what it was merged into is merged."""
    pull = ticket.pull_request
    if pull is None:
        return ticket.issue.stage is Stage.MERGE or is_held_back(facts, ticket)
    if current_run(ticket) is not None or not pull.open or wanted(facts, ticket) is not None:
        return not pull.open
    against = what_stands_against(facts, ticket, pull)
    if against is None or against.reason == "computing":
        return ticket.issue.stage is Stage.MERGE
    return against.reason in _FOR_PEOPLE


def _why(facts: Facts, ticket: Ticket) -> Blocker | None:
    """What keeps a ticket from merging, for the summary."""
    pull = ticket.pull_request
    if ticket.issue.over:
        return None
    if ticket.issue.disposition is not None:
        values = {"disposition": str(ticket.issue.disposition), "issue": ticket.issue.identifier}
        return Blocker(ticket.issue.id, "disposition", values)
    if pull is not None and pull.merged:
        return next(iter(landed(facts, ticket).blockers), None)
    approval = record_of(facts.epic).approval
    if pull is not None and approval is not None and was_ejected(approval, pull):
        return put_out(ticket, pull)
    if pull is not None and pull.protected is None and ticket.issue.stage is Stage.MERGE:
        return unapproved(facts, ticket, approval)
    if pull is None:
        return Blocker(ticket.issue.id, "open_reviews", {"count": open_reviews(facts, ticket)})
    return what_stands_against(facts, ticket, pull)


def _reviews(pull: PullRequest) -> str:
    """Who said what of a pull request: people and review bots."""
    words = [f"{name} approved" for name in pull.approved_by]
    words += [f"{name} wants changes" for name in pull.changes_requested_by]
    words += [f"{bot.login}: {bot.word.replace('_', ' ')}" for bot in pull.bots]
    return ", ".join(words)


_FOR_PEOPLE = frozenset({"circle", "closed", "draft", "changes_requested", "threads", "review", "rules"})
"""Reasons that only a person can take away."""


def hash_of(heads: tuple[tuple[str, str], ...], pulls: tuple[tuple[str, int], ...], before: str) -> int:
    """A stable number for a set of heads shown after something else; long enough to stand for them."""
    text = " ".join((before, *(head for _, head in heads), *(str(number) for _, number in pulls)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def shown_comment(ticket: Ticket, record: Record) -> Comment | None:
    """Our comment that showed what stands in review, as it stands in Linear now."""
    if record.shown is None:
        return None
    return next((one for one in ticket.issue.comments if one.ours and one.topic == record.shown.comment), None)


def as_shown(facts: Facts, ticket: Ticket, record: Record) -> Record:
    """The record, with the summary that stands in Linear although we were killed before we could remember it.

    It is ours, and its topic stands for exactly the heads that are ready now: else it is not taken for what was shown.
    """
    asked = ask(facts, ticket, record).record
    return asked if asked is not None and shown_comment(ticket, asked) is not None else record


def hear_merge_approval(facts: Facts, ticket: Ticket, heard: Heard) -> tuple[Approval | None, Decision]:
    """The comment that validly approves the most of what was shown, or the first such; each other one is answered.

    It still names the breakdown or the plan that was approved before: whoever goes back to it builds no other.
    """
    record = as_shown(facts, ticket, heard.record) if heard.approvals else heard.record
    said = [(comment, _approved(facts, ticket, record, comment)) for comment in heard.approvals]
    valid = [(comment, one) for comment, one in said if isinstance(one, Approval)]
    replies: list[Action] = [
        reply(ticket, comment, "refused", {"word": comment.body.strip()[:40], "reason": one.reason})
        for comment, one in said
        if isinstance(one, Denied)
    ]
    if any(one is CHANGED for _, one in said):
        record = shown_anew(record)
    if not valid:
        return None, Decision(tuple(replies), record=record)
    comment, approval = max(valid, key=lambda one: len(one[1].heads))
    if left := _left_out(record, approval):
        replies.append(reply(ticket, comment, "left_out", {"paths": left[:SHOWN]}))
    before = record.approval.digest if record.approval else ""  # what is built, of which a person approved the plan
    given = replace(approval, digest=before)
    return given, Decision(tuple(replies), record=replace(record, turns=record.turns + 1))


def _approved(facts: Facts, ticket: Ticket, record: Record, comment: Comment) -> Approval | Denied:
    """What a comment approves of what was shown."""
    shown = shown_comment(ticket, record)
    verdict = authorise(comment, Act.MERGE, facts.rules, _subject(facts, record, shown))
    if isinstance(verdict, Denied):
        return verdict
    if record.shown is None or comment.author is None:
        return Denied("nothing was shown")
    named = _named(record.shown, comment)
    if isinstance(named, Denied):
        return named
    return replace(named, comment=comment.id, user=comment.author.id, at=comment.created_at)


def _left_out(record: Record, approval: Approval) -> list[str]:
    """Protected paths that were shown and that an approval doesn't name."""
    shown = record.shown.protected if record.shown else ()
    return [path for pair in shown if pair not in approval.protected for path in pair[1:]]


def _subject(facts: Facts, record: Record, shown: Comment | None) -> Subject:
    """The heads that the summary showed, and whether they are still those that are ready."""
    if record.shown is None or shown is None:
        return Subject()
    return Subject(shown.created_at, unchanged=is_as_shown(facts, record.shown), ready=bool(record.shown.heads))


def _named(shown: Approval, comment: Comment) -> Approval | Denied:
    """What of the things shown a comment approves: of those that change protected files, the ones it names them of."""
    names, paths = parse(comment.body).names, tuple(path for _, path in shown.protected)
    if strange := meaningless(names, paths):
        return Denied(f"none of the protected files that were shown is {', '.join(strange[:5])}")
    kept = tuple(
        (issue, head)
        for issue, head in shown.heads
        if not left_unnamed((path for owner, path in shown.protected if owner == issue), names)
    )
    if not kept:
        return Denied(f"protected files are changed; if that is meant, reply `approve with {', '.join(paths[:SHOWN])}`")
    owners = {issue for issue, _ in kept}
    return replace(shown, heads=kept, protected=tuple(pair for pair in shown.protected if pair[0] in owners))


def shown_anew(record: Record) -> Record:
    """The record that has the summary shown once more, also when the heads are the same."""
    return replace(record, shown=replace(record.shown, heads=())) if record.shown else record
