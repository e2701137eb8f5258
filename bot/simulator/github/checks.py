"""Check suites, check runs and commit statuses: made, updated, completed, announced."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.simulator.github import hooks, render, render_checks
from bot.simulator.github.errors import ApiError, custom, invalid
from bot.simulator.github.model import Repository
from bot.simulator.github.model_checks import CheckRun, CheckSuite, Status
from bot.simulator.github.people import App, User
from bot.simulator.github.rules import PASSING

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

CONCLUSIONS = {
    "success",
    "failure",
    "neutral",
    "cancelled",
    "timed_out",
    "action_required",
    "stale",
    "skipped",
}
LONGEST_TEXT = 65_535
MOST_ANNOTATIONS = 50


async def request_suites(world: "GitHubWorld", repo: Repository, sha: str, branch: str, actor: User) -> None:
    """After a push: every App that may write checks gets a suite for the commit, and is asked to fill it."""
    for app in world.apps.values():
        for place in app.installations:
            if place.covers(repo.owner, repo.id) and place.permissions.get("checks") == "write":
                suite = await suite_of(world, repo, app, sha, branch)
                payload = {"check_suite": render_checks.check_suite(world, repo, suite)}
                hooks.emit(world, repo, actor, "check_suite", payload, action="requested", only=app)


async def suite_of(world: "GitHubWorld", repo: Repository, app: App, sha: str, branch: str | None = None) -> CheckSuite:
    """The suite of an App on a commit: there is exactly one."""
    made = await world.git.commit(repo.path, sha)  # first: others may change all of this while git is asked
    for suite in repo.check_suites:
        if suite.app is app and suite.head_sha == sha:
            return suite
    pulls = (pull.head_ref for pull in repo.pulls.values() if pull.head_sha == sha)
    now = world.now()
    suite = world.keep(CheckSuite(world.id(), app, made, branch or next(pulls, None), now, now))
    repo.check_suites.append(suite)
    return suite


async def create_run(
    world: "GitHubWorld",
    repo: Repository,
    app: App,
    wish: Mapping[str, Any],
    page: Callable[[CheckRun], str] | None = None,
) -> CheckRun:
    """Make a check run from the fields of REST; `page` says where its details are, once it has a number.

    Raises:
        ApiError: 422, a field is missing, unknown or too long.
    """
    for name in ("name", "head_sha"):
        if not wish.get(name):
            raise invalid("CheckRun", name, "missing_field")
    if await world.git.resolve(repo.path, str(wish["head_sha"])) != wish["head_sha"]:
        raise ApiError(422, f"No commit found for SHA: {wish['head_sha']}")
    _validate(wish)
    suite = await suite_of(world, repo, app, str(wish["head_sha"]))
    run = CheckRun(world.id(), suite, str(wish["name"]), world.now())
    _apply(world, run, wish)
    run.details_url = page(run) if page else run.details_url
    suite.runs.append(world.keep(run))
    if suite.status == "completed":
        suite.status, suite.conclusion = "in_progress", None
    _announce(world, repo, run, "created")
    _settle(world, repo, run)
    return run


def update_run(world: "GitHubWorld", repo: Repository, run: CheckRun, wish: Mapping[str, Any]) -> None:
    """Apply a PATCH to a check run.

    Raises:
        ApiError: 422, a field is unknown or too long, or the run was completed and shall not be any more.
    """
    _validate(wish)
    if run.status == "completed" and wish.get("status", "completed") != "completed":
        raise custom("CheckRun", "A completed check run can't be opened again; create a new one.")
    was = run.status
    _apply(world, run, wish)
    if was != "completed":
        _settle(world, repo, run)


def rerequest(world: "GitHubWorld", repo: Repository, run: CheckRun, actor: User) -> None:
    """Ask the App of a check run to do it again: the App alone is told, and may or may not listen.

    Raises:
        ApiError: 422, it has not even ended, or was asked for already.
    """
    if run.status != "completed" or run.suite.status == "queued":
        raise custom("CheckRun", "This check run has already been rerequested.")
    run.suite.status, run.suite.conclusion = "queued", None
    payload = {"check_run": render_checks.check_run_event(world, repo, run)}
    pull = next(iter(render_checks.pulls_of(repo, run.suite)), None)
    app = run.suite.app
    hooks.emit(world, repo, actor, "check_run", payload, action="rerequested", pull=pull, only=app)


def rerequest_suite(world: "GitHubWorld", repo: Repository, suite: CheckSuite, actor: User) -> None:
    """Ask an App to do all its checks of a commit again."""
    suite.status, suite.conclusion = "queued", None
    payload = {"check_suite": render_checks.check_suite(world, repo, suite)}
    hooks.emit(world, repo, actor, "check_suite", payload, action="rerequested", only=suite.app)


def create_status(world: "GitHubWorld", repo: Repository, sha: str, creator: User, wish: Mapping[str, Any]) -> Status:
    """Report a status of the older kind.

    Raises:
        ApiError: 422, no such state.
    """
    if wish.get("state") not in {"error", "failure", "pending", "success"}:
        raise invalid("Status", "state", "custom")
    one = Status(
        world.id(),
        sha,
        str(wish.get("context") or "default"),
        str(wish["state"]),
        creator,
        world.now(),
        wish.get("target_url"),
        wish.get("description"),
    )
    repo.statuses.append(world.keep(one))
    return one


async def announce_status(world: "GitHubWorld", repo: Repository, one: Status) -> None:
    """Send the `status` event, which has no action."""
    branches = [
        {"name": name, "commit": {"sha": sha, "url": render.api(world, f"/repos/{repo.full_name}/commits/{sha}")}}
        for name, sha in (await world.git.branches(repo.path)).items()
        if sha == one.sha
    ]
    made = await world.git.commit(repo.path, one.sha)
    payload = {
        "id": one.id,
        "sha": one.sha,
        "name": repo.full_name,
        "avatar_url": f"{world.base_url}/avatars/u/{one.creator.id}",
        "target_url": one.target_url,
        "context": one.context,
        "description": one.description,
        "state": one.state,
        "commit": render.commit(world, repo, made),
        "branches": [{**branch, "protected": branch["name"] in repo.protection} for branch in branches[:10]],
        "created_at": render.stamp(one.created_at),
        "updated_at": render.stamp(one.created_at),
    }
    hooks.emit(world, repo, one.creator, "status", payload)


def _validate(wish: Mapping[str, Any]) -> None:
    if wish.get("status", "queued") not in {"queued", "in_progress", "completed"}:
        raise invalid("CheckRun", "status", value=wish["status"])
    conclusion = wish.get("conclusion")
    if conclusion is not None and conclusion not in CONCLUSIONS:
        raise invalid("CheckRun", "conclusion", value=conclusion)
    if wish.get("status") == "completed" and conclusion is None:
        raise invalid("CheckRun", "conclusion", "missing_field")
    output = wish.get("output") or {}
    for name in ("title", "summary"):
        if output and not output.get(name):
            raise invalid("CheckRun", f"output.{name}", "missing_field")
    for name in ("summary", "text"):
        if len(output.get(name) or "") > LONGEST_TEXT:
            raise custom("CheckRun", f"{name} is too long (maximum is {LONGEST_TEXT} characters)")
    if len(output.get("annotations") or []) > MOST_ANNOTATIONS:
        raise custom("CheckRun", f"annotations exceeds a maximum quantity of {MOST_ANNOTATIONS}")
    actions = wish.get("actions") or []
    too_long = any(
        len(str(action.get(name, ""))) > most
        for action in actions
        for name, most in (("label", 20), ("description", 40), ("identifier", 20))
    )
    if len(actions) > 3 or too_long:
        raise invalid("CheckRun", "actions")


def _apply(world: "GitHubWorld", run: CheckRun, wish: Mapping[str, Any]) -> None:
    for name in ("name", "details_url", "external_id", "status"):
        if wish.get(name) is not None:
            setattr(run, name, wish[name])
    if output := wish.get("output"):
        run.title, run.summary = output["title"], output["summary"]
        run.text = output.get("text", run.text)
        run.annotations += output.get("annotations") or []
    if "actions" in wish:
        run.actions = list(wish["actions"])
    if wish.get("started_at"):
        run.started_at = datetime.fromisoformat(wish["started_at"].replace("Z", "+00:00"))
    if wish.get("conclusion"):
        run.status, run.conclusion, run.completed_at = "completed", wish["conclusion"], world.now()


def _announce(world: "GitHubWorld", repo: Repository, run: CheckRun, action: str) -> None:
    payload = {"check_run": render_checks.check_run_event(world, repo, run)}
    pull = next(iter(render_checks.pulls_of(repo, run.suite)), None)
    hooks.emit(world, repo, run.suite.app.user, "check_run", payload, action=action, pull=pull)


def _settle(world: "GitHubWorld", repo: Repository, run: CheckRun) -> None:
    suite = run.suite
    suite.updated_at = world.now()
    done = all(one.status == "completed" for one in suite.runs)
    suite.status = "completed" if done else "in_progress"
    suite.conclusion = _conclusion(suite) if done else None
    announcements: list[Callable[[], None]] = []
    if run.status == "completed":
        announcements.append(partial(_announce, world, repo, run, "completed"))
    if done:
        announcements.append(partial(_announce_suite, world, repo, suite))
    if world.knobs.suite_first:
        announcements.reverse()
    for announce in announcements:
        announce()


def _announce_suite(world: "GitHubWorld", repo: Repository, suite: CheckSuite) -> None:
    payload = {"check_suite": render_checks.check_suite(world, repo, suite)}
    pull = next(iter(render_checks.pulls_of(repo, suite)), None)
    hooks.emit(world, repo, suite.app.user, "check_suite", payload, action="completed", pull=pull)


def _conclusion(suite: CheckSuite) -> str:
    latest = {run.name: run.conclusion or "failure" for run in suite.runs}.values()
    bad = [one for one in latest if one not in PASSING]
    if bad:
        return "failure" if "failure" in bad else bad[0]
    return "success" if "success" in latest else next(iter(latest))
