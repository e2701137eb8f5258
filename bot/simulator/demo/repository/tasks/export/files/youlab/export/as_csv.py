"""The export for spreadsheet programs: a table with a row for each session."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime

from youlab.export.records import Session

COLUMNS = ("id", "title", "started_at", "ended_at", "messages")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what may begin a formula in Excel, LibreOffice or Google Sheets


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def lines(sessions: Iterable[Session]) -> Iterator[str]:
    """The table line by line, the names of the columns first. Text that would be run as a formula begins with “'”."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for session in sessions:
        conversation = session.conversation
        times = (_time(conversation.started_at), _time(conversation.ended_at))
        yield writer.writerow((conversation.id, _harmless(conversation.title), *times, len(session.messages)))


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
