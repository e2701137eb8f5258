"""The pages a person looks at and works with by hand: a board, and each issue with all that stands on it."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, quote, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.simulator.linear.content import Document
from bot.simulator.linear.errors import LinearError
from bot.simulator.linear.model import Issue, Team, User
from bot.simulator.linear.pages.forms import FORMS, Form
from bot.simulator.linear.pages.view import Viewer, board_page, issue_page
from bot.simulator.linear.people import Person
from bot.simulator.linear.world import LinearWorld

MOST_BYTES = 1_000_000


def routes(world: LinearWorld) -> list[Route]:
    """The routes of the pages: `/`, `/issue/YOU-1`, `/document/SLUG`, and the forms they post."""

    async def board(request: Request) -> Response:
        key = request.query_params.get("team")
        teams = world.all(Team)
        team = next((team for team in teams if team.key == key), teams[0] if teams else None)
        if team is None:
            return PlainTextResponse("This workspace has no team.", 404)
        return _html(board_page(_viewer(world, request), team))

    async def issue(request: Request) -> Response:
        found = world.find_issue(request.path_params["identifier"])
        return _html(issue_page(_viewer(world, request), found)) if found else _missing()

    async def document(request: Request) -> Response:
        slug = request.path_params["slug"]
        found = next((each for each in world.all(Document) if each.slug_id == slug), None)
        if found is None or found.issue is None:
            return _missing()
        return RedirectResponse(f"/issue/{found.issue.identifier}#document-{slug}", 302)

    async def form(request: Request) -> Response:
        handle = FORMS.get(request.path_params["form"])
        found = world.find_issue(request.path_params.get("identifier", ""))
        if handle is None or ("identifier" in request.path_params and found is None):
            return _missing()
        return await _submit(world, request, handle, found)

    read: list[tuple[str, Callable[[Request], Awaitable[Response]]]] = [
        ("/", board),
        ("/issue/{identifier}", issue),
        ("/document/{slug}", document),
    ]
    written = ("/do/{form}", "/issue/{identifier}/{form}")
    return [Route(path, page) for path, page in read] + [Route(path, form, methods=["POST"]) for path in written]


async def _submit(world: LinearWorld, request: Request, handle: Form, issue: Issue | None) -> Response:
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        return PlainTextResponse("A page of another site may not do this.", 403)
    body = await request.body()
    if len(body) > MOST_BYTES:
        return PlainTextResponse("That is too much text.", 413)
    fields = parse_qs(body.decode(), keep_blank_values=True)
    person = _person(world, (fields.get("as") or [""])[0])
    try:
        place = handle(Person(world, person), issue, fields)
    except LinearError as error:
        home = f"/issue/{issue.identifier}" if issue else "/"
        place = f"{home}?error={quote(error.presentable)}"
    response = RedirectResponse(place, 303)
    response.set_cookie("person", person.display_name, samesite="strict", httponly=True)
    return response


def _viewer(world: LinearWorld, request: Request) -> Viewer:
    person = _person(world, request.cookies.get("person", ""))
    return Viewer(world, person, request.query_params.get("error"))


def _person(world: LinearWorld, name: str) -> User:
    people = [user for user in world.all(User) if user.active and not user.app]
    return next((user for user in people if user.display_name == name), people[0])


def _html(text: str) -> Response:
    return Response(text, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})


def _missing() -> Response:
    return PlainTextResponse("There is no such page.", 404)
