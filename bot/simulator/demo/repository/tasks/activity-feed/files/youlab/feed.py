"""The activity feed: a user's conversations, newest first."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from youlab.markup import Markup, fill, join

ENTRY = """<li><a href="/conversation?id={id}">{title}</a>
<span class="faint">{day}, {messages}</span>
<p>{opening}</p></li>"""
LONGEST_OPENING = 140  # characters


@dataclass(frozen=True)
class Entry:
    """One conversation in the feed; ``opening`` is its first message, or empty."""

    id: int
    title: str
    started_at: datetime
    messages: int
    opening: str


def recent(connection: sqlite3.Connection, user_id: int, limit: int) -> list[Entry]:
    """The newest conversations of a user, at most ``limit``."""
    rows = connection.execute(
        "SELECT id, title, started_at,"
        " (SELECT count(*) FROM messages WHERE conversation_id = conversations.id) AS messages,"
        " (SELECT text FROM messages WHERE conversation_id = conversations.id ORDER BY id LIMIT 1) AS opening"
        " FROM conversations WHERE user_id = ? ORDER BY started_at DESC, id DESC LIMIT ?",
        (user_id, limit),
    )
    return [
        Entry(
            row["id"],
            row["title"],
            datetime.fromisoformat(row["started_at"]),
            row["messages"],
            row["opening"] or "",
        )
        for row in rows
    ]


def listing(entries: list[Entry], nothing: str) -> Markup:
    """Entries as a list, or the sentence ``nothing`` when there are none."""
    if not entries:
        return fill('<p class="faint">{nothing}</p>', nothing=nothing)
    return fill('<ul class="feed">{entries}</ul>', entries=join(map(_entry, entries), "\n"))


def _entry(entry: Entry) -> Markup:
    short = len(entry.opening) <= LONGEST_OPENING
    return fill(
        ENTRY,
        id=entry.id,
        title=entry.title,
        day=f"{entry.started_at.day} {entry.started_at:%B %Y}",
        messages=f"{entry.messages} message{'' if entry.messages == 1 else 's'}",
        opening=entry.opening if short else entry.opening[: LONGEST_OPENING - 1] + "…",
    )
