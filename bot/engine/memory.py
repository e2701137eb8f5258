"""The engine in memory, for simulations only: the same port, nothing survives the object.

One event loop, so no locks: whatever happens between two awaits happens at once.
"""

import asyncio
import contextlib
import functools
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from bot.engine.admission import admit
from bot.engine.memory_inbox import MemoryInbox
from bot.engine.pace import Pace
from bot.engine.port import (
    ALL_ROLES,
    Accepted,
    Callbacks,
    Delivery,
    EngineStatus,
    Parked,
    RunOrder,
    RunRow,
    RunState,
    Service,
)

log = structlog.get_logger(__name__)

LIVE = (RunState.QUEUED, RunState.RUNNING)


@dataclass
class _Run:
    row: RunRow
    task: asyncio.Task[Mapping[str, Any]] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class _Lease:
    run_id: str
    fence: int
    engine: "MemoryEngine"

    async def still_mine(self) -> bool:
        """True while this start is the current one and nobody stopped it."""
        row = self.engine.run_row(self.run_id)
        return row.state is RunState.RUNNING and row.attempt_of_start == self.fence and row.stop_reason is None


class MemoryEngine:
    """See `port.Engine`. `workers` and `rounds` are the most runs and reconciles at once; `now` is the clock."""

    def __init__(
        self,
        *,
        workers: int = 10,
        rounds: int = 8,
        pace: Pace | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pace = pace or Pace()
        self._now = now
        self._workers = workers
        self._rounds = rounds
        self._changed = asyncio.Event()
        self._inbox = MemoryInbox(self._pace, now, self._changed.set)
        self._runs: dict[str, _Run] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}  # the keys that have a round, and "" for the resync
        self._closing = False
        self.allowed: dict[str, tuple[float, float]] = {}
        self.paused: datetime | None = None

    async def accept(self, delivery: Delivery) -> Accepted:
        """Store a delivery."""
        return self._inbox.accept(delivery)

    async def refuse(self, source: str) -> None:
        """Note that a request bore no signature of ours."""
        self._inbox.refusals[source] = self._now()

    async def hint(self, key: str, *, delay: float = 0.0, reason: str = "") -> None:
        """Ask for a round on `key`, after `delay` seconds."""
        log.debug("hint", key=key, delay=delay, reason=reason)
        if delay > 0:
            self._inbox.want_later(key, delay)
        else:
            self._inbox.want(key)

    async def route(self, subject: str, key: str) -> None:
        """Remember that deliveries about `subject` belong to `key`."""
        self._inbox.route(subject, key)

    async def start_run(self, order: RunOrder) -> None:
        """Queue a run, once per `run_id`, and start it if there is room."""
        if order.run_id in self._runs:
            return
        same = [run for run in self._runs.values() if run.row.order.issue == order.issue]
        run = _Run(RunRow(order, RunState.QUEUED, 0, 0, self._now()))
        self._runs[order.run_id] = run
        if any(other.row.order.generation > order.generation for other in same):
            self._end(run, RunState.CANCELED, stop_reason="a newer generation is known")
        for other in same:
            if other.row.order.generation < order.generation:
                self._stop(other, f"replaced by generation {order.generation}")
        self._admit()

    async def cancel_run(self, run_id: str, reason: str) -> None:
        """Stop a run: a queued one at once, a running one as soon as its task ended."""
        if run_id in self._runs:
            self._stop(self._runs[run_id], reason)
            self._admit()

    async def runs(self, key: str) -> tuple[RunRow, ...]:
        """The runs of a key, newest generation first."""
        places = {order.run_id: place for place, order in enumerate(self._queue())}
        mine = [run.row for run in self._runs.values() if run.row.order.key == key]
        rows = [replace(row, ahead=places.get(row.order.run_id, 0)) for row in reversed(mine)]
        return tuple(sorted(rows, key=lambda row: -row.order.generation))

    async def forget(self, key: str) -> None:
        """The epic is over: finished runs, routes and wishes of its key may go."""
        for name, run in list(self._runs.items()):
            if run.row.order.key == key and run.row.state not in LIVE:
                del self._runs[name]
        self._inbox.forget(key)

    async def allow(self, key: str, budget_usd: float, recorded_usd: float) -> None:
        """No model is called in a simulation: nothing is kept but what was said last."""
        self.allowed[key] = (budget_usd, recorded_usd)

    async def service(self) -> Service:
        """What all epics share. A test may set the pause."""
        lately = self._now() - timedelta(hours=1)
        count = sum(run.row.queued_at > lately for run in self._runs.values())
        paused = self.paused if self.paused and self.paused > self._now() else None
        return Service(paused, "The model's account is at its usage limit" if paused else "", 0.0, count)

    async def status(self) -> EngineStatus:
        """Counts, and the keys that wait."""
        return replace(self._inbox.status(), runs=Counter(run.row.state for run in self._runs.values()))

    async def parked(self) -> Parked:
        """What waits for people."""
        return self._inbox.parked()

    async def run(self, callbacks: Callbacks, *, roles: frozenset[str] = ALL_ROLES) -> None:
        """Work until cancelled. Being cancelled is not a stop: running runs go back to queued."""
        self._closing = False
        resync_at = self._now()
        self._admit()
        try:
            while True:
                self._changed.clear()
                if "reconcile" in roles:
                    if resync_at <= self._now() and "" not in self._busy:
                        resync_at = self._now() + timedelta(seconds=self._pace.resync)
                        self._beside("", self._resync(callbacks))
                    self._begin_rounds(callbacks)
                if "agents" in roles:
                    self._begin_runs(callbacks)
                due = min(resync_at, self._inbox.next_due() or resync_at)
                wait = min(self._pace.tick, max(0.0, (due - self._now()).total_seconds()))
                with contextlib.suppress(TimeoutError):  # then something came due
                    async with asyncio.timeout(wait):  # wait_for can swallow a cancellation before Python 3.12
                        await self._changed.wait()
        finally:
            self._closing = True
            await self._close()

    def run_row(self, run_id: str) -> RunRow:
        """One run as it stands."""
        return self._runs[run_id].row

    def _begin_rounds(self, callbacks: Callbacks) -> None:
        for key in self._inbox.due():
            if key not in self._busy and len(self._busy) < self._rounds + 1:
                self._beside(key, self._round(callbacks, key))

    def _beside(self, name: str, work: Awaitable[None]) -> None:
        """Run beside the loop, one of each name; the loop looks again when it ended."""

        async def until_end() -> None:
            try:
                await work
            except Exception:
                log.exception("engine_part_failed", part=name or "resync")

        def gone(_: object) -> None:
            del self._busy[name]
            self._changed.set()

        self._busy[name] = asyncio.create_task(until_end())
        self._busy[name].add_done_callback(gone)

    async def _round(self, callbacks: Callbacks, key: str) -> None:
        noted = self._inbox.note(key)
        try:
            async with asyncio.timeout(self._pace.reconcile_limit):
                again = await callbacks.reconcile(key)
        except Exception as error:
            log.exception("round_failed", key=key)
            self._inbox.failed(key, noted, error)
        else:
            self._inbox.done(key, noted, again)

    async def _resync(self, callbacks: Callbacks) -> None:
        self._inbox.resync(await callbacks.resync())

    def _queue(self) -> list[RunOrder]:
        """Queued orders in their order: priority, then age (a dict keeps the order of insertion)."""
        queued = [run.row.order for run in self._runs.values() if run.row.state is RunState.QUEUED]
        return sorted(queued, key=lambda order: order.priority)

    def _admit(self) -> None:
        if self.paused and self.paused > self._now():
            return
        running = [run.row.order for run in self._runs.values() if run.row.state is RunState.RUNNING]
        for order in admit(running, self._queue()):
            run = self._runs[order.run_id]
            fence = run.row.attempt_of_start + 1
            run.row = replace(run.row, state=RunState.RUNNING, attempt_of_start=fence, started_at=None)
            self._inbox.want(order.key)
        self._changed.set()

    def _begin_runs(self, callbacks: Callbacks) -> None:
        for name, run in self._runs.items():
            begun = sum(each.task is not None for each in self._runs.values())
            if run.row.state is RunState.RUNNING and run.task is None and begun < self._workers:
                run.row = replace(run.row, started_at=self._now())
                lease = _Lease(name, run.row.attempt_of_start, self)
                run.task = asyncio.create_task(self._execute(callbacks, run.row.order, lease))
                run.task.add_done_callback(functools.partial(self._executed, run))

    async def _execute(self, callbacks: Callbacks, order: RunOrder, lease: _Lease) -> Mapping[str, Any]:
        try:
            return await callbacks.execute(order, lease)
        except Exception as error:
            log.exception("run_raised", run=order.run_id)
            return {"error": {"type": type(error).__name__, "message": str(error)}}

    def _executed(self, run: _Run, task: asyncio.Task[Mapping[str, Any]]) -> None:
        run.task = None
        result = None if task.cancelled() else task.result()
        if run.row.stop_reason is not None:
            self._end(run, RunState.CANCELED, result=result)
        elif result is not None:
            self._end(run, RunState.FINISHED, result=result)
        else:
            run.row = replace(run.row, state=RunState.QUEUED)
            self._inbox.want(run.row.order.key)
        if not self._closing:
            self._admit()

    def _end(self, run: _Run, state: RunState, **changes: Any) -> None:
        run.row = replace(run.row, state=state, finished_at=self._now(), **changes)
        self._inbox.want(run.row.order.key)

    def _stop(self, run: _Run, reason: str) -> None:
        if run.row.state not in LIVE:
            return
        run.row = replace(run.row, stop_reason=run.row.stop_reason or reason)
        if run.task is None:
            self._end(run, RunState.CANCELED)
        else:
            run.task.cancel()

    async def _close(self) -> None:
        """Interrupt what runs; a round that is cut short stays unserved."""
        tasks: list[asyncio.Task[Any]] = [*self._busy.values()]
        tasks += [run.task for run in self._runs.values() if run.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the callbacks of the last one
