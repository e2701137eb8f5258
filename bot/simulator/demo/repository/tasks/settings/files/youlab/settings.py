"""What a user has chosen. Only choices are stored: what was never chosen is the setting's default."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """One thing to choose: its name in the database, what may be chosen, and what holds until then."""

    name: str
    choices: tuple[str, ...]
    default: str


class NotAChoice(ValueError):
    """The value is not among the setting's choices."""


def read(connection: sqlite3.Connection, user_id: int, setting: Setting) -> str:
    """Return what the user chose; a stored value that is no choice any more counts as never chosen."""
    row = connection.execute(
        "SELECT value FROM settings WHERE user_id = ? AND name = ?", (user_id, setting.name)
    ).fetchone()
    return row["value"] if row and row["value"] in setting.choices else setting.default


def write(connection: sqlite3.Connection, user_id: int, chosen: Iterable[tuple[Setting, str]]) -> None:
    """Store choices, all or none; raises ``NotAChoice`` for a value that the setting does not offer."""
    with connection:
        for setting, value in chosen:
            if value not in setting.choices:
                raise NotAChoice(f"{setting.name}: {value}")
            connection.execute(
                "INSERT INTO settings (user_id, name, value) VALUES (?, ?, ?)"
                " ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value",
                (user_id, setting.name, value),
            )
