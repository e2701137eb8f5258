"""Procrastinate: two queues, two tasks. A job only wakes; what there is to do stands in our own tables.

So a job may be lost (the sweeper sends another), repeated (it finds nothing to do), or taken from a worker that was
thought dead (its late "finished" names a job that is gone). Procrastinate's retries are not used: with a queueing lock
they can wedge a key (procrastinate-org/procrastinate#1446).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import structlog
from procrastinate import App, JobContext, PsycopgConnector, exceptions
from procrastinate.job_context import AbortReason
from procrastinate.jobs import DeleteJobCondition
from procrastinate.worker import Worker

from bot.engine.database import Pool
from bot.engine.pace import Pace

log = structlog.get_logger(__name__)
logging.getLogger("procrastinate").setLevel(logging.WARNING)  # two lines per job otherwise; ours say more

STILL_OURS = "SELECT 1 FROM procrastinate_jobs WHERE id = %s AND status = 'doing' AND worker_id = %s"
RUNNING_JOB = "SELECT id FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'doing'"
DEAD_JOBS = """
    DELETE FROM procrastinate_jobs AS job
    WHERE status = 'doing' AND NOT EXISTS (
        SELECT 1 FROM procrastinate_workers AS worker
        WHERE worker.id = job.worker_id AND worker.last_heartbeat > now() - make_interval(secs => %s))
    RETURNING queueing_lock
"""


class Work(Protocol):
    """What the jobs call."""

    async def reconcile(self, key: str) -> None:
        """One round on a key, if one is due."""

    async def execute(self, run_id: str, told_to_stop: Callable[[], bool]) -> None:
        """Begin a run, if it is still to be begun, and see it to its end; `told_to_stop` explains a cancellation."""


class Jobs:
    """Sends jobs and works them off."""

    def __init__(self, pool: Pool, pace: Pace, on_lost: Callable[[str], None]) -> None:
        self._pool = pool
        self._pace = pace
        self._on_lost = on_lost
        self._sending: set[asyncio.Task[None]] = set()
        self._work: Work | None = None
        self._app = App(connector=PsycopgConnector())
        self._reconcile_task = self._app.task(name="reconcile", queue="reconcile", pass_context=True)(self._reconcile)
        self._execute_task = self._app.task(name="execute", queue="agents", pass_context=True)(self._execute)

    async def open(self) -> None:
        """Share the pool."""
        await self._app.open_async(self._pool)

    async def close(self) -> None:
        """Wait for what is being sent."""
        await asyncio.gather(*self._sending)

    def wake(self, keys: Iterable[str]) -> None:
        """Send a job for each key, soon; one that waits already is enough. The rows that ask for it are committed."""
        for key in keys:
            self._send(
                "reconcile", key, self._reconcile_task.configure(lock=key, queueing_lock=key).defer_async(key=key)
            )

    def begin(self, run_ids: Iterable[str]) -> None:
        """Send a job for each admitted run, soon."""
        for run_id in run_ids:
            job = self._execute_task.configure(queueing_lock=f"run {run_id}").defer_async(run_id=run_id)
            self._send("execute", run_id, job)

    def _send(self, what: str, whom: str, sending: Awaitable[int]) -> None:
        async def send() -> None:
            try:
                await sending
            except exceptions.AlreadyEnqueued:
                log.debug("job_waits_already", what=what, whom=whom)
            except Exception as error:
                log.warning("job_not_sent", what=what, whom=whom, reason=str(error), then="the sweeper sends it")

        task = asyncio.create_task(send(), name=f"send {what} {whom}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def interrupt(self, run_ids: Iterable[str]) -> None:
        """Cancel the jobs of these runs, wherever they run. One that is missed hears of it with its next beat."""
        for run_id in run_ids:
            async with self._pool.connection() as connection:
                row = await (await connection.execute(RUNNING_JOB, (f"run {run_id}",))).fetchone()
            if row:
                await self._app.job_manager.cancel_job_by_id_async(row[0], abort=True)

    async def bury(self, dead_after: float) -> list[str]:
        """Delete the jobs of workers silent for `dead_after` seconds; what they were for is found in our tables.

        A worker that was only frozen then ends a job that is gone, which Procrastinate refuses: it can't end ours.
        """
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(DEAD_JOBS, (dead_after,))).fetchall()
        return [lock for (lock,) in rows]

    async def serve(self, work: Work, queue: str, concurrency: int, grace: float, stop: asyncio.Event) -> None:
        """Work off a queue until `stop` is set; then jobs have `grace` seconds before they are cancelled.

        Told by an event and not by cancellation, which the pool may swallow (asyncio.wait_for before Python 3.12).
        """
        self._work = work
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            worker = Worker(
                self._app,
                queues=[queue],
                name=queue,
                concurrency=concurrency,
                fetch_job_polling_interval=self._pace.poll,
                abort_job_polling_interval=self._pace.tick,
                shutdown_graceful_timeout=grace,
                delete_jobs=DeleteJobCondition.ALWAYS,
                update_heartbeat_interval=self._pace.beat,
                stalled_worker_timeout=self._pace.dead_after,
                install_signal_handlers=False,
            )
            working = asyncio.create_task(worker.run(), name=f"worker {queue}")  # type: ignore[no-untyped-call]
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # its first step forgets an earlier stop
            worker.stop()  # type: ignore[no-untyped-call]
            await asyncio.wait({working})
            if not stop.is_set():
                log.error("worker_stopped", queue=queue, exc_info=working.exception(), then="starting it again")
                await asyncio.wait({stopping}, timeout=self._pace.tick)

    async def _reconcile(self, context: JobContext, key: str) -> None:
        await self._working.reconcile(key)
        await self._still_ours(context, key)

    async def _execute(self, context: JobContext, run_id: str) -> None:
        await self._working.execute(run_id, lambda: context.abort_reason() is AbortReason.USER_REQUEST)
        await self._still_ours(context, run_id)

    @property
    def _working(self) -> Work:
        if self._work is None:
            raise RuntimeError("a job came before serve()")
        return self._work

    async def _still_ours(self, context: JobContext, whom: str) -> None:
        values: tuple[Any, ...] = (context.job.id, context.job.worker_id)
        async with self._pool.connection() as connection:
            row = await (await connection.execute(STILL_OURS, values)).fetchone()
        if row is None:
            log.error("job_lost", whom=whom, reason="this process was taken for dead")
            self._on_lost(whom)
