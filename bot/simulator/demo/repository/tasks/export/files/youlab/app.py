"""The WSGI application: from a request to a page. docs/architecture.md tells the story in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from youlab import auth, database, layout, pages, static
from youlab.markup import fill
from youlab.web import Request, Response, redirect

LARGEST_FORM = 64 * 1024  # bytes

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


def utc_now() -> datetime:
    """The time in UTC, without a zone, as the database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


class App:
    """YouLab on one database file. ``clock`` returns the time in UTC; tests pass one that stands still."""

    def __init__(self, database_path: str | Path, clock: Callable[[], datetime] = utc_now) -> None:
        self._database_path = database_path
        self._clock = clock
        self._pages = pages.discover()
        database.migrate(database_path)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        response = self._answer(environ)
        body = response.body.encode() if isinstance(response.body, str) else response.body
        headers = [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"),
            *response.headers,
        ]
        start_response(f"{response.status.value} {response.status.phrase}", headers)
        return [body]

    def _answer(self, environ: Environ) -> Response:
        path = environ.get("PATH_INFO") or "/"
        if path.startswith("/static/"):
            return _stylesheet(path.removeprefix("/static/"))
        with database.opened(self._database_path) as connection:
            try:
                form = _read_form(environ)
            except ValueError:
                return Response("This form can't be read.", HTTPStatus.BAD_REQUEST)
            return self._page(self._request(environ, path, form, connection))

    def _request(self, environ: Environ, path: str, form: dict[str, str], connection: sqlite3.Connection) -> Request:
        now = self._clock()
        token = _cookie(environ, auth.COOKIE)
        return Request(
            method=environ["REQUEST_METHOD"],
            path=path,
            query=dict(parse_qsl(environ.get("QUERY_STRING", ""))),
            form=form,
            connection=connection,
            now=now,
            login=auth.find_login(connection, token, now) if token else None,
            secure=environ.get("wsgi.url_scheme") == "https",
        )

    def _page(self, request: Request) -> Response:
        page = self._pages.get((request.method, request.path))
        if page is None:
            return layout.page(request, "Not found", fill("<p>There is no such page."), HTTPStatus.NOT_FOUND)
        if request.login is None:
            return page.render(request) if page.public else redirect("/login")
        genuine = auth.form_is_genuine(request.login, request.form.get("form_token", ""))
        if request.method == "POST" and not genuine:
            text = fill("<p>This form is out of date. Go back, reload the page and try again.")
            return layout.page(request, "Refused", text, HTTPStatus.FORBIDDEN)
        return page.render(request)


def _stylesheet(name: str) -> Response:
    text = static.read(name)
    if text is None:
        return Response("Not found", HTTPStatus.NOT_FOUND)
    return Response(text, content_type="text/css; charset=utf-8")


def _read_form(environ: Environ) -> dict[str, str]:
    """The fields of a posted form; raises ``ValueError`` when its length is no number or too large."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if environ["REQUEST_METHOD"] != "POST" or length <= 0:
        return {}
    if length > LARGEST_FORM:
        raise ValueError(length)
    return dict(parse_qsl(environ["wsgi.input"].read(length).decode("utf-8", "replace")))


def _cookie(environ: Environ, name: str) -> str:
    try:
        cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""
