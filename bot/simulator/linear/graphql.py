"""One GraphQL request over the wire: parse, validate, count, execute, and answer in Linear's words."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from bot.simulator.linear import complexity
from bot.simulator.linear.auth import Caller
from bot.simulator.linear.errors import LinearError, not_authenticated, too_complex
from bot.simulator.linear.mutations import mutate
from bot.simulator.linear.payloads import timestamp
from bot.simulator.linear.resolvers import Context, resolve
from bot.simulator.linear.rules import is_uuid
from bot.simulator.linear.world import LinearWorld

SCHEMA = Path(__file__).with_name("schema.graphql")


@dataclass(frozen=True)
class Request:
    """A GraphQL request that could be read; `operation` is None when the document holds no such operation."""

    document: DocumentNode
    problems: tuple[GraphQLError, ...]
    operation: OperationDefinitionNode | None
    variables: dict[str, Any]

    @property
    def roots(self) -> list[str]:
        """The names of the root fields, in order; fragments at the root are not looked into."""
        selections = self.operation.selection_set.selections if self.operation else ()
        return [selection.name.value for selection in selections if isinstance(selection, FieldNode)]

    @property
    def name(self) -> str:
        """What faults and the request log call it: `mutation commentCreate+issueUpdate`."""
        return f"{self.operation.operation.value} {'+'.join(self.roots)}" if self.operation else "nothing"


@dataclass(frozen=True)
class Answer:
    """HTTP status, JSON body and what it cost."""

    status: int
    body: dict[str, Any]
    complexity: int = 0


@cache
def schema() -> GraphQLSchema:
    """The executable schema, built once."""
    built = build_schema(SCHEMA.read_text())
    for name, serialize, parse_value in (("DateTime", _written, _moment), ("UUID", str, _uuid)):
        scalar = built.type_map[name]
        assert isinstance(scalar, GraphQLScalarType)
        for attribute in ("serialize", "coerce_output_value"):  # the older name, and that of graphql-core 3.3
            setattr(scalar, attribute, serialize)
        for attribute in ("parse_value", "coerce_input_value"):
            setattr(scalar, attribute, parse_value)
    assert built.mutation_type
    for field in built.mutation_type.fields.values():
        field.resolve = mutate
    return built


def _written(value: Any) -> Any:
    return timestamp(value) if isinstance(value, datetime) else value


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    raise GraphQLError(f"DateTime cannot represent {value!r}")


def _uuid(value: Any) -> str:
    if isinstance(value, str) and is_uuid(value):
        return value.lower()
    raise GraphQLError(f"UUID cannot represent {value!r}")


def read(payload: Any) -> Request | Answer:
    """Take a decoded JSON body apart, or answer what is wrong with it."""
    query = payload.get("query") if isinstance(payload, dict) else None
    if not isinstance(query, str):
        return _invalid([GraphQLError("Must provide query string.")])
    try:
        document, problems = _checked(query)
    except GraphQLSyntaxError as error:
        return _invalid([error], code="GRAPHQL_PARSE_FAILED")
    wanted = payload.get("operationName")
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    named = [each for each in operations if wanted is None or (each.name and each.name.value == wanted)]
    variables = payload.get("variables") or {}
    return Request(document, problems, named[0] if len(named) == 1 else None, variables)


@lru_cache(maxsize=256)
def _checked(query: str) -> tuple[DocumentNode, tuple[GraphQLError, ...]]:
    """The document and what is wrong with it. A client sends the same few over and over; checking takes 40 ms."""
    document = parse(query)
    return document, tuple(validate(schema(), document))


def answer(world: LinearWorld, caller: Caller, request: Request) -> Answer:
    """Execute `request` for `caller`. Mutations of one document run in order; a failing one leaves the earlier done."""
    if request.problems:
        return _invalid(list(request.problems))
    if request.operation is None:
        return _invalid([GraphQLError("Unknown or ambiguous operation.")])
    if caller.kind == "none" and not all(root.startswith("__") for root in request.roots):
        return refused(not_authenticated())
    points = complexity.points(schema(), request.document, request.operation, request.variables)
    try:
        if points > world.limits.most_per_query:
            raise too_complex(points, world.limits.most_per_query)
        world.limits.spend_complexity(caller, points)
    except LinearError as error:
        return refused(error, points)
    return _execute(world, caller, request, points)


def _execute(world: LinearWorld, caller: Caller, request: Request, points: int) -> Answer:
    operation = request.operation
    result = execute_sync(
        schema(),
        request.document,
        context_value=Context(world, caller),
        variable_values=request.variables,
        operation_name=operation.name.value if operation and operation.name else None,
        field_resolver=resolve,
    )
    if not result.errors:
        return Answer(200, {"data": _as_javascript(result.data)}, points)
    if all(error.path is None for error in result.errors):
        return _invalid(list(result.errors), points=points)  # a variable of the wrong type: nothing was executed
    shapes, status = [], 200
    for error in result.errors:
        cause = error.original_error
        if not isinstance(cause, LinearError):
            raise error  # a mistake in the simulator, not something Linear says
        status = max(status, cause.status)
        shapes.append(_shape(error, cause.extensions))
    return Answer(status, {"errors": shapes, "data": _as_javascript(result.data)}, points)


def _as_javascript(value: Any) -> Any:
    """The same data with whole numbers written as JavaScript does: `number` is a Float, yet it comes as 12."""
    if isinstance(value, dict):
        return {key: _as_javascript(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_javascript(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def refused(error: LinearError, points: int = 0) -> Answer:
    """The answer when nothing at all was executed."""
    return Answer(error.status, {"errors": [{"message": error.message, "extensions": error.extensions}]}, points)


def _invalid(problems: list[GraphQLError], *, code: str = "GRAPHQL_VALIDATION_FAILED", points: int = 0) -> Answer:
    extensions = {"code": code, "type": "graphql error", "userError": True, "statusCode": 400}
    shapes = [_shape(problem, extensions) for problem in problems]
    for shape in shapes:
        shape["message"] = shape["message"].replace("'", '"')  # graphql-js quotes names with double quotes
    return Answer(400, {"errors": shapes}, points)


def _shape(error: GraphQLError, extensions: dict[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {"message": error.message}
    if error.path:
        shape["path"] = error.path
    if error.locations:
        shape["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    return shape | {"extensions": extensions}
