"""The frame around every page: head, menu, and forms that carry the login's token."""

from __future__ import annotations

from http import HTTPStatus

from youlab import pages, static
from youlab.markup import Markup, fill, join
from youlab.web import Request, Response

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · YouLab</title>
{stylesheets}
</head>
<body>
<header class="bar"><a class="brand" href="/">YouLab</a>{menu}</header>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def page(request: Request, title: str, body: Markup, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Put the frame around a page's body."""
    links = (fill('<link rel="stylesheet" href="/static/{name}">', name=name) for name in static.names())
    html = fill(FRAME, title=title, stylesheets=join(links, "\n"), menu=_menu(request), body=body)
    return Response(html, status)


def form(request: Request, action: str, body: Markup, button: str) -> Markup:
    """A form that posts to ``action``, with the token that makes it genuine."""
    token = request.login.form_token if request.login else ""
    return fill(
        '<form method="post" action="{action}"><input type="hidden" name="form_token" value="{token}">'
        "{body}<button>{button}</button></form>",
        action=action,
        token=token,
        body=body,
        button=button,
    )


def _menu(request: Request) -> Markup:
    if request.login is None:
        return fill('<nav><a href="/login">Log in</a></nav>')
    links = (
        fill(
            '<a href="{path}"{current}>{label}</a>',
            path=entry.path,
            current=Markup(' aria-current="page"' if entry.path == request.path else ""),
            label=entry.navigation,
        )
        for entry in pages.menu()
    )
    leave = form(request, "/logout", Markup(""), "Log out")
    return fill("<nav>{links}</nav><span>{name}</span>{leave}", links=join(links), name=request.user.name, leave=leave)
