"""GitHub as the doctor sees it: the repositories of the policy, our App, its webhook and what became of what it sent.

Reading and judging are apart: what was read is a frozen value, the checks are pure functions over it.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from github import Github

from bot.board import Board
from bot.doctor.finding import Finding, found
from bot.github.hook import Hook, Sending, read_hook, read_sendings
from bot.github.manifest import EVENTS, PERMISSIONS, USEFUL, pages
from bot.machine.errors import Refused, Transient, UserError
from bot.policy import RepositoryPolicy


@dataclass(frozen=True)
class RepositorySeen:
    """A repository as the service may see it."""

    policy: RepositoryPolicy
    default_branch: str
    base_exists: bool
    archived: bool
    methods: tuple[str, ...]
    queue: bool
    """The base branch takes merges only through GitHub's merge queue."""
    role: str
    """What the token's user may do, in GitHub's words (`WRITE`); an App has none."""
    granted: Mapping[str, str] | None
    """What the App's installation was granted; None with a token."""
    asked: Mapping[str, str]
    """What the App asks for; where it is installed somebody may not have accepted all of it yet."""
    settings: str = ""
    """The page with the App's settings."""
    installation: str = ""
    """The page of the installation."""


@dataclass(frozen=True)
class AppSeen:
    """Our App, and how it tells us things."""

    events: frozenset[str]
    settings: str
    hook: Hook
    sendings: Sequence[Sending]
    url: str
    """Where its webhooks should go."""


_REPOSITORY = """
query Examine($owner: String!, $name: String!, $base: String!) {
  repository(owner: $owner, name: $name) {
    isArchived
    viewerPermission
    mergeCommitAllowed
    squashMergeAllowed
    rebaseMergeAllowed
    defaultBranchRef { name }
    ref(qualifiedName: $base) { name }
  }
}
"""
_METHODS = {"merge": "mergeCommitAllowed", "squash": "squashMergeAllowed", "rebase": "rebaseMergeAllowed"}
_RECENT = timedelta(days=1)


async def examine(board: Board) -> AsyncIterator[Finding]:
    """Everything that can be said of GitHub, repository by repository."""
    app: dict[str, Any] = {}
    try:
        if board.settings.github_app is None:
            url = f"{board.settings.base_url}/webhooks/github"
            yield found("github_token", "GitHub")
            yield found("token_hooks", "GitHub's webhooks", url=url, events=", ".join(EVENTS))
        else:
            app = await _get(board, None, "/app")
            yield found("github_app", "GitHub", name=app["slug"])
            seen = await _read_app(board, app)
            for check in APP_CHECKS:
                for finding in check(seen):
                    yield finding
    except (UserError, Refused, Transient) as error:
        yield found("github", "GitHub", error=error)
    for place in board.policy().repositories:
        try:
            repository = await _read(board, place, app)
        except (UserError, Refused, Transient) as error:
            yield found("repository", place.name, error=error)
            continue
        for judge in REPOSITORY_CHECKS:
            for finding in judge(repository):
                yield finding


def base_branch(seen: RepositorySeen) -> Iterator[Finding]:
    """Whether the base branch is there to be worked on."""
    about, base = seen.policy.name, seen.policy.base
    if seen.archived:
        yield found("archived", about)
    elif not seen.base_exists:
        yield found("base_missing", about, base=base, default=seen.default_branch)
    else:
        yield found("base", about, base=base)


def merging(seen: RepositorySeen) -> Iterator[Finding]:
    """How pull requests are merged there."""
    about, by = seen.policy.name, ", ".join(seen.methods)
    if seen.queue:
        yield found("merging", about, by="GitHub's merge queue")
    elif "merge" in seen.methods:
        yield found("merging", about, by=by)
    elif seen.methods:
        yield found("no_merge_commits", about, by=by)
    else:
        yield found("no_merging", about)


def permissions(seen: RepositorySeen) -> Iterator[Finding]:
    """Whether we may do what we must."""
    about = seen.policy.name
    if seen.granted is None:
        role = seen.role.lower() or "no role"
        yield found("role_write" if seen.role in ("ADMIN", "MAINTAIN", "WRITE") else "role", about, role=role)
        return
    lacking = [name for name, word in PERMISSIONS.items() if not _covers(seen.granted.get(name), word)]
    waiting = [name for name in lacking if _covers(seen.asked.get(name), PERMISSIONS[name])]
    refused = [name for name in lacking if name not in waiting]
    where = {"settings": seen.settings, "installation": seen.installation}
    if refused:
        yield found("permissions", about, lacking=_named(refused), **where)
    if waiting:
        yield found("permissions_waiting", about, lacking=_named(waiting), **where)
    if not lacking:
        yield found("permissions_granted", about, granted=_named(PERMISSIONS))
    for name, (word, loss) in USEFUL.items():
        needed = name not in lacking and (name != "merge_queues" or seen.queue)
        if needed and not _covers(seen.granted.get(name), word):
            yield found("permissions_useful", about, lacking=f"{name}: {word}", loss=loss, **where)


REPOSITORY_CHECKS: tuple[Callable[[RepositorySeen], Iterator[Finding]], ...] = (base_branch, merging, permissions)


def events(seen: AppSeen) -> Iterator[Finding]:
    """Whether the App is told everything it must hear."""
    missing = [name for name in EVENTS if name not in seen.events]
    if missing:
        yield found("events", "the GitHub App", events=", ".join(missing), settings=seen.settings)
    else:
        yield found("events_subscribed", "the GitHub App")


def hook(seen: AppSeen) -> Iterator[Finding]:
    """Whether the App tells it to us."""
    about, where = "GitHub's webhook", {"settings": seen.settings, "url": seen.url}
    if not seen.hook.url:
        yield found("hook_off", about, **where)
        return
    if seen.hook.url.rstrip("/") != seen.url:
        yield found("hook_address", about, found=seen.hook.url, **where)
        return
    if seen.hook.content_type != "json":
        yield found("hook_form", about, **where)
    if not seen.hook.verified and seen.url.startswith("https:"):
        yield found("hook_unchecked", about, **where)
    yield found("hook", about, url=seen.url)


def sendings(seen: AppSeen) -> Iterator[Finding]:
    """What became of the latest that was sent."""
    latest = next((one for one in seen.sendings if not one.underway), None)
    if latest is None or latest.taken or not seen.hook.url:
        return
    if latest.code == 401:  # what our own address answers to a bad signature
        yield found("deliveries_refused", "GitHub's webhook", settings=seen.settings)
    else:
        yield found("deliveries_failing", "GitHub's webhook", status=latest.status, url=seen.hook.url)


APP_CHECKS: tuple[Callable[[AppSeen], Iterator[Finding]], ...] = (events, hook, sendings)


async def _read_app(board: Board, app: Mapping[str, Any]) -> AppSeen:
    return AppSeen(
        events=frozenset(app["events"]),
        settings=_settings_page(board, app),
        hook=await read_hook(board.github),
        sendings=await read_sendings(board.github, datetime.now(UTC) - _RECENT, pages=1),
        url=f"{board.settings.base_url}/webhooks/github",
    )


async def _read(board: Board, place: RepositoryPolicy, app: Mapping[str, Any]) -> RepositorySeen:
    owner, _, name = place.name.partition("/")
    variables = {"owner": owner, "name": name, "base": f"refs/heads/{place.base}"}
    seen = (await board.github.graphql(place.name, _REPOSITORY, variables, partial=True))["repository"]
    if seen is None:
        raise UserError("GitHub has no such repository, or our App or token doesn't reach it")
    rules = await _get(board, place.name, f"/repos/{place.name}/rules/branches/{place.base}")
    installation: dict[str, Any] = {}
    if board.settings.github_app is not None:
        installation = await _get(board, None, f"/repos/{place.name}/installation")
    return RepositorySeen(
        policy=place,
        default_branch=(seen["defaultBranchRef"] or {}).get("name", "not there yet"),
        base_exists=seen["ref"] is not None,
        archived=seen["isArchived"],
        methods=tuple(method for method, field in _METHODS.items() if seen[field]),
        queue=any(one["type"] == "merge_queue" for one in rules),
        role=seen["viewerPermission"] or "",
        granted=installation.get("permissions"),
        asked=app.get("permissions", {}),
        settings=_settings_page(board, app),
        installation=installation.get("html_url", ""),
    )


async def _get(board: Board, repository: str | None, path: str) -> Any:
    def job(api: Github) -> Any:
        return api.requester.requestJsonAndCheck("GET", path)[1]

    return await board.github.call(repository, job)


def _settings_page(board: Board, app: Mapping[str, Any]) -> str:
    owner = app.get("owner") or {}
    home = f"organizations/{owner['login']}/" if owner.get("type") == "Organization" else ""
    return f"{pages(board.settings.github_api_url)}/{home}settings/apps/{app.get('slug', '')}"


def _named(names: Sequence[str] | Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {PERMISSIONS[name]}" for name in names)


def _covers(granted: str | None, needed: str) -> bool:
    return granted in ("write", "admin") or (needed == "read" and granted == "read")
