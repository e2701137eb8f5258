"""API keys on the settings page."""

from __future__ import annotations

from youlab import api_keys
from youlab.layout import form
from youlab.markup import Markup, fill, join
from youlab.panels import Panel
from youlab.web import Request

ROW = "<tr><td>{label}</td><td><code>…{ending}</code></td><td>{day}</td><td>{revoke}</td></tr>"
TABLE = "<table><tr><th>Label</th><th>Key</th><th>Made</th><th></th></tr>{rows}</table>"
LABEL = '<label>Label <input name="label" maxlength="{longest}" required></label> '


def show(request: Request) -> Markup:
    """The user's keys, each with a button that revokes it, and a form for a new one."""
    rows = [_row(request, key) for key in api_keys.listed(request.connection, request.user.id)]
    keys = fill(TABLE, rows=join(rows)) if rows else fill('<p class="faint">You have no keys.</p>')
    label = fill(LABEL, longest=api_keys.LONGEST_LABEL)
    create = form(request, "/settings/api-keys", label, "Make a key")
    return fill('<div class="keys">{keys}{create}</div>', keys=keys, create=create)


def _row(request: Request, key: api_keys.ApiKey) -> Markup:
    number = fill('<input type="hidden" name="id" value="{id}">', id=key.id)
    revoke = form(request, "/settings/api-keys/revoke", number, "Revoke")
    return fill(ROW, label=key.label, ending=key.ending, day=f"{key.created_at:%Y-%m-%d}", revoke=revoke)


PANEL = Panel(place="settings", title="API keys", render=show, order=30)
