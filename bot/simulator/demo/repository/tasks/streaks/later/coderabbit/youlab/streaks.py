"""Study streaks: days in a row with at least one conversation. Days are days in UTC."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Streak:
    """Days in a row: those of the streak that goes on now, and of the longest there was."""

    current: int
    longest: int


def find(connection: sqlite3.Connection, user_id: int, today: date) -> Streak:
    """The streaks of a user."""
    rows = connection.execute(
        "SELECT DISTINCT date(started_at) AS day FROM conversations WHERE user_id = ? ORDER BY day", (user_id,)
    )
    length, longest, last = 0, 0, date.min
    for day in (date.fromisoformat(row["day"]) for row in rows):
        length = length + 1 if day - last == DAY else 1
        longest, last = max(longest, length), day
    goes_on = length > 0 and today - last <= DAY  # today is not over: whoever studied yesterday can still go on
    return Streak(length if goes_on else 0, longest)
