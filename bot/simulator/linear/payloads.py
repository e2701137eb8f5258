"""The `data` of each event type. Labels are flat here; state, team and people are small objects beside their ids."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.simulator.linear.content import Attachment, Comment, Document, Reaction
from bot.simulator.linear.model import Bot, Entity, Issue, Label, User

if TYPE_CHECKING:
    from bot.simulator.linear.world import LinearWorld

TYPES: dict[type[Entity], str] = {
    Issue: "Issue",
    Comment: "Comment",
    Reaction: "Reaction",
    Label: "IssueLabel",
    Attachment: "Attachment",
    Document: "Document",
}


def payload(world: "LinearWorld", entity: Entity) -> dict[str, Any]:
    """The `data` for `entity`, whose type must be one of `TYPES`."""
    data = _PAYLOADS[type(entity)](world, entity)
    times = {"createdAt": entity.created_at, "updatedAt": entity.updated_at, "archivedAt": entity.archived_at}
    return {"id": entity.id} | {key: _plain(value) for key, value in (times | data).items()}


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as Linear writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _plain(value: Any) -> Any:
    return timestamp(value) if isinstance(value, datetime) else value


def _id(entity: Entity | None) -> str | None:
    return entity.id if entity else None


def _person(world: "LinearWorld", user: User | None) -> dict[str, Any] | None:
    if user is None:
        return None
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "avatarUrl": user.avatar_url,
        "url": world.url(user),
    }


def _bot(bot: Bot | None) -> str | None:
    return json.dumps({"type": bot.type, "name": bot.name}) if bot else None


def _issue(world: "LinearWorld", issue: Issue) -> dict[str, Any]:
    state, team = issue.state, issue.team
    data: dict[str, Any] = {
        "identifier": issue.identifier,
        "number": issue.number,
        "title": issue.title,
        "description": issue.description,
        "url": world.url(issue),
        "priority": issue.priority,
        "priorityLabel": issue.priority_label,
        "sortOrder": issue.sort_order,
        "prioritySortOrder": issue.sort_order,
        "subIssueSortOrder": issue.sub_issue_sort_order,
        "estimate": issue.estimate,
        "dueDate": issue.due_date,
        "startedAt": issue.started_at,
        "completedAt": issue.completed_at,
        "canceledAt": issue.canceled_at,
        "autoClosedAt": issue.auto_closed_at,
        "trashed": issue.trashed,
        "stateId": state.id,
        "state": {"id": state.id, "name": state.name, "type": state.type, "color": state.color},
        "teamId": team.id,
        "team": {"id": team.id, "key": team.key, "name": team.name},
        "labelIds": issue.label_ids,
        "labels": [
            {"id": label.id, "name": label.name, "color": label.color, "parentId": _id(label.parent)}
            for label in issue.labels
        ],
        "parentId": _id(issue.parent),
        "previousIdentifiers": list(issue.previous_identifiers),
        "botActor": _bot(issue.bot_actor),
        "subscriberIds": [issue.creator.id] if issue.creator else [],
        "reactionData": {},
        "syncedWith": None,
        "projectId": _id(issue.project),
    }
    if issue.project:
        data["project"] = {"id": issue.project.id, "name": issue.project.name, "url": world.url(issue.project)}
    for role, user in (("assignee", issue.assignee), ("delegate", issue.delegate), ("creator", issue.creator)):
        data |= {f"{role}Id": _id(user)} | ({role: _person(world, user)} if user else {})
    return data


def _comment(world: "LinearWorld", comment: Comment) -> dict[str, Any]:
    issue, parent, user = comment.issue, comment.parent, comment.user
    data: dict[str, Any] = {
        "body": comment.body,
        "issueId": _id(issue),
        "parentId": _id(parent),
        "userId": _id(user),
        "botActor": _bot(comment.bot_actor),
        "documentContentId": comment.document_content_id,
        "quotedText": comment.quoted_text,
        "editedAt": comment.edited_at,
        "resolvedAt": comment.resolved_at,
        "resolvingUserId": _id(comment.resolving_user),
        "externalUserId": None,
        "projectId": None,
        "reactionData": {},
        "syncedWith": [vars(entity) for entity in comment.synced_with] if comment.synced_with else None,
    }
    if issue:
        data["issue"] = _issue_child(world, issue)
    if parent:
        data["parent"] = {"id": parent.id, "body": parent.body, "issueId": _id(issue), "userId": _id(parent.user)}
    if user:
        data["user"] = _person(world, user)
    return data


def _issue_child(world: "LinearWorld", issue: Issue) -> dict[str, Any]:
    team = issue.team
    return {
        "id": issue.id,
        "identifier": issue.identifier,
        "title": issue.title,
        "url": world.url(issue),
        "teamId": team.id,
        "team": {"id": team.id, "key": team.key, "name": team.name},
    }


def _reaction(world: "LinearWorld", reaction: Reaction) -> dict[str, Any]:
    comment, issue = reaction.comment, reaction.issue
    data: dict[str, Any] = {"emoji": reaction.emoji, "userId": _id(reaction.user), "externalUserId": None}
    data["user"] = _person(world, reaction.user)
    if comment:
        child = {"id": comment.id, "body": comment.body, "issueId": _id(comment.issue), "userId": _id(comment.user)}
        data |= {"commentId": comment.id, "comment": child}  # and no issueId of its own
    if issue:
        data |= {"issueId": issue.id, "issue": _issue_child(world, issue)}
    return data


def _label(_world: "LinearWorld", label: Label) -> dict[str, Any]:
    return {
        "name": label.name,
        "color": label.color,
        "description": label.description,
        "isGroup": label.is_group,
        "parentId": _id(label.parent),
        "teamId": _id(label.team),
        "creatorId": _id(label.creator),
        "inheritedFromId": None,
    }


def _attachment(_world: "LinearWorld", attachment: Attachment) -> dict[str, Any]:
    return {
        "issueId": attachment.issue.id,
        "url": attachment.url,
        "title": attachment.title,
        "subtitle": attachment.subtitle,
        "metadata": attachment.metadata,
        "source": attachment.source,
        "sourceType": attachment.source_type,
        "groupBySource": attachment.group_by_source,
        "creatorId": _id(attachment.creator),
        "originalIssueId": _id(attachment.original_issue),
    }


def _document(_world: "LinearWorld", document: Document) -> dict[str, Any]:
    """The schema's payload names no issue: who wants to know it must read the document."""
    return {
        "title": document.title,
        "content": document.content,
        "slugId": document.slug_id,
        "icon": document.icon,
        "color": document.color,
        "sortOrder": document.sort_order,
        "creatorId": _id(document.creator),
        "updatedById": _id(document.updated_by),
        "hiddenAt": document.hidden_at,
        "trashed": document.trashed,
    }


_PAYLOADS: dict[type[Entity], Callable[["LinearWorld", Any], dict[str, Any]]] = {
    Issue: _issue,
    Comment: _comment,
    Reaction: _reaction,
    Label: _label,
    Attachment: _attachment,
    Document: _document,
}
