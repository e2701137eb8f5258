"""Runs as rows: queued, admitted, begun, ended.

What must hold: at every instant the rows in state "running" respect all caps; only the start that holds the current
fence can end a run; no run is forgotten.

How: whoever changes which rows are running or queued does so in a transaction that first takes one advisory lock, and
ends by admitting whoever fits. Admission raises the fence; a process then begins the run by putting its name on it.

The pairs that can race:
* two admissions: the lock. The second one's statements see what the first committed.
* result, and stop: whoever is second finds the row ended. A stop that comes first turns the result into "canceled".
* result, and the sweeper that took the process for dead: the row is queued again or has a higher fence; the result
  is discarded, and so is the push before it (`Lease.still_mine`).
* the job of a run lost, or delivered twice: `begin` lets one process put its name on the row; `revive` finds an
  admitted run that has neither a job nor an owner.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from bot.engine.admission import admit
from bot.engine.database import Connection, Pool
from bot.engine.inbox import HINT
from bot.engine.port import RunOrder, RunRow, RunState

ORDER = "run_id, key, issue, generation, stage, caps, priority, spec"
LOCK = "SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' callboard admission'))"
LIVE = f"SELECT state, {ORDER} FROM runs WHERE state IN ('queued', 'running') ORDER BY priority, queued_at, id"  # noqa: S608
ADMIT = """
    UPDATE runs SET state = 'running', fence = fence + 1, owner = NULL, beat_at = now(), started_at = NULL
    WHERE run_id = ANY(%s)
"""
START = f"""
    INSERT INTO runs ({ORDER}, state, finished_at, stop_reason)
    SELECT %(run_id)s, %(key)s, %(issue)s, %(generation)s, %(stage)s, %(caps)s, %(priority)s, %(spec)s,
        CASE WHEN late THEN 'canceled' ELSE 'queued' END, CASE WHEN late THEN now() END,
        CASE WHEN late THEN 'a newer generation is known' END
    FROM (SELECT EXISTS (SELECT 1 FROM runs WHERE issue = %(issue)s AND generation > %(generation)s) AS late) AS known
    ON CONFLICT (run_id) DO NOTHING
"""  # noqa: S608
STOP = """
    UPDATE runs SET stop_reason = coalesce(stop_reason, %(reason)s),
        state = CASE WHEN owner IS NULL THEN 'canceled' ELSE state END,
        finished_at = CASE WHEN owner IS NULL THEN now() END
    WHERE state IN ('queued', 'running') AND (run_id = %(run_id)s OR (issue = %(issue)s AND generation < %(below)s))
    RETURNING run_id, key, state
"""
BEGIN = f"""
    UPDATE runs SET owner = %s, beat_at = now(), started_at = now()
    WHERE run_id = %s AND state = 'running' AND owner IS NULL RETURNING fence, {ORDER}
"""  # noqa: S608
STILL_MINE = "SELECT 1 FROM runs WHERE run_id = %s AND fence = %s AND state = 'running' AND stop_reason IS NULL"
FINISH = """
    UPDATE runs SET state = CASE WHEN stop_reason IS NULL THEN 'finished' ELSE 'canceled' END,
        finished_at = now(), owner = NULL, result = %(result)s
    WHERE run_id = %(run_id)s AND fence = %(fence)s AND state = 'running' RETURNING key
"""
QUEUE_AGAIN = """
    UPDATE runs SET state = CASE WHEN stop_reason IS NULL THEN 'queued' ELSE 'canceled' END,
        finished_at = CASE WHEN stop_reason IS NOT NULL THEN now() END, owner = NULL
    WHERE state = 'running' AND ((run_id = %(run_id)s AND fence = %(fence)s)
        OR (owner IS NOT NULL AND beat_at <= now() - make_interval(secs => %(dead_after)s::float8)))
    RETURNING key, run_id
"""
BEAT = """
    UPDATE runs SET beat_at = now() WHERE owner = %s AND run_id = ANY(%s) AND state = 'running'
    RETURNING run_id, fence, stop_reason IS NOT NULL
"""
JOBLESS = """
    SELECT run_id FROM runs WHERE state = 'running' AND owner IS NULL AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs AS job
        WHERE job.queueing_lock = 'run ' || runs.run_id AND job.status IN ('todo', 'doing'))
"""
OF_KEY = f"""
    WITH places AS (
        SELECT run_id, row_number() OVER (ORDER BY priority, queued_at, id) - 1 AS ahead FROM runs
        WHERE state = 'queued')
    SELECT {ORDER}, state, fence, coalesce(ahead, 0), queued_at, started_at, finished_at, result, stop_reason,
        (SELECT coalesce(sum(usd), 0) FROM spending WHERE spending.run_id = runs.run_id)
    FROM runs LEFT JOIN places USING (run_id) WHERE key = %s ORDER BY generation DESC, id DESC
"""  # noqa: S608
PRUNE = """
    DELETE FROM runs WHERE state IN ('finished', 'canceled')
        AND finished_at < now() - make_interval(secs => %s) AND EXISTS (
            SELECT 1 FROM runs AS newer
            WHERE newer.issue = runs.issue AND (newer.generation, newer.id) > (runs.generation, runs.id))
"""


@dataclass
class Aftermath:
    """What is left to do once the transaction is committed.

    Keys to wake (their hints are committed), runs to send jobs for, runs to interrupt, runs found dead.
    """

    keys: set[str] = field(default_factory=set)
    admitted: list[str] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Mine:
    """A begun run of this process, as the last sign of life found it."""

    run_id: str
    fence: int
    stopping: bool


def order_of(row: tuple[Any, ...]) -> RunOrder:
    """From the columns ORDER."""
    run_id, key, issue, generation, stage, caps, priority, spec = row
    return RunOrder(run_id, key, issue, generation, stage, tuple((s, c) for s, c in caps), priority, spec)


class Runs:
    """The table `runs`. A process that ends sets `admitting` to False: nobody may be left here to begin a run."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.admitting = True

    @contextlib.asynccontextmanager
    async def _changing(self, after: Aftermath) -> AsyncIterator[Connection]:
        """A transaction that may change who runs; at its end whoever fits is admitted and the keys are hinted."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(LOCK)
            yield connection
            if self.admitting:
                await self._admit(connection, after)
            for key in sorted(after.keys):  # always in this order: two transactions cannot wait for each other
                await connection.execute(HINT, (key,))

    @staticmethod
    async def _admit(connection: Connection, after: Aftermath) -> None:
        if await (await connection.execute("SELECT 1 FROM pauses WHERE until > now()")).fetchone():
            return  # the sweeper admits them when the pause is over
        rows = await (await connection.execute(LIVE)).fetchall()
        running = [order_of(row[1:]) for row in rows if row[0] == "running"]
        admitted = admit(running, [order_of(row[1:]) for row in rows if row[0] == "queued"])
        if admitted:
            after.admitted += [order.run_id for order in admitted]
            after.keys |= {order.key for order in admitted}
            await connection.execute(ADMIT, (after.admitted,))

    async def start(self, order: RunOrder) -> Aftermath:
        """Queue a run once; stop older generations of its issue; admit."""
        after = Aftermath()
        async with self._changing(after) as connection:
            values = {**vars(order), "caps": Jsonb(order.caps), "spec": Jsonb(dict(order.spec))}
            inserted = await connection.execute(START, values)
            if inserted.rowcount:
                stop = {"run_id": None, "issue": order.issue, "below": order.generation}
                await self._stop(connection, after, stop, f"replaced by generation {order.generation}")
        return after

    async def cancel(self, run_id: str, reason: str) -> Aftermath:
        """Stop one run, wherever it stands."""
        after = Aftermath()
        async with self._changing(after) as connection:
            await self._stop(connection, after, {"run_id": run_id, "issue": None, "below": 0}, reason)
        return after

    @staticmethod
    async def _stop(connection: Connection, after: Aftermath, which: Mapping[str, Any], reason: str) -> None:
        """What no process has begun ends now; what runs keeps its slots until its process is dead."""
        rows = await (await connection.execute(STOP, {**which, "reason": reason})).fetchall()
        after.interrupted += [run_id for run_id, _, state in rows if state == "running"]
        after.keys |= {key for _, key, state in rows if state == "canceled"}

    async def begin(self, run_id: str, owner: str) -> tuple[RunOrder, int] | None:
        """Put this process's name on an admitted run; returns it and its fence, or None if it is not to be begun."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(BEGIN, (owner, run_id))).fetchone()
        return (order_of(row[1:]), row[0]) if row else None

    async def still_mine(self, run_id: str, fence: int) -> bool:
        """True while this start of the run is the current one and nobody stopped it."""
        async with self._pool.connection() as connection:
            return await (await connection.execute(STILL_MINE, (run_id, fence))).fetchone() is not None

    async def finish(self, run_id: str, fence: int, result: Mapping[str, Any]) -> tuple[bool, Aftermath]:
        """Store a result and admit whoever waited for the slots. False: this start is fenced off, nothing stored."""
        after = Aftermath()
        async with self._changing(after) as connection:
            values = {"run_id": run_id, "fence": fence, "result": Jsonb(dict(result))}
            row = await (await connection.execute(FINISH, values)).fetchone()
            after.keys |= {row[0]} if row else set()
        return row is not None, after

    async def interrupted(self, run_id: str, fence: int) -> Aftermath:
        """The process of this start is dead: canceled if somebody stopped it, else queued again."""
        after = Aftermath()
        async with self._changing(after) as connection:
            values = {"run_id": run_id, "fence": fence, "dead_after": None}
            rows = await (await connection.execute(QUEUE_AGAIN, values)).fetchall()
            after.keys |= {key for key, _ in rows}
        return after

    async def beat(self, owner: str, run_ids: list[str]) -> list[Mine]:
        """Sign of life for these runs of a process; returns those that are still its own."""
        async with self._pool.connection() as connection:
            return [Mine(*row) for row in await (await connection.execute(BEAT, (owner, run_ids))).fetchall()]

    async def revive(self, dead_after: float) -> Aftermath:
        """Queue again what a process silent for `dead_after` seconds had begun, and admit.

        Admitted runs that nobody has begun and no job will are to be sent a job again.
        """
        after = Aftermath()
        async with self._changing(after) as connection:
            values = {"run_id": None, "fence": None, "dead_after": dead_after}
            rows = await (await connection.execute(QUEUE_AGAIN, values)).fetchall()
            after.keys |= {key for key, _ in rows}
            after.revived += [run_id for _, run_id in rows]
            jobless = await (await connection.execute(JOBLESS)).fetchall()
        after.admitted += [run_id for (run_id,) in jobless]
        return after

    async def of_key(self, key: str) -> tuple[RunRow, ...]:
        """All that is kept of a key, newest generation first."""
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(OF_KEY, (key,))).fetchall()
        return tuple(RunRow(order_of(row[:8]), RunState(row[8]), *row[9:]) for row in rows)

    async def prune(self, keep: float) -> None:
        """Delete finished runs older than `keep` seconds, except the latest of every issue."""
        async with self._pool.connection() as connection:
            await connection.execute(PRUNE, (keep,))
