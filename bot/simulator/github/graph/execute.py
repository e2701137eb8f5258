"""Read a GraphQL request, check it against the schema, execute it, and shape the answer as GitHub does."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from inspect import isawaitable
from pathlib import Path
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)
from graphql import (
    execute as run,
)

from bot.simulator.github import render
from bot.simulator.github.errors import ApiError, not_found, not_simulated
from bot.simulator.github.graph import basics, pulls, reviews
from bot.simulator.github.graph.context import Context, View
from bot.simulator.github.graph.mutations import MUTATIONS
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.model_reviews import Comment, Review, ReviewComment, Thread
from bot.simulator.github.people import User


@dataclass(frozen=True)
class Document:
    """A parsed request, and the name under which faults and the log know it."""

    tree: DocumentNode
    wrong: tuple[str, ...]
    variables: Mapping[str, Any]
    operation: str | None
    name: str


@cache
def schema() -> GraphQLSchema:
    """The slice of GitHub's schema."""
    return build_schema(Path(__file__).with_name("schema.graphql").read_text())


def read(body: Mapping[str, Any]) -> Document:
    """Parse a request body; its name is such as `graphql query Decision repository`.

    Raises:
        ApiError: not GraphQL, or no query.
    """
    try:
        tree, wrong = _checked(str(body.get("query") or ""))
    except GraphQLError as error:
        raise ApiError(200, error.message, kind="PARSE_ERROR") from None
    operations = [one for one in tree.definitions if isinstance(one, OperationDefinitionNode)]
    wanted = body.get("operationName")
    chosen = next((one for one in operations if wanted in {None, one.name.value if one.name else None}), None)
    if chosen is None:
        raise ApiError(200, "No operation was given", kind="PARSE_ERROR")
    roots = [one.name.value for one in chosen.selection_set.selections if isinstance(one, FieldNode)]
    words = ["graphql", chosen.operation.value, chosen.name.value if chosen.name else "", *dict.fromkeys(roots)]
    name = " ".join(word for word in words if word)
    return Document(tree, wrong, body.get("variables") or {}, wanted, name)


@lru_cache(maxsize=256)
def _checked(query: str) -> tuple[DocumentNode, tuple[str, ...]]:
    """The document and what is wrong with it. A client sends the same few over and over; checking takes 40 ms."""
    tree = parse(query)
    return tree, tuple(error.message for error in validate(schema(), tree))


async def execute(context: Context, document: Document) -> dict[str, Any]:
    """The whole answer: `data`, and `errors` in GitHub's shape.

    Raises:
        ApiError: 501 for a type, field or argument outside of the slice.
    """
    if document.wrong:
        raise not_simulated("; ".join(document.wrong))
    result = run(
        schema(),
        document.tree,
        root_value=_roots(context),
        variable_values=dict(document.variables),
        operation_name=document.operation,
        field_resolver=_field,
    )
    done = await result if isawaitable(result) else result
    answer: dict[str, Any] = {"data": done.data}
    if done.errors:
        answer["errors"] = [_error(error) for error in done.errors]
    return answer


def _field(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    try:
        value = source[info.field_name]
    except KeyError:
        raise not_simulated(f"{info.parent_type.name}.{info.field_name}") from None
    return value(**arguments) if callable(value) else value


def _error(error: GraphQLError) -> dict[str, Any]:
    cause = error.original_error
    shown = cast("dict[str, Any]", dict(error.formatted))
    if isinstance(cause, ApiError):
        if cause.status == 501:
            raise cause
        return {**shown, "type": cause.kind, "message": sentence(cause)}
    if cause is not None:
        raise cause  # a bug of ours must not look like an answer of GitHub's
    return shown


def sentence(error: ApiError) -> str:
    """The reason inside an error: GraphQL has no list of errors below its message."""
    reasons = [one.get("message") if isinstance(one, dict) else one for one in error.errors or ()]
    return "; ".join(str(reason) for reason in reasons if reason) or error.message


def _roots(context: Context) -> View:
    roots: View = {
        "viewer": lambda: basics.viewer(context),
        "user": lambda login: _user(context, login),
        "repository": lambda owner, name: _repository(context, owner, name),
        "node": lambda id: _view(context, id),  # noqa: A006  # GitHub's own argument name
        "nodes": lambda ids: [_view(context, one) for one in ids],
        "rateLimit": lambda: _rate_limit(context),
    }
    for name, mutate in MUTATIONS.items():
        roots[name] = _mutation(context, mutate)
    return roots


def _mutation(context: Context, mutate: Any) -> Any:
    async def answer(input: dict[str, Any]) -> View:  # noqa: A002  # GitHub's own argument name
        return {"clientMutationId": input.get("clientMutationId"), **await mutate(context, input)}

    return answer


def _repository(context: Context, owner: str, name: str) -> View:
    try:
        repo = context.world.repository(f"{owner}/{name}")
        context.require(repo, "metadata:read")
    except ApiError as refused:
        if refused.kind != "NOT_FOUND":
            raise
        raise not_found(f"Could not resolve to a Repository with the name '{owner}/{name}'.") from None
    return basics.repository(context, repo)


def _user(context: Context, login: str) -> View | None:
    who = context.world.users.get(login.lower())
    if who is None or who.kind != "User":
        raise not_found(f"Could not resolve to a User with the login of '{login}'.")
    return basics.actor(context, who)


def _view(context: Context, node_id: str) -> View | None:
    found = context.world.nodes.get(node_id)
    if isinstance(found, User):
        return basics.actor(context, found)
    repo = _home(found)
    if repo is None:
        raise not_found(f"Could not resolve to a node with the global id of '{node_id}'.")
    context.require(repo, "metadata:read" if found is repo else "pull_requests:read")
    if isinstance(found, Repository):
        return basics.repository(context, found)
    if isinstance(found, Pull):
        return pulls.pull(context, found)
    if isinstance(found, Thread):
        return reviews.thread(context, found)
    if isinstance(found, Comment):
        return reviews.comment(context, found)
    if isinstance(found, Review):
        return reviews.review(context, found)
    return reviews.review_comment(context, found) if isinstance(found, ReviewComment) else None


def _home(found: object) -> Repository | None:
    if isinstance(found, Repository):
        return found
    if isinstance(found, Pull):
        return found.repository
    if isinstance(found, ReviewComment):
        return found.thread.pull.repository
    return found.pull.repository if isinstance(found, Thread | Comment | Review) else None


def _rate_limit(context: Context) -> View:
    world = context.world
    meter = world.meter(context.caller.key, "graphql")
    limit = world.knobs.rate_limit
    return {
        "cost": 1,
        "nodeCount": 1,
        "limit": limit,
        "used": meter.used,
        "remaining": max(0, limit - meter.used),
        "resetAt": render.stamp(meter.reset),
    }
