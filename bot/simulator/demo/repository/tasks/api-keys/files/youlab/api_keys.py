"""Keys for programs that act for a user.

A key is shown once, when it is made. The database keeps its SHA-256 digest, which is enough to recognise it: a key
is random and long, so unlike a password it can't be guessed from its digest.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime

PREFIX = "youlab_"
MOST_KEYS = 20  # of one user
LONGEST_LABEL = 60


class Refused(ValueError):
    """The key can't be made; the message says why, for the user."""


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key after it was made. ``ending`` is its last four characters."""

    id: int
    label: str
    ending: str
    created_at: datetime


def create(connection: sqlite3.Connection, user_id: int, label: str, now: datetime) -> str:
    """Make a key and return it, this one time; raises ``Refused`` for a bad label or one key too many."""
    label = label.strip()
    if not 0 < len(label) <= LONGEST_LABEL:
        raise Refused(f"A label has 1 to {LONGEST_LABEL} characters.")
    if len(listed(connection, user_id)) >= MOST_KEYS:
        raise Refused(f"You have {MOST_KEYS} keys. Revoke one first.")
    key = PREFIX + secrets.token_urlsafe(32)
    with connection:
        connection.execute(
            "INSERT INTO api_keys (user_id, label, ending, digest, created_at) VALUES (?, ?, ?, ?, ?)",
            (user_id, label, key[-4:], _digest(key), now.isoformat(timespec="seconds")),
        )
    return key


def listed(connection: sqlite3.Connection, user_id: int) -> list[ApiKey]:
    """The keys of a user, oldest first."""
    rows = connection.execute(
        "SELECT id, label, ending, created_at FROM api_keys WHERE user_id = ? ORDER BY id", (user_id,)
    )
    return [ApiKey(row["id"], row["label"], row["ending"], datetime.fromisoformat(row["created_at"])) for row in rows]


def revoke(connection: sqlite3.Connection, user_id: int, key_id: int) -> bool:
    """Delete a key of this user; return whether there was one."""
    with connection:
        deleted = connection.execute("DELETE FROM api_keys WHERE id = ? AND user_id = ?", (key_id, user_id))
    return deleted.rowcount > 0


def owner(connection: sqlite3.Connection, key: str) -> int | None:
    """The id of the user that a key belongs to, or ``None`` for a key that is unknown or was revoked."""
    row = connection.execute("SELECT user_id FROM api_keys WHERE digest = ?", (_digest(key),)).fetchone()
    return row["user_id"] if row else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
