"""Finding the page for an address, and doing what a form asks for."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.simulator.github import registering
from bot.simulator.github.actors import CI, Person
from bot.simulator.github.errors import ApiError, forbidden, not_found
from bot.simulator.github.merging import delete_branch
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.model_reviews import Thread
from bot.simulator.github.pages import apps, show
from bot.simulator.github.people import User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

_NEWEST = 15


@cache
def _templates() -> Environment:
    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(markdown=show.markdown, ago=_ago, lines=show.lines)
    return made


def _ago(moment: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {word} ago"
    return "just now"


async def answer(world: "GitHubWorld", request: Request) -> Response:
    """Serve `/`, `/owner/repo`, and below it `/pull/3`, `/commit/SHA` and `/runs/7`; a POST does what it says."""
    parts = [part for part in request.url.path.split("/") if part]
    try:
        if request.method == "POST":
            return await _act(world, request, parts)
        if request.method not in {"GET", "HEAD"}:
            raise ApiError(405, "Method not allowed")
        return await _show(world, request, parts)
    except ApiError as refused:
        return _page("error.html", world, request, refused.status, title=str(refused.status), message=refused.message)


def _page(name: str, world: "GitHubWorld", request: Request, status: int = 200, **values: Any) -> HTMLResponse:
    said = request.query_params.get("said", "")
    page = (
        _templates().get_template(name).render(base=world.base_url, said=said, repo=values.pop("repo", None), **values)
    )
    return HTMLResponse(page, status)


async def _show(world: "GitHubWorld", request: Request, parts: list[str]) -> Response:
    match parts:
        case []:
            repositories = list(world.repositories.values())
            return _page("index.html", world, request, title="Repositories", repositories=repositories)
        case ["apps", slug, *_] if slug in world.apps:
            app = world.apps[slug]
            places = [one for one in world.repositories.values() if one.owner is app.owner]
            return _page("app.html", world, request, title=slug, app=app, repositories=places)
        case [owner, name]:
            return await _repository(world, request, world.repository(f"{owner}/{name}"))
        case [owner, name, "pull", number] if number.isdigit():
            pull = _pull(world.repository(f"{owner}/{name}"), number)
            page = await show.pull_page(world, pull)
            title = f"{pull.title} #{pull.number}"
            return _page("pull.html", world, request, title=title, repo=pull.repository, page=page, pull=pull)
        case [owner, name, "commit", sha]:
            return await _commit(world, request, world.repository(f"{owner}/{name}"), sha)
        case [owner, name, "runs", number] | [owner, name, "actions", "runs", _, "job", number] if number.isdigit():
            repo = world.repository(f"{owner}/{name}")
            run = next((one for one in repo.check_runs if one.id == int(number)), None)
            if run is not None:
                return _page("run.html", world, request, title=run.name, repo=repo, run=run)
    raise not_found("There is no such page in the simulated GitHub")


def _pull(repo: Repository, number: str) -> Pull:
    pull = repo.pulls.get(int(number))
    if pull is None:
        raise not_found(f"{repo.full_name} has no pull request #{number}")
    return pull


async def _repository(world: "GitHubWorld", request: Request, repo: Repository) -> Response:
    commits = await world.git.commits(repo.path, f"-{_NEWEST}", repo.default_branch)
    return _page(
        "repository.html",
        world,
        request,
        title=repo.full_name,
        repo=repo,
        branches=await world.git.branches(repo.path),
        pulls=[(pull, show.state(pull)) for pull in reversed(repo.pulls.values())],
        commits=commits,
    )


async def _commit(world: "GitHubWorld", request: Request, repo: Repository, name: str) -> Response:
    sha = await world.git.resolve(repo.path, name)
    if sha is None:
        raise not_found(f"{repo.full_name} has no commit {name}")
    made = await world.git.commit(repo.path, sha)
    files = await show.files(world, repo, made.parents[0], sha) if made.parents else []
    return _page(
        "commit.html", world, request, title=made.message.split("\n", 1)[0], repo=repo, commit=made, files=files
    )


async def _act(world: "GitHubWorld", request: Request, parts: list[str]) -> Response:
    form = {key: values[-1] for key, values in parse_qs((await request.body()).decode()).items()}
    origin, owner = request.headers.get("origin"), apps.owner_of(parts)
    if owner is not None and form.get("act") != "create":
        text = form.get("manifest", "")
        manifest = registering.read(world, text)
        return _page("new_app.html", world, request, title="New App", owner=owner, manifest=manifest, text=text)
    if origin is not None and origin.split("://")[-1] != request.headers.get("host"):
        raise forbidden("Another site's page may not act here")
    if owner is not None:
        return apps.make(world, owner, form, request.query_params.get("state", ""))
    match parts:
        case ["apps", slug, "installations", "new"]:
            return apps.install(world, slug, form)
        case [owner, name, "pull", number] if number.isdigit():
            pull = _pull(world.repository(f"{owner}/{name}"), number)
        case _:
            raise not_found("There is nothing to do here")
    said = ""
    try:
        await _do(world, pull, form)
    except ApiError as refused:
        reasons = "; ".join(
            str(one.get("message", one) if isinstance(one, dict) else one) for one in refused.errors or ()
        )
        said = f"?said={quote(reasons or refused.message)}"
    return RedirectResponse(f"{request.url.path}{said}", 303)


async def _do(world: "GitHubWorld", pull: Pull, form: dict[str, str]) -> None:
    act, text = form.get("act"), form.get("body", "")
    if act in {"pass", "fail"}:
        await _check(world, pull, form.get("check") or "test", passed=act == "pass")
        return
    person = Person(world, _person(world, pull.repository, form.get("as", "")).login)
    match act:
        case "approve" | "request changes" | "comment" as what:
            await person.reviews(pull, what, text)
        case "say":
            await person.comments(pull, text)
        case "remark":
            await person.remarks(pull, form.get("path", ""), int(form.get("line") or 0), text)
        case "reply":
            await person.replies(_thread(pull, form), text)
        case "resolve":
            await person.resolves(_thread(pull, form))
        case "merge" | "squash" | "rebase" as method:
            await person.merges(pull, method)
        case "close":
            await person.closes(pull)
        case "reopen":
            await person.reopens(pull)
        case "delete branch":
            await delete_branch(world, pull, person.user)
        case other:
            raise not_found(f"Nobody knows how to {other}")


async def _check(world: "GitHubWorld", pull: Pull, name: str, *, passed: bool) -> None:
    ci = CI(world, owner=pull.repository.owner.login)
    await (ci.passes(pull, name) if passed else ci.fails(pull, name, "Marked as failed by hand."))


def _person(world: "GitHubWorld", repo: Repository, login: str) -> User:
    for who in show.people(world, repo):
        if who.login == login:
            return who
    raise forbidden(f"{login or 'Nobody'} does not work in {repo.full_name}")


def _thread(pull: Pull, form: dict[str, str]) -> Thread:
    for thread in pull.threads:
        if str(thread.id) == form.get("thread"):
            return thread
    raise not_found("There is no such thread")
