"""The archive that a user takes away: every form of the export in one ZIP file."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterable
from datetime import datetime
from typing import IO

from youlab.auth import User
from youlab.export import as_csv, as_json, as_markdown, records

README = """\
This is what YouLab keeps of the sessions of {name}, as of {time:%d %B %Y, %H:%M} (UTC).

sessions/      every session as a text file
sessions.csv   a table of the sessions, for spreadsheet programs
data.json      everything, for programs
"""


def write(target: IO[bytes], connection: sqlite3.Connection, user: User, now: datetime) -> None:
    """Write the user's archive to ``target``. All of its files tell of the same moment."""
    connection.execute("BEGIN")  # what is written meanwhile by others is not seen
    try:
        with zipfile.ZipFile(target, "w") as archive:
            _add(archive, "README.txt", now, [README.format(name=user.name, time=now)])
            _add(archive, "data.json", now, as_json.lines(user.name, records.sessions(connection, user.id), now))
            _add(archive, "sessions.csv", now, as_csv.lines(records.sessions(connection, user.id)))
            for session in records.sessions(connection, user.id):
                _add(archive, f"sessions/{as_markdown.name(session)}", now, [as_markdown.text(session)])
    finally:
        connection.rollback()


def _add(archive: zipfile.ZipFile, name: str, now: datetime, parts: Iterable[str]) -> None:
    entry = zipfile.ZipInfo(name, (now.year, now.month, now.day, now.hour, now.minute, now.second))
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w") as file:
        for part in parts:
            file.write(part.encode())
