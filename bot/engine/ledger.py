"""The numbers of the records on Linear, so that an older one is known when it is read: `bot/linear/newest.py` says why.

Only numbers, times and signed texts are kept; what a record says is opaque here. All times are the database's.

Numbers begin at the second in which the database was made (Unix time), so that one that was made anew gives out none
below those of the one that is lost: else an old record that somebody puts back would be newer than what was begun anew.
"""

from collections.abc import Iterable, Mapping
from typing import Any, LiteralString

from bot.engine.database import Pool
from bot.engine.port import Kept, Records
from bot.machine.errors import Transient

_KEEP_DAYS = 30
_BORN = "SELECT min(applied_at), now() FROM migrations"
_OF_KEY = "SELECT issue, intended, intended_at, written, written_at FROM records WHERE key = %s"
_NUMBERS = "SELECT issue, intended, written FROM records WHERE key = %s AND issue = ANY(%s) ORDER BY issue FOR UPDATE"
_INTEND: LiteralString = """
    INSERT INTO records (issue, key, intended)
        SELECT issue, %s, greatest(above + 1, (SELECT floor(extract(epoch FROM min(applied_at))) FROM migrations))
        FROM unnest(%s::text[], %s::bigint[]) AS wanted (issue, above) ORDER BY issue
    ON CONFLICT (issue) DO UPDATE SET
        key = excluded.key, intended = greatest(records.intended + 1, excluded.intended), intended_at = now()
    RETURNING issue, intended
"""
_WROTE: LiteralString = """
    INSERT INTO records AS known (issue, key, intended, written, written_at, text)
        SELECT issue, %s, number, number, now(), text FROM unnest(%s::text[], %s::bigint[], %s::text[])
        AS seen (issue, number, text) ORDER BY issue
    ON CONFLICT (issue) DO UPDATE SET
        key = excluded.key, intended = greatest(known.intended, excluded.written),
        written = greatest(known.written, excluded.written),
        written_at = CASE WHEN known.written < excluded.written THEN excluded.written_at ELSE known.written_at END,
        text = CASE WHEN known.written < excluded.written THEN excluded.text ELSE known.text END
    WHERE known.written < excluded.written OR known.key <> excluded.key
"""


def in_time(
    numbers: Mapping[str, tuple[int, int]], known: Mapping[str, tuple[int, int]], issues: Iterable[str]
) -> None:
    """Refuse a process that was overtaken: it was frozen while it had a round, and another one has gone on since.

    Raises:
        Transient: for one of these issues a number was given out, or what stood there was noted, that was not known.
    """
    if late := sorted(one for one in issues if numbers.get(one, (0, 0)) != known.get(one, (0, 0))):
        raise Transient(f"another process has gone on with this meanwhile: {', '.join(late)}")


class Ledger:
    """See `port.Engine`: `records`, `intend`, `wrote` and `text_of`. `lag` is in seconds."""

    def __init__(self, pool: Pool, lag: float) -> None:
        self._pool, self._lag = pool, lag

    async def records(self, key: str) -> Records:
        """What is known of the records of a key."""
        async with self._pool.connection() as connection:
            born: Any = await (await connection.execute(_BORN)).fetchone()
            rows = await (await connection.execute(_OF_KEY, (key,))).fetchall()
        return Records(born[0], born[1], self._lag, {row[0]: Kept(*row[1:]) for row in rows})

    async def intend(
        self, key: str, above: Mapping[str, int], known: Mapping[str, tuple[int, int]]
    ) -> Mapping[str, int]:
        """Give out the numbers of records that are about to be written. Raises Transient when others were meanwhile."""
        async with self._pool.connection() as connection, connection.transaction():
            now = await (await connection.execute(_NUMBERS, (key, list(above)))).fetchall()
            in_time({row[0]: (row[1], row[2]) for row in now}, known, above)
            found = await connection.execute(_INTEND, (key, list(above), list(above.values())))
            return {row[0]: row[1] for row in await found.fetchall()}

    async def wrote(self, key: str, seen: Mapping[str, tuple[int, str]]) -> None:
        """These stand on Linear."""
        numbers, texts = [number for number, _ in seen.values()], [text for _, text in seen.values()]
        async with self._pool.connection() as connection:
            await connection.execute(_WROTE, (key, list(seen), numbers, texts))

    async def text_of(self, issue: str) -> str:
        """The newest record of an issue that stood on Linear, signed."""
        async with self._pool.connection() as connection:
            found = await connection.execute("SELECT text FROM records WHERE issue = %s", (issue,))
            row = await found.fetchone()
        return str(row[0]) if row else ""

    async def prune(self) -> None:
        """What was not touched for a month is forgotten: it is no older than anything that Linear may show."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM records WHERE greatest(intended_at, written_at) < now() - make_interval(days => %s)",
                (_KEEP_DAYS,),
            )
