"""The watchdog: says aloud, again and again, what stands still without a reason and which webhooks have gone silent.

`bot/machine/watchdog.py` judges; here it is told in the log, in metrics, and to the page. Stuck tickets are blockers of
their epic's decision, so that the panel and `why` show them too. What can be looked at again is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from bot.engine.port import EngineStatus
from bot.machine.watchdog import Change, Memory, announced, overdue, silent, unannounced
from bot.storage import trouble
from bot.words import say

log = structlog.get_logger()

EVERY = 30.0  # seconds
SILENT = Gauge(
    "callboard_webhooks_silent", "1 while a source of webhooks announces nothing of what changes", ["source"]
)
MISSED = Counter("callboard_unannounced_changes_total", "Changes that only polling found", ["source"])
LAST_SEEN = Gauge("callboard_last_delivery_timestamp_seconds", "When a source delivered last", ["source"])
WRITABLE = Gauge("callboard_data_folder_writable", "0 while the disk of the data folder is full or read-only")
OVERDUE = Gauge("callboard_keys_overdue", "Live epics without a good round for 15 minutes, and parked ones")


@dataclass
class Watchdog:
    """Looks every 30 seconds. `memory` is filled by whoever observes; `hint` has a key looked at again."""

    memory: Memory
    status: Callable[[], Awaitable[EngineStatus]]
    hint: Callable[[str], Awaitable[None]]
    clock: Callable[[], datetime]
    home: Path | None = None
    """The data folder, when it is to be watched too."""
    told: tuple[str, ...] = ()
    """What is wrong now, as sentences for people."""
    _live: dict[str, datetime] = field(default_factory=dict)
    _good: dict[str, datetime] = field(default_factory=dict)
    _counted: set[Change] = field(default_factory=set)

    def live(self, keys: Iterable[str]) -> None:
        """These keys have something left to do, and no others."""
        now = self.clock()
        self._live = {key: self._live.get(key, now) for key in keys}
        self._good = {key: at for key, at in self._good.items() if key in self._live}

    def good(self, key: str) -> None:
        """A round on this key went well."""
        self._good[key] = self.clock()

    async def keep_looking(self) -> None:
        """Look until cancelled; what goes wrong in a look is logged, and the next one comes."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except Exception:
                log.exception("watchdog_failed", then="looking again")

    async def look(self) -> None:
        """One look at the data folder, the sources and the keys."""
        self.told = await self._disk()
        self._say()  # a full disk may take the database along, which is asked next
        now, status, disk = self.clock(), await self.status(), self.told
        self.told = (*self._sources(status, now), *await self._keys(status, now))
        self._say()
        self.told = (*disk, *self.told)

    def _say(self) -> None:
        for wrong in self.told:
            log.warning("watchdog", says=wrong)

    async def _disk(self) -> tuple[str, ...]:
        reason = await asyncio.to_thread(trouble, self.home) if self.home else ""
        WRITABLE.set(0 if reason else 1)
        return (say("unwritable", {"folder": self.home, "reason": reason}).strip(),) if reason else ()

    def _sources(self, status: EngineStatus, now: datetime) -> list[str]:
        for source, at in status.last_delivery.items():
            LAST_SEEN.labels(source).set(at.timestamp())
        self.memory.changes[:] = [one for one in self.memory.changes if not announced(one, status.last_delivery)]
        missed = unannounced(self.memory.changes, status.last_delivery, now)
        for one in set(missed) - self._counted:
            MISSED.labels(one.source).inc()
        self._counted = set(missed)
        counts = silent(missed)
        for source in {"linear", "github"} | set(counts):
            SILENT.labels(source).set(1 if source in counts else 0)
        return [_silence(source, count, status.last_delivery.get(source)) for source, count in sorted(counts.items())]

    async def _keys(self, status: EngineStatus, now: datetime) -> list[str]:
        errors = {one.key: one.error for one in status.waiting}
        late = overdue(self._live, self._good, now)
        parked = [one.key for one in status.waiting if one.parked and one.key not in late]
        OVERDUE.set(len(late) + len(parked))
        for key in late:
            await self.hint(key)
        return [
            say("overdue", {"key": key, "reason": errors.get(key) or "nothing tells why"}).strip()
            for key in (*late, *parked)
        ]


def _silence(source: str, count: int, last: datetime | None) -> str:
    seen = f"the last one came {last:%d %b %H:%M} UTC" if last else "none has ever come"
    values = {"source": {"linear": "Linear", "github": "GitHub"}.get(source, source), "count": count, "seen": seen}
    return say("silent", values).strip()
