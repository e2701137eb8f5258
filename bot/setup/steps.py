"""The steps of set-up, and what each does: the page and the terminal only ask and show.

Every step looks at what holds now and writes through `files`, so it can be done again, left and taken up later.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from github import Github

from bot import environment
from bot.board import Board, open_board
from bot.config import PolicyFile, Settings, read_policy, read_settings, require_for_serving
from bot.github.client import AppLogin, GitHub, TokenLogin
from bot.github.manifest import Registered, is_local
from bot.linear.client import ApiKey, ClientCredentials, Credentials, LinearClient
from bot.linear.directory import Directory
from bot.linear.hooks import create_webhook, read_webhooks
from bot.linear.observe import Observer
from bot.machine.errors import Refused, UserError
from bot.machine.stages import STATES
from bot.policy import Policy
from bot.setup.files import Change, settings_changes


class Step(StrEnum):
    """In this order."""

    ADDRESS = "address"
    GITHUB = "github"
    LINEAR = "linear"
    MODEL = "model"
    WORK = "work"
    BOARD = "board"


TITLES = {
    Step.ADDRESS: "Address",
    Step.GITHUB: "GitHub",
    Step.LINEAR: "Linear",
    Step.MODEL: "Model",
    Step.WORK: "Repository and teams",
    Step.BOARD: "States and labels",
}
CREDENTIALS = (
    *("LINEAR_API_KEY", "LINEAR_CLIENT_ID", "LINEAR_CLIENT_SECRET", "LINEAR_WEBHOOK_SECRET"),
    *("GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET"),
)


@dataclass(frozen=True)
class Standing:
    """Everything as it is now. `settings` is None until the first step gave us a key to sign with."""

    env: Mapping[str, str]
    settings: Settings | None
    policy: Policy | None
    done: frozenset[Step]

    @property
    def next(self) -> Step | None:
        """The first step that is open; None: all that is needed to start is there."""
        return next((step for step in Step if step not in self.done and step is not Step.BOARD), None)

    @property
    def home(self) -> Path:
        """Where everything is written."""
        return environment.home_of(self.env)

    @property
    def config(self) -> Path:
        """Where the policy is."""
        return Path(self.env.get("CALLBOARD_CONFIG") or self.home / "callboard.toml")


def stand(process: Mapping[str, str]) -> Standing:
    """What holds with the environment of this process and the files that were written.

    Raises:
        UserError: a setting or the policy is there and wrong.
    """
    env = environment.environment(process)
    settings = read_settings(env) if env.get("CALLBOARD_SECRET_KEY") or env.get("CALLBOARD_SECRET_KEY_FILE") else None
    config = Path(env.get("CALLBOARD_CONFIG") or environment.home_of(env) / "callboard.toml")
    policy = read_policy(config) if config.exists() else None
    done: set[Step] = set()
    if settings is not None:
        answers = {
            Step.ADDRESS: "CALLBOARD_BASE_URL" in env,
            Step.GITHUB: (settings.github_app or settings.github_token) and settings.github_webhook_secrets,
            Step.LINEAR: (settings.linear_client or settings.linear_api_key) and settings.linear_webhook_secrets,
            Step.MODEL: settings.anthropic_api_key or settings.claude_code_oauth_token or settings.openai_api_key,
            Step.WORK: policy is not None and policy.repositories,
        }
        done = {step for step, there in answers.items() if there}
    return Standing(env, settings, policy, frozenset(done))


def unconfigured(process: Mapping[str, str]) -> bool:
    """Whether the service should offer set-up rather than start: nobody configured it by the environment, and set-up
    was not finished. Half an environment is a mistake that is named, not an invitation.
    """
    if any(name in process or f"{name}_FILE" in process for name in CREDENTIALS):
        return False
    standing = stand(process)
    if standing.settings is None or standing.policy is None:
        return True
    try:
        require_for_serving(standing.settings)
    except UserError:
        return True
    return False


def address(standing: Standing, url: str) -> tuple[Change, ...]:
    """Where the service is reached; with it comes the key that signs, if there is none.

    Raises:
        UserError: that is no address.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise UserError("The address must be like https://callboard.example.org, with nothing behind the name.")
    if parts.scheme == "http" and not is_local(url):
        raise UserError("The address must begin with https://: Linear sends webhooks nowhere else.")
    values = {"CALLBOARD_BASE_URL": url.strip().rstrip("/")}
    if standing.settings is None:
        values["CALLBOARD_SECRET_KEY"] = secrets.token_hex(32)
    return settings_changes(standing.home, values)


def github_app(standing: Standing, made: Registered) -> tuple[Change, ...]:
    """Keep the App that GitHub has just made."""
    values = {
        "GITHUB_APP_ID": str(made.id),
        "GITHUB_APP_PRIVATE_KEY": made.private_key,
        "GITHUB_WEBHOOK_SECRET": made.webhook_secret or secrets.token_hex(32),
        "CALLBOARD_LOGIN_GITHUB_CLIENT_ID": made.client_id,
        "CALLBOARD_LOGIN_GITHUB_CLIENT_SECRET": made.client_secret,
        "CALLBOARD_LOGIN": "github",
    }
    return settings_changes(standing.home, values)


async def existing_app(standing: Standing, app_id: str, key: str, webhook_secret: str) -> tuple[Change, ...]:
    """Take an App that was made before, after seeing that its key fits.

    Raises:
        UserError: something is missing, or GitHub does not know the App by this key. Transient: GitHub doesn't answer.
    """
    if not (app_id.strip().isdigit() and "PRIVATE KEY" in key and webhook_secret.strip()):
        raise UserError("An App needs its id (a number), its private key (a PEM file) and its webhook secret.")
    api = standing.env.get("GITHUB_API_URL", "https://api.github.com")
    try:
        await GitHub(api, AppLogin(app_id.strip(), key)).call(None, lambda api: _get(api, "/app"))
    except (Refused, UserError) as error:
        raise UserError(f"GitHub does not know an App by this id and key: {error}") from None
    except ValueError:
        raise UserError("The private key can't be read: paste the whole PEM file.") from None
    values = {"GITHUB_APP_ID": app_id, "GITHUB_APP_PRIVATE_KEY": key, "GITHUB_WEBHOOK_SECRET": webhook_secret}
    return settings_changes(standing.home, values)


@dataclass(frozen=True)
class LinearEntry:
    """What a person entered for Linear: an OAuth application (id and secret) or a personal key."""

    client_id: str = ""
    client_secret: str = ""
    api_key: str = ""
    webhook_secret: str = ""

    def credentials(self) -> Credentials:
        """What to log in with.

        Raises:
            UserError: neither, or half of one.
        """
        if self.client_id and self.client_secret:
            return ClientCredentials(self.client_id, self.client_secret)
        if self.api_key and not self.client_id:
            return ApiKey(self.api_key)
        raise UserError("Linear needs the client id with the client secret of an OAuth application, or a personal key.")


async def linear(standing: Standing, entry: LinearEntry) -> tuple[tuple[Change, ...], str]:
    """Take what was entered, after seeing that Linear takes it; also says who we are there.

    Without a webhook secret an admin's personal key makes the webhook itself.

    Raises:
        UserError: Linear refuses it, or the webhook's secret is missing. Transient: Linear doesn't answer.
    """
    url, secret = standing.env.get("LINEAR_API_URL", "https://api.linear.app/graphql"), entry.webhook_secret.strip()
    async with LinearClient(entry.credentials(), url) as client:
        try:
            viewer = await Observer(client, states=dict, keys=()).viewer()
            if not secret and not viewer.app and viewer.admin:
                secret = await _webhook(client, f"{standing.env['CALLBOARD_BASE_URL']}/webhooks/linear")
        except Refused as error:
            raise UserError(f"Linear refuses this: {error}") from None
    if not secret:
        raise UserError("The webhook's signing secret is missing: Linear shows it where the webhook is set.")
    values = {"LINEAR_WEBHOOK_SECRET": secret}
    if entry.client_id:
        values |= {"LINEAR_CLIENT_ID": entry.client_id, "LINEAR_CLIENT_SECRET": entry.client_secret}
    else:
        values |= {"LINEAR_API_KEY": entry.api_key}
    who = f"{viewer.name}, {'an application' if viewer.app else 'a person'} in {viewer.workspace}"
    return settings_changes(standing.home, values), who


async def _webhook(client: LinearClient, url: str) -> str:
    if any(one.url.rstrip("/") == url for one in await read_webhooks(client)):
        raise UserError(f"Linear has a webhook to {url} already: enter its signing secret, or delete it there.")
    secret = f"lin_wh_{secrets.token_hex(20)}"
    await create_webhook(client, url, secret)
    return secret


def model(standing: Standing, *, api_key: str = "", oauth_token: str = "") -> tuple[Change, ...]:
    """The model's key. It is not tried: that would cost money.

    Raises:
        UserError: there is none, or both.
    """
    if bool(api_key.strip()) == bool(oauth_token.strip()):
        raise UserError("Enter either an API key of Anthropic or a token of Claude Code.")
    name = "ANTHROPIC_API_KEY" if api_key.strip() else "CLAUDE_CODE_OAUTH_TOKEN"
    return settings_changes(standing.home, {name: api_key.strip() or oauth_token.strip()})


@dataclass(frozen=True)
class Reachable:
    """A repository that our App or token reaches."""

    name: str
    base: str


async def repositories(settings: Settings) -> tuple[Reachable, ...]:
    """The repositories where the App is installed; with a token nobody knows, and none is told.

    Raises:
        Refused, Transient: as `GitHub.call`.
    """
    if settings.github_app is None:
        return ()
    app = GitHub(settings.github_api_url, AppLogin(*settings.github_app))
    found: list[Reachable] = []
    for place in await app.call(None, lambda api: _get(api, "/app/installations?per_page=100")):
        minted = await app.call(None, partial(_mint, installation=place["id"]))
        own = GitHub(settings.github_api_url, TokenLogin(minted["token"]))
        page = await own.call(None, lambda api: _get(api, "/installation/repositories?per_page=100"))
        found += [Reachable(one["full_name"], one["default_branch"]) for one in page["repositories"]]
    return tuple(sorted(found, key=lambda one: one.name))


async def install_page(settings: Settings) -> str:
    """Where the App is installed on repositories; empty with a token."""
    if settings.github_app is None:
        return ""
    github = GitHub(settings.github_api_url, AppLogin(*settings.github_app))
    app = await github.call(None, lambda api: _get(api, "/app"))
    return f"{app['html_url']}/installations/new"


async def teams(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Key and name of every team that Linear shows us.

    Raises:
        Refused, Transient, UserError: as `LinearClient.execute`.
    """
    client = settings.linear_client
    login = ClientCredentials(*client) if client else ApiKey(settings.linear_api_key or "")
    async with LinearClient(login, settings.linear_api_url) as wire:
        return tuple((team.key, team.name) for team in await Directory(wire).teams())


def check_work(repository: str, teams: Sequence[str], known: Mapping[str, str]) -> None:
    """Whether the names are names, and the teams are there; `known` are names of teams by their keys.

    Raises:
        UserError: they are not.
    """
    owner, _, name = repository.partition("/")
    if not owner or not name or "/" in name:
        raise UserError("A repository is needed, as OWNER/NAME.")
    if not teams:
        raise UserError("At least one team is needed, by its key.")
    if unknown := [team for team in teams if team not in known]:
        raise UserError(f"Linear shows no team {', '.join(unknown)}; there are {', '.join(known) or 'none'}.")


@dataclass(frozen=True)
class Lacking:
    """What a team lacks: workflow states with their type, and labels."""

    team: str
    states: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]


async def lacking(board: Board) -> tuple[Lacking, ...]:
    """What the teams of the policy lack; nothing is changed."""
    names = board.policy().state_names()
    found = (
        Lacking(
            team.key,
            tuple((name, STATES[stage].type) for stage, name in team.missing_states(names).items()),
            team.missing_labels(),
        )
        for team in await board.directory.teams()
    )
    return tuple(one for one in found if one.states or one.labels)


async def look_at_board(standing: Standing) -> tuple[Lacking, ...]:
    """What the teams lack, with a connection of its own."""
    assert standing.settings
    async with open_board(standing.settings, PolicyFile(standing.config)) as board:
        return await lacking(board)


async def create_on_board(standing: Standing) -> list[str]:
    """Create what the teams lack; says what was made, in lines. Twice is once."""
    assert standing.settings
    async with open_board(standing.settings, PolicyFile(standing.config)) as board:
        return await board.set_up()


def _mint(api: Github, installation: int) -> Any:
    path = f"/app/installations/{installation}/access_tokens"
    return api.requester.requestJsonAndCheck("POST", path, input={})[1]


def _get(api: Github, path: str) -> Any:
    return api.requester.requestJsonAndCheck("GET", path)[1]
