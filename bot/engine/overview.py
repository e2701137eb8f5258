"""What people ask the engine: counts, what waits, what is parked."""

from collections.abc import Iterable
from typing import Any

from bot.engine.database import Pool
from bot.engine.port import EngineStatus, KeyRow, Parked, ParkedDelivery, RunState
from bot.engine.till import Till

WAITING = """
    SELECT key, attempts, error, CASE WHEN retry_at < 'infinity' THEN retry_at END,
        coalesce(retry_at = 'infinity', false)
    FROM keys WHERE wanted > served ORDER BY key
"""
PARKED = """
    SELECT source, delivery, event, subject, parked, received_at FROM deliveries
    WHERE parked IS NOT NULL ORDER BY received_at DESC LIMIT 200
"""


class Overview:
    """Reads only."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self._till = pool, Till(pool)

    async def status(self) -> EngineStatus:
        """Counts of the inbox and the runs, and the keys that wait."""
        return EngineStatus(
            open_deliveries=(await self._rows("SELECT count(*) FROM deliveries WHERE done_at IS NULL"))[0][0],
            parked_deliveries=await self._map("SELECT parked, count(*) FROM deliveries GROUP BY 1"),
            ignored_deliveries=await self._map("SELECT ignored, count(*) FROM deliveries GROUP BY 1"),
            last_delivery=await self._map("SELECT source, max(received_at) FROM deliveries GROUP BY 1"),
            last_refusal=await self._map("SELECT source, refused_at FROM refusals"),
            service=await self._till.service(),
            waiting=_keys(await self._rows(WAITING)),
            runs={
                RunState(state): count
                for state, count in await self._rows("SELECT state, count(*) FROM runs GROUP BY state")
            },
        )

    async def parked(self) -> Parked:
        """The latest parked deliveries, and the keys that are not tried again soon."""
        return Parked(
            deliveries=tuple(ParkedDelivery(*row) for row in await self._rows(PARKED)),
            keys=tuple(row for row in _keys(await self._rows(WAITING)) if row.parked),
        )

    async def key_of_run(self, run_id: str) -> str | None:
        """The key that a run belongs to, as long as it is remembered."""
        async with self._pool.connection() as connection:
            found = await connection.execute("SELECT key FROM runs WHERE run_id = %s", (run_id,))
            row = await found.fetchone()
        return row[0] if row else None

    async def _map(self, statement: str) -> dict[str, Any]:
        return {name: value for name, value in await self._rows(statement) if name is not None}

    async def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            return await (await connection.execute(statement)).fetchall()


def _keys(rows: Iterable[tuple[Any, ...]]) -> tuple[KeyRow, ...]:
    return tuple(KeyRow(*row) for row in rows)
