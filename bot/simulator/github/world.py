"""The whole simulated GitHub: who and what there is, and the knobs that make it unkind."""

import itertools
import secrets
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

from bot.simulator.faults import Faults
from bot.simulator.github.errors import not_found
from bot.simulator.github.git import Git, Signature
from bot.simulator.github.hooks import Delivery, Event, announce_installation
from bot.simulator.github.model import Label, Protection, Repository
from bot.simulator.github.oauth import Code
from bot.simulator.github.people import App, Installation, Token, User
from bot.simulator.github.registering import NewApp
from bot.simulator.post_office import PostOffice

TOKEN_LIFE = timedelta(hours=1)
"""How long an installation token lives."""

BLOB_LIFE = timedelta(minutes=1)
"""How long the address of a job's log is good for."""

APP_PERMISSIONS = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "checks": "write",
    "statuses": "read",
    "actions": "write",
}
APP_EVENTS = (
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "issue_comment",
    "check_run",
    "check_suite",
    "workflow_run",
    "status",
    "push",
)


class _Node(Protocol):
    @property
    def node(self) -> str: ...


Kept = TypeVar("Kept", bound=_Node)

Meanwhile = Callable[[], Awaitable[object]]
"""Something that somebody does at an unlucky moment."""

_RECEIVING = """\
[http]
\treceivepack = true
[receive]
\thideRefs = refs/pull
"""
_HOOK = Path(__file__).with_name("update-hook.sh")


@dataclass(frozen=True)
class Request:
    """One request that somebody made, as `world.requests` keeps it for counting."""

    operation: str
    status: int
    who: str | None
    at: datetime


@dataclass
class Knobs:
    """How unkind it is. Each default is what the real one does on a good day."""

    mergeable_after: int = 1
    """How many times a pull request must be asked for before `mergeable` is known."""
    mergeable_delay: timedelta = timedelta(0)
    """How long after it was first asked for it is not known either."""
    suite_first: bool = False
    """Deliver `check_suite` completed before the last `check_run` completed."""
    suite_lag: timedelta = timedelta(seconds=0.2)
    """How long after a push the API shows the check suites that it made."""
    review_lag: timedelta = timedelta(0)
    """For how long a review that was announced is not in the API yet."""
    rate_limit: int = 5000
    """Requests that one token has per hour."""
    public_webhooks: bool = False
    """Refuse Apps whose webhooks go to this machine, as the real one does; here everything is on this machine."""
    retarget_on_delete: bool = False
    """Whether deleting a merged branch by API or push moves the pull requests based on it (it closes them)."""


@dataclass
class Meter:
    """What one caller has used of its hour."""

    reset: datetime
    used: int = 0


@dataclass
class GitHubWorld:
    """A GitHub with its folder of bare repositories under `root`.

    `base_url` is set by whoever serves it. `now` is its clock.
    """

    root: Path
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    base_url: str = "http://127.0.0.1"
    knobs: Knobs = field(default_factory=Knobs)
    faults: Faults = field(default_factory=Faults)
    post_office: PostOffice = field(default_factory=lambda: PostOffice(timeout=10.0))
    meanwhiles: list[tuple[str, Meanwhile]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    listeners: list[Callable[[Event], None]] = field(default_factory=list)
    users: dict[str, User] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    blobs: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    """What lies on the other host, by its secret address, and until when."""
    new_apps: dict[str, NewApp] = field(default_factory=dict)
    """Apps whose secrets were not fetched yet, by the code for them."""
    meters: dict[tuple[str, str], Meter] = field(default_factory=dict)
    nodes: dict[str, object] = field(default_factory=dict)
    git: Git = field(init=False)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1001))

    def __post_init__(self) -> None:
        self.git = Git(self.root / ".home")

    def id(self) -> int:
        """A number nobody else has."""
        return next(self._ids)

    def keep(self, thing: Kept) -> Kept:
        """Remember what a GraphQL id stands for."""
        self.nodes[thing.node] = thing
        return thing

    def user(self, login: str, *, name: str | None = None, kind: str = "User") -> User:
        """The account with this login, made when there is none. `x[bot]` is a bot."""
        key = login.lower()
        if key not in self.users:
            kind = "Bot" if login.endswith("[bot]") else kind
            self.users[key] = self.keep(User(self.id(), login, kind, name))
        return self.users[key]

    def app(
        self,
        slug: str,
        *,
        owner: str = "acme",
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        permissions: Mapping[str, str] | None = None,
        events: Iterable[str] = APP_EVENTS,
        repositories: Iterable[str] | None = None,
        install: bool = True,
    ) -> App:
        """Register a GitHub App and, with `install`, install it in its owner's account, on `repositories` or on all.

        With a webhook, this must be called inside a running event loop.
        """
        if slug in self.apps:
            return self.apps[slug]
        number = self.id()
        app = App(
            id=number,
            slug=slug,
            user=self.user(f"{slug}[bot]"),
            owner=self.user(owner, kind="Organization"),
            permissions=dict(APP_PERMISSIONS if permissions is None else permissions),
            events=tuple(events),
            client_id=f"Iv23li{number:014d}",
            created_at=self.now(),
            webhook_url=webhook_url,
            webhook_secret=webhook_secret,
        )
        self.apps[slug] = app
        if install:
            self.install(app, owner, repositories=repositories)
        return app

    def install(self, app: App, account: str, *, repositories: Iterable[str] | None = None) -> Installation:
        """Install an App in an account, on `repositories` (full names) or on all; it is told by a webhook."""
        chosen = None if repositories is None else frozenset(self.repository(name).id for name in repositories)
        installation = Installation(
            self.id(), app, self.user(account, kind="Organization"), dict(app.permissions), chosen, self.now()
        )
        app.installations.append(installation)
        announce_installation(self, installation)
        return installation

    async def create_repository(
        self, full_name: str, files: Mapping[str, str | bytes], default_branch: str = "main", *, private: bool = True
    ) -> Repository:
        """Make a repository whose first commit holds `files`."""
        owner, name = full_name.split("/")
        path = self.root / owner / f"{name}.git"
        path.mkdir(parents=True)
        await self.git.run(path, "init", "--bare", "--quiet", "--template=", f"--initial-branch={default_branch}")
        with (path / "config").open("a") as config:
            config.write(_RECEIVING)
        hooks = path / "hooks"
        hooks.mkdir()
        shutil.copy(_HOOK, hooks / "update")
        (hooks / "update").chmod(0o755)
        account = self.user(owner, kind="Organization")
        repository = Repository(self.id(), account, name, path, self.now(), private, default_branch)
        ref = f"refs/heads/{default_branch}"
        await self.git.write(path, ref, None, files, "Initial commit", self.signature(account))
        for label in ("bug", "documentation", "enhancement"):
            repository.labels[label] = self.keep(Label(self.id(), label))
        self.repositories[full_name.lower()] = self.keep(repository)
        return repository

    def repository(self, full_name: str) -> Repository:
        """A repository by `owner/name`, whatever the case.

        Raises:
            ApiError: 404, there is none.
        """
        try:
            return self.repositories[full_name.lower()]
        except KeyError:
            raise not_found() from None

    def grant(self, repository: Repository | str, login: str, role: str) -> User:
        """Give a person a role in a repository: read, triage, write, maintain or admin."""
        where = self.repository(repository) if isinstance(repository, str) else repository
        where.roles[login.lower()] = role
        return self.user(login)

    def protect(self, repository: Repository | str, branch: str, protection: Protection) -> None:
        """Set the rules of a branch."""
        where = self.repository(repository) if isinstance(repository, str) else repository
        where.protection[branch] = protection

    def role(self, repository: Repository, user: User) -> str:
        """What somebody may do in a repository; a bot may do what its App was granted for contents."""
        for installation in self.installations_of(user):
            if installation.covers(repository.owner, repository.id):
                return installation.permissions.get("contents", "none")
        return repository.role(user)

    def installations_of(self, bot: User) -> list[Installation]:
        """Where the App behind a bot is installed; nothing for people."""
        return [place for app in self.apps.values() if app.user is bot for place in app.installations]

    def meanwhile(self, match: str, act: Meanwhile) -> None:
        """Let somebody act once, right after a request has arrived and before it is answered.

        `match` is part of the request's name, as faults know it: `PUT /repos/acme/youlab/pulls/1/merge`,
        `enqueuePullRequest`, `git receive-pack acme/youlab`.
        """
        self.meanwhiles.append((match, act))

    async def let_happen(self, operation: str) -> None:
        """Do what was to happen meanwhile."""
        due = [one for one in self.meanwhiles if one[0] in operation]
        self.meanwhiles = [one for one in self.meanwhiles if one not in due]
        for _, act in due:
            await act()

    def lend(self, content: bytes, life: timedelta = BLOB_LIFE) -> str:
        """Put something on the other host for a short while; its address carries its own authority.

        The other host is this one by another name, so that a client sees another origin.
        """
        secret = secrets.token_urlsafe(24)
        self.blobs[secret] = (content, self.now() + life)
        return f"{self.base_url.replace('127.0.0.1', 'localhost')}/blobs/{secret}"

    def token_for(self, login: str) -> str:
        """A personal access token of a person, with every scope, that does not expire."""
        token = Token(f"ghp_{secrets.token_hex(18)}", self.user(login))
        self.tokens[token.value] = token
        return token.value

    def installation_token(
        self,
        installation: Installation,
        repositories: frozenset[int] | None = None,
        permissions: Mapping[str, str] | None = None,
    ) -> Token:
        """Mint a token for an installation, narrowed as asked: long, and good for one hour."""
        app = installation.app
        body = ".".join(secrets.token_urlsafe(size) for size in (48, 180, 64))
        token = Token(
            value=f"ghs_{app.id}_{body}",
            user=app.user,
            installation=installation,
            repositories=installation.repositories if repositories is None else repositories,
            permissions={**(permissions or installation.permissions), "metadata": "read"},
            expires_at=self.now() + TOKEN_LIFE,
        )
        self.tokens[token.value] = token
        return token

    def meter(self, key: str, resource: str) -> Meter:
        """What a caller has used of this hour; a new hour starts empty."""
        meter = self.meters.get((key, resource))
        if meter is None or meter.reset <= self.now():
            meter = self.meters[key, resource] = Meter(self.now() + timedelta(hours=1))
        return meter

    def signature(self, user: User) -> Signature:
        """How a user signs a commit that GitHub makes for them."""
        return Signature(user.name or user.login, f"{user.id}+{user.login}@users.noreply.github.com", self.now())
