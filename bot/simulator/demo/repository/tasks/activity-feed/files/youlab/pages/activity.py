"""The activity page: the feed at its full length."""

from __future__ import annotations

from youlab import feed
from youlab.layout import page
from youlab.markup import fill
from youlab.pages import Page
from youlab.web import Request, Response

SHOWN = 50


def show(request: Request) -> Response:
    """The newest conversations."""
    entries = feed.recent(request.connection, request.user.id, SHOWN)
    listing = feed.listing(entries, "You have not started a conversation yet.")
    return page(request, "Activity", fill('<div class="card">{listing}</div>', listing=listing))


PAGES = (Page("GET", "/activity", show, navigation="Activity", order=20),)
