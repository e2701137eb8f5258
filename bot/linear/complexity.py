"""What a query costs Linear, in points: a property 0.1, an object 1, a connection multiplies by its page size.

Linear publishes the rule, not the code (facts on Linear, section 2.2); where it leaves room this counts the dearer
reading. Linear refuses a query above `MOST`.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import ceil
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    parse,
)

MOST = 10_000
_DEFAULT_PAGE = 50


def cost(document: str, variables: Mapping[str, Any] | None = None) -> int:
    """Points of the one operation in `document`, rounded up."""
    definitions = _parsed(document).definitions
    fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
    counter = _Counter(fragments, variables or {})
    return sum(
        ceil(counter.tenths(node.selection_set) / 10)
        for node in definitions
        if isinstance(node, OperationDefinitionNode)
    )


@lru_cache(maxsize=64)
def _parsed(document: str) -> DocumentNode:
    return parse(document, no_location=True)


class _Counter:
    """Counts in tenths, so that no rounding error tips a query over."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any]) -> None:
        self._fragments, self._variables = fragments, variables

    def tenths(self, selected: SelectionSetNode) -> int:
        total = 0
        for node in selected.selections:
            if isinstance(node, FieldNode):
                total += self._field(node)
            elif isinstance(node, FragmentSpreadNode):
                total += self.tenths(self._fragments[node.name.value].selection_set)
        return total

    def _field(self, node: FieldNode) -> int:
        if node.selection_set is None:
            return 1
        inner = self.tenths(node.selection_set)
        fields = {one.name.value for one in node.selection_set.selections if isinstance(one, FieldNode)}
        return inner * self._page(node) if "nodes" in fields else 10 + inner

    def _page(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
                if isinstance(argument.value, VariableNode):
                    return int(self._variables[argument.value.name.value])
        return _DEFAULT_PAGE
