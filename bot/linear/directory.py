"""Teams with their workflow states, labels and members, read once in a while: names become ids here."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bot.linear import wire
from bot.linear.client import LinearClient
from bot.machine.errors import UserError
from bot.machine.stages import LABELS, STATES, Stage


@dataclass(frozen=True)
class TeamState:
    """A workflow state of a team."""

    id: str
    name: str
    type: str
    position: float


@dataclass(frozen=True)
class Member:
    """A member of a team."""

    id: str
    name: str
    active: bool
    guest: bool
    app: bool


@dataclass(frozen=True)
class GitRule:
    """What Linear's GitHub integration does by itself: on this event of a pull request it moves issues to `state`."""

    event: str
    """Linear's word: draft, start, review, mergeable or merge."""
    state: str
    branch: str = ""
    """Only for pull requests into this branch, which may be a pattern; empty: into any."""


@dataclass(frozen=True)
class Team:
    """A team as set-up and writes need it. `labels` (name to id) holds those of the whole workspace too."""

    id: str
    key: str
    name: str
    states: tuple[TeamState, ...]
    labels: Mapping[str, str]
    members: tuple[Member, ...]
    groups: frozenset[str] = frozenset()
    """Names of label groups: such a label can't be put on an issue, and its name is taken."""
    closes_parents: bool = False
    """Linear completes an epic when its tickets are done, without asking us."""
    closes_children: bool = False
    """Linear completes the tickets when their epic is done."""
    automations: tuple[GitRule, ...] = ()
    """Every rule that moves something."""

    def state(self, name: str) -> TeamState | None:
        """The workflow state of this name, whatever the case."""
        return self._by_name.get(name.casefold())

    @cached_property
    def _by_name(self) -> Mapping[str, TeamState]:
        return {one.name.casefold(): one for one in reversed(self.states)}

    def label(self, name: str) -> str | None:
        """The id of the label of this name, whatever the case."""
        return next((id_ for known, id_ in self.labels.items() if known.casefold() == name.casefold()), None)

    def missing_states(self, states: Mapping[Stage, str]) -> dict[Stage, str]:
        """Stages for which the team has no workflow state, with the name that is asked for."""
        return {stage: name for stage, name in states.items() if self.state(name) is None}

    def wrong_states(self, states: Mapping[Stage, str]) -> dict[Stage, str]:
        """Stages whose workflow state is of another type than ours, with the type that it has."""
        found = {stage: self.state(name) for stage, name in states.items()}
        return {stage: one.type for stage, one in found.items() if one is not None and one.type != STATES[stage].type}

    def missing_labels(self, labels: Iterable[str] = LABELS) -> tuple[str, ...]:
        """Labels of ours that the team can't use yet."""
        return tuple(str(label) for label in labels if self.label(label) is None)


class Directory:
    """Looks teams up, and remembers them for `lifetime` seconds, or until `keys` are others: a policy may change.

    No keys: all teams of the workspace.
    """

    def __init__(
        self,
        client: LinearClient,
        keys: Callable[[], Iterable[str]] = tuple,
        *,
        lifetime: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._keys, self._lifetime, self._clock = client, keys, lifetime, clock
        self.spent: set[str] = set()
        """Ids with which no label can be made: Linear said so. One that is there is known by its name."""
        self._known: dict[str, Team] = {}
        self._read_keys: frozenset[str] = frozenset()
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def teams(self) -> tuple[Team, ...]:
        """The teams this directory is about, and others that were asked for since.

        Raises:
            UserError: Linear doesn't know one of the keys.
        """
        known = await self._fresh()
        if absent := [key for key in self._read_keys if key not in known]:
            raise UserError(_absent(sorted(absent)))
        return tuple(known.values())

    async def team(self, key: str) -> Team:
        """The team with this key; that others are gone is nothing to it.

        Raises:
            UserError: Linear doesn't know it.
        """
        known = await self._fresh()
        if key not in known:
            known |= {team.key: team for team in await self._read((key,))}
        if key not in known:
            raise UserError(_absent((key,)))
        return known[key]

    async def _fresh(self) -> dict[str, Team]:
        if self._is_old():
            async with self._reading:  # many ask at once when the service starts
                if self._is_old():
                    keys = frozenset(self._keys())
                    self._known = {team.key: team for team in await self._read(keys)}
                    self._read_keys, self._read_at = keys, self._clock()
        return self._known

    def _is_old(self) -> bool:
        if self._read_at is None or self._read_keys != frozenset(self._keys()):
            return True
        return self._clock() - self._read_at > self._lifetime

    async def memberships(self) -> dict[str, tuple[str, ...]]:
        """Team keys by the id of a member."""
        found: dict[str, tuple[str, ...]] = {}
        for team in (await self._fresh()).values():
            for member in team.members:
                found[member.id] = (*found.get(member.id, ()), team.key)
        return found

    def forget(self) -> None:
        """Read everything again next time: something was not where we thought."""
        self._read_at = None

    async def _read(self, keys: Collection[str]) -> list[Team]:
        wanted: dict[str, Any] | None = {"key": {"in": sorted(keys)}} if keys else None
        found: list[wire.Team] = []
        shared: wire.Page[wire.Label] | None = None
        after: str | None = None
        while True:
            answer = await self._client.execute("teams", {"filter": wanted, "after": after})
            page = wire.Page[wire.Team].model_validate(answer["teams"])
            found.extend(page.nodes)
            shared = shared or wire.Page[wire.Label].model_validate(answer["issueLabels"])
            if not page.pageInfo.hasNextPage:
                break
            after = page.pageInfo.endCursor
        while shared.pageInfo.hasNextPage:
            answer = await self._client.execute("workspace_labels", {"after": shared.pageInfo.endCursor})
            _extend(shared, answer["issueLabels"])
        for team in found:
            await self._complete(team)
        return [_team(team, shared.nodes) for team in found]

    async def _complete(self, team: wire.Team) -> None:
        for name in ("states", "labels", "members"):
            page = getattr(team, name)
            while page.pageInfo.hasNextPage:
                answer = await self._client.execute(f"team_{name}", {"id": team.id, "after": page.pageInfo.endCursor})
                _extend(page, answer["team"][name])


def _absent(keys: Iterable[str]) -> str:
    return (
        f"Linear has no team {', '.join(keys)} that the service can see: "
        "correct `teams` in callboard.toml, or give the service access to the team"
    )


def _extend(page: wire.Page[Any], answer: Any) -> None:
    more = type(page).model_validate(answer)
    page.nodes.extend(more.nodes)
    page.pageInfo = more.pageInfo


def _team(node: wire.Team, shared: Sequence[wire.Label]) -> Team:
    labels = [*shared, *node.labels.nodes]
    return Team(
        id=node.id,
        key=node.key,
        name=node.name,
        states=tuple(TeamState(one.id, one.name, one.type, one.position) for one in node.states.nodes),
        labels={one.name: one.id for one in labels if not one.isGroup},
        members=tuple(Member(one.id, one.name, one.active, one.guest, one.app) for one in node.members.nodes),
        groups=frozenset(one.name for one in labels if one.isGroup),
        closes_parents=bool(node.autoCloseParentIssues),
        closes_children=bool(node.autoCloseChildIssues),
        automations=tuple(_rule(one, one.state) for one in node.gitAutomationStates.nodes if one.state),
    )


def _rule(node: wire.GitAutomation, state: wire.Named) -> GitRule:
    return GitRule(node.event, state.name, node.targetBranch.branchPattern if node.targetBranch else "")
