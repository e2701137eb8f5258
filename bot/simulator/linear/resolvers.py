"""How the fields of the schema are read from the world.

Most fields are attributes of the entity under their snake_case name; a list under a connection field is cut into a
page. Only what differs is written down here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLResolveInfo, get_named_type

from bot.simulator.linear import rules
from bot.simulator.linear.auth import Caller
from bot.simulator.linear.connections import connect
from bot.simulator.linear.content import Attachment, Comment, Document
from bot.simulator.linear.errors import not_found
from bot.simulator.linear.filters import snake
from bot.simulator.linear.model import (
    Actor,
    Entity,
    Issue,
    Label,
    Membership,
    Project,
    Relation,
    State,
    Team,
    User,
    Webhook,
)
from bot.simulator.linear.shape import administrator
from bot.simulator.linear.webhooks import failures
from bot.simulator.linear.world import LinearWorld


@dataclass(frozen=True)
class Context:
    """One request: the world and who asks."""

    world: LinearWorld
    caller: Caller

    @property
    def user(self) -> User:
        """The user whose request it is; requests of nobody never get as far as a resolver."""
        assert self.caller.user
        return self.caller.user

    @property
    def actor(self) -> Actor:
        """The user as the actor of changes."""
        return Actor(self.user)


Resolver = Callable[[Context, Any, dict[str, Any]], Any]


def resolve(source: Any, info: GraphQLResolveInfo[Context], **arguments: Any) -> Any:
    """The default resolver of every field except the root fields of mutations."""
    context = info.context
    special = RESOLVERS.get(f"{info.parent_type.name}.{info.field_name}")
    if special:
        value = special(context, source, arguments)
    elif isinstance(source, dict):
        value = source.get(info.field_name)
    else:
        value = getattr(source, snake(info.field_name))
    if isinstance(value, list) and get_named_type(info.return_type).name.endswith("Connection"):
        return connect(value, arguments, context.world.moment())
    return value


def _one(kind: type[Entity]) -> Resolver:
    return lambda context, _source, arguments: rules.entity(context.world, kind, arguments["id"])


def _every(kind: type[Entity]) -> Resolver:
    return lambda context, _source, _arguments: context.world.all(kind)


def _users(context: Context, _source: Any, arguments: dict[str, Any]) -> list[User]:
    return [user for user in context.world.all(User) if user.active or arguments.get("includeDisabled")]


def _team(context: Context, _source: Any, arguments: dict[str, Any]) -> Team:
    for team in context.world.all(Team):
        if arguments["id"] in (team.id, team.key):
            return team
    raise not_found("Team")


def _comment(context: Context, _source: Any, arguments: dict[str, Any]) -> Comment:
    return rules.entity(context.world, Comment, arguments.get("id") or "")


def _document(context: Context, _source: Any, arguments: dict[str, Any]) -> Document:
    for document in context.world.all(Document):
        if arguments["id"] in (document.id, document.slug_id):
            return document
    raise not_found("Document")


def _attachments_for_url(context: Context, _source: Any, arguments: dict[str, Any]) -> list[Attachment]:
    return [each for each in context.world.all(Attachment) if each.url == arguments["url"]]


def _webhooks(context: Context, _source: Any, _arguments: dict[str, Any]) -> list[Webhook]:
    administrator(context.actor)
    return context.world.all(Webhook)


def _webhook(context: Context, _source: Any, arguments: dict[str, Any]) -> Webhook:
    administrator(context.actor)
    return rules.entity(context.world, Webhook, arguments["id"])


def _rate_limit_status(context: Context, _source: Any, _arguments: dict[str, Any]) -> dict[str, Any]:
    limits = []
    for kind in ("requests", "complexity"):
        bucket = context.world.limits.bucket(kind, context.caller)
        limits.append(
            {
                "type": kind,
                "requestedAmount": 1,
                "allowedAmount": bucket.capacity,
                "period": 3_600_000,
                "remainingAmount": int(bucket.left),
                "reset": bucket.reset,
            }
        )
    return {
        "identifier": context.user.id,
        "kind": "apiKey" if context.caller.kind == "key" else "oauth",
        "limits": limits,
    }


def _document_content(_context: Context, comment: Comment, _arguments: dict[str, Any]) -> dict[str, Any] | None:
    document = comment.document
    if document is None:
        return None
    return {
        "id": document.document_content_id,
        "content": document.content,
        "createdAt": document.created_at,
        "updatedAt": document.updated_at,
        "document": document,
        "issue": document.issue,
    }


def _url(context: Context, entity: Entity, _arguments: dict[str, Any]) -> str | None:
    return context.world.url(entity)


def _organization(context: Context, _source: Any, _arguments: dict[str, Any]) -> Entity:
    return context.world.organization


def _id_of(name: str) -> Resolver:
    def resolve_id(_context: Context, source: Any, _arguments: dict[str, Any]) -> str | None:
        other: Entity | None = getattr(source, name)
        return other.id if other else None

    return resolve_id


def _team_labels(context: Context, team: Team, _arguments: dict[str, Any]) -> list[Label]:
    return [label for label in context.world.all(Label) if label.team is team]  # labels of the workspace are not in it


RESOLVERS: dict[str, Resolver] = {
    "Query.viewer": lambda context, _source, _arguments: context.user,
    "Query.organization": _organization,
    "Query.rateLimitStatus": _rate_limit_status,
    "Query.issue": _one(Issue),
    "Query.issues": _every(Issue),
    "Query.team": _team,
    "Query.teams": _every(Team),
    "Query.user": lambda context, _source, arguments: (
        context.user if arguments["id"] == "me" else rules.entity(context.world, User, arguments["id"])
    ),
    "Query.users": _users,
    "Query.document": _document,
    "Query.documents": _every(Document),
    "Query.comment": _comment,
    "Query.comments": _every(Comment),
    "Query.attachment": _one(Attachment),
    "Query.attachments": _every(Attachment),
    "Query.attachmentsForURL": _attachments_for_url,
    "Query.webhook": _webhook,
    "Query.webhooks": _webhooks,
    "Query.workflowState": _one(State),
    "Query.workflowStates": _every(State),
    "Query.project": _one(Project),
    "Query.projects": _every(Project),
    "Project.url": _url,
    "Project.issues": lambda context, project, _arguments: [
        issue for issue in context.world.all(Issue) if issue.project is project
    ],
    "Query.issueLabel": _one(Label),
    "Query.issueLabels": _every(Label),
    "Query.issueRelation": _one(Relation),
    "Query.issueRelations": _every(Relation),
    "Organization.userCount": lambda context, _source, _arguments: len(context.world.all(User)),
    "Organization.createdIssueCount": lambda context, _source, _arguments: len(context.world.all(Issue)),
    "Organization.labels": lambda context, _source, _arguments: [
        label for label in context.world.all(Label) if label.team is None
    ],
    "Organization.teams": _every(Team),
    "Organization.users": _users,
    "ExternalUser.organization": _organization,
    "Team.organization": _organization,
    "Team.labels": _team_labels,
    "Team.issueCount": lambda _context, team, arguments: sum(
        bool(arguments.get("includeArchived")) or not issue.archived_at for issue in team.issues
    ),
    "Team.webhooks": lambda context, team, _arguments: [
        webhook for webhook in _webhooks(context, None, {}) if webhook.team is team
    ],
    "User.organization": _organization,
    "User.url": _url,
    "User.initials": lambda _context, user, _arguments: user.name[:2].upper(),
    "User.isMe": lambda context, user, _arguments: user is context.user,
    "User.isAssignable": lambda _context, user, _arguments: user.active and not user.app,
    "User.isMentionable": lambda _context, user, _arguments: user.active,
    "User.teams": lambda context, user, _arguments: [team for team in context.world.all(Team) if user in team.members],
    "User.teamMemberships": lambda context, user, _arguments: [
        membership for membership in context.world.all(Membership) if membership.user is user
    ],
    "WorkflowState.issues": lambda _context, state, _arguments: [
        issue for issue in state.team.issues if issue.state is state
    ],
    "IssueLabel.issues": lambda context, label, _arguments: [
        issue for issue in context.world.all(Issue) if label in issue.labels
    ],
    "Issue.url": _url,
    "Comment.url": _url,
    "Comment.issueId": _id_of("issue"),
    "Comment.parentId": _id_of("parent"),
    "Comment.resolvingCommentId": _id_of("resolving_comment"),
    "Comment.documentContent": _document_content,
    "Document.url": _url,
    "Webhook.url": lambda _context, webhook, _arguments: None if webhook.hidden_url else webhook.url,
    "Webhook.failures": lambda context, webhook, _arguments: failures(context.world, webhook),
}
