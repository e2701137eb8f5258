"""What tests share: an application on a fresh database, a browser, and a clock that stands still."""

from __future__ import annotations

import io
import re
import tempfile
import unittest
from dataclasses import dataclass
from datetime import datetime
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from youlab import auth, database
from youlab.app import App

NOW = datetime(2025, 3, 14, 12, 0)
PASSWORD = "lovelace"
auth.SCRYPT_COST = 2  # hashes that are quick to make; never outside tests


@dataclass(frozen=True)
class Answer:
    """What a browser got back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as a browser shows it."""
        return self.body.decode()

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        return self.headers["Location"]


class Browser:
    """Asks an application for pages in this process; keeps cookies and fills in form tokens."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        """Ask for a page."""
        return self._ask("GET", path, b"")

    def post(self, path: str, *, token: str | None = None, **fields: str) -> Answer:
        """Send a form; its token is taken from a page, as a browser does, unless ``token`` is given."""
        fields["form_token"] = self.form_token() if token is None else token
        return self._ask("POST", path, urlencode(fields).encode())

    def form_token(self) -> str:
        """The token that this browser's forms carry; empty before the login."""
        found = re.search(r'name="form_token" value="([^"]*)"', self.get("/dashboard").text)
        return found[1] if found else ""

    def _ask(self, method: str, target: str, body: bytes) -> Answer:
        path, _, query = target.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "http",
        }
        status, headers = "", {}

        def start_response(line: str, pairs: list[tuple[str, str]]) -> None:
            nonlocal status, headers
            status, headers = line, dict(pairs)

        body = b"".join(self._app(environ, start_response))
        for name, cookie in SimpleCookie(headers.get("Set-Cookie", "")).items():
            self.cookies[name] = cookie.value
        return Answer(int(status.split()[0]), headers, body)


class AppTest(unittest.TestCase):
    """A test with an application, the user ``ada``, an open connection and a browser."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "test.db"
        self.now = NOW
        self.app = App(self.path, clock=lambda: self.now)
        self.connection = self.enterContext(database.opened(self.path))
        self.user = auth.create_user(self.connection, "ada", PASSWORD)
        self.browser = Browser(self.app)

    def log_in(self) -> None:
        """Log the browser in as ``ada``."""
        answer = self.browser.post("/login", name="ada", password=PASSWORD)
        self.assertEqual((answer.status, answer.location), (303, "/dashboard"))
