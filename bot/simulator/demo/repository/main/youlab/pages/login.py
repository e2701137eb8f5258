"""Logging in and out."""

from __future__ import annotations

from http import HTTPStatus

from youlab import auth
from youlab.layout import form, page
from youlab.markup import Markup, fill
from youlab.pages import Page
from youlab.web import Request, Response, redirect

FIELDS = """{problem}
<label>Name <input name="name" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
"""


def show(request: Request) -> Response:
    """The login form."""
    return _form(request)


def log_in(request: Request) -> Response:
    """Check name and password, set the cookie and go to the dashboard."""
    token = auth.log_in(request.connection, request.form.get("name", ""), request.form.get("password", ""), request.now)
    if token is None:
        return _form(request, "Name or password is wrong.", HTTPStatus.UNAUTHORIZED)
    return redirect("/dashboard", _cookie(token, int(auth.LOGIN_LASTS.total_seconds()), request.secure))


def log_out(request: Request) -> Response:
    """End the login and take the cookie away."""
    if request.login:
        auth.log_out(request.connection, request.login)
    return redirect("/login", _cookie("", 0, request.secure))


def _form(request: Request, problem: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    warning = fill('<p class="warning" role="alert">{problem}</p>', problem=problem) if problem else Markup("")
    fields = form(request, "/login", fill(FIELDS, problem=warning), "Log in")
    return page(request, "Log in", fill('<div class="card narrow">{fields}</div>', fields=fields), status)


def _cookie(token: str, seconds: int, secure: bool) -> tuple[str, str]:
    value = f"{auth.COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
    return "Set-Cookie", f"{value}; Secure" if secure else value


PAGES = (
    Page("GET", "/login", show, public=True),
    Page("POST", "/login", log_in, public=True),
    Page("POST", "/logout", log_out),
)
