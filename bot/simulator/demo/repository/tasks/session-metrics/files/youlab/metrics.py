"""What a user's conversations add up to. A session is one conversation; days are days in UTC."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime, timedelta


@dataclass(frozen=True)
class Totals:
    """All sessions of a user. ``average`` is over finished sessions, ``None`` while there is none."""

    sessions: int
    average: timedelta | None


@dataclass(frozen=True)
class DayCount:
    """How many sessions began on a day."""

    day: date
    sessions: int


def totals(connection: sqlite3.Connection, user_id: int) -> Totals:
    """Count the sessions of a user and average the length of those that have ended."""
    row = connection.execute(
        "SELECT count(*) AS sessions, avg(strftime('%s', ended_at) - strftime('%s', started_at)) AS seconds"
        " FROM conversations WHERE user_id = ?",
        (user_id,),
    ).fetchone()
    average = None if row["seconds"] is None else timedelta(seconds=round(row["seconds"]))
    return Totals(row["sessions"], average)


def sessions_since(connection: sqlite3.Connection, user_id: int, since: datetime) -> int:
    """Count the sessions that began at ``since`` or later."""
    row = connection.execute(
        "SELECT count(*) AS sessions FROM conversations WHERE user_id = ? AND started_at >= ?",
        (user_id, since.isoformat(timespec="seconds")),
    ).fetchone()
    return int(row["sessions"])


def sessions_per_day(connection: sqlite3.Connection, user_id: int, last: date, days: int) -> list[DayCount]:
    """Count the sessions of each of the ``days`` days that end with ``last``, oldest first, empty days included."""
    first = last - timedelta(days=days - 1)
    rows = connection.execute(
        "SELECT date(started_at) AS day, count(*) AS sessions FROM conversations"
        " WHERE user_id = ? AND date(started_at) BETWEEN ? AND ? GROUP BY day",
        (user_id, first.isoformat(), last.isoformat()),
    )
    counted = {row["day"]: row["sessions"] for row in rows}
    span = [first + timedelta(days=offset) for offset in range(days)]
    return [DayCount(day, counted.get(day.isoformat(), 0)) for day in span]


def length_in_words(length: timedelta) -> str:
    """Say a length as people do: ``45 s``, ``12 min``, ``1 h 05 min``."""
    seconds = round(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
