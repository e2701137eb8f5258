"""The state of one simulated Linear workspace, and the knobs that make it unpleasant."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from bot.simulator.faults import Faults
from bot.simulator.linear.auth import Credentials
from bot.simulator.linear.content import Attachment, Comment, Document
from bot.simulator.linear.git_rules import GitAutomation, TargetBranch
from bot.simulator.linear.limits import Limits
from bot.simulator.linear.model import (
    Entity,
    Issue,
    Label,
    Membership,
    Organization,
    Project,
    State,
    Team,
    User,
    Webhook,
)
from bot.simulator.post_office import Habits, PostOffice

E = TypeVar("E", bound=Entity)

DEFAULT_STATES = (
    ("Backlog", "backlog"),
    ("Todo", "unstarted"),
    ("In Progress", "started"),
    ("In Review", "started"),
    ("Done", "completed"),
    ("Canceled", "canceled"),
    ("Duplicate", "duplicate"),
)
STAGE_STATES = (
    "Research in Progress",
    "Plan in Progress",
    "Plan in Review",
    "Ready for Dev",
    "In Dev",
    "Code Review",
    "Ready to Merge",
)
RETRIES = (60.0, 3600.0, 21600.0)


@dataclass
class Knobs:
    """Where the real service was seen to behave in more than one way, and where it may get worse.

    `conflict_status`: HTTP status of a create with an existing id, 200 or 400. `own_echo`: whether an app's own issue
    changes come back as events. `actor_null`: every event lacks its actor. `remove_with_id_only`: `remove` events
    carry no more than the id. `drift`: unknown fields in events. `loosen_lists`: blank lines between list items.
    `issue_limit`: active issues of a free workspace. `disable_after`: so many letters in a row that nobody took,
    retries included, switch a webhook off (the real number is not published).
    `folded`: how long what happens to a new issue belongs to its creation and leaves no history.
    `ids_stay_used`: the id of something that was deleted can't be given again (nobody has seen whether it can).
    """

    conflict_status: int = 200
    own_echo: bool = True
    actor_null: bool = False
    remove_with_id_only: bool = True
    drift: bool = False
    loosen_lists: bool = True
    issue_limit: int | None = None
    disable_after: int = 20
    folded: timedelta = timedelta(minutes=3)
    ids_stay_used: bool = False


@dataclass(frozen=True)
class RequestLog:
    """One HTTP request: the operation (such as `query issue`), the kind of credential (`key`, `app`, `none`)."""

    at: datetime
    operation: str
    credential: str
    complexity: int
    status: int


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class LinearWorld:
    """One workspace with everything in it.

    `now` is the clock; `retries` are the seconds between the sendings of a webhook that nobody took (Linear's own are
    the default); `base_url` is where the pages stand, the root of every entity's URL. `requests` logs every HTTP
    request, `events` every event whether or not a webhook listens.
    """

    now: Callable[[], datetime] = _utc_now
    retries: tuple[float, ...] = RETRIES
    habits: Habits = field(default_factory=Habits)
    base_url: str = "https://linear.app/acme"
    knobs: Knobs = field(default_factory=Knobs)
    faults: Faults = field(default_factory=Faults)
    requests: list[RequestLog] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    deliveries: dict[str, Webhook] = field(default_factory=dict)
    sync_id: int = 0
    dropped: set[str] = field(default_factory=set)
    """Ids of what was deleted."""
    github_webhook: Callable[[Request], Awaitable[Response]] | None = None
    """Who takes GitHub's webhooks, when the workspace is connected with GitHub."""

    def __post_init__(self) -> None:
        self.post_office = PostOffice(
            timeout=5.0, retries=self.retries, delivered=lambda status: status == 200, habits=self.habits
        )
        self._entities: dict[type[Entity], dict[str, Any]] = {}
        self.credentials = Credentials(now=self.moment)
        self.limits = Limits(now=self.moment)
        self.organization = self.add(Organization(**self.fresh(), name="Acme", url_key="acme"))

    @classmethod
    def small(cls, *, with_stages: bool = False, **settings: Any) -> Self:
        """A workspace with team YOU, alice (admin), bob (member), gina (guest) and the app user callboard.

        `with_stages` adds the workflow states of Callboard's stages to Linear's default ones. There are the workspace
        labels `orchestrate` and `worker`, the personal key `lin_api_alice`, and the OAuth application `callboard`
        with the secret `callboard-secret`.
        """
        world = cls(**settings)
        team = world.add_team("YOU", "YouLab", with_stages=with_stages)
        alice = world.add_user("alice", admin=True, teams=(team,))
        world.add_user("bob", teams=(team,))
        world.add_user("gina", guest=True, teams=(team,))
        app = world.add_user("callboard", app=True, teams=(team,))
        for name in ("orchestrate", "worker"):
            world.add_label(name)
        world.credentials.keys["lin_api_alice"] = alice
        world.credentials.register("callboard", "callboard-secret", app)
        return world

    # ---- time and identity

    def moment(self) -> datetime:
        """The present, in UTC, cut to milliseconds."""
        moment = self.now().astimezone(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def fresh(self, identifier: str | None = None) -> dict[str, Any]:
        """What every new entity starts with."""
        moment = self.moment()
        return {"id": identifier or str(uuid.uuid4()), "created_at": moment, "updated_at": moment}

    # ---- entities

    def add(self, entity: E) -> E:
        """Take an entity in."""
        self._entities.setdefault(type(entity), {})[entity.id] = entity
        return entity

    def drop(self, entity: Entity) -> None:
        """Forget an entity."""
        self.dropped.add(entity.id)
        del self._entities[type(entity)][entity.id]

    def get(self, kind: type[E], identifier: str | None) -> E | None:
        """The entity with this UUID, or None."""
        found: E | None = self._entities.get(kind, {}).get((identifier or "").lower())
        return found

    def all(self, kind: type[E]) -> list[E]:
        """All entities of a kind, oldest first, archived ones included."""
        return list(self._entities.get(kind, {}).values())

    def find_issue(self, reference: str | None) -> Issue | None:
        """The issue with this UUID or identifier (also one it had before it moved), or None."""
        if found := self.get(Issue, reference):
            return found
        wanted = (reference or "").upper()
        issues = self.all(Issue)
        named = (issue for issue in issues if issue.identifier == wanted)
        return next(named, None) or next((issue for issue in issues if wanted in issue.previous_identifiers), None)

    # ---- reading, for tests and pages

    def issue(self, identifier: str) -> Issue:
        """The issue called YOU-1, say; KeyError when there is none."""
        if found := self.find_issue(identifier):
            return found
        raise KeyError(identifier)

    def issues(self) -> list[Issue]:
        """All issues, oldest first."""
        return self.all(Issue)

    def children(self, issue: Issue) -> list[Issue]:
        """The sub-issues, oldest first, archived ones included."""
        return list(issue.children)

    def comments(self, issue: Issue) -> list[Comment]:
        """The comments, oldest first, replies included."""
        return list(issue.comments)

    def user(self, name: str) -> User:
        """The user with this display name."""
        return next(user for user in self.all(User) if user.display_name == name)

    def team(self, key: str) -> Team:
        """The team with this key."""
        return next(team for team in self.all(Team) if team.key == key)

    def state(self, name: str, team: str = "YOU") -> State:
        """The workflow state with this name."""
        return next(state for state in self.team(team).states if state.name == name)

    def label(self, name: str) -> Label:
        """The label with this name, of the workspace or any team."""
        return next(label for label in self.all(Label) if label.name == name)

    def url(self, entity: Entity) -> str | None:
        """Where the entity's page stands; None for what has none."""
        match entity:
            case Issue():
                return f"{self.base_url}/issue/{entity.identifier}"
            case Comment():
                home = entity.issue or entity.document
                return f"{self.url(home) if home else self.base_url}#comment-{entity.id[:8]}"
            case Document():
                return f"{self.base_url}/document/{entity.slug_id}"
            case User():
                return f"{self.base_url}/profiles/{entity.display_name}"
            case Project():
                return f"{self.base_url}/project/{entity.slug_id}"
            case Attachment():
                return entity.url
        return None

    # ---- setting the stage (no events, as before the story begins)

    def add_team(self, key: str, name: str, *, with_stages: bool = False) -> Team:
        """A team with Linear's default workflow states; new issues land in Backlog."""
        team = self.add(Team(**self.fresh(), key=key, name=name))
        stages = tuple((stage, "started") for stage in STAGE_STATES) if with_stages else ()
        for position, (state, kind) in enumerate((*DEFAULT_STATES, *stages)):
            self.add_state(team, state, kind, position=float(position))
        team.default_issue_state = team.states[0]
        return team

    def add_state(self, team: Team, name: str, kind: str, *, position: float = 100.0) -> State:
        """A workflow state."""
        state = self.add(State(**self.fresh(), name=name, type=kind, position=position, team=team))
        team.states.append(state)
        return state

    def automate(self, team: Team, event: str, state: str | None, *, branch: str | None = None) -> GitAutomation:
        """A rule of the team for what the GitHub integration does on `event` (draft start review mergeable merge)."""
        aimed = self.add(TargetBranch(**self.fresh(), team=team, branch_pattern=branch)) if branch else None
        target = self.state(state, team.key) if state else None
        rule = GitAutomation(**self.fresh(), team=team, event=event, state=target, target_branch=aimed)
        team.git_automation_states.append(self.add(rule))
        return rule

    def add_user(self, name: str, *, teams: tuple[Team, ...] = (), **properties: Any) -> User:
        """A user whose display name is `name`."""
        email = f"{name}@{'oauthapp.linear.app' if properties.get('app') else 'acme.example'}"
        user = self.add(User(**self.fresh(), name=name.capitalize(), display_name=name, email=email, **properties))
        for team in teams:
            team.memberships.append(self.add(Membership(**self.fresh(), team=team, user=user)))
        return user

    def add_label(self, name: str, *, team: Team | None = None, **properties: Any) -> Label:
        """A label of the workspace, or of `team`."""
        label = self.add(Label(**self.fresh(), name=name, team=team, **properties))
        if label.parent:
            label.parent.children.append(label)
        return label

    def add_project(self, name: str) -> Project:
        """A project that issues of any team may belong to."""
        return self.add(Project(**self.fresh(), name=name, slug_id=name.lower().replace(" ", "-")))

    def add_webhook(self, url: str, secret: str, *, types: tuple[str, ...] = (), team: Team | None = None) -> Webhook:
        """A webhook for all public teams, or one team, listening to `types` (Issue, Comment, Document by default)."""
        types = types or ("Issue", "Comment", "Document")
        webhook = Webhook(**self.fresh(), url=url, secret=secret, resource_types=list(types), team=team)
        webhook.all_public_teams = team is None
        return self.add(webhook)

    async def close(self) -> None:
        """Stop delivering webhooks."""
        await self.post_office.close()
