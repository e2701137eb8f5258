"""What stands on an issue: comments, reactions, attachments, documents, and the history of what was done to it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.simulator.linear.model import Bot, Entity, Issue, Team, User


@dataclass(eq=False, kw_only=True)
class Comment(Entity):
    """A comment on an issue, or with `document` on a document (then `issue` is None)."""

    body: str
    issue: Issue | None
    user: User | None
    document: "Document | None" = None
    bot_actor: Bot | None = None
    parent: "Comment | None" = None
    children: list["Comment"] = field(default_factory=list)
    quoted_text: str | None = None
    edited_at: datetime | None = None
    resolved_at: datetime | None = None
    resolving_user: User | None = None
    resolving_comment: "Comment | None" = None
    reactions: list["Reaction"] = field(default_factory=list)
    external_user: None = None
    external_thread: "ExternalThread | None" = None
    on_behalf_of: User | None = None
    synced_with: "list[ExternalEntity] | None" = None
    agent_session: None = None
    project_id: None = None
    hide_in_linear: bool = False
    is_artificial_agent_session_root: bool = False

    @property
    def document_content_id(self) -> str | None:
        """The id of the document's content, when the comment stands on a document."""
        return self.document.document_content_id if self.document else None


@dataclass(frozen=True)
class ExternalThread:
    """The thread elsewhere (Slack, GitHub) that a comment is synced with."""

    type: str
    id: str | None = None
    name: str | None = None
    display_name: str | None = None
    sub_type: str | None = None
    url: str | None = None
    is_connected: bool = True
    is_personal_integration_connected: bool = False
    is_personal_integration_required: bool = False


@dataclass(frozen=True)
class ExternalEntity:
    """The object elsewhere that something is synced with."""

    id: str
    service: str


@dataclass(eq=False, kw_only=True)
class Reaction(Entity):
    """An emoji, by name, on a comment or an issue."""

    emoji: str
    user: User | None
    comment: Comment | None = None
    issue: Issue | None = None
    external_user: None = None


@dataclass(eq=False, kw_only=True)
class Attachment(Entity):
    """A link on an issue with free metadata; one per issue and URL."""

    issue: Issue
    title: str
    url: str
    subtitle: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    group_by_source: bool = False
    creator: User | None = None
    source: dict[str, Any] | None = None
    source_type: str | None = None
    external_user_creator: None = None
    original_issue: Issue | None = None


@dataclass(eq=False, kw_only=True)
class Document(Entity):
    """A document on an issue or a team."""

    title: str
    slug_id: str
    content: str = ""
    issue: Issue | None = None
    team: Team | None = None
    icon: str | None = None
    color: str | None = None
    sort_order: float = 0.0
    creator: User | None = None
    updated_by: User | None = None
    hidden_at: datetime | None = None
    trashed: bool | None = None
    comments: list[Comment] = field(default_factory=list)
    document_content_id: str = ""


@dataclass(eq=False, kw_only=True)
class History(Entity):
    """One entry of an issue's history; `changes` holds the fields of `IssueHistory` that this entry has."""

    issue: Issue
    actor: User | None
    bot_actor: Bot | None
    changes: dict[str, Any]

    @property
    def actor_id(self) -> str | None:
        """The id of the user who did it; None for integrations and automation."""
        return self.actor.id if self.actor else None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.changes.get(name)
