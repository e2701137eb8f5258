"""One conversation, message by message."""

from __future__ import annotations

from http import HTTPStatus

from youlab import conversations
from youlab.layout import page
from youlab.markup import fill, join
from youlab.pages import Page
from youlab.web import Request, Response

MESSAGE = '<div class="message {sender}"><div class="faint">{sender}, {time}</div>{text}</div>'


def show(request: Request) -> Response:
    """The conversation that ``?id=`` names, if it belongs to the user."""
    number = request.query.get("id", "")
    found = conversations.find(request.connection, request.user.id, int(number)) if _is_id(number) else None
    if found is None:
        return page(request, "Not found", fill("<p>You have no such conversation."), HTTPStatus.NOT_FOUND)
    messages = (
        fill(MESSAGE, sender=message.sender, time=f"{message.sent_at:%H:%M}", text=message.text)
        for message in conversations.messages(request.connection, found.id)
    )
    intro = fill('<p class="faint">{day}</p>', day=f"{found.started_at:%d %B %Y}")
    return page(request, found.title, fill('{intro}<div class="card">{all}</div>', intro=intro, all=join(messages)))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


PAGES = (Page("GET", "/conversation", show),)
