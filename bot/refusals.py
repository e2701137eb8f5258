"""What was refused, and why, as a reason for people: merges by GitHub, and whatever else is about one issue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.machine.decision import Enqueue, Merge
from bot.machine.facts import Facts, Refusal
from bot.machine.pull_request import PullRequest

_KEPT = 1_000
PAUSES = (5.0, 60.0, 300.0)
"""Seconds after which it is tried again what was refused of an issue: once, twice, and ever after."""


@dataclass(frozen=True)
class _Refused:
    said: str
    at: datetime
    times: int


@dataclass
class Refusals:
    """Remembers GitHub's own sentence for each head. May be lost: then GitHub is asked, and says it, once more."""

    _said: dict[tuple[int, str], str] = field(default_factory=dict)
    _issues: dict[str, _Refused] = field(default_factory=dict)

    def note(self, asked: Merge | Enqueue, said: str) -> bool:
        """Whether GitHub said the same before; an empty sentence: there is nothing any more that it refuses."""
        before = self._said.pop((asked.number, asked.head), "")
        if said:
            if len(self._said) >= _KEPT:
                self._said.clear()
            self._said[asked.number, asked.head] = said
        return bool(said) and before == said

    def of(self, pull: PullRequest | None) -> str:
        """What it said of this head of a pull request; empty: nothing."""
        return self._said.get((pull.number, pull.head), "") if pull is not None and pull.open else ""

    def tried(self, facts: Facts, said: Mapping[str, str]) -> float | None:
        """Remember what was refused of which issues when all was tried that is not put off.

        Returns in how many seconds to look again; None when nothing changed that people should read.
        """
        waits: list[float] = []
        for one in (facts.epic, *facts.tickets):
            issue = one.issue.id
            before = self._issues.get(issue)
            if issue in facts.refusals and facts.refusals[issue].wait:
                continue  # nothing of it was tried
            if issue in said:
                if len(self._issues) >= _KEPT:
                    self._issues.clear()
                times = before.times + 1 if before is not None and before.said == said[issue] else 0
                self._issues[issue] = _Refused(said[issue], facts.now, times)
                waits.append(PAUSES[min(times, len(PAUSES) - 1)])
            elif before is not None:
                del self._issues[issue]
                waits.append(0.0)
        return min(waits, default=None)

    def standing(self, issue: str, unchanged: datetime, now: datetime) -> Refusal | None:
        """What was refused of an issue; it is tried again after a while, or when it has changed since."""
        known = self._issues.get(issue)
        if known is None:
            return None
        pause = PAUSES[min(known.times, len(PAUSES) - 1)]
        left = 0.0 if unchanged > known.at else pause - (now - known.at).total_seconds()
        return Refusal(known.said, left if 0.0 < left <= pause else 0.0)
