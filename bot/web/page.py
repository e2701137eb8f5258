"""A page to look at: the state of the engine in plain HTML. Read-only; it shows counts and reasons, no content."""

from collections.abc import Awaitable, Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bot.engine.port import EngineStatus

_STYLE = (
    "body{font:16px/1.5 system-ui;margin:2rem auto;max-width:46rem;padding:0 1rem;color-scheme:light dark}"
    "td,th{padding:.2rem 1rem .2rem 0;text-align:left;vertical-align:top}h1{font-size:1.4rem}"
)
_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


def route(status: Callable[[], Awaitable[EngineStatus]]) -> Route:
    """The page at `/`."""

    async def endpoint(_request: Request) -> Response:
        return HTMLResponse(_page(await status()), headers=_HEADERS)

    return Route("/", endpoint)


def _page(now: EngineStatus) -> str:
    runs = "".join(_row(str(state), count) for state, count in now.runs.items())
    seen = "".join(_row(source, moment.isoformat(timespec="seconds")) for source, moment in now.last_delivery.items())
    waiting = "".join(_row(one.key, one.error or "waits for its turn") for one in now.waiting)
    aside = "".join(
        _row(reason, count) for reason, count in {**now.parked_deliveries, **now.ignored_deliveries}.items()
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Callboard</title><style>{_STYLE}</style><h1>Callboard</h1>"
        f"<h2>Runs</h2><table>{runs or _row('none', '')}</table>"
        f"<h2>Webhooks last seen</h2><table>{seen or _row('none yet', '')}</table>"
        f"<h2>Keys that wait</h2><table>{waiting or _row('none', '')}</table>"
        f"<h2>Deliveries put aside</h2><table>{aside or _row('none', '')}</table></html>"
    )


def _row(name: str, value: object) -> str:
    return f"<tr><th>{escape(name)}<td>{escape(str(value))}"
