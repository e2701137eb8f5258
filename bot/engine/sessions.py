"""Sessions of people who look at the pages, as rows that can be taken back. The database never sees the id itself."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.engine.database import Pool

LIFETIME = timedelta(hours=8)
"""After this a person logs in again, whatever they did meanwhile."""


@dataclass(frozen=True)
class Session:
    """Somebody who logged in. `person` is the provider's immutable id; `name` is for people only."""

    provider: str
    person: str
    name: str
    begun_at: datetime
    checked_at: datetime
    """When they were last seen to be a member."""


class Sessions:
    """Begins, finds and revokes sessions. An id that was guessed, expired or revoked finds nothing."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, provider: str, person: str, name: str, now: datetime) -> str:
        """A new session of somebody who was just seen to be a member; returns its id. Expired ones are dropped."""
        id_ = secrets.token_urlsafe(32)
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM sessions WHERE begun_at <= %s", (now - LIFETIME,))
            await connection.execute(
                "INSERT INTO sessions (digest, provider, person, name, begun_at, checked_at)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (_digest(id_), provider, person, name, now, now),
            )
        return id_

    async def find(self, id_: str, now: datetime) -> Session | None:
        """The session with this id, if it still counts."""
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT provider, person, name, begun_at, checked_at FROM sessions"
                " WHERE digest = %s AND begun_at > %s AND revoked_at IS NULL",
                (_digest(id_), now - LIFETIME),
            )
            row = await found.fetchone()
        return Session(*row) if row else None

    async def checked(self, id_: str, now: datetime) -> None:
        """Its person was seen to be a member."""
        async with self._pool.connection() as connection:
            await connection.execute("UPDATE sessions SET checked_at = %s WHERE digest = %s", (now, _digest(id_)))

    async def revoke(self, id_: str, now: datetime) -> None:
        """It counts no more."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE sessions SET revoked_at = %s WHERE digest = %s AND revoked_at IS NULL", (now, _digest(id_))
            )

    async def revoke_all(self, provider: str, person: str, now: datetime) -> int:
        """No session of this person counts any more; returns how many there were."""
        async with self._pool.connection() as connection:
            done = await connection.execute(
                "UPDATE sessions SET revoked_at = %s WHERE provider = %s AND person = %s AND revoked_at IS NULL",
                (now, provider, person),
            )
            return done.rowcount


def _digest(id_: str) -> bytes:
    """Whoever reads the table can't make a cookie of it."""
    return hashlib.sha256(id_.encode()).digest()
