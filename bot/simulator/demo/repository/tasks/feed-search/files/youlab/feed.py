"""The activity feed: a user's conversations, newest first, all of them or those that a search finds."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime

from youlab.markup import Markup, fill, join

ENTRY = """<li><a href="/conversation?id={id}">{title}</a>
<span class="faint">{day}, {messages}</span>
<p>{opening}</p></li>"""
LONGEST_OPENING = 140  # characters
MOST_WORDS = 10  # of a search; each costs a look at every message
HAS_WORD = """(title LIKE ? ESCAPE '!' OR EXISTS
 (SELECT 1 FROM messages WHERE conversation_id = conversations.id AND text LIKE ? ESCAPE '!'))"""
FOUND = """SELECT id, title, started_at,
 (SELECT count(*) FROM messages WHERE conversation_id = conversations.id) AS messages,
 (SELECT text FROM messages WHERE conversation_id = conversations.id ORDER BY id LIMIT 1) AS opening
 FROM conversations WHERE {conditions} ORDER BY started_at DESC, id DESC LIMIT ?"""


@dataclass(frozen=True)
class Entry:
    """One conversation in the feed; ``opening`` is its first message, or empty."""

    id: int
    title: str
    started_at: datetime
    messages: int
    opening: str


@dataclass(frozen=True)
class Search:
    """What to look for; an empty search finds everything. Both days are included, and are days in UTC."""

    words: str = ""
    first_day: date | None = None
    last_day: date | None = None


def find(connection: sqlite3.Connection, user_id: int, search: Search, limit: int) -> list[Entry]:
    """The newest conversations of a user that a search finds, at most ``limit``.

    Every word must stand in the title or in a message, in any order and as a part of a longer word too. Upper and
    lower case are the same for the letters A to Z.
    """
    conditions = ["user_id = ?"]
    values: list[int | str] = [user_id]
    for word in search.words.split()[:MOST_WORDS]:
        conditions.append(HAS_WORD)
        values += [_pattern(word)] * 2
    for condition, day in (("date(started_at) >= ?", search.first_day), ("date(started_at) <= ?", search.last_day)):
        if day:
            conditions.append(condition)
            values.append(day.isoformat())
    rows = connection.execute(FOUND.format(conditions=" AND ".join(conditions)), (*values, limit))
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


def recent(connection: sqlite3.Connection, user_id: int, limit: int) -> list[Entry]:
    """The newest conversations of a user, at most ``limit``."""
    return find(connection, user_id, Search(), limit)


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


def _pattern(word: str) -> str:
    escaped = word.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
