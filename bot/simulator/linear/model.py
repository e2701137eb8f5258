"""The things that exist in a simulated Linear workspace. The world owns and changes them; nobody else does."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.simulator.linear.content import Attachment, Comment, Document, History, Reaction
    from bot.simulator.linear.git_rules import GitAutomation


@dataclass(eq=False, kw_only=True)
class Entity:
    """What every object of Linear has. Two entities are equal only when they are the same one."""

    id: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None


@dataclass(eq=False, kw_only=True)
class User(Entity):
    """A member, a guest, or the app user of an OAuth application (`app`)."""

    name: str
    display_name: str
    email: str
    active: bool = True
    admin: bool = False
    app: bool = False
    guest: bool = False
    owner: bool = False
    supports_agent_sessions: bool = False
    git_hub_user_id: str | None = None
    avatar_url: str | None = None
    timezone: str | None = None
    title: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Bot:
    """What stands in `botActor` when an integration or an automation, not a user, did something."""

    type: str
    name: str
    id: str | None = None
    sub_type: str | None = None
    avatar_url: str | None = None
    user_display_name: str | None = None


@dataclass(frozen=True)
class Actor:
    """Who does something: a user, or (with `user` None) an integration or automation."""

    user: User | None = None
    bot: Bot | None = None


@dataclass(eq=False, kw_only=True)
class Team(Entity):
    """A team with its workflow states, labels, members and automation settings."""

    key: str
    name: str
    states: list["State"] = field(default_factory=list)
    memberships: list["Membership"] = field(default_factory=list)
    default_issue_state: "State | None" = None
    triage_enabled: bool = False
    triage_issue_state: "State | None" = None
    auto_close_parent_issues: bool | None = False
    auto_close_child_issues: bool | None = False
    auto_close_period: float | None = None
    auto_close_state_id: str | None = None
    auto_archive_period: float = 6.0
    inherit_workflow_statuses: bool = False
    group_issue_history: bool = True
    git_automation_states: list["GitAutomation"] = field(default_factory=list)
    visibility: str = "public"
    description: str | None = None
    color: str | None = None
    timezone: str = "UTC"
    retired_at: datetime | None = None
    issues: list["Issue"] = field(default_factory=list)
    last_number: int = 0

    @property
    def display_name(self) -> str:
        """The name Linear shows."""
        return self.name

    @property
    def private(self) -> bool:
        """The old name of `visibility`."""
        return self.visibility == "private"

    @property
    def members(self) -> list[User]:
        """The users who belong to the team."""
        return [membership.user for membership in self.memberships]

    @property
    def marked_as_duplicate_workflow_state(self) -> "State | None":
        """The state that a duplicate moves to."""
        return next((state for state in self.states if state.type == "duplicate"), None)


@dataclass(eq=False, kw_only=True)
class Membership(Entity):
    """A user's place in a team."""

    team: Team
    user: User
    owner: bool = False
    sort_order: float = 0.0


@dataclass(eq=False, kw_only=True)
class State(Entity):
    """A workflow state of one team; its `type` never changes."""

    name: str
    type: str
    position: float
    team: Team
    color: str = "#95a2b3"
    description: str | None = None


@dataclass(eq=False, kw_only=True)
class Label(Entity):
    """An issue label of a team, or of the whole workspace (`team` None)."""

    name: str
    color: str = "#5e6ad2"
    team: Team | None = None
    parent: "Label | None" = None
    is_group: bool = False
    description: str | None = None
    creator: User | None = None
    retired_at: datetime | None = None
    children: list["Label"] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Project(Entity):
    """A project, as far as an issue may belong to one."""

    name: str
    slug_id: str
    description: str = ""
    color: str = "#bec2c8"
    icon: str | None = None
    content: str | None = None
    lead: User | None = None
    creator: User | None = None
    sort_order: float = 0.0


@dataclass(eq=False, kw_only=True)
class Issue(Entity):
    """An issue. `labels` is in the order of application."""

    number: int
    title: str
    team: Team
    state: State
    sort_order: float
    description: str | None = None
    priority: int = 0
    estimate: float | None = None
    due_date: str | None = None
    sub_issue_sort_order: float | None = None
    labels: list[Label] = field(default_factory=list)
    parent: "Issue | None" = None
    children: list["Issue"] = field(default_factory=list)
    relations: list["Relation"] = field(default_factory=list)
    inverse_relations: list["Relation"] = field(default_factory=list)
    comments: list["Comment"] = field(default_factory=list)
    attachments: list["Attachment"] = field(default_factory=list)
    documents: list["Document"] = field(default_factory=list)
    reactions: list["Reaction"] = field(default_factory=list)
    history: list["History"] = field(default_factory=list)
    creator: User | None = None
    assignee: User | None = None
    delegate: User | None = None
    project: Project | None = None
    bot_actor: Bot | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    auto_closed_at: datetime | None = None
    auto_archived_at: datetime | None = None
    trashed: bool | None = None
    previous_identifiers: list[str] = field(default_factory=list)
    external_user_creator: None = None
    synced_with: None = None

    @property
    def identifier(self) -> str:
        """The name people use, such as YOU-12."""
        return f"{self.team.key}-{self.number}"

    @property
    def label_ids(self) -> list[str]:
        """The ids of the labels it bears."""
        return [label.id for label in self.labels]

    @property
    def label_names(self) -> list[str]:
        """The names of the labels it bears."""
        return [label.name for label in self.labels]

    @property
    def priority_label(self) -> str:
        """The word for the priority."""
        return ("No priority", "Urgent", "High", "Medium", "Low")[self.priority]

    @property
    def branch_name(self) -> str:
        """The branch name that Linear offers for copying."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")[:60]
        owner = self.assignee or self.creator
        prefix = f"{owner.display_name}/" if owner else ""
        return f"{prefix}{self.identifier.lower()}-{slug}"

    @property
    def has_blocked_by_relations(self) -> bool:
        """Whether some issue blocks this one."""
        return any(relation.type == "blocks" for relation in self.inverse_relations)

    @property
    def has_blocking_relations(self) -> bool:
        """Whether this issue blocks some other."""
        return any(relation.type == "blocks" for relation in self.relations)

    @property
    def has_duplicate_relations(self) -> bool:
        """Whether this issue is marked as a duplicate of another."""
        return any(relation.type == "duplicate" for relation in self.relations)

    @property
    def has_related_relations(self) -> bool:
        """Whether this issue is related to another, in either direction."""
        return any(relation.type == "related" for relation in (*self.relations, *self.inverse_relations))


@dataclass(eq=False, kw_only=True)
class Relation(Entity):
    """`issue` blocks, duplicates or is related to `related_issue`."""

    issue: Issue
    related_issue: Issue
    type: str


@dataclass(eq=False, kw_only=True)
class Webhook(Entity):
    """A configured webhook. `url` is where letters go; `hidden_url` says that the API shows null for it."""

    url: str
    secret: str
    resource_types: list[str]
    team: Team | None = None
    all_public_teams: bool = True
    label: str | None = None
    enabled: bool = True
    creator: User | None = None
    hidden_url: bool = False

    @property
    def team_ids(self) -> list[str] | None:
        """The team it is limited to, as a list."""
        return [self.team.id] if self.team else None


@dataclass(eq=False, kw_only=True)
class Organization(Entity):
    """The workspace itself."""

    name: str
    url_key: str
    logo_url: str | None = None
    git_branch_format: str | None = None
    git_linkback_messages_enabled: bool = True
    git_linkback_descriptions_enabled: bool = False
    git_public_linkback_messages_enabled: bool = False
