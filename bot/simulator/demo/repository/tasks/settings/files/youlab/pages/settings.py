"""The settings page, made of panels of the place ``settings``."""

from __future__ import annotations

from youlab import notifications, panels
from youlab.layout import page
from youlab.markup import Markup, fill
from youlab.pages import Page
from youlab.web import Request, Response, redirect


def show(request: Request) -> Response:
    """All panels, below a word that something was saved if it was."""
    saved = fill('<p class="saved" role="status">Saved.</p>') if "saved" in request.query else Markup("")
    return page(request, "Settings", fill("{saved}{all}", saved=saved, all=panels.render("settings", request)))


def save_notifications(request: Request) -> Response:
    """Store the boxes that were ticked."""
    notifications.choose(request.connection, request.user.id, request.form.keys())
    return redirect("/settings?saved=1")


PAGES = (
    Page("GET", "/settings", show, navigation="Settings", order=90),
    Page("POST", "/settings/notifications", save_notifications),
)
