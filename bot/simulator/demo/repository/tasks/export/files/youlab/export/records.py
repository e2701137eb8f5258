"""What an export holds: the sessions of one user, each with all its messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from youlab import conversations
from youlab.conversations import Conversation, Message


@dataclass(frozen=True)
class Session:
    """One conversation of the user, whole."""

    conversation: Conversation
    messages: tuple[Message, ...]


def sessions(connection: sqlite3.Connection, user_id: int) -> Iterator[Session]:
    """The user's sessions, oldest first. They are read one at a time, however many there are."""
    rows = connection.execute("SELECT id FROM conversations WHERE user_id = ? ORDER BY started_at, id", (user_id,))
    for row in rows:
        found = conversations.find(connection, user_id, row["id"])
        if found is not None:
            yield Session(found, tuple(conversations.messages(connection, found.id)))
