"""The page on which a person lets an application see who they are: the same for Linear and GitHub, here only."""

from collections.abc import Iterable, Mapping
from functools import cache
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, StrictUndefined, Template
from starlette.responses import HTMLResponse, RedirectResponse, Response

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>body{font:16px/1.5 system-ui;max-width:28rem;margin:12vh auto;padding:0 1rem;color-scheme:light dark}
button{font:inherit;padding:.5rem 1rem;margin:.2rem .4rem .2rem 0;border-radius:.5rem;border:1px solid;cursor:pointer}
</style></head><body>
<h1>{{ title }}</h1>
{% if application %}
<p><b>{{ application }}</b> would like to know who you are. Who are you?</p>
<form method="post">
{% for name, value in fields.items() %}<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}
{% for person in people %}<button name="as" value="{{ person }}">I am {{ person }}</button>
{% endfor %}
<p><button name="as" value="">Cancel</button></p></form>
{% else %}<p role="alert">{{ mistake }}</p>{% endif %}
</body></html>"""


def ask(title: str, application: str, people: Iterable[str], fields: Mapping[str, str]) -> Response:
    """Ask who it is; the answer is posted to the same address with `fields`, and `as` empty for no."""
    page = _template().render(title=title, application=application, people=list(people), fields=fields, mistake="")
    return HTMLResponse(page)


def refuse(title: str, mistake: str) -> Response:
    """Say what is wrong, and send nobody anywhere."""
    return HTMLResponse(_template().render(title=title, application="", mistake=mistake), 400)


def go_back(redirect_uri: str, **answer: str) -> Response:
    """Send the browser back to the application."""
    mark = "&" if urlsplit(redirect_uri).query else "?"
    return RedirectResponse(f"{redirect_uri}{mark}{urlencode(answer)}", 303)


@cache
def _template() -> Template:
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)
