"""Saving the choice of a theme."""

from __future__ import annotations

from http import HTTPStatus

from youlab import settings
from youlab.layout import page
from youlab.markup import fill
from youlab.pages import Page
from youlab.theme import THEME
from youlab.web import Request, Response, redirect


def save(request: Request) -> Response:
    """Store the theme and show the settings in it."""
    try:
        settings.write(request.connection, request.user.id, [(THEME, request.form.get("theme", ""))])
    except settings.NotAChoice:
        return page(request, "Settings", fill("<p>There is no such theme.</p>"), HTTPStatus.BAD_REQUEST)
    return redirect("/settings?saved=1")


PAGES = (Page("POST", "/settings/theme", save),)
