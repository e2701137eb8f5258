"""Making and revoking API keys."""

from __future__ import annotations

from http import HTTPStatus

from youlab import api_keys
from youlab.layout import page
from youlab.markup import fill
from youlab.pages import Page
from youlab.web import Request, Response, redirect

NEW_KEY = """<div class="card"><p>Copy this key now. It is not shown again.</p>
<p><code class="new-key">{key}</code></p>
<p><a href="/settings#api-keys">Back to the settings</a></p></div>"""


def create(request: Request) -> Response:
    """Make a key and show it. No redirect follows: the key must never be part of an address."""
    try:
        key = api_keys.create(request.connection, request.user.id, request.form.get("label", ""), request.now)
    except api_keys.Refused as refusal:
        return page(request, "API key", fill("<p>{why}</p>", why=refusal), HTTPStatus.BAD_REQUEST)
    answer = page(request, "Your new API key", fill(NEW_KEY, key=key))
    return Response(answer.body, answer.status, (*answer.headers, ("Cache-Control", "no-store")))


def revoke(request: Request) -> Response:
    """Delete the key whose id the form names."""
    number = request.form.get("id", "")
    known = number.isascii() and number.isdigit() and len(number) < 16
    if not known or not api_keys.revoke(request.connection, request.user.id, int(number)):
        return page(request, "API key", fill("<p>You have no such key.</p>"), HTTPStatus.NOT_FOUND)
    return redirect("/settings?saved=1#api-keys")


PAGES = (
    Page("POST", "/settings/api-keys", create),
    Page("POST", "/settings/api-keys/revoke", revoke),
)
