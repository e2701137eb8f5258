"""What an open pull request wants a worker for: an answer to people, a newer base, green checks, a review bot's word.

One thing at a time, in that order: people first; then the base, because checks of a branch that conflicts don't run;
then the checks; then what review bots found. Each kind has a bound, so that nothing goes round in circles: people's
words are bounded by people, everything else by `max_fix_rounds` until it was well once or a person had a say.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.machine.conversation import Point, bot_points, open_points
from bot.machine.decision import Action, Blocker, Decision, Dispose, Post, RequestReview, Rerun, until
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.pull_request import BotWord, Checks, Failure, Mergeable, PullRequest
from bot.machine.record import Record
from bot.machine.running import Order, has_a_run_out
from bot.machine.stack import base_of, own_branch
from bot.machine.stages import Disposition, Stage

CHECKS, UPDATE, CONFLICT, BOTS, FEEDBACK = "checks", "update", "conflict", "bots", "feedback"
_RERUN_SECONDS = 120.0
"""How long a check that was asked to run again has until it is taken for one that can't."""
_BUSY_SECONDS = 15.0
_MOST_UPDATES = 5
"""Updates cost no agent; they are bounded only against going round in circles."""
_WAITING = frozenset({"reviewing", "silent", "paused", "rate_limited"})
"""Words of a review bot that may still become another one on this head."""


def wanted(facts: Facts, ticket: Ticket) -> Order | Decision | None:
    """The run that the pull request wants now; or what is done and waited for instead; or None: nothing is wrong."""
    pull, record = ticket.pull_request, record_of(ticket)
    assert pull is not None
    points = tuple(one for one in open_points(pull) if one.key not in record.answered)
    if points:
        return answer(ticket, pull, points, FEEDBACK)
    if _out_of_date(facts, ticket, pull) or _moved_by_nobody_knows_whom(ticket, pull):
        error = f"It conflicts with `{pull.base_branch}`, and bringing it up to date did not help."
        return bounded(ticket, UPDATE, update(facts, ticket), error, _MOST_UPDATES)
    if pull.failing_details:
        return _checks(facts, ticket, pull, record)
    return _bots(facts, ticket, pull, record)


def answer(ticket: Ticket, pull: PullRequest, points: Iterable[Point], kind: str) -> Order:
    """One run for everything that stands open; its answers are given by the keys that go with it."""
    points = tuple(points)
    about = {
        "kind": kind,
        "head": pull.head,
        "points": [{"id": one.id, "key": one.key, "thread": one.thread, "reviewer": one.reviewer} for one in points],
    }
    return Order("feedback", _stage(ticket), {"threads": [dict(one.text) for one in points]}, about)


def update(facts: Facts, ticket: Ticket) -> Order:
    """The service brings the branch up to date with its base, by itself."""
    assert facts.repository is not None
    record = record_of(ticket)
    stacked = record.stands_on not in ("", facts.repository.base)
    pull = ticket.pull_request
    must = pull is not None and (pull.mergeable is Mergeable.CONFLICT or pull.behind)
    must = must or _left_behind(facts, record, base_of(facts, ticket).branch)
    about = {"kind": UPDATE, "must": must}
    return Order("update", _stage(ticket), {}, about, upstream=record.base_at if stacked else "")


def resolve(facts: Facts, ticket: Ticket, paths: Iterable[str], base: str) -> Order | Decision:
    """A worker resolves what the service could not merge."""
    finding = f"The branch conflicts with `origin/{base}` in: {', '.join(paths)}. Merge `origin/{base}` and resolve it."
    order = Order("fix", _stage(ticket), {"findings": [finding]}, {"kind": CONFLICT})
    return bounded(ticket, CONFLICT, order, finding, facts.rules.max_fix_rounds)


def rounds(record: Record, kind: str) -> int:
    """How often a run tried to mend this kind of thing since it was well."""
    return dict(record.rounds).get(kind, 0)


def with_round(record: Record, kind: str) -> Record:
    """The record with one more round of this kind."""
    return replace(record, rounds=tuple(sorted((dict(record.rounds) | {kind: rounds(record, kind) + 1}).items())))


def well_again(record: Record, pull: PullRequest) -> Record:
    """The record without the rounds of what is well now."""
    well = {CHECKS} if pull.checks is Checks.GREEN else set[str]()
    well |= {UPDATE, CONFLICT} if pull.mergeable is Mergeable.YES else set()
    kept = tuple(pair for pair in record.rounds if pair[0] not in well)
    if kept == record.rounds:
        return record
    return replace(record, rounds=kept, failure="" if CHECKS in well else record.failure)


def bounded(ticket: Ticket, kind: str, order: Order, error: str, most: int) -> Order | Decision:
    """The order, unless this was tried often enough: then a person is asked."""
    record = record_of(ticket)
    return order if rounds(record, kind) < most else gives_up(ticket, record, kind, error)


def gives_up(ticket: Ticket, record: Record, kind: str, error: str) -> Decision:
    """It stands still as blocked, with what is wrong and how often it was tried."""
    values = {"stage": str(_stage(ticket)), "attempts": rounds(record, kind), "error": error, "tried": []}
    blocked = Blocker(ticket.issue.id, "disposition", {"disposition": "blocked", "issue": ticket.issue.identifier})
    actions = (
        Dispose(ticket.issue.id, Disposition.BLOCKED),
        Post(ticket.issue.id, f"blocked-{kind}-{record.generation}", "blocked", values),
    )
    return Decision(actions, (blocked,))


def signature(failures: Iterable[Failure]) -> str:
    """Names what fails, so that the same failure is known again: numbers (times, counts, lines) don't tell it apart."""
    told = (f"{one.name}: {re.sub(r'[0-9]+', '#', one.summary)[:200]}" for one in failures)
    return " | ".join(sorted(told))[:1000]


def _checks(facts: Facts, ticket: Ticket, pull: PullRequest, record: Record) -> Order | Decision:
    failures = pull.failing_details
    names = ", ".join(one.name for one in failures)
    waits = Blocker(ticket.issue.id, "checks", {"checks": names, "number": pull.number})
    if any(one.busy for one in failures):
        return Decision(blockers=(waits,), recheck_after=_BUSY_SECONDS)
    again = tuple(one for one in failures if one.can_rerun and one.attempt == 1 and one.name not in record.reran)
    if again:
        assert facts.repository is not None
        asked = replace(record, reran=(*record.reran, *(one.name for one in again)), reran_at=facts.now)
        actions = tuple(Rerun(ticket.issue.id, facts.repository.name, one) for one in again)
        return Decision(actions, (waits,), recheck_after=_BUSY_SECONDS, record=asked)
    pending = any(one.attempt == 1 and one.name in record.reran for one in failures)
    if pending and record.reran_at and facts.now < (end := record.reran_at + timedelta(seconds=_RERUN_SECONDS)):
        return Decision(blockers=(waits,), recheck_after=until(facts.now, end))
    same = signature(failures)
    error = "\n\n".join(_told(one) for one in failures)
    if rounds(record, CHECKS) and record.failure == same:
        return gives_up(
            ticket, record, CHECKS, f"The same checks failed again after they were to be repaired.\n{error}"
        )
    if rounds(record, CHECKS) >= facts.rules.max_fix_rounds:
        return gives_up(ticket, record, CHECKS, error)
    about = {"kind": CHECKS, "names": [one.name for one in failures], "signature": same}
    findings = [_told(one) for one in failures]
    return Order("fix", _stage(ticket), {"findings": findings}, about, failures=failures)


def _told(failure: Failure) -> str:
    lines = [f"The check “{failure.name}” ended with {failure.conclusion}.", failure.summary]
    lines += [f"{one.path}:{one.line}: {one.message}" for one in failure.annotations]
    return "\n".join(line for line in lines if line)[:4_000]


def _bots(facts: Facts, ticket: Ticket, pull: PullRequest, record: Record) -> Order | Decision | None:
    on_its_way = _is_on_its_way(ticket, pull)
    for bot in pull.bots:
        end = None if on_its_way else _waits_until(facts, bot, record)
        settled = bot.word == "findings" or (end is None and not on_its_way)  # else it may still take its word back
        if settled and rounds(record, BOTS) < facts.rules.max_fix_rounds:
            points = tuple(one for one in bot_points(pull, bot.findings) if one.key not in record.answered)
            if points:
                return answer(ticket, pull, points, BOTS)
        if end is not None:
            values = {"bot": bot.login, "reason": bot.reason or bot.word, "number": pull.number}
            waits = Blocker(ticket.issue.id, "reviewer", values)
            asked, actions = _ask(facts, pull, bot, record)
            return Decision(actions, (waits,), min(60.0, until(facts.now, end)), asked)
    return None


def _waits_until(facts: Facts, bot: BotWord, record: Record) -> datetime | None:
    """Until when a review bot is waited for that may still say something else of the head; None: it is not."""
    if bot.word not in _WAITING or record.head_at is None:
        return None
    end = record.head_at + timedelta(minutes=facts.rules.review_bot_minutes)
    return end if facts.now < end else None


def _is_on_its_way(ticket: Ticket, pull: PullRequest) -> bool:
    """Whether it was reviewed and stood ready to merge, and the service only brought it up to date since."""
    carried = record_of(ticket).carried
    return ticket.issue.stage is Stage.MERGE and carried is not None and carried[1] == pull.head


def _ask(facts: Facts, pull: PullRequest, bot: BotWord, record: Record) -> tuple[Record, tuple[Action, ...]]:
    """Request the review of a bot that looks at no head by itself, once for each."""
    assert facts.repository is not None
    if not bot.on_request or bot.word != "silent" or bot.login in record.reran:
        return record, ()
    asked = replace(record, reran=(*record.reran, bot.login))
    return asked, (RequestReview(record.issue, facts.repository.name, pull.number, (bot.login,)),)


def _out_of_date(facts: Facts, ticket: Ticket, pull: PullRequest) -> bool:
    """Whether the branch must be brought up to date: its base changed, what it stands on moved, or it conflicts.

    In the merge train a branch only ever moves on to the base branch itself: what is still below it may have commits
    that nobody approved.
    """
    record, base = record_of(ticket), base_of(facts, ticket)
    in_train = facts.epic.issue.stage is Stage.MERGE and ticket.issue.stage is Stage.MERGE
    if in_train and facts.repository is not None and base.branch != facts.repository.base:
        return False
    if record.stands_on and record.stands_on != base.branch:
        return True
    conflict = pull.mergeable is Mergeable.CONFLICT and not _is_to_follow(facts, record, pull)
    return _left_behind(facts, record, base.branch) or conflict


def _moved_by_nobody_knows_whom(ticket: Ticket, pull: PullRequest) -> bool:
    """Whether a run pushed to the approved branch, perhaps, and was lost with the database before it could say so.

    An update knows what an update made, and that stays approved; it leaves alone what somebody else did.
    """
    return ticket.issue.stage is Stage.MERGE and has_a_run_out(ticket) and pull.head != record_of(ticket).head


def _is_to_follow(facts: Facts, record: Record, pull: PullRequest) -> bool:
    """Whether the branch stands on the base branch already and its pull request goes into another one still.

    It is retargeted next; what it conflicts with now no longer counts.
    """
    return facts.repository is not None and record.stands_on == facts.repository.base != pull.base_branch


def _left_behind(facts: Facts, record: Record, base: str) -> bool:
    """Whether the branch below has commits of the service that this one has not.

    What has nothing of its own, since somebody merged it into the one below, comes along with that.
    """
    below = next((one for one in facts.tickets if own_branch(one) == base), None)
    if below is None or below.pull_request is None or record.base_at in ("", record.head):
        return False
    head = below.pull_request.head
    return head == record_of(below).head and head != record.base_at


def _stage(ticket: Ticket) -> Stage:
    return ticket.issue.stage if ticket.issue.stage is Stage.MERGE else Stage.CODE_REVIEW
