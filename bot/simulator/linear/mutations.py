"""The mutations: each takes the arguments of its field and gives back its payload."""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLResolveInfo

from bot.simulator.linear import issues, rules, shape, talk
from bot.simulator.linear.content import Attachment, Comment, Document, Reaction
from bot.simulator.linear.errors import LinearError, forbidden, not_found_in
from bot.simulator.linear.filters import snake
from bot.simulator.linear.model import Entity, Issue, Relation, Webhook
from bot.simulator.linear.resolvers import Context

Mutation = Callable[[Context, dict[str, Any]], dict[str, Any]]


def mutate(_source: Any, info: GraphQLResolveInfo[Context], **arguments: Any) -> dict[str, Any]:
    """The resolver of every root field of a mutation.

    Raises:
        LinearError: whatever Linear refuses.
    """
    context = info.context
    if "write" not in context.caller.scopes:
        raise forbidden()
    result = MUTATIONS[info.field_name](context, arguments)
    context.world.sync_id += 1
    return {"success": True, "lastSyncId": context.world.sync_id} | result


def _fields(arguments: dict[str, Any]) -> dict[str, Any]:
    return {snake(name): value for name, value in arguments["input"].items()}


def _creates(key: str, create: Callable[..., Entity]) -> Mutation:
    return lambda context, arguments: {key: create(context.world, context.actor, _fields(arguments))}


def _updates(key: str, kind: type[Entity], update: Callable[..., Entity]) -> Mutation:
    def run(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
        found = rules.entity(context.world, kind, arguments["id"])
        return {key: update(context.world, context.actor, found, _fields(arguments))}

    return run


def _deletes(kind: type[Entity], delete: Callable[..., None]) -> Mutation:
    def run(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
        found = rules.entity(context.world, kind, arguments["id"])
        delete(context.world, context.actor, found)
        return {"entityId": found.id}

    return run


def _issue_batch_create(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    batch = [{snake(name): value for name, value in one.items()} for one in arguments["input"]["issues"]]
    return {"issues": issues.create_issues(context.world, context.actor, batch)}


def _issue_batch_update(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    found = [context.world.get(Issue, reference) for reference in arguments["ids"]]
    known = [rules.editable(issue) for issue in found if issue]
    if len(known) < len(found):
        raise not_found_in("ids")
    if len(known) > issues.MOST_IN_BATCH:
        raise LinearError("Too many issues", presentable=f"No more than {issues.MOST_IN_BATCH} issues at once.")
    changes = _fields(arguments)
    for issue in known:
        issues.checked(context.world, issue, changes)  # all or none
    return {"issues": [issues.update_issue(context.world, context.actor, issue, changes) for issue in known]}


def _issue_update(context: Context, issue: Issue, fields: dict[str, Any]) -> Issue:
    trashed = fields.pop("trashed", None)
    updated = issues.update_issue(context.world, context.actor, issue, fields)
    return issues.archive_issue(context.world, context.actor, updated, trash=True) if trashed else updated


def _issue(context: Context, arguments: dict[str, Any]) -> Issue:
    return rules.entity(context.world, Issue, arguments["id"])


def _labels(key: str) -> Mutation:
    def run(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
        changes = {key: [arguments["labelId"]]}
        return {"issue": issues.update_issue(context.world, context.actor, _issue(context, arguments), changes)}

    return run


def _comment_update(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    comment = rules.entity(context.world, Comment, arguments["id"])
    silent = bool(arguments.get("skipEditedAt"))
    updated = talk.update_comment(context.world, context.actor, comment, _fields(arguments), silent=silent)
    return {"comment": updated}


def _comment_resolve(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    comment = rules.entity(context.world, Comment, arguments["id"])
    by = arguments.get("resolvingCommentId")
    resolving = rules.entity(context.world, Comment, by) if by else None
    return {"comment": talk.resolve_comment(context.world, context.actor, comment, resolving)}


def _document_delete(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    document = rules.entity(context.world, Document, arguments["id"])
    return {"entity": talk.delete_document(context.world, context.actor, document)}


def _webhook_rotate(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    webhook = rules.entity(context.world, Webhook, arguments["id"])
    secret = shape.new_secret()
    return {"secret": shape.update_webhook(context.world, context.actor, webhook, {"secret": secret}).secret}


def _archives(*, trash: bool) -> Mutation:
    def run(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
        trashing = trash or bool(arguments.get("trash"))
        issue = _issue(context, arguments)
        return {"entity": issues.archive_issue(context.world, context.actor, issue, trash=trashing)}

    return run


MUTATIONS: dict[str, Mutation] = {
    "issueCreate": _creates("issue", issues.create_issue),
    "issueBatchCreate": _issue_batch_create,
    "issueUpdate": lambda context, arguments: {
        "issue": _issue_update(context, _issue(context, arguments), _fields(arguments))
    },
    "issueBatchUpdate": _issue_batch_update,
    "issueAddLabel": _labels("added_label_ids"),
    "issueRemoveLabel": _labels("removed_label_ids"),
    "issueArchive": _archives(trash=False),
    "issueDelete": _archives(trash=True),
    "issueUnarchive": lambda context, arguments: {
        "entity": issues.unarchive_issue(context.world, context.actor, _issue(context, arguments))
    },
    "issueLabelCreate": _creates("issueLabel", shape.create_label),
    "workflowStateCreate": _creates("workflowState", shape.create_state),
    "issueRelationCreate": _creates("issueRelation", shape.create_relation),
    "issueRelationDelete": _deletes(Relation, shape.delete_relation),
    "commentCreate": _creates("comment", talk.create_comment),
    "commentUpdate": _comment_update,
    "commentResolve": _comment_resolve,
    "commentDelete": _deletes(Comment, talk.delete_comment),
    "reactionCreate": _creates("reaction", talk.create_reaction),
    "reactionDelete": _deletes(Reaction, talk.delete_reaction),
    "attachmentCreate": _creates("attachment", talk.create_attachment),
    "attachmentUpdate": _updates("attachment", Attachment, talk.update_attachment),
    "attachmentDelete": _deletes(Attachment, talk.delete_attachment),
    "documentCreate": _creates("document", talk.create_document),
    "documentUpdate": _updates("document", Document, talk.update_document),
    "documentDelete": _document_delete,
    "webhookCreate": _creates("webhook", shape.create_webhook),
    "webhookUpdate": _updates("webhook", Webhook, shape.update_webhook),
    "webhookDelete": _deletes(Webhook, shape.delete_webhook),
    "webhookRotateSecret": _webhook_rotate,
}
