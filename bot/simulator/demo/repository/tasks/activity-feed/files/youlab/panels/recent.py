"""Recent conversations on the dashboard."""

from __future__ import annotations

from youlab import feed
from youlab.markup import Markup, fill
from youlab.panels import Panel
from youlab.web import Request

SHOWN = 5


def show(request: Request) -> Markup:
    """The newest conversations and the way to all of them."""
    entries = feed.recent(request.connection, request.user.id, SHOWN)
    listing = feed.listing(entries, "You have not started a conversation yet.")
    return fill('{listing}<p><a href="/activity">All activity</a></p>', listing=listing)


PANEL = Panel(place="dashboard", title="Recent conversations", render=show, order=30)
