"""What disagrees with the policy, and what to do about it: a list of small checks over what Linear and GitHub tell.

Reading and judging are apart: one picture per team and one per repository is read, the checks are pure functions over
them. A new check is a new function in one of the two lists.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from github import Github

from bot.board import Board
from bot.config import RepositoryPolicy
from bot.linear.directory import Team
from bot.machine.errors import Refused, Transient, UserError
from bot.machine.stages import STATES, Stage


class Level(StrEnum):
    """How bad it is: WARN works, but worse than it could; FAIL does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What one check found, in one line for people; what is not ok says what to do."""

    level: Level
    about: str
    says: str


@dataclass(frozen=True)
class TeamSeen:
    """A team, and the name of the workflow state for every stage."""

    team: Team
    states: Mapping[Stage, str]


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


NEEDED = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "checks": "write",
    "statuses": "read",
    "actions": "read",
}
"""Permissions of the GitHub App without which something fails (facts on GitHub, section 4)."""
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
_WORDS = {
    "draft": "On draft PR open",
    "start": "On PR open",
    "review": "On PR review request or activity",
    "mergeable": "On PR ready for merge",
    "merge": "On PR merge",
}
"""Linear's words in the settings for the events of its schema."""


async def examine(board: Board) -> AsyncIterator[Finding]:
    """Everything that can be said of what the policy names, team by team and repository by repository."""
    try:
        viewer = await board.linear_reads.viewer()
        yield _who(viewer.name, viewer.workspace, app=viewer.app)
        for team in await board.directory.teams():
            seen = TeamSeen(team, board.policy().state_names())
            for check in TEAM_CHECKS:
                for finding in check(seen):
                    yield finding
    except (UserError, Refused, Transient) as error:
        yield Finding(Level.FAIL, "Linear", str(error))
    for place in board.policy().repositories:
        try:
            repository = await _read(board, place)
        except (UserError, Refused, Transient) as error:
            yield Finding(Level.FAIL, place.name, str(error))
            continue
        for judge in REPOSITORY_CHECKS:
            for finding in judge(repository):
                yield finding
    if not board.policy().repositories:
        yield Finding(Level.FAIL, "policy", "it names no repository: add one under [[repositories]] in callboard.toml")


def _who(name: str, workspace: str, *, app: bool) -> Finding:
    if app:
        return Finding(Level.OK, "Linear", f"reached as {name}, an application in {workspace}")
    advice = "an OAuth application (LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET) can be told from its owner"
    return Finding(Level.WARN, "Linear", f"reached with the personal key of {name} in {workspace}; {advice}")


def workflow_states(seen: TeamSeen) -> Iterator[Finding]:
    """Whether the team has a workflow state of the right type for every stage."""
    about = f"team {seen.team.key}"
    missing, wrong = seen.team.missing_states(seen.states), seen.team.wrong_states(seen.states)
    if missing:
        names = ", ".join(missing.values())
        yield Finding(
            Level.FAIL,
            about,
            f"lacks the workflow states {names}: run `callboard setup`, or map other names under [states]",
        )
    for stage, kind in wrong.items():
        says = f"{seen.states[stage]} has the type {kind}, the stage {stage} needs {STATES[stage].type}"
        yield Finding(Level.FAIL, about, f"{says}: map another state to it under [states] in callboard.toml")
    if not missing and not wrong:
        yield Finding(Level.OK, about, "has a workflow state for every stage")


def labels(seen: TeamSeen) -> Iterator[Finding]:
    """Whether the team can use our labels."""
    about, missing = f"team {seen.team.key}", seen.team.missing_labels()
    groups = sorted(name for name in missing if name in {one.casefold() for one in seen.team.groups})
    if groups:
        says = f"{', '.join(groups)} is a group of labels, which can't be put on an issue: rename the group"
        yield Finding(Level.FAIL, about, says)
    if others := [name for name in missing if name not in groups]:
        yield Finding(Level.WARN, about, f"lacks the labels {', '.join(others)}: run `callboard setup`")
    if not missing:
        yield Finding(Level.OK, about, "has every label")


def automation(seen: TeamSeen) -> Iterator[Finding]:
    """What Linear does to our tickets by itself."""
    team, about = seen.team, f"team {seen.team.key}"
    where = f"Linear → Settings → Team {team.name} → Workflows & automations"
    done = seen.states[Stage.DONE].casefold()
    moving = [rule for rule in team.automations if (rule.event, rule.state.casefold()) != ("merge", done)]
    for rule in sorted(moving, key=lambda one: (_WORDS.get(one.event, one.event), one.branch)):
        branch = f" (target branch {rule.branch})" if rule.branch else ""
        says = f"Linear's GitHub integration moves tickets to {rule.state}: “{_WORDS.get(rule.event, rule.event)}”"
        cure = f"set it to “No action” in {where} → Pull request and commit automations"
        yield Finding(Level.WARN, about, f"{says}{branch}; it is put right once, then left. Better {cure}")
    if team.closes_children:
        says = "Linear closes the sub-issues of an epic that is closed, also unmerged ones"
        yield Finding(Level.WARN, about, f"{says}: switch off “Auto-close sub-issues” in {where}")
    if team.closes_parents:
        says = "Linear closes an epic with its last ticket, before we have said what it came to"
        yield Finding(Level.WARN, about, f"{says}: switch off “Auto-close parent issues” in {where}")
    if not moving and not team.closes_children and not team.closes_parents:
        yield Finding(Level.OK, about, "no automation of Linear moves tickets against us")


def base_branch(seen: RepositorySeen) -> Iterator[Finding]:
    """Whether the base branch is there to be worked on."""
    about, base = seen.policy.name, seen.policy.base
    if seen.archived:
        yield Finding(Level.FAIL, about, "is archived on GitHub: unarchive it, or take it out of callboard.toml")
    elif not seen.base_exists:
        advice = f"the default branch is {seen.default_branch}; set `base` in callboard.toml"
        yield Finding(Level.FAIL, about, f"has no branch {base}: {advice}")
    else:
        yield Finding(Level.OK, about, f"is reached, and has its base branch {base}")


def merging(seen: RepositorySeen) -> Iterator[Finding]:
    """How pull requests are merged there."""
    about, by = seen.policy.name, ", ".join(seen.methods)
    if seen.queue:
        yield Finding(Level.OK, about, f"{seen.policy.base} is merged into by GitHub's merge queue")
    elif "merge" in seen.methods:
        yield Finding(Level.OK, about, f"allows to merge by {by}")
    elif seen.methods:
        says = f"allows to merge by {by} only; each merge then means that what is stacked above is rebased"
        yield Finding(Level.WARN, about, f"{says}. Merge commits spare that: Settings → General → Pull Requests")
    else:
        yield Finding(Level.FAIL, about, "allows no way to merge: Settings → General → Pull Requests on GitHub")


def permissions(seen: RepositorySeen) -> Iterator[Finding]:
    """Whether we may do what we must."""
    about = seen.policy.name
    if seen.granted is None:
        if seen.role in ("ADMIN", "MAINTAIN", "WRITE"):
            yield Finding(Level.OK, about, f"the token's user may write ({seen.role.lower()})")
        else:
            role = seen.role.lower() or "no role"
            yield Finding(Level.FAIL, about, f"the token's user may not write ({role}): grant the role Write")
        return
    lacking = [f"{name}: {word}" for name, word in NEEDED.items() if not _covers(seen.granted.get(name), word)]
    if lacking:
        cure = "grant it in the App's settings, then accept it where the App is installed"
        yield Finding(Level.FAIL, about, f"the GitHub App lacks {', '.join(lacking)}: {cure}")
        return
    yield Finding(Level.OK, about, "the GitHub App has every permission it needs")
    if not _covers(seen.granted.get("actions"), "write"):
        yield Finding(Level.WARN, about, "without actions: write the GitHub App can't run a flaky check once more")
    if seen.queue and not _covers(seen.granted.get("merge_queues"), "read"):
        yield Finding(Level.WARN, about, "without merge_queues: read the GitHub App hears late of the merge queue")


TEAM_CHECKS: tuple[Callable[[TeamSeen], Iterator[Finding]], ...] = (workflow_states, labels, automation)
REPOSITORY_CHECKS: tuple[Callable[[RepositorySeen], Iterator[Finding]], ...] = (base_branch, merging, permissions)


async def _read(board: Board, place: RepositoryPolicy) -> RepositorySeen:
    owner, _, name = place.name.partition("/")
    variables = {"owner": owner, "name": name, "base": f"refs/heads/{place.base}"}
    seen = (await board.github.graphql(place.name, _REPOSITORY, variables, partial=True))["repository"]
    if seen is None:
        raise UserError("GitHub has no such repository, or our App or token doesn't reach it: grant it access")
    rules = await _get(board, place.name, f"/repos/{place.name}/rules/branches/{place.base}")
    granted = None
    if board.settings.github_app is not None:
        granted = (await _get(board, None, f"/repos/{place.name}/installation"))["permissions"]
    return RepositorySeen(
        policy=place,
        default_branch=(seen["defaultBranchRef"] or {}).get("name", "not there yet"),
        base_exists=seen["ref"] is not None,
        archived=seen["isArchived"],
        methods=tuple(method for method, field in _METHODS.items() if seen[field]),
        queue=any(one["type"] == "merge_queue" for one in rules),
        role=seen["viewerPermission"] or "",
        granted=granted,
    )


async def _get(board: Board, repository: str | None, path: str) -> Any:
    def job(api: Github) -> Any:
        return api.requester.requestJsonAndCheck("GET", path)[1]

    return await board.github.call(repository, job)


def _covers(granted: str | None, needed: str) -> bool:
    return granted in ("write", "admin") or (needed == "read" and granted == "read")
