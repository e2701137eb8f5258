"""The watchdog's judgement: who stands still and nobody knows why, and which source of webhooks has gone silent.

A ticket may wait for as long as it likes, if it has a reason that somebody or something can end. It is stuck when it
has none: no live run, no blocker that leads to anybody who could act (also not in a circle of tickets that wait for
each other), and nothing has changed for a while. That is always a fault of ours, so it is said aloud.

A source is silent when things change there that the regular look finds and no webhook announced. Anything that a
source delivers counts as a sign of life; its last one must not be older than the look before the change was found.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.machine.decision import NOTHING, Blocker, Decision, Move, StartRun
from bot.machine.facts import Facts, Issue, Ticket
from bot.machine.moving import stage_of
from bot.machine.pull_request import PullRequest
from bot.machine.stages import DISPOSITIONS
from bot.machine.waiting import BELOW, named, why

PATIENCE = 600.0
"""Seconds without a change and without a reason after which an issue is stuck."""
LOOK_AGAIN = 60.0
"""Seconds after which something stuck is looked at again."""
GRACE = 60.0
"""Seconds that a webhook may come later than the look that found its change."""
ENOUGH = 3
"""So many unannounced changes and not one delivery make a source silent; one alone may have been lost on its way."""
OVERDUE = 900.0
"""Seconds without a good round after which a live key is overdue."""
NEEDS_A_RUN = frozenset({"worker", "running"})
"""Reasons that are only true while there is a live run."""
ENDS_SOON = frozenset({"no_pull_request"})
"""Reasons that end within moments where all is well: who stands still with one has none."""


def stuck(facts: Facts, decision: Decision) -> Decision:
    """A blocker for everything that stands still without a reason; the rest of what waits for it is not named."""
    everything = (facts.epic,) if facts.lone else (facts.epic, *facts.tickets)
    still = [one for one in everything if _stands_still(facts, decision, one) and not _explained(facts, decision, one)]
    roots = [one for one in still if not _below(decision, one)]
    if not roots:
        tickets = [one for one in still if one.issue.id != facts.epic.issue.id]
        roots = tickets or still
    if not roots:
        return NOTHING
    found = (Blocker(one.issue.id, "stuck", {"since": f"{_since(facts, one):%d %b %H:%M} UTC"}) for one in roots)
    return Decision(blockers=tuple(found), recheck_after=LOOK_AGAIN)


def _since(facts: Facts, ticket: Ticket) -> datetime:
    return facts.unchanged.get(ticket.issue.id, facts.now)


def _stands_still(facts: Facts, decision: Decision, ticket: Ticket) -> bool:
    """A look that was asked for may still bring something; after three times the patience it did not."""
    patience = PATIENCE * (3 if decision.recheck_after is not None else 1)
    return not stage_of(ticket.issue).over and (facts.now - _since(facts, ticket)).total_seconds() >= patience


def _explained(facts: Facts, decision: Decision, ticket: Ticket) -> bool:
    """Whether its reasons, or those of what it waits for, end at a run, a person, or something outside.

    Or at an issue that does not stand still: that one has its own patience.
    """
    everything = (facts.epic, *facts.tickets)
    going = {
        one.issue.identifier
        for one in everything
        if not (stage_of(one.issue).over or _stands_still(facts, decision, one))
    }
    ordered = {action.issue for action in decision.actions if isinstance(action, StartRun | Move)}
    at_work = {
        one.issue.identifier for one in everything if one.issue.id in ordered or any(run.live for run in one.runs)
    }
    if ticket.issue.identifier in at_work:
        return True
    known = {one.issue.identifier for one in everything}
    for name, blocker in why(facts, decision, ticket.issue.id):
        if blocker.reason in NEEDS_A_RUN:
            if name in at_work:
                return True
        elif blocker.reason in ENDS_SOON:
            continue
        elif blocker.reason not in BELOW or (going | at_work) & {*named(blocker)} or {*named(blocker)} - known - {""}:
            return True
    return False


def _below(decision: Decision, ticket: Ticket) -> bool:
    return any(one.issue == ticket.issue.id and one.reason in BELOW for one in decision.blockers)


@dataclass(frozen=True)
class Change:
    """Something that people or services changed, found by looking. `before` is when the look before it was."""

    source: str
    what: str
    seen_at: datetime
    before: datetime


def unannounced(changes: Iterable[Change], last_seen: Mapping[str, datetime], now: datetime) -> tuple[Change, ...]:
    """The changes that no webhook announced, although it had the time."""
    return tuple(
        one for one in changes if not announced(one, last_seen) and (now - one.seen_at).total_seconds() >= GRACE
    )


def announced(change: Change, last_seen: Mapping[str, datetime]) -> bool:
    """Whether the source gave a sign of life since the look before the change was found."""
    heard = last_seen.get(change.source)
    return heard is not None and heard >= change.before


def silent(missed: Iterable[Change]) -> dict[str, int]:
    """The sources that have gone silent, with the number of changes that they did not announce."""
    counts: dict[str, int] = {}
    for one in missed:
        counts[one.source] = counts.get(one.source, 0) + 1
    return {source: count for source, count in counts.items() if count >= ENOUGH}


def overdue(live: Mapping[str, datetime], good: Mapping[str, datetime], now: datetime) -> tuple[str, ...]:
    """Live keys without a good round for too long; `live` tells since when each is known to be live."""
    return tuple(
        key for key, since in sorted(live.items()) if (now - max(since, good.get(key, since))).total_seconds() > OVERDUE
    )


@dataclass
class Memory:
    """What the looks before have seen. May be lost: then the watchdog begins to count anew."""

    changes: list[Change] = field(default_factory=list)
    _issues: dict[str, tuple[object, datetime]] = field(default_factory=dict)
    _foreign: dict[tuple[str, str], tuple[frozenset[str], datetime]] = field(default_factory=dict)

    def see(self, tickets: Iterable[Ticket], now: datetime) -> dict[str, datetime]:
        """Compare with the look before; returns since when each issue is unchanged, and notes foreign changes."""
        unchanged: dict[str, datetime] = {}
        for one in tickets:
            print_now = _fingerprint(one)
            known = self._issues.get(one.issue.id)
            if known is None or known[0] != print_now:
                known = self._issues[one.issue.id] = print_now, now
            unchanged[one.issue.id] = known[1]
            self._compare("linear", one.issue.id, frozenset(_on_linear(one.issue)), now)
            if one.pull_request is not None:
                self._compare("github", str(one.pull_request.number), frozenset(_on_github(one.pull_request)), now)
        return unchanged

    def forget(self, tickets: Iterable[Ticket]) -> None:
        """These are over."""
        for one in tickets:
            self._issues.pop(one.issue.id, None)
            self._foreign.pop(("linear", one.issue.id), None)
            if one.pull_request is not None:
                self._foreign.pop(("github", str(one.pull_request.number)), None)

    def _compare(self, source: str, place: str, found: frozenset[str], now: datetime) -> None:
        """What is new since the look before is a change; what went is none, and at first sight nothing is new."""
        before = self._foreign.get((source, place))
        if before is not None:
            self.changes += [Change(source, what, now, before[1]) for what in sorted(found - before[0])]
        self._foreign[source, place] = found, now


def _fingerprint(ticket: Ticket) -> tuple[object, ...]:
    """Everything that counts as progress, by whomever; our own comments only follow it."""
    issue, pull = ticket.issue, ticket.pull_request
    runs = [(run.id, str(run.state)) for run in ticket.runs]
    words = [(one.id, one.body) for one in issue.comments if not one.ours]
    told = pull and (pull.head, pull.open, pull.merged, str(pull.checks), pull.changes_requested_by, pull.open_threads)
    queue = pull and (pull.queue, pull.ejected, pull.mergeable)
    return issue.state_name, sorted(issue.labels), issue.record, words, told, queue, runs


def _on_linear(issue: Issue) -> Iterator[str]:
    """What only others do on an issue; Linear announces each of these."""
    for comment in issue.comments:
        if not comment.ours:
            yield f"comment {comment.id} {hash(comment.body)}"
    yield f"title {issue.title}"
    yield f"description {hash(issue.description)}"
    yield from (f"label {one}" for one in issue.labels - DISPOSITIONS)
    if issue.record is not None and issue.stage is not issue.record.stage:
        yield f"moved to {issue.state_name}"


def _on_github(pull: PullRequest) -> Iterator[str]:
    """What only others do on a pull request; GitHub announces each of these."""
    yield from (f"review {one.id} {one.state}" for one in pull.reviews if not one.ours)
    yield from (f"remark {one.id}" for one in pull.conversation if not one.ours)
    yield from (f"remark {one.id}" for thread in pull.threads for one in thread.remarks if not one.ours)
    yield from (f"check {one.name} {one.result} on {pull.head}" for one in pull.checks_seen)
