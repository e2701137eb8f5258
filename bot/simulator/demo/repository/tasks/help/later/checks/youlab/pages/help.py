"""A page of help: what the words of this application mean."""

from __future__ import annotations

from youlab.layout import page
from youlab.markup import fill
from youlab.pages import Page
from youlab.web import Request, Response

TEXT = """<dl class="card">
<dt>Streak</dt>
<dd>Days in a row on which you asked something. A day ends at midnight, UTC.</dd>
<dt>Missing a day</dt>
<dd>The streak begins anew; your longest one stays, and so does every conversation.</dd>
</dl>"""


def show(request: Request) -> Response:
    """The same text for everybody."""
    return page(request, "Help", fill(TEXT))


PAGES = (Page("GET", "/help", show, navigation="Help", order=90),)
