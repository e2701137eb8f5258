"""Deliveries and keys: what came in, what wants a look, what was seen.

What must hold: a committed delivery or hint is followed by a good round that read its key afterwards.

How: `wanted` of a key goes up with every hint, `served` to the value that a good round had noted before it read.
Every change of a key's row happens under the row's lock, so the counter commits in order: whoever notes 7 has
everything up to 7. Serial ids have no such order (a delivery with a lower id may be committed after one with a higher
id was read), so deliveries are closed by the exact ids that were noted, in the same snapshot as the counter.

The pairs that can race:
* hint, and a round that runs: `wanted` is above the noted value, so the key stays due and is woken again.
* two deliveries of one key: the second waits for the first one's commit, at the key's row. Each is one statement, so
  no client can stop in the middle and keep the other waiting.
* a delivery sent twice at once: the unique index lets one in; the other waits for it, then finds it open.
* parking, and a hint: whoever comes second sees the first. A hint unparks; parking asks that no hint came meanwhile.
* a round of a process that was thought dead, and its replacement: both close only what they noted; `served` never
  goes down.
"""

from dataclasses import dataclass
from typing import Any

from bot.engine.database import Pool
from bot.engine.pace import Pace, retry_after_of
from bot.engine.port import Accepted, Delivery

WANT = """
    ON CONFLICT (key) DO UPDATE SET wanted = keys.wanted + 1, touched_at = now(),
        retry_at = CASE WHEN keys.retry_at = 'infinity' THEN now() ELSE keys.retry_at END
"""
HINT = f"INSERT INTO keys (key, wanted) VALUES (%s, 1) {WANT}"  # noqa: S608
ACCEPT = f"""
    WITH stored AS (
        INSERT INTO deliveries
            (source, delivery, event, subject, key, body, received_at, late, ignored, parked, done_at)
        VALUES (%(source)s, %(delivery)s, %(event)s, %(subject)s,
            coalesce((SELECT key FROM routes WHERE subject = %(subject)s), %(subject)s),
            %(body)s, %(received_at)s, %(late)s, %(ignored)s, %(parked)s,
            CASE WHEN %(closed)s THEN now() END)
        ON CONFLICT (source, delivery) DO NOTHING
        RETURNING key, done_at
    ), wanted AS (
        INSERT INTO keys (key, wanted) SELECT key, 1 FROM stored WHERE done_at IS NULL {WANT}
    )
    SELECT CASE WHEN done_at IS NULL THEN key END FROM stored
"""  # noqa: S608 - WANT is ours
NOTE = """
    SELECT wanted, attempts,
        (SELECT coalesce(array_agg(id), '{}') FROM deliveries WHERE deliveries.key = keys.key AND done_at IS NULL)
    FROM keys WHERE key = %s AND wanted > served AND (retry_at IS NULL OR retry_at <= now())
"""
DONE = """
    WITH closed AS (UPDATE deliveries SET done_at = now() WHERE id = ANY(%(ids)s))
    UPDATE keys SET served = greatest(served, %(wanted)s), attempts = 0, error = NULL, failed_at = NULL,
        retry_at = NULL, touched_at = now(),
        not_before = least(not_before, now() + make_interval(secs => %(again)s::float8))
    WHERE key = %(key)s
"""
FAILED = """
    UPDATE keys SET attempts = attempts + 1, error = %(error)s, failed_at = now(), touched_at = now(),
        retry_at = CASE WHEN %(park)s AND wanted = %(wanted)s THEN 'infinity'
            ELSE now() + make_interval(secs => %(delay)s) END
    WHERE key = %(key)s
    RETURNING retry_at = 'infinity'
"""
DUE_WISHES = """
    UPDATE keys SET wanted = wanted + 1, not_before = NULL, touched_at = now(),
        retry_at = CASE WHEN retry_at = 'infinity' THEN now() ELSE retry_at END
    WHERE key IN (SELECT key FROM keys WHERE not_before <= now() ORDER BY key FOR UPDATE)
"""
DUE_KEYS = """
    SELECT key FROM keys
    WHERE wanted > served AND (retry_at IS NULL OR retry_at <= now())
        AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS job
            WHERE job.queueing_lock = keys.key AND job.queue_name = 'reconcile' AND job.status IN ('todo', 'doing'))
"""
NEXT_DUE = """
    SELECT extract(epoch FROM min(due) - now())::float8 FROM (
        SELECT not_before AS due FROM keys WHERE not_before IS NOT NULL
        UNION ALL SELECT retry_at FROM keys WHERE wanted > served AND retry_at > now() AND retry_at < 'infinity'
    ) AS dues
"""
RESYNC = """
    INSERT INTO keys (key, wanted)
    SELECT key, 1 FROM (
        SELECT unnest(%(keys)s::text[]) AS key UNION SELECT key FROM keys WHERE retry_at = 'infinity'
    ) AS named
    ON CONFLICT (key) DO UPDATE SET wanted = keys.wanted + 1, touched_at = now(),
        retry_at = CASE WHEN keys.retry_at = 'infinity' THEN now() ELSE keys.retry_at END
    WHERE keys.retry_at IS NULL
        OR (keys.retry_at = 'infinity' AND keys.failed_at < now() - make_interval(secs => %(parked_retry)s))
    RETURNING key
"""


@dataclass(frozen=True)
class Noted:
    """What a round is about to serve: exactly this, and nothing that comes later."""

    key: str
    wanted: int
    attempts: int
    deliveries: list[int]


@dataclass(frozen=True)
class Failure:
    """What became of a key whose round failed; `delay` in seconds."""

    attempts: int
    delay: float
    parked: bool


class Inbox:
    """The tables `deliveries`, `keys` and `routes`."""

    def __init__(self, pool: Pool, pace: Pace) -> None:
        self._pool = pool
        self._pace = pace

    async def accept(self, delivery: Delivery) -> tuple[Accepted, str | None]:
        """Store a delivery; also returns the key to wake, if any."""
        ignored = delivery.ignored or (None if delivery.subject else "speaks of nothing")
        values: dict[str, Any] = {
            "source": delivery.source,
            "delivery": delivery.delivery,
            "event": delivery.event,
            "subject": delivery.subject,
            "body": delivery.body,
            "received_at": delivery.received_at,
            "late": delivery.late,
            "ignored": ignored,
            "parked": delivery.parked,
            "closed": bool(ignored or delivery.parked),
        }
        async with self._pool.connection() as connection:
            row = await (await connection.execute(ACCEPT, values)).fetchone()
            if row is not None:
                return Accepted.NEW, row[0]
            known = await (
                await connection.execute(
                    "SELECT key FROM deliveries WHERE source = %(source)s AND delivery = %(delivery)s"
                    " AND done_at IS NULL",
                    values,
                )
            ).fetchone()
            if known is None:
                return Accepted.KNOWN, None
            await connection.execute(HINT, (known[0],))
            return Accepted.REQUEUED, known[0]

    async def refuse(self, source: str) -> None:
        """Note when a request to a webhook address was last refused."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO refusals (source, refused_at) VALUES (%s, now())"
                " ON CONFLICT (source) DO UPDATE SET refused_at = now()",
                (source,),
            )

    async def hint(self, key: str) -> None:
        """Count a wish for a round on `key`."""
        async with self._pool.connection() as connection:
            await connection.execute(HINT, (key,))

    async def hint_later(self, key: str, delay: float) -> None:
        """Note the wish for a round in `delay` seconds; an earlier wish that stands is kept."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO keys (key, not_before) VALUES (%(key)s, now() + make_interval(secs => %(delay)s))"
                " ON CONFLICT (key) DO UPDATE SET not_before = least(keys.not_before, excluded.not_before),"
                " touched_at = now()",
                {"key": key, "delay": delay},
            )

    async def route(self, subject: str, key: str) -> None:
        """Remember where deliveries about `subject` go."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO routes (subject, key) VALUES (%s, %s)"
                " ON CONFLICT (subject) DO UPDATE SET key = excluded.key, touched_at = now()",
                (subject, key),
            )

    async def note(self, key: str) -> Noted | None:
        """What there is to serve on `key` now; None when nothing is due."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(NOTE, (key,))).fetchone()
        return Noted(key, row[0], row[1], row[2]) if row else None

    async def done(self, noted: Noted, again: float | None) -> None:
        """A good round: close exactly what was noted, and keep the wish to look again in `again` seconds."""
        values = {"ids": noted.deliveries, "wanted": noted.wanted, "key": noted.key, "again": again}
        async with self._pool.connection() as connection:
            await connection.execute(DONE, values)

    async def failed(self, noted: Noted, error: BaseException) -> Failure:
        """A failed round: keep the error, and set the next try, or park the key after the last one."""
        attempts = noted.attempts + 1
        retry_after = retry_after_of(error)
        delay = self._pace.retry_delay(attempts, retry_after)
        values = {
            "key": noted.key,
            "wanted": noted.wanted,
            "error": f"{type(error).__name__}: {error}",
            "delay": delay,
            "park": attempts >= self._pace.tries and retry_after is None,
        }
        async with self._pool.connection() as connection:
            row = await (await connection.execute(FAILED, values)).fetchone()
        return Failure(attempts, delay, parked=bool(row and row[0]))

    async def due(self) -> list[str]:
        """Keys that want a round now and have no job: wishes that came due, retries, lost wake-ups."""
        async with self._pool.connection() as connection:
            await connection.execute(DUE_WISHES)
            return [row[0] for row in await (await connection.execute(DUE_KEYS)).fetchall()]

    async def next_due(self) -> float | None:
        """Seconds until the next wish or retry comes due."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(NEXT_DUE)).fetchone()
        return row[0] if row else None

    async def claim_resync(self, interval: float) -> bool:
        """True for the one process that is to read all live keys in this interval (seconds)."""
        async with self._pool.connection() as connection:
            claimed = await connection.execute(
                "UPDATE resyncs SET claimed_at = now() WHERE claimed_at <= now() - make_interval(secs => %s)",
                (interval,),
            )
            return claimed.rowcount == 1

    async def resync(self, keys: list[str]) -> list[str]:
        """Hint all these keys, except those that wait for a retry; parked ones, named or not, only now and then.

        Not named is what somebody archived meanwhile: it would never be tried again.
        """
        values = {"keys": sorted(set(keys)), "parked_retry": self._pace.parked_retry}
        async with self._pool.connection() as connection:
            return [row[0] for row in await (await connection.execute(RESYNC, values)).fetchall()]

    async def prune(self) -> None:
        """Delete what is finished and old. A delivery must outlive every redelivery, so that it is known again."""
        async with self._pool.connection() as connection:
            for statement in (
                "DELETE FROM deliveries WHERE done_at < now() - make_interval(secs => %s)",
                "DELETE FROM keys WHERE wanted = served AND not_before IS NULL AND retry_at IS NULL"
                " AND touched_at < now() - make_interval(secs => %s)",
            ):
                await connection.execute(statement, (self._pace.keep,))
