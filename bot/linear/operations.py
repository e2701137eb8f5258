"""The GraphQL that is sent to Linear: one file per operation in `operations/`, fragments in the same folder.

Several operations of one kind travel as one document: `combined` gives each its own alias and variables.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    NameNode,
    Node,
    OperationDefinitionNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

FOLDER = resources.files("bot.linear") / "operations"
_FRAGMENTS = "fragments"


def names() -> tuple[str, ...]:
    """Names of all operations."""
    files = (item.name.removesuffix(".graphql") for item in FOLDER.iterdir() if item.name.endswith(".graphql"))
    return tuple(sorted(set(files) - {_FRAGMENTS}))


@cache
def operation(name: str) -> str:
    """The text of an operation with the fragments it uses.

    Raises:
        FileNotFoundError: there is no such operation.
    """
    return print_ast(_with_fragments(_read(name)))


def combined(parts: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """One document and its variables from several (operation name, variables); part N answers under `wN`.

    Each operation must have one field. They run in their order when they are mutations.
    """
    definitions: list[VariableDefinitionNode] = []
    fields: list[FieldNode] = []
    variables: dict[str, Any] = {}
    kind = _operation(_read(parts[0][0])).operation
    for index, (name, values) in enumerate(parts):
        single = _renamed(_operation(_read(name)), f"w{index}_")
        definitions.extend(single.variable_definitions or ())
        field = single.selection_set.selections[0]
        assert isinstance(field, FieldNode)
        assert single.operation == kind
        fields.append(_aliased(field, f"w{index}"))
        variables |= {f"w{index}_{key}": value for key, value in values.items()}
    declared = f"({', '.join(print_ast(definition) for definition in definitions)})" if definitions else ""
    body = "\n".join(print_ast(field) for field in fields)
    document = parse(f"{kind.value} Together{declared} {{\n{body}\n}}")
    return print_ast(_with_fragments(document)), variables


@cache
def _read(name: str) -> DocumentNode:
    return parse((FOLDER / f"{name}.graphql").read_text(encoding="utf-8"), no_location=True)


def _operation(document: DocumentNode) -> OperationDefinitionNode:
    return next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))


def _with_fragments(document: DocumentNode) -> DocumentNode:
    known = {
        node.name.value: node for node in _read(_FRAGMENTS).definitions if isinstance(node, FragmentDefinitionNode)
    }
    used: dict[str, FragmentDefinitionNode] = {}

    class Collect(Visitor):
        def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
            if node.name.value not in used:
                used[node.name.value] = known[node.name.value]
                visit(known[node.name.value], self)

    visit(document, Collect())
    return DocumentNode(definitions=(*document.definitions, *used.values()))


def _renamed(single: OperationDefinitionNode, prefix: str) -> OperationDefinitionNode:
    class Rename(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> Node:
            return VariableNode(name=NameNode(value=prefix + node.name.value))

    renamed = visit(single, Rename())
    assert isinstance(renamed, OperationDefinitionNode)
    return renamed


def _aliased(field: FieldNode, alias: str) -> FieldNode:
    return FieldNode(
        alias=NameNode(value=alias),
        name=field.name,
        arguments=field.arguments,
        directives=field.directives,
        selection_set=field.selection_set,
    )
