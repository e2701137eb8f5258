"""The schema that is executed is a part of the one Linear publishes, and every field of it can be read."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_introspection_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
    print_ast,
)

from bot.simulator.linear import LinearWorld, Person
from bot.simulator.linear.graphql import SCHEMA, schema
from bot.simulator.linear.mutations import MUTATIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLISHED = Path(__file__).parents[4] / "shared" / "linear" / "schema.graphql"


def differences(ours: GraphQLSchema, theirs: GraphQLSchema) -> list[str]:
    """Where a query that is valid against ours might not be valid against theirs."""
    found = []
    for name, kind in ours.type_map.items():
        real = theirs.type_map.get(name)
        if is_introspection_type(kind):
            continue
        if real is None or type(real) is not type(kind):
            found.append(name)
        elif isinstance(kind, GraphQLEnumType):
            found += [f"{name}.{value}" for value in kind.values.keys() ^ real.values.keys()]
        elif hasattr(kind, "fields"):
            found += field_differences(name, kind, real)
    return found


def default(value) -> str | None:
    """The default of an argument or input field as it is written."""
    return print_ast(value.ast_node.default_value) if value.ast_node.default_value else None


def field_differences(name, kind, real) -> list[str]:
    found = []
    for field_name, field in kind.fields.items():
        other = real.fields.get(field_name)
        place = f"{name}.{field_name}"
        if other is None or str(other.type) != str(field.type):
            found.append(place)
        elif isinstance(kind, GraphQLInputObjectType):
            found += [place] if default(other) != default(field) else []
        else:
            for argument_name, argument in field.args.items():
                match = other.args.get(argument_name)
                if match is None or str(match.type) != str(argument.type) or default(match) != default(argument):
                    found.append(f"{place}({argument_name})")
            missing = other.args.keys() - field.args.keys()
            found += [f"{place}({each}!)" for each in missing if is_required_argument(other.args[each])]
    if isinstance(kind, GraphQLInputObjectType):
        missing = real.fields.keys() - kind.fields.keys()
        found += [f"{name}.{each}!" for each in missing if is_required_input_field(real.fields[each])]
    return found


async def test_the_executed_schema_is_a_part_of_the_published_one():
    if not PUBLISHED.exists():
        pytest.skip("Linear's published schema does not lie beside this checkout")
    theirs = build_schema(PUBLISHED.read_text(), assume_valid=True)
    assert differences(build_schema(SCHEMA.read_text()), theirs) == []


async def test_a_difference_to_the_published_schema_is_noticed():
    theirs = build_schema("type Query { a(x: Int!): String! b: Int } input I { n: Int! o: Int = 1 } enum E { ONE }")
    ours = build_schema("type Query { a: String b: Int c: Int } input I { m: Int o: Int } enum E { TWO }")
    assert sorted(differences(ours, theirs)) == ["E.ONE", "E.TWO", "I.m", "I.n!", "I.o", "Query.a", "Query.c"]


async def test_every_mutation_of_the_schema_does_something():
    assert schema().mutation_type.fields.keys() == MUTATIONS.keys()


@pytest.fixture
def furnished(world: LinearWorld, alice: Person, bob: Person, clock) -> LinearWorld:
    """One of everything, so that every type has an object to read."""
    project = world.add_project("Dashboard")
    epic = alice.creates("YOU", "Epic", labels=("orchestrate",))
    epic.project = project
    child, other = alice.creates("YOU", "child", parent=epic), alice.creates("YOU", "other")
    clock.advance(minutes=4)
    alice.blocks(child, other)
    alice.moves(child, "Todo")
    comment = alice.comments(epic, "hello")
    bob.replies(comment, "hi")
    alice.reacts(comment, "eyes")
    document = alice.writes(epic, "Breakdown", "text")
    alice.comments_on_document(document, "note")
    world.add_webhook("http://127.0.0.1:9/in", "s", types=("IssueLabel",), team=world.team("YOU"))
    return world


async def test_every_field_of_every_type_can_be_read(wire, furnished: LinearWorld):
    furnished.limits.most_per_query = 1_000_000  # reading everything at once is what the real one forbids
    await wire.data(
        'mutation { attachmentCreate(input: {issueId: "YOU-1", url: "https://a", title: "a"}) { success } }'
    )
    reached: set[str] = set()
    for root, field in schema().query_type.fields.items():
        kind = get_named_type(field.type).name
        if kind.endswith("Connection") and root != "attachmentsForURL":
            selection = everything(kind.removesuffix("Connection"), 2, reached)
            data = await wire.data(f"{{ {root}(first: 5) {{ nodes {{ {selection} }} }} }}")
            assert data[root]["nodes"], root
    parts = {"viewer": "User", "organization": "Organization", "rateLimitStatus": "RateLimitPayload"}
    await wire.data(
        "{ " + " ".join(f"{root} {{ {everything(kind, 1, reached)} }}" for root, kind in parts.items()) + "}"
    )
    objects = {name for name, kind in schema().type_map.items() if isinstance(kind, GraphQLObjectType)}
    expected = {name for name in objects if not name.startswith("__") and not name.endswith(("Payload", "Connection"))}
    assert expected - reached <= {"Query", "Mutation", "PageInfo"} | {
        name for name in expected if name.endswith("Edge")
    }


def everything(kind: str, depth: int, reached: set[str]) -> str:
    """All leaves of `kind`, and of its objects `depth` levels down, as one selection."""
    reached.add(kind)
    parts = []
    for name, field in schema().type_map[kind].fields.items():
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            parts.append(name)
        elif depth and inner.name.endswith("Connection"):
            nodes = everything(inner.name.removesuffix("Connection"), depth - 1, reached)
            parts.append(f"{name}(first: 2) {{ nodes {{ {nodes} }} edges {{ cursor }} pageInfo {{ endCursor }} }}")
        elif depth:
            parts.append(f"{name} {{ {everything(inner.name, depth - 1, reached)} }}")
    return " ".join(parts)
