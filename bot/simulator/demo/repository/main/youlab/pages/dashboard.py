"""The dashboard: the first page after logging in, made of panels."""

from __future__ import annotations

from youlab import panels
from youlab.layout import page
from youlab.pages import Page
from youlab.web import Request, Response


def show(request: Request) -> Response:
    """All panels of the place ``dashboard``."""
    return page(request, "Dashboard", panels.render("dashboard", request))


PAGES = (Page("GET", "/dashboard", show, navigation="Dashboard", order=10),)
