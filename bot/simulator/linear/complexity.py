"""What a query costs: a property 0.1, an object 1, and a connection multiplies what is in it by its page size.

Linear publishes the rule but not its code. Where the rule leaves room (the `pageInfo` of a connection) this counts
the dearer reading.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

from bot.simulator.linear.connections import DEFAULT


def points(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> int:
    """The complexity of `operation`, which must be valid, rounded up."""
    root = schema.query_type if operation.operation.value == "query" else schema.mutation_type
    defaults = {
        definition.variable.name.value: int(definition.default_value.value)
        for definition in operation.variable_definitions or ()
        if isinstance(definition.default_value, IntValueNode)
    }
    counter = _Counter(schema, document, defaults | dict(variables))
    return -(-counter.tenths(operation.selection_set, root) // 10)


class _Counter:
    """Counts in tenths of a point, so that no rounding error can tip a query over."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.schema, self.variables = schema, variables
        self.fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }

    def tenths(self, selections: SelectionSetNode, parent: Any) -> int:
        """The cost of what is selected on `parent`."""
        total = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                total += self._field(selection, parent)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                kind = self.schema.get_type(condition.name.value) if condition else parent
                total += self.tenths(selection.selection_set, kind)
            elif isinstance(selection, FragmentSpreadNode):
                fragment = self.fragments[selection.name.value]
                kind = self.schema.get_type(fragment.type_condition.name.value)
                total += self.tenths(fragment.selection_set, kind)
        return total

    def _field(self, node: FieldNode, parent: Any) -> int:
        if node.name.value.startswith("__"):
            return 1 if node.selection_set is None else 0  # introspection is free
        field: GraphQLField = parent.fields[node.name.value]
        kind = get_named_type(field.type)
        if is_leaf_type(kind) or node.selection_set is None:
            return 1
        inner = self.tenths(node.selection_set, kind)
        return inner * self._page_size(node) if kind.name.endswith("Connection") else 10 + inner

    def _page_size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                value: Any = None
                if isinstance(argument.value, VariableNode):
                    value = self.variables.get(argument.value.name.value)
                elif isinstance(argument.value, IntValueNode):
                    value = int(argument.value.value)
                return value if isinstance(value, int) else DEFAULT
        return DEFAULT
