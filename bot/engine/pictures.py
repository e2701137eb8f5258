"""The last picture of every key, for the pages. A cache: may be lost, and the next round writes it again."""

from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from bot.engine.database import Pool

MOST = 200
"""Pictures that a list shows."""


class Pictures:
    """Keeps one picture per key, as JSON that is opaque here but for the identifiers in it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def keep(self, key: str, seen_at: datetime, picture: Any) -> None:
        """Take the place of the picture before."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO pictures (key, seen_at, picture) VALUES (%s, %s, %s)"
                " ON CONFLICT (key) DO UPDATE SET seen_at = excluded.seen_at, picture = excluded.picture",
                (key, seen_at, Jsonb(picture)),
            )

    async def of(self, key: str) -> Any:
        """The picture of a key, or None."""
        return await self._one("SELECT picture FROM pictures WHERE key = %s", key)

    async def with_issue(self, identifier: str) -> Any:
        """The newest picture in which an epic or ticket of this identifier stands, or None."""
        return await self._one(
            "SELECT picture FROM pictures WHERE picture->'epic'->>'identifier' = %s"
            " OR picture @> jsonb_build_object('tickets', jsonb_build_array("
            "jsonb_build_object('identifier', %s::text)))"
            " ORDER BY seen_at DESC LIMIT 1",
            identifier,
            identifier,
        )

    async def with_run(self, run_id: str) -> Any:
        """The picture in which a run of this id stands, or None."""
        return await self._one(
            "SELECT picture FROM pictures WHERE picture @> jsonb_build_object('tickets', jsonb_build_array("
            "jsonb_build_object('runs', jsonb_build_array(jsonb_build_object('id', %s::text)))))"
            " OR picture @> jsonb_build_object('epic', jsonb_build_object('runs', jsonb_build_array("
            "jsonb_build_object('id', %s::text)))) LIMIT 1",
            run_id,
            run_id,
        )

    async def latest(self) -> list[Any]:
        """All of them, the latest seen first, up to 200."""
        async with self._pool.connection() as connection:
            found = await connection.execute("SELECT picture FROM pictures ORDER BY seen_at DESC LIMIT %s", (MOST,))
            return [row[0] for row in await found.fetchall()]

    async def _one(self, statement: Any, *values: str) -> Any:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(statement, values)).fetchone()
        return row[0] if row else None
