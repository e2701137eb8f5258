"""Pages from templates: everything is escaped, a value that is missing is a mistake, and all looks are files."""

from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bot.web.visitors import Visitor
from bot.words import page_sentence

FILES = {
    "htmx.min.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "setup.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def page(name: str, visitor: Visitor | None, status: int = 200, **values: Any) -> Response:
    """An HTML page from `templates/<name>`; `visitor` is who looks at it."""
    return HTMLResponse(_templates().get_template(name).render(visitor=visitor, **values), status)


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
    return Environment(
        loader=PackageLoader("bot.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
