"""Which record of an issue is the newest: Linear has no compare-and-set, and what it shows may be some seconds old.

What must always hold: no round acts upon a record that was replaced before the round began. Else words that were heard
are heard again, a run that was settled is due again, and what it cost is forgotten.

So every record bears a number, given out by the database before it is written (`intend`) and noted there with its
signed text once it stands on Linear (`wrote`). A read is held against those two:

* It shows the newest number: it is believed. When its write was not noted (the answer or the process was lost), it is
  noted now.
* It shows less, or no record, and something was written within the lag: the read may be old, or the write was lost;
  nobody can tell. The round is put off until the lag is over. What is shown then was there all the time.
* The lag is over, and it shows the last one that stood there: the write that was intended never came.
* The lag is over, and it shows an older one: a process that was taken for dead wrote late, or somebody put it back. The
  newest, as noted, takes its place (`Issue.outdated`), and is written again with a new number, above that of any
  process that still may write.
* The lag is over, and none is shown: somebody took it away. Then it is refused (`bot/machine/doubt.py`); so is one that
  is forged or copied, at once, whatever the database knows.

A process that was frozen in the middle of a round, and was taken for dead, may wake up and write what it had decided
long ago. Whoever asks for a number tells which were given out and noted when it read (`Newest.numbers`), and gets none
when there are others by now. So only what was on its way already can come late: the case of an older one above.

A database that knows nothing of an epic that is older than itself was made anew: whoever worked there before may have
written just now. It waits one lag, once. That the truth is in Linear, and not in the database, does not change: what is
kept here is only used against what is older.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import structlog

from bot.engine.port import Kept, Records
from bot.linear.reading import GONE
from bot.linear.records import FIELD, seal, unseal
from bot.machine.errors import Transient
from bot.machine.facts import Issue
from bot.machine.record import Record

log = structlog.get_logger()


class Ledger(Protocol):
    """What is asked of the engine."""

    async def records(self, key: str) -> Records:
        """Which records of a key were written last."""

    async def wrote(self, key: str, seen: Mapping[str, tuple[int, str]]) -> None:
        """These records stand on Linear."""

    async def text_of(self, issue: str) -> str:
        """The newest record of an issue that stood on Linear, signed."""


class Newest(NamedTuple):
    """Issues with their newest records; and of each the numbers that were given out and noted when they were read."""

    issues: list[Issue]
    numbers: Mapping[str, tuple[int, int]]


async def with_newest(ledger: Ledger, keys: Sequence[str], issues: Sequence[Issue]) -> Newest:
    """The epic and its tickets, in this order, each with the newest record that stood on Linear.

    Raises:
        Transient: what was read may be older than what was written last.
    """
    key = f"epic:{issues[0].id}"
    known = await ledger.records(key)
    if wait := seconds_to_wait(known, issues):
        raise Transient("Linear may not show yet what was written last", retry_after=wait)
    new = {
        one.id: (one.record.number, text_of(one.record, keys[0]))
        for one in issues
        if one.record is not None and one.record.number > known.issues.get(one.id, _NEVER).written
    }
    if new:
        await ledger.wrote(key, new)
    numbers = {issue: kept.numbers for issue, kept in known.issues.items()}
    numbers |= {issue: (max(number, numbers.get(issue, (0, 0))[0]), number) for issue, (number, _) in new.items()}
    return Newest([await _newest(ledger, keys, one, known.issues.get(one.id, _NEVER)) for one in issues], numbers)


def seconds_to_wait(known: Records, issues: Sequence[Issue]) -> float:
    """How long until what Linear shows can't be older than what was written last; 0 when it is not older now."""
    shown = {one.id: one for one in issues}
    if not known.issues:
        made_anew = issues[0].created_at < known.born
        return _left(known, known.born) if made_anew else 0.0
    return max(
        _left(known, max(kept.intended_at, kept.written_at or kept.intended_at))
        if issue not in shown or _is_behind(shown[issue], kept)
        else 0.0
        for issue, kept in known.issues.items()
    )


def text_of(record: Record, key: str) -> str:
    """A record as the database keeps it: signed, so that it can't be changed there."""
    return str(seal(record, key)[FIELD])


_NEVER = Kept(0, datetime.min)  # noqa: DTZ901 - compared with nothing


def _left(known: Records, since: datetime) -> float:
    return max(0.0, (since + timedelta(seconds=known.lag) - known.now).total_seconds())


def _is_behind(issue: Issue, kept: Kept) -> bool:
    """Whether Linear shows no record, or not the newest that is known of; a forged one is no news."""
    if issue.shown is None:
        return not issue.record_refused or issue.record_refused == GONE
    return issue.shown < max(kept.intended, kept.written)


async def _newest(ledger: Ledger, keys: Sequence[str], issue: Issue, kept: Kept) -> Issue:
    if issue.shown is None:
        gone = kept.written > 0 and not issue.record_refused
        return replace(issue, record_refused=GONE) if gone else issue
    if issue.shown >= kept.written:
        return issue
    newest = unseal({FIELD: await ledger.text_of(issue.id)}, issue.id, keys)
    if not isinstance(newest, Record):
        return issue
    log.warning("record_outdated", issue=issue.identifier, shown=issue.shown, newest=newest.number, then="put back")
    return replace(issue, record=newest, record_refused="", outdated=True)
