"""All that answers HTTP, put together: webhooks, health, the login and the pages, behind their walls."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.routing import Route

from bot.board import Board
from bot.engine.postgres import PostgresEngine
from bot.github import login as github_login
from bot.github import webhook as github_webhook
from bot.github.observe import Observe
from bot.linear import login as linear_login
from bot.linear import webhook as linear_webhook
from bot.logs import Redactor
from bot.web import health, intake, looks
from bot.web.gallery import Gallery
from bot.web.login import Login
from bot.web.pages import House, Pages
from bot.web.visitors import Provider, Visitors
from bot.web.walls import Walls


def site(
    board: Board,
    engine: PostgresEngine,
    gallery: Gallery,
    own: str,
    wrong: Callable[[], Iterable[str]],
    *,
    pages: bool = True,
) -> Starlette:
    """The application; without `pages` it tells about health only, and takes no webhooks.

    `own` is our GitHub App's login, to leave out what we did; `wrong` tells what the watchdog found, in sentences.
    A route that is put in none of the three lists below is closed to everybody but visitors (`bot/web/walls.py`).
    """
    settings = board.settings
    keys = (settings.secret_key, *settings.older_keys)
    visitors = Visitors(keys, settings.base_url, engine.sessions, _providers(board), lambda: datetime.now(UTC))
    machines = _health(board, engine, visitors)
    open_pages: list[Route] = []
    own_pages: list[Route] = []
    if pages:
        machines += _webhooks(board, engine, own)
        login = Login(visitors, settings.secret_key)
        house = House(lambda: _facts(board), wrong, settings.home / "runs")
        open_pages = [looks.static_route(), *login.open_routes()]
        own_pages = [*login.own_routes(), *Pages(gallery, engine, house, Redactor(settings.secrets())).routes()]
    walls = Middleware(Walls, visitors=visitors, machines=machines, open_pages=open_pages)
    return Starlette(routes=[*machines, *open_pages, *own_pages], middleware=[walls])


def _health(board: Board, engine: PostgresEngine, visitors: Visitors) -> list[Route]:
    async def linear_answers() -> None:
        await board.linear_reads.viewer()

    async def github_answers() -> None:
        for place in board.policy().repositories[:1]:
            await Observe(board.github).repository(place.name)

    async def database_answers() -> None:
        await engine.status()

    probes = {"database": database_answers, "linear": linear_answers, "github": github_answers}
    return health.routes(probes, metrics_token=board.settings.metrics_token, is_here=visitors.is_here)


def _webhooks(board: Board, engine: PostgresEngine, own: str) -> list[Route]:
    settings = board.settings

    def linear(headers: Headers, body: bytes, now: datetime) -> intake.Reception:
        return linear_webhook.receive(headers, body, settings.linear_webhook_secrets, now, own=board.linear_reads.app)

    def github(headers: Headers, body: bytes, now: datetime) -> intake.Reception:
        return github_webhook.receive(headers, body, settings.github_webhook_secrets, now, own=own)

    return [
        intake.route(intake.Source("linear", 5 * intake.MEGABYTE, linear), engine.accept, engine.refuse),
        intake.route(intake.Source("github", 25 * intake.MEGABYTE, github), engine.accept, engine.refuse),
    ]


def _facts(board: Board) -> dict[str, str]:
    """What the health page tells besides the engine's state, in the words of people."""
    linear, github = board.linear.budget, board.github.remaining
    return {
        "Sandbox": "bubblewrap" if board.settings.sandbox == "bwrap" else "off: agents run without walls",
        "Workers at once, at most": str(board.policy().limits.workers),
        "Linear, requests left": _of(linear.requests_remaining, linear.requests_limit),
        "Linear, points left": _of(linear.complexity_remaining, linear.complexity_limit),
        "GitHub, requests left": _of(github.get("rest"), None),
    }


def _of(left: int | None, limit: int | None) -> str:
    return "not asked yet" if left is None else f"{left:,} of {limit:,}" if limit else f"{left:,}"


def _providers(board: Board) -> dict[str, Provider]:
    """The ways to log in that are set up."""

    def repositories() -> list[str]:
        return [place.name for place in board.policy().repositories]

    settings = board.settings
    found: dict[str, Provider] = {}
    if settings.login_linear is not None:
        found["linear"] = linear_login.Login(board.linear, *settings.login_linear)
    if settings.login_github is not None:
        own = settings.login_github
        found["github"] = github_login.Login(board.github, settings.github_api_url, *own, repositories)
    return found
