"""Linear and GitHub as the service sees them, without an engine of its own: enough to look, and to begin an epic."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from bot.config import PolicyFile, Settings
from bot.engine.port import Engine
from bot.github.client import AppLogin, GitHub, TokenLogin
from bot.github.observe import Observe
from bot.linear.client import ApiKey, ClientCredentials, LinearClient
from bot.linear.directory import Directory
from bot.linear.ensure import Writes
from bot.linear.observe import Observer as LinearObserver
from bot.machine.decide import decide
from bot.machine.decision import Action, Decision
from bot.machine.errors import UserError
from bot.machine.facts import Facts
from bot.machine.stages import ORCHESTRATE, WORKER
from bot.observe import Observer
from bot.policy import Policy
from handlers import HANDLERS


@dataclass(frozen=True)
class Board:
    """Linear and GitHub as the service sees them, without an engine: enough to look and to begin an epic."""

    settings: Settings
    policy: Callable[[], Policy]
    linear: LinearClient
    linear_reads: LinearObserver
    directory: Directory
    github: GitHub

    async def look(self, reference: str, engine: Engine) -> tuple[Facts, Decision]:
        """What stands, and what would be decided now, about the epic that an issue belongs to; nothing is done.

        Raises:
            UserError: there is no such issue, or it is none of ours.
        """
        root = await self.linear_reads.resolve(reference)
        reads = Observe(self.github)
        now = partial(datetime.now, UTC)
        observer = Observer(self.linear_reads, self.directory, reads, engine, self.policy, now, acts=False)
        facts = await observer.observe(root.id)
        if facts is None:
            raise UserError(f"{reference} belongs to no epic that is labelled `orchestrate`.")
        return facts, decide(facts, HANDLERS)

    async def live(self) -> list[str]:
        """The identifiers of everything that has something left to do."""
        teams = {team for place in self.policy().repositories for team in place.teams}
        roots = await self.linear_reads.observe_roots((ORCHESTRATE, WORKER), teams, datetime.now(UTC))
        return [root.identifier for root in roots]

    async def make_epic(self, team: str, title: str, spec: str) -> str:
        """Make an epic from a spec, labelled; the same spec for the same team is the same epic. Returns its address."""
        writes = self.writes()
        epic = writes.epic(await self.directory.team(team), title, spec, ORCHESTRATE)
        await writes.send()
        return (await self.linear_reads.observe_epic(epic)).epic.url

    async def set_up(self) -> list[str]:
        """Create the workflow states and labels that the teams of the policy lack; returns what was done, in lines."""
        done: list[str] = []
        for team in await self.directory.teams():
            writes = self.writes()
            made = (*writes.create_states(team), *writes.create_labels(team))
            await writes.send()
            done.append(f"{team.key}: {', '.join(made) if made else 'nothing was missing'}")
        return done

    def writes(self) -> Writes:
        """Begin a document of writes to Linear."""
        return Writes(self.linear, self.directory, states=self.policy().state_names(), key=self.settings.secret_key)


@asynccontextmanager
async def open_board(settings: Settings, policy: PolicyFile) -> AsyncIterator[Board]:
    """Connect to Linear and GitHub."""
    async with LinearClient(_linear_login(settings), settings.linear_api_url) as linear:
        directory = Directory(linear, lambda: {team for one in policy.current().repositories for team in one.teams})
        reads = LinearObserver(
            linear,
            states=lambda: policy.current().state_names(),
            keys=(settings.secret_key, *settings.older_keys),
            directory=directory,
        )
        yield Board(
            settings, policy.current, linear, reads, directory, GitHub(settings.github_api_url, _github_login(settings))
        )


def describe(action: Action, names: Mapping[str, str]) -> str:
    """One action in a line, with identifiers for ids."""
    values = {key: value for key, value in vars(action).items() if isinstance(value, str | int) and value != ""}
    issue = names.get(str(values.pop("issue", "")), "")
    shown = " ".join(f"{key}={value}" for key, value in values.items())
    return f"{type(action).__name__} {issue} {shown}".strip()


def _linear_login(settings: Settings) -> ApiKey | ClientCredentials:
    if settings.linear_client is not None:
        return ClientCredentials(*settings.linear_client)
    return ApiKey(settings.linear_api_key or "")


def _github_login(settings: Settings) -> AppLogin | TokenLogin:
    if settings.github_app is not None:
        return AppLogin(*settings.github_app)
    return TokenLogin(settings.github_token or "")
