"""The engine in memory, for simulations only: the same port, nothing survives the object.

One event loop, so no locks: whatever happens between two awaits happens at once. Several engines on one
`MemoryDatabase` are several processes of the service. One of them may die without a word (`die`); what it had in
hand stays in its name until somebody notices (`MemoryDatabase.bury`), which is what the sweeper does with tables.
"""

import asyncio
import functools
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from bot.engine.database import from_outside
from bot.engine.memory_database import MemoryDatabase, Run
from bot.engine.pace import Pace
from bot.engine.port import (
    ALL_ROLES,
    Accepted,
    Callbacks,
    Delivery,
    EngineStatus,
    Parked,
    Records,
    RunOrder,
    RunRow,
    RunState,
    Service,
)

log = structlog.get_logger(__name__)

LIVE = (RunState.QUEUED, RunState.RUNNING)


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
    """See `port.Engine`. `workers` and `rounds` are the most runs and reconciles at once; `now` is the clock.

    Without a `database` it has one of its own, at this `pace`.
    """

    def __init__(
        self,
        *,
        workers: int = 10,
        rounds: int = 8,
        pace: Pace | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        database: MemoryDatabase | None = None,
    ) -> None:
        self._database = database or MemoryDatabase(pace, now)
        self._pace, self._now = self._database.pace, self._database.now
        self._workers = workers
        self._rounds = rounds
        self._changed = asyncio.Event()
        self._inbox, self._runs = self._database.inbox, self._database.runs
        self._busy: dict[str, asyncio.Task[None]] = {}  # the keys that have a round, and "" for the resync
        self._own: dict[str, asyncio.Task[Any]] = {}  # the runs that it has begun, also those that it has lost
        self._closing = self._dead = False
        self._database.engines.append(self)

    def wake(self) -> None:
        """Something may have come due."""
        self._changed.set()

    def die(self) -> None:
        """The process is gone: nothing of it goes on, and nothing in the database says so."""
        self._dead = True
        for task in (*self._busy.values(), *self._own.values()):
            task.cancel()

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
        run = Run(RunRow(order, RunState.QUEUED, 0, 0, self._now()))
        self._runs[order.run_id] = run
        if any(other.row.order.generation > order.generation for other in same):
            self._end(run, RunState.CANCELED, stop_reason="a newer generation is known")
        for other in same:
            if other.row.order.generation < order.generation:
                self._stop(other, f"replaced by generation {order.generation}")
        self._database.admit()

    async def cancel_run(self, run_id: str, reason: str) -> None:
        """Stop a run: a queued one at once, a running one as soon as its task ended."""
        if run_id in self._runs:
            self._stop(self._runs[run_id], reason)
            self._database.admit()

    async def runs(self, key: str) -> tuple[RunRow, ...]:
        """The runs of a key, newest generation first."""
        places = {order.run_id: place for place, order in enumerate(self._database.queue())}
        mine = [run.row for run in self._runs.values() if run.row.order.key == key]
        rows = [
            replace(row, ahead=places[row.order.run_id]) if row.order.run_id in places else row
            for row in reversed(mine)
        ]
        return tuple(sorted(rows, key=lambda row: -row.order.generation))

    async def allow(self, key: str, budget_usd: float, recorded_usd: float) -> None:
        """What an epic may cost, and what it has cost by its records."""
        self._database.allow(key, budget_usd, recorded_usd)

    async def spent(self, key: str) -> float:
        """US dollars that count against the budget of an epic when a model is called."""
        return self._database.spent(key)

    def calls(self, run_id: str, usd: float, day_usd: float = math.inf) -> str:
        """A model is called for a run, at once and at this price, unless something forbids it: a word of `Verdict`."""
        return self._database.calls(run_id, usd, day_usd)

    def pause(self, until: datetime) -> None:
        """The model's account is at its limit: see `port.Till`."""
        self._database.pause(until)

    async def service(self) -> Service:
        """What all epics share."""
        lately = self._now() - timedelta(hours=1)
        count = sum(run.row.queued_at > lately for run in self._runs.values())
        paused = self._database.paused
        why = "The model's account is at its usage limit" if paused else ""
        return Service(paused, why, self._database.today_usd, count)

    async def records(self, key: str) -> Records:
        """Which records of a key were written last."""
        return self._database.ledger.records(key)

    async def intend(
        self, key: str, above: Mapping[str, int], known: Mapping[str, tuple[int, int]]
    ) -> Mapping[str, int]:
        """Numbers for records that are about to be written."""
        return self._database.ledger.intend(key, above, known)

    async def wrote(self, key: str, seen: Mapping[str, tuple[int, str]]) -> None:
        """These records stand on Linear."""
        self._database.ledger.wrote(key, seen)

    async def text_of(self, issue: str) -> str:
        """The newest record of an issue that stood on Linear, signed."""
        return self._database.ledger.text_of(issue)

    async def status(self) -> EngineStatus:
        """Counts, and the keys that wait."""
        return replace(self._inbox.status(), runs=Counter(run.row.state for run in self._runs.values()))

    async def parked(self) -> Parked:
        """What waits for people."""
        return self._inbox.parked()

    async def run(self, callbacks: Callbacks, *, roles: frozenset[str] = ALL_ROLES) -> None:
        """Work until cancelled. Being cancelled is not a stop: running runs go back to queued."""
        self._closing = False
        if self not in self._database.engines:
            self._database.engines.append(self)
        resync_at = self._now()
        self._database.admit()
        try:
            while True:
                self._changed.clear()
                now, wait = self._now(), self._pace.tick
                if "reconcile" in roles:
                    if resync_at <= now and "" not in self._busy:
                        resync_at = now + timedelta(seconds=self._pace.resync)
                        self._beside("", functools.partial(self._resync, callbacks))
                    self._begin_rounds(callbacks)
                if "agents" in roles:
                    self._begin_runs(callbacks)
                if "" not in self._busy:  # while a resync is under way none is due
                    wait = min(wait, (resync_at - now).total_seconds())
                if (due := self._inbox.next_due()) is not None:
                    wait = min(wait, (due - now).total_seconds())
                alarm = asyncio.get_running_loop().call_later(max(0.0, wait), self._changed.set)
                try:
                    await self._changed.wait()
                finally:
                    alarm.cancel()
        finally:
            self._closing = True
            await self._close()

    def run_row(self, run_id: str) -> RunRow:
        """One run as it stands."""
        return self._runs[run_id].row

    def _begin_rounds(self, callbacks: Callbacks) -> None:
        for key in self._inbox.due():
            if key not in self._database.held and key not in self._busy and len(self._busy) < self._rounds + 1:
                self._database.held[key] = self
                self._beside(key, functools.partial(self._round, callbacks, key))

    def _beside(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run beside the loop, one of each name; the loop looks again when it ended."""

        async def until_end() -> None:
            try:
                await work()
            except Exception:
                log.exception("engine_part_failed", part=name or "resync")

        def gone(task: asyncio.Task[None]) -> None:
            if self._busy.get(name) is task:
                del self._busy[name]
            if self._dead:
                return
            if self._database.held.get(name) is self:
                del self._database.held[name]
            self._database.changed()

        self._busy[name] = asyncio.create_task(until_end())
        self._busy[name].add_done_callback(gone)

    async def _round(self, callbacks: Callbacks, key: str) -> None:
        noted = self._inbox.note(key)
        try:
            async with asyncio.timeout(self._pace.reconcile_limit):
                again = await callbacks.reconcile(key)
        except Exception as error:
            log.exception("round_failed", key=key)
            if self._holds(key):
                self._inbox.failed(key, noted, error)
        else:
            if self._holds(key):
                self._inbox.done(key, noted, again)

    def _holds(self, key: str) -> bool:
        """Whether the round is this engine's still: one that was taken for dead says nothing any more."""
        return self._database.held.get(key) is self

    async def _resync(self, callbacks: Callbacks) -> None:
        self._inbox.resync(await callbacks.resync())

    def _begin_runs(self, callbacks: Callbacks) -> None:
        due = [
            (name, run) for name, run in self._runs.items() if run.row.state is RunState.RUNNING and run.task is None
        ]
        if due:
            begun_here = {name: run.task for name, run in self._runs.items() if run.owner is self}
            lost = [task for name, task in self._own.items() if begun_here.get(name) is not task]
            for task in lost:  # it was taken for dead, and what it had is given away: first its agents end
                if not task.cancelling():  # a second word would break off how it ends its agent
                    task.cancel()
            for name, run in due[: 0 if lost else max(0, self._workers - len(begun_here))]:
                run.row = replace(run.row, started_at=self._now())
                lease = _Lease(name, run.row.attempt_of_start, self)
                run.owner = self
                run.task = asyncio.create_task(self._execute(callbacks, run.row.order, lease))
                self._own[name] = run.task
                run.task.add_done_callback(functools.partial(self._executed, run))

    async def _execute(self, callbacks: Callbacks, order: RunOrder, lease: _Lease) -> Mapping[str, Any]:
        try:
            return await callbacks.execute(order, lease)
        except Exception as raised:
            error = from_outside(raised)
            log.exception("run_raised", run=order.run_id)
            return {"error": {"type": type(error).__name__, "message": str(error)}}

    def _executed(self, run: Run, task: asyncio.Task[Mapping[str, Any]]) -> None:
        del self._own[run.row.order.run_id]
        self.wake()
        if self._dead or run.task is not task:
            return  # the process is gone, or the run was given to somebody else: what it says counts no more
        run.task = run.owner = None
        result = None if task.cancelled() else task.result()
        if run.row.stop_reason is not None:
            self._end(run, RunState.CANCELED, result=result)
        elif result is not None:
            self._end(run, RunState.FINISHED, result=result)
        else:
            self._database.requeue(run)
        if not self._closing:
            self._database.admit()

    def _end(self, run: Run, state: RunState, **changes: Any) -> None:
        run.row = replace(run.row, state=state, finished_at=self._now(), **changes)
        self._inbox.want(run.row.order.key)

    def _stop(self, run: Run, reason: str) -> None:
        if run.row.state not in LIVE:
            return
        run.row = replace(run.row, stop_reason=run.row.stop_reason or reason)
        if run.task is None:
            self._end(run, RunState.CANCELED)
        else:
            run.task.cancel()

    async def _close(self) -> None:
        """Interrupt what runs; a round that is cut short stays unserved."""
        tasks: list[asyncio.Task[Any]] = [*self._busy.values(), *self._own.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the callbacks of the last one
        if not self._dead and self in self._database.engines:
            self._database.engines.remove(self)
            if self._database.engines:
                self._database.admit()
