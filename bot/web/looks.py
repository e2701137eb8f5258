"""Pages from templates: everything is escaped, a value that is missing is a mistake, and all looks are files."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bot.machine.decision import Blocker
from bot.machine.stages import STATES
from bot.web.visitors import Visitor
from bot.words import page_sentence, sentence

FILES = {
    "htmx.min.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "setup.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def page(
    name: str, visitor: Visitor | None, status: int = 200, /, *, clean: Callable[[str], str] = str, **values: Any
) -> Response:
    """An HTML page from `templates/<name>`; `visitor` is who looks at it, `clean` goes over the whole of it."""
    return HTMLResponse(clean(_templates().get_template(name).render(visitor=visitor, **values)), status)


def missing(visitor: Visitor | None) -> Response:
    """The page for what is not there."""
    return page("closed.html", visitor, 404, sentence=page_sentence("no_such_page"), doors=())


def static_route() -> Route:
    """The files that pages load, by their names; there is no path to walk."""

    async def endpoint(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            return missing(None)
        return Response(_file(name), media_type=FILES[name], headers={"cache-control": "public, max-age=300"})

    return Route("/static/{name}", endpoint)


@cache
def _file(name: str) -> bytes:
    return resources.files(__package__).joinpath("static", name).read_bytes()


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("bot.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"sentence": said, "coded": coded, "link": link, "money": money, "took": took, "moment": moment}
    made.globals |= {"stages": {stage: state.name for stage, state in STATES.items()}}
    return made


def coded(text: str) -> Markup:
    """Somebody's text, with what stands in backticks set as code."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:  # one without its pair is only a sign
        parts[-2:] = ["`".join(parts[-2:])]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )


def said(blocker: Blocker) -> Markup:
    """Why something waits, with what is to be typed set as such."""
    return coded(sentence(blocker))


def link(address: str) -> str:
    """An address that a page may lead to: http or https, else nowhere."""
    return address if urlsplit(address).scheme in ("http", "https") else "#"


def money(amount: float) -> str:
    """US dollars."""
    return f"${amount:,.2f}"


def took(seconds: float) -> str:
    """A duration for people."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(at: datetime | None) -> Markup:
    """A moment; the page says how long ago it was and keeps that true."""
    if at is None:
        return Markup("never")
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(), f"{utc:%d %b %H:%M} UTC")
