"""The engine on PostgreSQL: tables hold the truth, Procrastinate wakes, a sweeper finds what was lost.

`inbox` and `runs` say why nothing is lost and no cap is broken; this module only puts the parts together.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import Any

import structlog

from bot.engine.database import Database, from_outside
from bot.engine.executions import Executions
from bot.engine.inbox import Inbox
from bot.engine.jobs import Jobs
from bot.engine.ledger import Ledger
from bot.engine.overview import Overview
from bot.engine.pace import Pace
from bot.engine.pictures import Pictures
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
    Service,
)
from bot.engine.runs import Aftermath, Runs
from bot.engine.sessions import Sessions
from bot.engine.sweeper import Sweeper, forever
from bot.engine.till import Till
from bot.machine.errors import Refused, Transient, UserError

log = structlog.get_logger(__name__)


def _carry_on(whom: str) -> None:
    """The default for `on_lost`: what was lost is refused by its fence, so the process may live on."""


class PostgresEngine:
    """See `port.Engine`. Open it with `PostgresEngine.open`."""

    def __init__(
        self,
        database: Database,
        *,
        pace: Pace,
        workers: int,
        rounds: int,
        on_lost: Callable[[str], None],
    ) -> None:
        self._database = database
        self._pace = pace
        self._workers = workers
        self._rounds = rounds
        self._inbox = Inbox(database.pool, pace)
        self._runs = Runs(database.pool)
        self.till = Till(database.pool)
        self._ledger = Ledger(database.pool, pace.lag)
        self._overview = Overview(database.pool)
        self.sessions = Sessions(database.pool)
        self.pictures = Pictures(database.pool)
        self._jobs = Jobs(database.pool, pace, on_lost)
        self._sweeper = Sweeper(self._inbox, self._runs, self._ledger, self._jobs, pace, self._settle)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        database: Database,
        *,
        workers: int = 10,
        rounds: int = 8,
        pace: Pace | None = None,
        on_lost: Callable[[str], None] = _carry_on,
    ) -> AsyncIterator["PostgresEngine"]:
        """An engine on an open database.

        `workers` and `rounds` are the most runs and the most reconciles at once in this process. `on_lost` is called
        with a key or run id when this process finds that it was taken for dead and its work given to another; a real
        process may want to exit then.
        """
        engine = cls(database, pace=pace or Pace(), workers=workers, rounds=rounds, on_lost=on_lost)
        await engine._jobs.open()
        try:
            yield engine
        finally:
            await engine._jobs.close()

    async def accept(self, delivery: Delivery) -> Accepted:
        """Store a delivery; it is committed when this returns."""
        accepted, key = await self._inbox.accept(delivery)
        log.debug(
            "delivery_accepted",
            source=delivery.source,
            delivery=delivery.delivery,
            delivery_event=delivery.event,
            key=key,
            found=accepted.value,
        )
        if key is not None:
            self._jobs.wake([key])
        return accepted

    async def refuse(self, source: str) -> None:
        """Note that a request bore no signature of ours."""
        await self._inbox.refuse(source)

    async def hint(self, key: str, *, delay: float = 0.0, reason: str = "") -> None:
        """Ask for a round on `key`, after `delay` seconds."""
        log.debug("hint", key=key, delay=delay, reason=reason)
        if delay > 0:
            await self._inbox.hint_later(key, delay)
            self._sweeper.look_again()
        else:
            await self._inbox.hint(key)
            self._jobs.wake([key])

    async def route(self, subject: str, key: str) -> None:
        """Remember that deliveries about `subject` belong to `key`."""
        await self._inbox.route(subject, key)

    async def start_run(self, order: RunOrder) -> None:
        """Queue a run, once per `run_id`, and start it if there is room."""
        after = await self._runs.start(order)
        log.info("run_ordered", run=order.run_id, key=order.key, stage=order.stage, generation=order.generation)
        await self._settle(after)

    async def cancel_run(self, run_id: str, reason: str) -> None:
        """Stop a run: a queued one at once, a running one as soon as its process is dead."""
        after = await self._runs.cancel(run_id, reason)
        log.info("run_stop_asked", run=run_id, reason=reason, running=run_id in after.interrupted)
        await self._settle(after)

    async def runs(self, key: str) -> tuple[RunRow, ...]:
        """The runs of a key, newest generation first."""
        return await self._runs.of_key(key)

    async def allow(self, key: str, budget_usd: float, recorded_usd: float) -> None:
        """What an epic may cost, and what it has cost by its records."""
        await self.till.allow(key, budget_usd, recorded_usd)

    async def spent(self, key: str) -> float:
        """US dollars that count against the budget of an epic when a model is called."""
        return await self.till.spent_by(key)

    async def service(self) -> Service:
        """What all epics share."""
        return await self.till.service()

    async def records(self, key: str) -> Records:
        """Which records of a key were written last."""
        return await self._ledger.records(key)

    async def intend(
        self, key: str, above: Mapping[str, int], known: Mapping[str, tuple[int, int]]
    ) -> Mapping[str, int]:
        """Numbers for records that are about to be written."""
        return await self._ledger.intend(key, above, known)

    async def wrote(self, key: str, seen: Mapping[str, tuple[int, str]]) -> None:
        """These records stand on Linear."""
        await self._ledger.wrote(key, seen)

    async def text_of(self, issue: str) -> str:
        """The newest record of an issue that stood on Linear, signed."""
        return await self._ledger.text_of(issue)

    async def key_of_run(self, run_id: str) -> str | None:
        """The key that a run belongs to, as long as it is remembered."""
        return await self._overview.key_of_run(run_id)

    async def status(self) -> EngineStatus:
        """Counts, and the keys that wait."""
        return await self._overview.status()

    async def parked(self) -> Parked:
        """What waits for people."""
        return await self._overview.parked()

    async def run(self, callbacks: Callbacks, *, roles: frozenset[str] = ALL_ROLES) -> None:
        """Work until cancelled. Being cancelled is not a stop: running runs go back to queued."""
        owner = uuid.uuid4().hex
        self._runs.admitting = True
        executions = Executions(self._runs, callbacks, owner, self._pace, self._settle)
        rounds = _Rounds(self._inbox, callbacks, executions, self._pace, self._sweeper)
        fresh = self._database.take_fresh()
        log.info("engine_started", owner=owner, roles=sorted(roles), fresh=fresh)
        if fresh:
            await asyncio.shield(self._sweeper.sweep_once(dead_after=0.0))
        stop = asyncio.Event()
        loops = [forever("beat", self._pace.beat, self._pace, executions.beat), self._sweeper.sweep()]
        workers: list[Coroutine[Any, Any, object]] = [stop.wait()]
        if "reconcile" in roles:
            loops += [self._sweeper.tick(), self._sweeper.resync(callbacks), self._sweeper.prune()]
            workers.append(self._jobs.serve(rounds, "reconcile", self._rounds, self._pace.reconcile_grace, stop))
        if "agents" in roles:
            workers.append(self._jobs.serve(rounds, "agents", self._workers, 0.0, stop))
        async with _beside(loops):
            working = [asyncio.create_task(worker) for worker in workers]
            try:
                await asyncio.wait(working, return_when=asyncio.FIRST_EXCEPTION)
            finally:
                await executions.close()
                stop.set()
                await asyncio.gather(*working)
                log.info("engine_stopped", owner=owner)

    async def _settle(self, after: Aftermath) -> None:
        """What a transaction about runs leaves to do."""
        self._jobs.begin(after.admitted)
        self._jobs.wake(sorted(after.keys))
        await self._jobs.interrupt(after.interrupted)


class _Rounds:
    """What the jobs call (`jobs.Work`)."""

    def __init__(
        self, inbox: Inbox, callbacks: Callbacks, executions: Executions, pace: Pace, sweeper: Sweeper
    ) -> None:
        self._inbox = inbox
        self._callbacks = callbacks
        self._executions = executions
        self._pace = pace
        self._sweeper = sweeper

    async def execute(self, run_id: str, told_to_stop: Callable[[], bool]) -> None:
        await self._executions.execute(run_id, told_to_stop)

    async def reconcile(self, key: str) -> None:
        """One round, if one is due: note, call, close what was noted."""
        noted = await self._inbox.note(key)
        if noted is None:
            return
        try:
            async with asyncio.timeout(self._pace.reconcile_limit):
                again = await self._callbacks.reconcile(key)
        except Exception as raised:
            error = from_outside(raised)
            failure = await self._inbox.failed(noted, error)
            expected = isinstance(error, Transient | Refused | UserError)  # anything else is a bug: show where
            log.warning(
                "key_parked" if failure.parked else "round_failed",
                key=key,
                error=f"{type(error).__name__}: {error}",
                attempts=failure.attempts,
                next_try=None if failure.parked else round(failure.delay, 1),
                exc_info=None if expected else error,
            )
        else:
            await self._inbox.done(noted, again)
            log.debug("round_done", key=key, deliveries=len(noted.deliveries), again=again)
        self._sweeper.look_again()


@contextlib.asynccontextmanager
async def _beside(loops: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run these beside the body; when it ends, cancel them until they have ended.

    Once is not enough: before Python 3.12, asyncio.wait_for (in the pool) swallows a cancellation that comes together
    with what it waits for.
    """
    pending = {asyncio.create_task(loop) for loop in loops}
    try:
        yield
    finally:
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=0.5)
