"""The export for people: one text file for each session, in Markdown."""

from __future__ import annotations

import re

from youlab.conversations import Message
from youlab.export.records import Session

LONGEST = 60  # characters of a title that stand in a name
NAMES = {"user": "You", "tutor": "Tutor"}


def name(session: Session) -> str:
    """The name of the session's file: its day and its title."""
    conversation = session.conversation
    words = re.sub(r"\W+", "-", conversation.title.lower()).strip("-")[:LONGEST] or "session"
    return f"{conversation.started_at:%Y-%m-%d}-{words}.md"


def text(session: Session) -> str:
    """The session to read, message by message. Messages are quotes, so none of them looks like a heading of ours."""
    conversation = session.conversation
    title = " ".join(conversation.title.split())
    end = f" to {conversation.ended_at:%H:%M}" if conversation.ended_at else ""
    head = f"# {title}\n\n{conversation.started_at:%d %B %Y, %H:%M}{end} (UTC)\n"
    return "\n".join([head, *(_message(message) for message in session.messages)])


def _message(message: Message) -> str:
    quoted = "\n".join(f"> {line}".rstrip() for line in message.text.splitlines())
    return f"**{NAMES[message.sender]}**, {message.sent_at:%H:%M}\n\n{quoted}\n"
