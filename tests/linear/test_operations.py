"""Every document we can send is one that Linear accepts, and stays within what a query may cost."""

from functools import cache
from pathlib import Path

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate

from bot.linear import operations
from bot.linear.batch import MOST_WRITES
from bot.linear.complexity import MOST, cost
from bot.linear.observe import shape_for

ROOT = Path(__file__).parents[2]
SDL = {
    "Linear's": ROOT.parent / "shared/linear/schema.graphql",
    "the simulator's": ROOT / "bot/simulator/linear/schema.graphql",
}


@cache
def schema(whose: str) -> GraphQLSchema:
    if not SDL[whose].exists():
        pytest.skip(f"{SDL[whose].name} is not there")
    return build_schema(SDL[whose].read_text(encoding="utf-8"))


def kind(name: str) -> str:
    first = parse(operations.operation(name)).definitions[0]
    assert isinstance(first, OperationDefinitionNode)
    return first.operation.value


@pytest.mark.parametrize("whose", SDL)
@pytest.mark.parametrize("name", operations.names())
def test_the_schema_has_what_an_operation_asks_for(name: str, whose: str) -> None:
    assert validate(schema(whose), parse(operations.operation(name))) == []


@pytest.mark.parametrize("whose", SDL)
def test_the_schema_accepts_all_mutations_in_one_document(whose: str) -> None:
    every = [name for name in operations.names() if kind(name) == "mutation"]
    document, _ = operations.combined([(name, {}) for name in every * 2])
    assert len(every) > 8
    assert validate(schema(whose), parse(document)) == []


@pytest.mark.parametrize("whose", SDL)
def test_the_schema_accepts_the_rest_of_many_lists_in_one_document(whose: str) -> None:
    more = [name for name in operations.names() if name.startswith("more_")]
    document, _ = operations.combined([(name, {}) for name in more * 2])
    assert len(more) == 5
    assert validate(schema(whose), parse(document)) == []


def test_parts_of_a_document_keep_their_own_variables_and_order() -> None:
    document, variables = operations.combined(
        [("commentCreate", {"input": {"body": "a"}}), ("issueUpdate", {"id": "i", "input": {"title": "t"}})]
    )
    assert variables == {"w0_input": {"body": "a"}, "w1_id": "i", "w1_input": {"title": "t"}}
    assert document.index("w0: commentCreate(input: $w0_input)") < document.index("w1: issueUpdate(id: $w1_id")


def test_the_cost_is_counted_as_linear_documents_it() -> None:
    assert cost("{ user { name } }") == 2
    assert cost("{ user { createdIssues { nodes { id title createdAt } } } }") == 66
    assert cost("{ user { createdIssues(first: 10) { nodes { id title createdAt } } } }") == 14


@pytest.mark.parametrize("tickets", [0, 1, 6, 12, 20, 33, 46, 50])
def test_an_epic_of_any_size_is_read_within_the_limit(tickets: int) -> None:
    shape = shape_for(tickets)
    assert cost(operations.operation("epic"), shape) <= MOST
    assert shape["tickets"] >= min(50, tickets)
    assert shape["comments"] >= 8


@pytest.mark.parametrize("name", [name for name in operations.names() if name not in ("epic", "tickets")])
def test_every_other_operation_is_cheap(name: str) -> None:
    assert cost(operations.operation(name)) <= MOST


def test_a_full_document_of_writes_is_cheap() -> None:
    document, _ = operations.combined([("issueCreate", {})] * MOST_WRITES)
    assert cost(document) <= MOST // 10
