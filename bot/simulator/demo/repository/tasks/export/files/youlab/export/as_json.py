"""The export for programs: one JSON document with everything in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime

from youlab.export.records import Session

FORMAT = 1  # raised when a program that reads the document would have to change


def lines(user_name: str, sessions: Iterable[Session], now: datetime) -> Iterator[str]:
    """The document piece by piece: a session for each line, so that no more than one is held at a time."""
    head = _json({"format": FORMAT, "user": user_name, "exported_at": _time(now)})
    yield f'{head[:-1]}, "sessions": ['
    between = "\n"
    for session in sessions:
        yield f"{between}{_json(_session(session))}"
        between = ",\n"
    yield "\n]}\n"


def _session(session: Session) -> dict[str, object]:
    conversation = session.conversation
    return {
        "id": conversation.id,
        "title": conversation.title,
        "started_at": _time(conversation.started_at),
        "ended_at": _time(conversation.ended_at) if conversation.ended_at else None,
        "messages": [
            {"sender": message.sender, "sent_at": _time(message.sent_at), "text": message.text}
            for message in session.messages
        ],
    }


def _time(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='seconds')}Z"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
