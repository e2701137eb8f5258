"""The way in: to the dashboard, or to the login."""

from __future__ import annotations

from youlab.pages import Page
from youlab.web import Request, Response, redirect


def show(request: Request) -> Response:
    """Send people where they can begin."""
    return redirect("/dashboard" if request.login else "/login")


PAGES = (Page("GET", "/", show, public=True),)
