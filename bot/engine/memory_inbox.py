"""Deliveries and keys in memory: what `inbox` does with tables, for simulations. See there for the reasons."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.engine.pace import Pace, retry_after_of
from bot.engine.port import Accepted, Delivery, EngineStatus, KeyRow, Parked, ParkedDelivery


@dataclass
class MemoryKey:
    """A key, with the same columns as the table."""

    wanted: int = 0
    served: int = 0
    not_before: datetime | None = None
    attempts: int = 0
    error: str | None = None
    failed_at: datetime | None = None
    retry_at: datetime | None = None
    parked: bool = False

    def due(self, now: datetime) -> bool:
        """It wants a round, and may have one now."""
        return self.wanted > self.served and not self.parked and (self.retry_at is None or self.retry_at <= now)

    def want(self, now: datetime) -> None:
        """Count a hint; a parked key may try again."""
        self.wanted += 1
        if self.parked:
            self.parked, self.retry_at = False, now


@dataclass
class _Stored:
    delivery: Delivery
    key: str | None
    ignored: str | None
    done: bool


@dataclass
class MemoryNoted:
    """What a round is about to serve."""

    wanted: int
    deliveries: list[_Stored] = field(default_factory=list)


class MemoryInbox:
    """`changed` is called whenever something may have come due."""

    def __init__(self, pace: Pace, now: Callable[[], datetime], changed: Callable[[], None]) -> None:
        self._pace = pace
        self._now = now
        self._changed = changed
        self._deliveries: dict[tuple[str, str], _Stored] = {}
        self._open: dict[tuple[str, str], _Stored] = {}
        """Those that are not done."""
        self.refusals: dict[str, datetime] = {}
        self._routes: dict[str, str] = {}
        self.keys: dict[str, MemoryKey] = {}

    def accept(self, delivery: Delivery) -> Accepted:
        """Store a delivery and hint its key."""
        name = (delivery.source, delivery.delivery)
        stored = self._deliveries.get(name)
        accepted = Accepted.REQUEUED
        if stored is None:
            ignored = delivery.ignored or (None if delivery.subject else "speaks of nothing")
            key = self._routes.get(delivery.subject or "", delivery.subject)
            stored = _Stored(delivery, key, ignored, done=bool(ignored or delivery.parked))
            self._deliveries[name] = stored
            if not stored.done:
                self._open[name] = stored
            accepted = Accepted.NEW
        elif stored.done:
            return Accepted.KNOWN
        if not stored.done and stored.key is not None:
            self.want(stored.key)
        return accepted

    def want(self, key: str) -> None:
        """Count a wish for a round on `key`."""
        self.keys.setdefault(key, MemoryKey()).want(self._now())
        self._changed()

    def want_later(self, key: str, delay: float) -> None:
        """Note the wish for a round in `delay` seconds; an earlier wish that stands is kept."""
        row = self.keys.setdefault(key, MemoryKey())
        due = self._now() + timedelta(seconds=delay)
        row.not_before = min(row.not_before or due, due)
        self._changed()

    def route(self, subject: str, key: str) -> None:
        """Remember where deliveries about `subject` go."""
        self._routes[subject] = key

    def due(self) -> list[str]:
        """Keys that want a round now; wishes that came due are counted."""
        now = self._now()
        for key in self.keys.values():
            if key.not_before and key.not_before <= now:
                key.not_before = None
                key.want(now)
        return [name for name, key in self.keys.items() if key.due(now)]

    def next_due(self) -> datetime | None:
        """When the next wish or retry comes due."""
        now = self._now()
        dues = [key.not_before for key in self.keys.values() if key.not_before]
        dues += [key.retry_at for key in self.keys.values() if key.retry_at and key.retry_at > now and not key.parked]
        return min(dues, default=None)

    def note(self, name: str) -> MemoryNoted:
        """What there is to serve on a key now."""
        deliveries = [each for each in self._open.values() if each.key == name]
        return MemoryNoted(self.keys[name].wanted, deliveries)

    def done(self, name: str, noted: MemoryNoted, again: float | None) -> None:
        """A good round: close exactly what was noted, and keep the wish to look again in `again` seconds."""
        for each in noted.deliveries:
            each.done = True
            self._open.pop((each.delivery.source, each.delivery.delivery), None)
        key = self.keys[name]
        key.served = max(key.served, noted.wanted)
        key.attempts, key.error, key.failed_at, key.retry_at = 0, None, None, None
        if again is not None:
            self.want_later(name, again)

    def failed(self, name: str, noted: MemoryNoted, error: BaseException) -> None:
        """A failed round: set the next try, or park the key after the last one."""
        key = self.keys[name]
        retry_after = retry_after_of(error)
        key.attempts += 1
        key.error = f"{type(error).__name__}: {error}"
        key.failed_at = self._now()
        key.retry_at = key.failed_at + timedelta(seconds=self._pace.retry_delay(key.attempts, retry_after))
        key.parked = key.attempts >= self._pace.tries and retry_after is None and key.wanted == noted.wanted

    def resync(self, names: Iterable[str]) -> None:
        """Hint all these keys, except those that wait for a retry; parked ones, named or not, only now and then."""
        long_ago = self._now() - timedelta(seconds=self._pace.parked_retry)
        for name in sorted({*names, *(name for name, key in self.keys.items() if key.parked)}):
            key = self.keys.setdefault(name, MemoryKey())
            if key.retry_at is None or (key.parked and key.failed_at is not None and key.failed_at < long_ago):
                self.want(name)

    def status(self) -> EngineStatus:
        """Counts, and the keys that wait."""
        stored = sorted(self._deliveries.values(), key=lambda each: each.delivery.received_at)
        return EngineStatus(
            open_deliveries=sum(not each.done for each in stored),
            parked_deliveries=Counter(each.delivery.parked for each in stored if each.delivery.parked),
            ignored_deliveries=Counter(each.ignored for each in stored if each.ignored),
            last_delivery={each.delivery.source: each.delivery.received_at for each in stored},
            last_refusal=dict(self.refusals),
            waiting=tuple(
                KeyRow(name, key.attempts, key.error, None if key.parked else key.retry_at, key.parked)
                for name, key in sorted(self.keys.items())
                if key.wanted > key.served
            ),
        )

    def stored(self) -> dict[tuple[str, str], tuple[bool, str | None]]:
        """By source and delivery: whether it is done, and the key that it waits for."""
        return {name: (each.done, each.key) for name, each in self._deliveries.items()}

    def parked(self) -> Parked:
        """What waits for people."""
        deliveries = [each.delivery for each in self._deliveries.values()]
        return Parked(
            deliveries=tuple(
                ParkedDelivery(d.source, d.delivery, d.event, d.subject, d.parked, d.received_at)
                for d in deliveries
                if d.parked
            ),
            keys=tuple(row for row in self.status().waiting if row.parked),
        )
