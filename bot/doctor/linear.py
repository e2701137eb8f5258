"""Linear as the doctor sees it: who we are there, our teams, and the webhooks where Linear shows them.

Reading and judging are apart: what was read is a frozen value, the checks are pure functions over it.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.board import Board
from bot.doctor.finding import Finding, found
from bot.linear.directory import Team
from bot.linear.hooks import RESOURCE_TYPES, Webhook, read_webhooks
from bot.machine.errors import Refused, Transient, UserError
from bot.machine.stages import STATES, Stage


@dataclass(frozen=True)
class TeamSeen:
    """A team, and the name of the workflow state for every stage."""

    team: Team
    states: Mapping[Stage, str]


_WORDS = {
    "draft": "On draft PR open",
    "start": "On PR open",
    "review": "On PR review request or activity",
    "mergeable": "On PR ready for merge",
    "merge": "On PR merge",
}
"""Linear's words in the settings for the events of its schema."""


async def examine(board: Board) -> AsyncIterator[Finding]:
    """Everything that can be said of the workspace, team by team."""
    try:
        viewer = await board.linear_reads.viewer()
        yield found(
            "linear_app" if viewer.app else "linear_key", "Linear", name=viewer.name, workspace=viewer.workspace
        )
        teams = await board.directory.teams()
        for team in teams:
            for check in TEAM_CHECKS:
                for finding in check(TeamSeen(team, board.policy().state_names())):
                    yield finding
        url = f"{board.settings.base_url}/webhooks/linear"
        if viewer.app or not viewer.admin:
            yield found("linear_webhook_hidden", "Linear's webhook", url=url, types=", ".join(RESOURCE_TYPES))
            return
        for finding in webhooks(await read_webhooks(board.linear), url, [team.key for team in teams]):
            yield finding
    except (UserError, Refused, Transient) as error:
        yield found("linear", "Linear", error=error)


def workflow_states(seen: TeamSeen) -> Iterator[Finding]:
    """Whether the team has a workflow state of the right type for every stage."""
    about = f"team {seen.team.key}"
    missing, wrong = seen.team.missing_states(seen.states), seen.team.wrong_states(seen.states)
    if missing:
        yield found("states_missing", about, names=", ".join(missing.values()))
    for stage, kind in wrong.items():
        needed = STATES[stage].type
        yield found("states_type", about, state=seen.states[stage], found=kind, stage=stage, needed=needed)
    if not missing and not wrong:
        yield found("states", about)


def labels(seen: TeamSeen) -> Iterator[Finding]:
    """Whether the team can use our labels."""
    about, missing = f"team {seen.team.key}", seen.team.missing_labels()
    groups = sorted(name for name in missing if name in {one.casefold() for one in seen.team.groups})
    if groups:
        yield found("labels_group", about, names=", ".join(groups))
    if others := [name for name in missing if name not in groups]:
        yield found("labels_missing", about, names=", ".join(others))
    if not missing:
        yield found("labels", about)


def automation(seen: TeamSeen) -> Iterator[Finding]:
    """What Linear does to our tickets by itself."""
    team, about = seen.team, f"team {seen.team.key}"
    where = f"Linear → Settings → Team {team.name} → Workflows & automations"
    done = seen.states[Stage.DONE].casefold()
    moving = [rule for rule in team.automations if (rule.event, rule.state.casefold()) != ("merge", done)]
    for rule in sorted(moving, key=lambda one: (_WORDS.get(one.event, one.event), one.branch)):
        branch = f" (target branch {rule.branch})" if rule.branch else ""
        event = _WORDS.get(rule.event, rule.event)
        yield found("automation", about, state=rule.state, event=event, branch=branch, where=where)
    if team.closes_children:
        yield found("closes_children", about, where=where)
    if team.closes_parents:
        yield found("closes_parents", about, where=where)
    if not moving and not team.closes_children and not team.closes_parents:
        yield found("no_automation", about)


TEAM_CHECKS: tuple[Callable[[TeamSeen], Iterator[Finding]], ...] = (workflow_states, labels, automation)


def webhooks(seen: Sequence[Webhook], url: str, teams: Sequence[str]) -> Iterator[Finding]:
    """Whether some webhook brings us everything that happens in our teams."""
    about, types = "Linear's webhook", ", ".join(RESOURCE_TYPES)
    ours = [one for one in seen if one.url.rstrip("/") == url]
    enabled = [one for one in ours if one.enabled]
    if not ours:
        yield found("linear_webhook_missing", about, url=url, types=types)
    elif not enabled:
        yield found("linear_webhook_off", about, url=url)
    else:
        unheard = [team for team in teams if not any(one.hears(team) for one in enabled)]
        unsent = [kind for kind in RESOURCE_TYPES if not all(kind in one.types for one in enabled)]
        if unsent:
            yield found("linear_webhook_types", about, types=", ".join(unsent))
        if unheard:
            yield found("linear_webhook_teams", about, teams=", ".join(unheard))
        if not unsent and not unheard:
            yield found("linear_webhook", about, types=types, url=url)
