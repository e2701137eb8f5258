"""Conversations with the tutor. One conversation is one study session. Times are UTC."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Conversation:
    """A conversation; ``ended_at`` is ``None`` while it goes on."""

    id: int
    title: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Message:
    """One message; ``sender`` is ``user`` or ``tutor``."""

    sender: str
    text: str
    sent_at: datetime


def start(connection: sqlite3.Connection, user_id: int, title: str, now: datetime) -> int:
    """Begin a conversation and return its id."""
    with connection:
        added = connection.execute(
            "INSERT INTO conversations (user_id, title, started_at) VALUES (?, ?, ?)",
            (user_id, title, now.isoformat(timespec="seconds")),
        )
    assert added.lastrowid is not None
    return added.lastrowid


def say(connection: sqlite3.Connection, conversation_id: int, sender: str, text: str, now: datetime) -> None:
    """Add a message to a conversation."""
    with connection:
        connection.execute(
            "INSERT INTO messages (conversation_id, sender, text, sent_at) VALUES (?, ?, ?, ?)",
            (conversation_id, sender, text, now.isoformat(timespec="seconds")),
        )


def finish(connection: sqlite3.Connection, conversation_id: int, now: datetime) -> None:
    """End a conversation; one that has ended keeps its end."""
    with connection:
        connection.execute(
            "UPDATE conversations SET ended_at = ? WHERE id = ? AND ended_at IS NULL",
            (now.isoformat(timespec="seconds"), conversation_id),
        )


def find(connection: sqlite3.Connection, user_id: int, conversation_id: int) -> Conversation | None:
    """Return a conversation of this user, or ``None`` when there is none with this id."""
    row = connection.execute(
        "SELECT id, title, started_at, ended_at FROM conversations WHERE id = ? AND user_id = ?",
        (conversation_id, user_id),
    ).fetchone()
    if row is None:
        return None
    ended_at = datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None
    return Conversation(row["id"], row["title"], datetime.fromisoformat(row["started_at"]), ended_at)


def messages(connection: sqlite3.Connection, conversation_id: int) -> list[Message]:
    """Return the messages of a conversation, oldest first."""
    rows = connection.execute(
        "SELECT sender, text, sent_at FROM messages WHERE conversation_id = ? ORDER BY id", (conversation_id,)
    )
    return [Message(row["sender"], row["text"], datetime.fromisoformat(row["sent_at"])) for row in rows]
