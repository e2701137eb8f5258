"""What several engines in memory share: deliveries, keys and runs, and who has what in hand."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from bot.engine.admission import admit
from bot.engine.memory_inbox import MemoryInbox
from bot.engine.memory_ledger import MemoryLedger
from bot.engine.pace import Pace
from bot.engine.port import RunOrder, RunRow, RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.engine.memory import MemoryEngine


@dataclass
class Run:
    """A run, and the engine that begun it."""

    row: RunRow
    task: "asyncio.Task[Mapping[str, Any]] | None" = field(default=None, compare=False)
    owner: "MemoryEngine | None" = field(default=None, compare=False)


class MemoryDatabase:
    """The store of engines in memory. `now` is the clock."""

    def __init__(self, pace: Pace | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.pace = pace or Pace()
        self.now = now
        self.inbox = MemoryInbox(self.pace, now, self.changed)
        self.runs: dict[str, Run] = {}
        self.held: dict[str, MemoryEngine] = {}
        """The engine that has a key's round in hand."""
        self.engines: list[MemoryEngine] = []
        self.budgets: dict[str, float] = {}
        self.openings: dict[str, float] = {}
        """What epics had cost by their records before anything here knew of it."""
        self.days: defaultdict[date, float] = defaultdict(float)
        """US dollars that all epics spent on each day (UTC)."""
        self.paused_until: datetime | None = None
        self.ledger = MemoryLedger(now, self.pace.lag)

    def allow(self, key: str, budget_usd: float, recorded_usd: float) -> None:
        """What an epic may cost, and what it has cost by its records."""
        gap = recorded_usd - self._known(key)
        self.budgets[key], self.openings[key] = budget_usd, max(0.0, gap, self.openings.get(key, 0.0))

    def spent(self, key: str) -> float:
        """US dollars that an epic has spent, as far as is known here."""
        return round(self.openings.get(key, 0.0) + self._known(key), 6)

    @property
    def paused(self) -> datetime | None:
        """Until when no run may begin, while it is paused."""
        return self.paused_until if self.paused_until and self.paused_until > self.now() else None

    def pause(self, until: datetime) -> None:
        """No run begins, and no model is called, until then; a pause that lasts longer stands."""
        self.paused_until = max(until, self.paused_until or until)
        wait = (self.paused_until - self.now()).total_seconds()
        asyncio.get_running_loop().call_later(max(0.0, wait), self.admit)

    @property
    def today_usd(self) -> float:
        """US dollars that all epics spent today."""
        return round(self.days[self._today()], 6)

    def _today(self) -> date:
        return self.now().astimezone(UTC).date()

    def calls(self, run_id: str, usd: float, day_usd: float = math.inf) -> str:
        """A model is called for a run; a call takes no time here, so none is under way beside it."""
        run = self.runs.get(run_id)
        if run is None or run.row.state is not RunState.RUNNING:
            return "unknown"
        key = run.row.order.key
        if self.paused:
            return "paused"
        if key not in self.budgets:
            return "wait"
        if self.spent(key) >= self.budgets[key]:
            return "epic"
        if self.today_usd >= day_usd:
            return "day"
        self.days[self._today()] += usd
        run.row = replace(run.row, spent_usd=round(run.row.spent_usd + usd, 6))
        return "granted"

    def _known(self, key: str) -> float:
        return sum(run.row.spent_usd for run in self.runs.values() if run.row.order.key == key)

    def changed(self) -> None:
        """Something may have come due: everybody looks."""
        for engine in self.engines:
            engine.wake()

    def bury(self, engine: "MemoryEngine") -> None:
        """An engine gave no sign of life for too long: its keys are free, its runs queue up again."""
        if engine in self.engines:
            self.engines.remove(engine)
        self.held = {key: holder for key, holder in self.held.items() if holder is not engine}
        for run in self.runs.values():
            if run.owner is engine:
                run.task = run.owner = None
                self.requeue(run)
        self.admit()

    def queue(self) -> list[RunOrder]:
        """Queued orders in their order: priority, then age (a dict keeps the order of insertion)."""
        queued = [run.row.order for run in self.runs.values() if run.row.state is RunState.QUEUED]
        return sorted(queued, key=lambda order: order.priority)

    def admit(self) -> None:
        """Every queued run that has room is running now, with a new fence; some engine begins it."""
        if self.paused:
            return
        running = [run.row.order for run in self.runs.values() if run.row.state is RunState.RUNNING]
        for order in admit(running, self.queue()):
            run = self.runs[order.run_id]
            fence = run.row.attempt_of_start + 1
            run.row = replace(run.row, state=RunState.RUNNING, attempt_of_start=fence, started_at=None)
            self.inbox.want(order.key)
        self.changed()

    def requeue(self, run: Run) -> None:
        """Whoever had it is gone: it queues up again, or is canceled when that was wished for."""
        if run.row.stop_reason is not None:
            run.row = replace(run.row, state=RunState.CANCELED, finished_at=self.now())
        else:
            run.row = replace(run.row, state=RunState.QUEUED)
        self.inbox.want(run.row.order.key)
