"""The SQLite database: connections, and the tables that the files in ``schema/`` make."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = Path(__file__).parent / "schema"


@contextmanager
def opened(path: str | Path) -> Iterator[sqlite3.Connection]:
    """Open the database for one piece of work and close it afterwards."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        yield connection
    finally:
        connection.close()


def migrate(path: str | Path) -> list[str]:
    """Apply the schema files that this database has not seen yet; return their names."""
    with opened(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS schema_applied (name TEXT PRIMARY KEY) STRICT")
        seen = {row["name"] for row in connection.execute("SELECT name FROM schema_applied")}
        waiting = [file for file in sorted(SCHEMA.glob("*.sql")) if file.name not in seen]
        for file in waiting:
            _apply(connection, file)
    return [file.name for file in waiting]


def _apply(connection: sqlite3.Connection, file: Path) -> None:
    # One script, so that a file and the note that it was applied are one transaction.
    note = f"INSERT INTO schema_applied (name) VALUES ('{file.name}');"
    try:
        connection.executescript(f"BEGIN;\n{file.read_text(encoding='utf-8')}\n{note}\nCOMMIT;")
    except sqlite3.Error:
        connection.rollback()
        raise
