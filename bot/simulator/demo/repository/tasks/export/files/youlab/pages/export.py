"""The page where users take a copy of their data away."""

from __future__ import annotations

import io

from youlab.export import archive
from youlab.layout import form, page
from youlab.markup import Markup, fill
from youlab.pages import Page
from youlab.web import Request, Response, download

INTRO = """<div class="card"><p>Download a copy of all your sessions, with every message: as text files to read, as a
table, and as JSON for programs. It holds no password and nothing of other people.</p>
{button}</div>"""


def show(request: Request) -> Response:
    """What the archive holds, and the button."""
    button = form(request, "/export", Markup(""), "Download my data")
    return page(request, "Your data", fill(INTRO, button=button))


def take(request: Request) -> Response:
    """The archive. It is made at once: ten years of study take a second and less than two megabytes."""
    target = io.BytesIO()
    archive.write(target, request.connection, request.user, request.now)
    return download(target.getvalue(), f"youlab-{request.now:%Y-%m-%d}.zip", "application/zip")


PAGES = (
    Page("GET", "/export", show, navigation="Your data", order=90),
    Page("POST", "/export", take),
)
