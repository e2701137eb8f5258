"""Money that several runs share, and the pause of the whole service: in the database, for all its processes at once.

What must hold: an epic never costs more than its budget and one call, the service on one day (UTC) never more than the
day's and one call, however many runs of however many processes call at once. `callboard_reserve` (schema 006) decides
under one lock; a call that is under way holds what it costs at most.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from bot.engine.database import Pool
from bot.engine.port import Service, Verdict

log = structlog.get_logger(__name__)

RESERVE = """
    SELECT verdict, spent, budget, until, why
    FROM set_config('synchronous_commit', 'off', true), callboard_reserve(%s, %s::float8, %s::float8)
"""
SETTLE = """
    UPDATE spending SET reserved = greatest(0, reserved - %(reserved)s::float8), usd = usd + %(usd)s::float8,
        calls = calls + 1, tokens_read = tokens_read + %(read)s, tokens_written = tokens_written + %(written)s
    WHERE run_id = %(run_id)s AND day = (
        SELECT day FROM spending WHERE run_id = %(run_id)s ORDER BY (reserved > 0) DESC, day LIMIT 1)
"""
LEFT_OVER = "UPDATE spending SET usd = usd + reserved, reserved = 0 WHERE run_id = %s AND reserved > 0"
ALLOW = """
    INSERT INTO accounts AS a (key, budget, opening) SELECT %(key)s, %(budget)s::float8, greatest(0, gap)
    FROM (SELECT %(recorded)s::float8 - coalesce(sum(usd), 0) AS gap FROM spending WHERE key = %(key)s) AS known
    ON CONFLICT (key) DO UPDATE SET budget = excluded.budget, opening = greatest(a.opening, excluded.opening)
"""
PAUSE = """
    INSERT INTO pauses AS p (until, why) VALUES (%s, %s) ON CONFLICT (only_row) DO UPDATE
    SET until = greatest(p.until, excluded.until), why = excluded.why
"""
SERVICE = """
    SELECT (SELECT until FROM pauses WHERE until > now()), (SELECT why FROM pauses WHERE until > now()),
        (SELECT coalesce(sum(spent), 0) FROM counted WHERE day = (now() AT TIME ZONE 'UTC')::date),
        (SELECT count(*) FROM runs WHERE queued_at > now() - interval '1 hour')
"""
SPENT_BY = """
    SELECT coalesce((SELECT opening FROM accounts WHERE key = %(key)s), 0) + coalesce(sum(spent), 0)
    FROM counted WHERE key = %(key)s
"""
SPENT = "SELECT issue, stage, run_id, sum(usd), sum(tokens_read), sum(tokens_written), sum(calls) FROM spending"


@dataclass(frozen=True)
class Spent:
    """What one run has used."""

    issue: str
    stage: str
    run_id: str
    usd: float
    tokens_read: int
    tokens_written: int
    calls: int


class Till:
    """See `port.Till`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open(self, run_id: str) -> None:
        """A start of a run begins: what an earlier start had taken off for calls is spent, nobody knows how much."""
        await self._do(LEFT_OVER, (run_id,))

    async def reserve(self, run_id: str, usd: float, day_usd: float) -> Verdict:
        """Take off what a call costs at most.

        An agent waits for this one statement, and not for the disk: a server that loses power forgets what was taken
        off in its last second, and its calls with it.
        """
        async with self._pool.connection() as connection:
            row = await (await connection.execute(RESERVE, (run_id, usd, day_usd))).fetchone()
        assert row is not None
        return Verdict(*row)

    async def settle(self, run_id: str, reserved: float, usd: float, read: int, written: int) -> None:
        """Put back what was taken off, and charge what was used."""
        values = {"run_id": run_id, "reserved": reserved, "usd": usd, "read": read, "written": written}
        await self._do(SETTLE, values)

    async def allow(self, key: str, budget_usd: float, recorded_usd: float) -> None:
        """What an epic may cost, and what it has cost by its records on Linear."""
        await self._do(ALLOW, {"key": key, "budget": budget_usd, "recorded": recorded_usd})

    async def pause(self, until: datetime, why: str) -> None:
        """No run starts, and no model is called, until then."""
        log.warning("service_paused", until=until.isoformat(timespec="seconds"), why=why)
        await self._do(PAUSE, (until, why))

    async def service(self) -> Service:
        """What all epics share."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(SERVICE)).fetchone()
        assert row is not None
        return Service(row[0], row[1] or "", float(row[2]), int(row[3]))

    async def spent_by(self, key: str) -> float:
        """US dollars that `reserve` counts against the budget of an epic."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(SPENT_BY, {"key": key})).fetchone()
        assert row is not None
        return float(row[0])

    async def spent(self, key: str) -> tuple[Spent, ...]:
        """What the runs of an epic used, by run."""
        statement = f"{SPENT} WHERE key = %s GROUP BY issue, stage, run_id ORDER BY issue, stage, run_id"
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(statement, (key,))).fetchall()
        return tuple(
            Spent(issue, stage, run, float(usd), int(read), int(written), int(calls))
            for issue, stage, run, usd, read, written, calls in rows
        )

    async def _do(self, statement: str, values: Any) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(statement, values)
