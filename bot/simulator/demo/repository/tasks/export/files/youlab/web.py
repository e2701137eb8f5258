"""Requests and responses: the little of HTTP that pages need to know."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from youlab.auth import Login, User


@dataclass(frozen=True)
class Request:
    """One request, with everything a page may look at. ``now`` is in UTC."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    connection: sqlite3.Connection
    now: datetime
    login: Login | None = None
    secure: bool = False

    @property
    def user(self) -> User:
        """Who is logged in; only a public page can find nobody, and then this is a ``LookupError``."""
        if self.login is None:
            raise LookupError("nobody is logged in")
        return self.login.user


@dataclass(frozen=True)
class Response:
    """What goes back: a body (text is sent as UTF-8), a status and headers."""

    body: str | bytes = ""
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "text/html; charset=utf-8"


def redirect(path: str, *headers: tuple[str, str]) -> Response:
    """Send the browser to another page of this application, with GET."""
    return Response(status=HTTPStatus.SEE_OTHER, headers=(("Location", path), *headers))


def download(body: bytes, name: str, content_type: str) -> Response:
    """A file that the browser saves as ``name`` and no cache keeps; raises ``ValueError`` for a name with odd signs."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", name, re.ASCII):
        raise ValueError(name)
    headers = (("Content-Disposition", f'attachment; filename="{name}"'), ("Cache-Control", "no-store"))
    return Response(body, headers=headers, content_type=content_type)
