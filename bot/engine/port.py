"""The engine as the rest of the house sees it: values, callbacks, and a dozen verbs.

What always holds, whoever implements it:

* `accept` returns after its delivery is committed. A wake-up may be lost; the delivery is not.
* One key is reconciled by one callback at a time. Hints coalesce; one that comes while its key is being
  reconciled causes exactly one more round.
* At every instant the running runs respect every cap of every one of them, and an issue has one running run.
* A run that was started again has a higher fence; what an older start reports is discarded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True)
class Delivery:
    """One webhook as it came: `source` and `delivery` together are its identity.

    `subject` is what the body speaks of ("linear:issue:<id>", "github:acme/youlab#7"); `ignored` and `parked` are
    reasons for storing it without waking anybody.
    """

    source: str
    delivery: str
    event: str
    subject: str | None
    body: bytes
    received_at: datetime
    late: bool = False
    ignored: str | None = None
    parked: str | None = None


class Accepted(StrEnum):
    """What `accept` found."""

    NEW = "new"
    KNOWN = "known"  # finished before: nothing to do
    REQUEUED = "requeued"  # known but unfinished: its key was woken again


class RunState(StrEnum):
    """Where a run stands; the last two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELED = "canceled"


@dataclass(frozen=True)
class RunOrder:
    """A run that somebody wants.

    `caps` are (scope, most runs at once) pairs, all of which must have room; a smaller `priority` goes first, then the
    older order; `spec` is JSON and opaque here.
    """

    run_id: str
    key: str
    issue: str
    generation: int
    stage: str
    caps: tuple[tuple[str, int], ...]
    priority: int
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class RunRow:
    """A run as it stands. `attempt_of_start` is the fence: it counts how often the run was started.

    `ahead` counts the queued runs that go before this one; 0 unless it is queued itself.
    """

    order: RunOrder
    state: RunState
    attempt_of_start: int
    ahead: int
    queued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    stop_reason: str | None = None
    spent_usd: float = 0.0
    """What it cost so far, over all its starts."""


@dataclass(frozen=True)
class Service:
    """What all epics share: the pause, US dollars spent today (UTC), and runs ordered within the last hour."""

    paused_until: datetime | None = None
    paused_why: str = ""
    today_usd: float = 0.0
    runs_lately: int = 0


@dataclass(frozen=True)
class Verdict:
    """Whether a model may be called once more.

    `word` is `granted`, `wait` (calls under way hold too much), `epic` or `day` (its budget is spent), `paused`, or
    `unknown` (no such run is under way).
    """

    word: str
    spent: float = 0.0
    budget: float = 0.0
    until: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class Kept:
    """What is known of one issue's record: numbers as `Record.number`, times by the database's clock.

    `intended` was about to be written, and may or may not have been; `written` stood on Linear (0: none did).
    """

    intended: int
    intended_at: datetime
    written: int = 0
    written_at: datetime | None = None

    @property
    def numbers(self) -> tuple[int, int]:
        """`intended` and `written`: another pair whenever anybody was given a number, or what stood there was noted."""
        return self.intended, self.written


@dataclass(frozen=True)
class Records:
    """What is known of the records of a key. `born` is when this database was made, `lag` in seconds how old a read of
    Linear may be."""

    born: datetime
    now: datetime
    lag: float
    issues: Mapping[str, Kept] = field(default_factory=dict)


class Till(Protocol):
    """Money that several runs share, and the pause of the whole service."""

    async def open(self, run_id: str) -> None:
        """A start of a run begins."""

    async def reserve(self, run_id: str, usd: float, day_usd: float) -> Verdict:
        """Take off what a call costs at most, from its epic's budget and from the day's."""

    async def settle(self, run_id: str, reserved: float, usd: float, read: int, written: int) -> None:
        """Put back what was taken off, and charge what was used."""

    async def pause(self, until: datetime, why: str) -> None:
        """No run starts, and no model is called, until then."""


@dataclass(frozen=True)
class KeyRow:
    """A key that waits: for its turn, or, after errors, for its next try (`next_try` is None when parked)."""

    key: str
    attempts: int
    error: str | None
    next_try: datetime | None
    parked: bool


@dataclass(frozen=True)
class ParkedDelivery:
    """A delivery kept for people to look at."""

    source: str
    delivery: str
    event: str
    subject: str | None
    reason: str
    received_at: datetime


@dataclass(frozen=True)
class Parked:
    """Everything that does not go on by itself."""

    deliveries: tuple[ParkedDelivery, ...] = ()
    keys: tuple[KeyRow, ...] = ()


@dataclass(frozen=True)
class EngineStatus:
    """Counts for pages, metrics and `callboard status`."""

    open_deliveries: int = 0
    parked_deliveries: Mapping[str, int] = field(default_factory=dict)  # by reason
    ignored_deliveries: Mapping[str, int] = field(default_factory=dict)  # by reason
    last_delivery: Mapping[str, datetime] = field(default_factory=dict)  # by source
    service: "Service" = field(default_factory=lambda: Service())
    last_refusal: Mapping[str, datetime] = field(default_factory=dict)  # by source: nobody of ours had signed it
    waiting: tuple[KeyRow, ...] = ()
    runs: Mapping[RunState, int] = field(default_factory=dict)


class Lease(Protocol):
    """The right of one start of one run to change the world."""

    @property
    def run_id(self) -> str:
        """Which run."""

    @property
    def fence(self) -> int:
        """Which start of it."""

    async def still_mine(self) -> bool:
        """Ask the store, before a push: False once the run was stopped, or started again elsewhere."""


class Callbacks(Protocol):
    """What the engine calls."""

    async def reconcile(self, key: str) -> float | None:
        """Bring one key forward. Returns in how many seconds to look again, or None.

        What it raises is kept on the key and tried again with a growing delay. An error with a number in its attribute
        `retry_after` (seconds) is tried again no sooner than that, and never parks the key.
        """

    async def execute(self, order: RunOrder, lease: Lease) -> Mapping[str, Any]:
        """Do a run and return its result (JSON).

        Cancelled by asyncio when the run is stopped or the service ends: kill the process, then let the cancellation
        through. An exception becomes the result `{"error": {"type", "message"}}`; where the database was away, the
        type is `Transient`.
        """

    async def resync(self) -> Iterable[str]:
        """All live keys, read from the world."""


ALL_ROLES = frozenset({"reconcile", "agents"})


class Engine(Protocol):
    """Inbox, reconcile queue and runs."""

    async def accept(self, delivery: Delivery) -> Accepted:
        """Store a delivery; it is committed when this returns. The wake-up of its key may follow."""

    async def refuse(self, source: str) -> None:
        """Note that a request to a webhook address bore no signature of ours; only the last one is kept."""

    async def hint(self, key: str, *, delay: float = 0.0, reason: str = "") -> None:
        """Ask for a round on `key`, after `delay` seconds. Durable; of several delayed ones the earliest counts."""

    async def route(self, subject: str, key: str) -> None:
        """Remember that deliveries about `subject` belong to `key`. A cache: may be lost."""

    async def start_run(self, order: RunOrder) -> None:
        """Queue a run, once per `run_id`, and start it if there is room.

        An older generation of the same issue that is still live is stopped first; an order older than one that is
        known is stored as canceled.
        """

    async def cancel_run(self, run_id: str, reason: str) -> None:
        """Stop a run: a queued one at once, a running one as soon as its process is dead."""

    async def runs(self, key: str) -> tuple[RunRow, ...]:
        """The runs of a key, newest generation first; of every issue at least the latest one."""

    async def allow(self, key: str, budget_usd: float, recorded_usd: float) -> None:
        """What an epic may cost, and what it has cost by its records; known here before its first run starts."""

    async def spent(self, key: str) -> float:
        """US dollars that count against the budget of an epic when a model is called; 0.0 where nothing is known."""

    async def service(self) -> Service:
        """What all epics share."""

    async def records(self, key: str) -> Records:
        """Which records of a key were written last. A cache: may be lost."""

    async def intend(
        self, key: str, above: Mapping[str, int], known: Mapping[str, tuple[int, int]]
    ) -> Mapping[str, int]:
        """Numbers, by issue, for records that are about to be written: higher than `above` and any given out before.

        `known` is `Kept.numbers` of each when the facts were read that the records come from.

        Raises:
            Transient: they are others by now: another process goes on with this, and knows more.
        """

    async def wrote(self, key: str, seen: Mapping[str, tuple[int, str]]) -> None:
        """Records that stand on Linear, by issue: number and signed text. One older than what is known is left out.

        What is known of the issue belongs to this key from now on: it may be part of another epic than before.
        """

    async def text_of(self, issue: str) -> str:
        """The signed text of the newest record of an issue that stood on Linear; empty when none is known."""

    async def status(self) -> EngineStatus:
        """Counts, and the keys that wait."""

    async def parked(self) -> Parked:
        """What waits for people: parked deliveries, and keys whose reconcile failed too often."""

    async def run(self, callbacks: Callbacks, *, roles: frozenset[str] = ALL_ROLES) -> None:
        """Work until cancelled. Being cancelled is not a stop: running runs go back to queued."""
