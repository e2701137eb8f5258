"""The numbers of the records on Linear, in memory. See `bot/engine/ledger.py`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from bot.engine.ledger import in_time
from bot.engine.port import Kept, Records


class MemoryLedger:
    """What several engines share. `now` is the clock, `lag` in seconds."""

    def __init__(self, now: Callable[[], datetime], lag: float) -> None:
        self._now, self._lag, self._born = now, lag, now()
        self._rows: dict[str, tuple[str, Kept, str]] = {}
        """Key, numbers and signed text, by issue."""

    def records(self, key: str) -> Records:
        """What is known of the records of a key."""
        mine = {issue: kept for issue, (of, kept, _) in self._rows.items() if of == key}
        return Records(self._born, self._now(), self._lag, mine)

    def intend(self, key: str, above: Mapping[str, int], known: Mapping[str, tuple[int, int]]) -> Mapping[str, int]:
        """Give out the numbers of records that are about to be written. Raises Transient when others were meanwhile."""
        in_time({issue: kept.numbers for issue, (of, kept, _) in self._rows.items() if of == key}, known, above)
        given: dict[str, int] = {}
        for issue, number in above.items():
            _, kept, text = self._rows.get(issue, (key, Kept(0, self._now()), ""))
            given[issue] = max(kept.intended + 1, number + 1, int(self._born.timestamp()))
            self._rows[issue] = key, replace(kept, intended=given[issue], intended_at=self._now()), text
        return given

    def wrote(self, key: str, seen: Mapping[str, tuple[int, str]]) -> None:
        """These stand on Linear."""
        for issue, (number, text) in seen.items():
            _, kept, before = self._rows.get(issue, (key, Kept(number, self._now()), ""))
            self._rows[issue] = key, kept, before
            if kept.written < number:
                known = Kept(max(kept.intended, number), kept.intended_at, number, self._now())
                self._rows[issue] = key, known, text

    def text_of(self, issue: str) -> str:
        """The newest record of an issue that stood on Linear, signed."""
        return self._rows[issue][2] if issue in self._rows else ""
