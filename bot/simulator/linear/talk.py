"""Changes to what stands on an issue: comments, reactions, attachments, documents."""

import secrets
import uuid
from typing import TYPE_CHECKING, Any

from bot.simulator.linear import rules
from bot.simulator.linear.content import Attachment, Comment, Document, Reaction
from bot.simulator.linear.errors import LinearError, conflict, forbidden, invalid_argument
from bot.simulator.linear.model import Actor, Issue, Team
from bot.simulator.linear.payloads import payload
from bot.simulator.linear.webhooks import announce

if TYPE_CHECKING:
    from bot.simulator.linear.world import LinearWorld


def create_comment(world: "LinearWorld", actor: Actor, fields: dict[str, Any]) -> Comment:
    """Comment on an issue (`issue_id`) or a document (`document_content_id`), or reply (`parent_id` besides).

    Raises:
        LinearError: whatever is wrong with `fields`.
    """
    identifier = rules.new_id(world, Comment, fields.get("id"))
    body = rules.markdown(world, fields.get("body"))
    if not body:
        raise invalid_argument("body should not be empty.")
    issue, document = _place(world, fields)
    parent = rules.referenced(world, Comment, "parentId", fields["parent_id"]) if fields.get("parent_id") else None
    if parent and parent.parent:
        raise LinearError("Parent comment must be a top level comment")
    if parent and (parent.issue is not issue or parent.document is not document):
        raise LinearError("Parent comment must be on the same issue")
    comment = world.add(
        Comment(
            **world.fresh(identifier),
            body=body,
            issue=issue,
            document=document,
            parent=parent,
            user=actor.user,
            bot_actor=actor.bot,
            quoted_text=fields.get("quoted_text"),
            external_thread=fields.get("external_thread"),
        )
    )
    (issue or document).comments.append(comment)  # type: ignore[union-attr]  # _place gives exactly one
    if parent:
        parent.children.append(comment)
    announce(world, actor, "create", comment)  # the issue's updatedAt stays: a comment must not count as a change
    return comment


def _place(world: "LinearWorld", fields: dict[str, Any]) -> tuple[Issue | None, Document | None]:
    if fields.get("issue_id"):
        return rules.editable(rules.referenced_issue(world, "issueId", fields["issue_id"])), None
    wanted = fields.get("document_content_id")
    document = next((each for each in world.all(Document) if wanted and each.document_content_id == wanted), None)
    if not document:
        raise invalid_argument("issueId must be defined, also with parentId.")
    return None, document


def update_comment(
    world: "LinearWorld", actor: Actor, comment: Comment, changes: dict[str, Any], *, silent: bool = False
) -> Comment:
    """Edit one's own comment; `silent` leaves `editedAt` alone.

    Raises:
        LinearError: it is somebody else's, or the body is empty.
    """
    if comment.user is not actor.user:
        raise forbidden()
    before = payload(world, comment)
    if "body" in changes:
        body = rules.markdown(world, changes["body"])
        if not body:
            raise invalid_argument("body should not be empty.")
        if body == comment.body:
            return comment
        comment.body = body
        if not silent:
            comment.edited_at = world.moment()
    if "quoted_text" in changes:
        comment.quoted_text = changes["quoted_text"]
    comment.updated_at = world.moment()
    announce(world, actor, "update", comment, before=before)
    return comment


def resolve_comment(world: "LinearWorld", actor: Actor, comment: Comment, by: Comment | None = None) -> Comment:
    """Mark a thread as resolved.

    Raises:
        LinearError: a reply can't be resolved.
    """
    if comment.parent:
        raise LinearError("Parent comment must be a top level comment")
    before = payload(world, comment)
    comment.resolved_at = comment.updated_at = world.moment()
    comment.resolving_user, comment.resolving_comment = actor.user, by
    announce(world, actor, "update", comment, before=before)
    return comment


def delete_comment(world: "LinearWorld", actor: Actor, comment: Comment) -> None:
    """Delete a comment and the replies to it.

    Raises:
        LinearError: it is somebody else's, and the actor is no admin.
    """
    if comment.user is not actor.user and not (actor.user and actor.user.admin):
        raise forbidden()
    for each in (*comment.children, comment):
        home = each.issue or each.document
        if home:
            home.comments.remove(each)
        world.drop(each)
        announce(world, actor, "remove", each)
    if comment.parent:
        comment.parent.children.remove(comment)


def create_reaction(world: "LinearWorld", actor: Actor, fields: dict[str, Any]) -> Reaction:
    """React with an emoji.

    Raises:
        LinearError: the actor did so before, or there is nothing to react to.
    """
    identifier = rules.new_id(world, Reaction, fields.get("id"))
    comment = rules.referenced(world, Comment, "commentId", fields["comment_id"]) if fields.get("comment_id") else None
    issue = rules.referenced_issue(world, "issueId", fields["issue_id"]) if fields.get("issue_id") else None
    owner: Comment | Issue | None = comment or issue
    if owner is None:
        raise invalid_argument("commentId or issueId must be defined.")
    for other in owner.reactions:
        if other.user is actor.user and other.emoji == fields["emoji"]:
            raise conflict("Reaction", other.id, status=world.knobs.conflict_status)
    reaction = world.add(
        Reaction(**world.fresh(identifier), emoji=fields["emoji"], user=actor.user, comment=comment, issue=issue)
    )
    owner.reactions.append(reaction)
    announce(world, actor, "create", reaction)
    return reaction


def delete_reaction(world: "LinearWorld", actor: Actor, reaction: Reaction) -> None:
    """Take a reaction back.

    Raises:
        LinearError: it is somebody else's.
    """
    if reaction.user is not actor.user:
        raise forbidden()
    owner = reaction.comment or reaction.issue
    if owner:
        owner.reactions.remove(reaction)
    world.drop(reaction)
    announce(world, actor, "remove", reaction)


def create_attachment(world: "LinearWorld", actor: Actor, fields: dict[str, Any]) -> Attachment:
    """Attach a URL to an issue. The same URL again is the same attachment with all its fields replaced.

    No history entry is written.

    Raises:
        LinearError: whatever is wrong with `fields`.
    """
    issue = rules.editable(rules.referenced_issue(world, "issueId", fields["issue_id"]))
    if not fields["url"]:
        raise invalid_argument("url should not be empty.")
    content = {
        "title": fields["title"],
        "subtitle": fields.get("subtitle"),
        "metadata": fields.get("metadata") or {},
        "group_by_source": bool(fields.get("group_by_source")),
    }
    attachment = next((each for each in issue.attachments if each.url == fields["url"]), None)
    if attachment:
        _replace(world, actor, attachment, content)
    else:
        identifier = rules.new_id(world, Attachment, fields.get("id"))
        attachment = Attachment(
            **world.fresh(identifier), issue=issue, url=fields["url"], creator=actor.user, **content
        )
        issue.attachments.append(world.add(attachment))
        announce(world, actor, "create", attachment)
    if fields.get("comment_body"):
        create_comment(world, actor, {"issue_id": issue.id, "body": fields["comment_body"]})
    return attachment


def update_attachment(
    world: "LinearWorld", actor: Actor, attachment: Attachment, changes: dict[str, Any]
) -> Attachment:
    """Change title, subtitle or metadata; what is absent stays.

    Raises:
        LinearError: the issue is archived.
    """
    rules.editable(attachment.issue)
    names = ("title", "subtitle", "metadata")
    content = {name: changes[name] for name in names if name in changes}
    _replace(world, actor, attachment, content | ({"metadata": {}} if content.get("metadata", 0) is None else {}))
    return attachment


def _replace(world: "LinearWorld", actor: Actor, attachment: Attachment, content: dict[str, Any]) -> None:
    before = payload(world, attachment)
    for name, value in content.items():
        setattr(attachment, name, value)
    attachment.updated_at = world.moment()
    announce(world, actor, "update", attachment, before=before)


def delete_attachment(world: "LinearWorld", actor: Actor, attachment: Attachment) -> None:
    """Take an attachment off its issue."""
    attachment.issue.attachments.remove(attachment)
    world.drop(attachment)
    announce(world, actor, "remove", attachment)


def create_document(world: "LinearWorld", actor: Actor, fields: dict[str, Any]) -> Document:
    """Write a document on an issue or a team.

    Raises:
        LinearError: whatever is wrong with `fields`.
    """
    identifier = rules.new_id(world, Document, fields.get("id"))
    issue = rules.referenced_issue(world, "issueId", fields["issue_id"]) if fields.get("issue_id") else None
    team = rules.referenced(world, Team, "teamId", fields["team_id"]) if fields.get("team_id") else None
    if (issue is None) == (team is None):
        raise invalid_argument("Exactly one of issueId, teamId must be defined.")
    if not fields["title"].strip():
        raise invalid_argument("title should not be empty.")
    document = world.add(
        Document(
            **world.fresh(identifier),
            title=fields["title"].strip(),
            slug_id=secrets.token_hex(6),
            content=rules.markdown(world, fields.get("content")) or "",
            issue=issue,
            team=team,
            icon=fields.get("icon"),
            color=fields.get("color"),
            sort_order=fields.get("sort_order") or 0.0,
            creator=actor.user,
            updated_by=actor.user,
            document_content_id=str(uuid.uuid4()),
        )
    )
    if issue:
        issue.documents.append(document)
    announce(world, actor, "create", document)
    return document


def update_document(world: "LinearWorld", actor: Actor, document: Document, changes: dict[str, Any]) -> Document:
    """Rewrite a document.

    Raises:
        LinearError: it is in the trash, or the title is empty.
    """
    if document.archived_at:
        raise LinearError("Entity is archived", presentable="The document is archived and can't be edited.")
    before = payload(world, document)
    if changes.get("title") is not None:
        document.title = changes["title"].strip()
    if "content" in changes:
        document.content = rules.markdown(world, changes["content"]) or ""
    for name in ("icon", "color", "sort_order", "hidden_at"):
        if name in changes:
            setattr(document, name, changes[name])
    document.updated_by, document.updated_at = actor.user, world.moment()
    announce(world, actor, "update", document, before=before)
    return document


def delete_document(world: "LinearWorld", actor: Actor, document: Document) -> Document:
    """Put a document into the trash."""
    document.archived_at = document.updated_at = world.moment()
    document.trashed = True
    announce(world, actor, "remove", document)
    return document
