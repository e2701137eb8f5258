"""The runs that this process is executing.

An execution is a task of its own, not of the job that began it: a worker that has to be started again (the database was
away for a moment) must not kill an agent that has worked for an hour. It ends in one of four ways:

* it returns or fails: the result is stored, if the fence still is ours;
* somebody stopped the run: its job is aborted, or the next beat says so; cancelled, ends "canceled";
* the service ends: cancelled, queued again;
* a beat does not find it: we were taken for dead and the run is somebody else's; cancelled, nothing stored.

The somebody else may be this very process: a machine that slept wakes up, finds its own runs silent and queues them
again before it gave a sign of life. So a start waits until everything that was lost here has ended: an earlier start of
the same run, which would work in the same checkout, and the others, whose slots are given away already.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import structlog

from bot.engine.database import from_outside
from bot.engine.pace import Pace
from bot.engine.port import Callbacks, RunOrder
from bot.engine.runs import Aftermath, Runs

log = structlog.get_logger(__name__)
_Said = TypeVar("_Said")


@dataclass(frozen=True)
class RowLease:
    """The right of one start, asked from its row."""

    run_id: str
    fence: int
    runs: Runs
    pace: Pace

    async def still_mine(self) -> bool:
        """True while this start is the current one and nobody stopped it."""
        return await _patiently(lambda: self.runs.still_mine(self.run_id, self.fence), self.run_id, self.pace)


@dataclass
class Execution:
    """One start of one run.

    It is cancelled only while the callback runs: a task cancelled before its first step, or while its end is being
    stored, would store no end.
    """

    fence: int
    task: asyncio.Task[None] | None = None
    unwanted: bool = False
    lost: bool = False
    in_callback: bool = False
    ending: bool = False
    """The callback is over: its end is being stored, or is stored already, so that no sign of life finds its row."""
    cancel_again: float = 0.0  # by the clock of the event loop: a cancellation may get lost in the callback

    def cancel(self, patience: float) -> None:
        """Interrupt it; asked again, do so again, but leave it `patience` seconds to kill its process."""
        self.unwanted = True
        now = asyncio.get_running_loop().time()
        if self.task and self.in_callback and now >= self.cancel_again:
            self.cancel_again = now + patience
            self.task.cancel()


class Executions:
    """Begins, watches and ends executions for one process."""

    def __init__(
        self, runs: Runs, callbacks: Callbacks, owner: str, pace: Pace, settle: Callable[[Aftermath], Awaitable[None]]
    ) -> None:
        self._runs = runs
        self._callbacks = callbacks
        self._owner = owner
        self._pace = pace
        self._settle = settle
        self._live: dict[str, Execution] = {}
        self._closing = False

    async def execute(self, run_id: str, told_to_stop: Callable[[], bool]) -> None:
        """Begin a run and wait for its end; what a cancellation means is asked from `told_to_stop`."""
        if self._closing or (begun := await self._runs.begin(run_id, self._owner)) is None:
            log.debug("run_not_begun", run=run_id)
            return
        order, fence = begun
        log.info("run_began", run=run_id, key=order.key, stage=order.stage, fence=fence)
        earlier, execution = self._live.get(run_id), Execution(fence)
        self._live[run_id] = execution
        execution.task = asyncio.create_task(self._see_through(order, execution, earlier), name=f"run {run_id}")
        try:
            await asyncio.shield(execution.task)
        except asyncio.CancelledError:
            if told_to_stop() or self._closing:
                execution.cancel(self._pace.dead_after)
                await asyncio.wait({execution.task})
            raise

    async def beat(self) -> None:
        """Sign of life; cancels what was stopped, and what is no longer ours."""
        asked = {run_id: execution.fence for run_id, execution in self._live.items()}
        mine = {(row.run_id, row.fence): row for row in await self._runs.beat(self._owner, list(asked))}
        for run_id, fence in asked.items():
            execution = self._live.get(run_id)
            if execution is None or execution.fence != fence or execution.ending:
                continue
            row = mine.get((run_id, fence))
            if row is None and not execution.unwanted:
                log.error("run_lost", run=run_id, fence=fence, reason="this process was taken for dead")
            execution.lost = row is None
            if row is None or row.stopping:
                execution.cancel(self._pace.dead_after)

    async def close(self) -> None:
        """The service ends: interrupt everything, and wait until it is queued again."""
        self._closing = True
        self._runs.admitting = False
        while self._live:
            for execution in self._live.values():
                execution.cancel(self._pace.dead_after)
            tasks = [execution.task for execution in self._live.values() if execution.task]
            await asyncio.wait(tasks, timeout=self._pace.beat)

    async def _see_through(self, order: RunOrder, execution: Execution, earlier: Execution | None) -> None:
        try:
            if earlier is not None:
                log.error("run_lost", run=order.run_id, fence=earlier.fence, reason="this process begins it again")
                await self._end(earlier)
            await self.beat()
            for lost in [one for one in self._live.values() if one.lost and one.in_callback]:
                await self._end(lost)
            await self._run(order, execution)
        except Exception:
            log.exception("run_not_ended", run=order.run_id, then="the sweeper queues it again")
        finally:
            if self._live.get(order.run_id) is execution:
                del self._live[order.run_id]

    async def _end(self, lost: Execution) -> None:
        """End a start that lost its fence, and wait until its agent is dead."""
        while lost.task and not lost.task.done():
            lost.cancel(self._pace.dead_after)
            await asyncio.wait({lost.task}, timeout=self._pace.beat)

    async def _run(self, order: RunOrder, execution: Execution) -> None:
        result: Mapping[str, Any]
        if execution.unwanted:
            await self._interrupted(order, execution)
            return
        execution.in_callback = True
        try:
            lease = RowLease(order.run_id, execution.fence, self._runs, self._pace)
            result = await self._callbacks.execute(order, lease)
        except asyncio.CancelledError:
            execution.in_callback, execution.ending = False, True
            await self._interrupted(order, execution)
            return
        except Exception as raised:
            error = from_outside(raised)
            log.exception("run_raised", run=order.run_id, key=order.key)
            result = {"error": {"type": type(error).__name__, "message": str(error)}}
        execution.in_callback, execution.ending = False, True
        await self._store(order, execution, result)

    async def _interrupted(self, order: RunOrder, execution: Execution) -> None:
        after = await self._runs.interrupted(order.run_id, execution.fence)
        log.info("run_interrupted", run=order.run_id, key=order.key, fence=execution.fence, known=bool(after.keys))
        await self._settle(after)

    async def _store(self, order: RunOrder, execution: Execution, result: Mapping[str, Any]) -> None:
        """Store a result."""
        stored, after = await _patiently(
            lambda: self._runs.finish(order.run_id, execution.fence, result), order.run_id, self._pace
        )
        log.info(
            "run_ended" if stored else "run_result_discarded", run=order.run_id, key=order.key, fence=execution.fence
        )
        await self._settle(after)


async def _patiently(ask: Callable[[], Awaitable[_Said]], run_id: str, pace: Pace) -> _Said:
    """What the database says, also when it is away for a while: an hour's work is worth waiting for it."""
    attempt = 1
    while True:
        try:
            return await ask()
        except psycopg.OperationalError as error:
            if attempt == pace.tries:
                raise
            log.warning("run_waits_for_the_database", run=run_id, attempt=attempt, reason=str(error))
            await asyncio.sleep(pace.retry_delay(attempt))
            attempt += 1
