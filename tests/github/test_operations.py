"""Our GraphQL documents against the slice of GitHub's own schema that the simulator has."""

from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

import bot.github
import bot.simulator.github
from bot.github.client import operation
from bot.github.observe import pulls_document

OPERATIONS = sorted(file.stem for file in (Path(bot.github.__path__[0]) / "operations").glob("*.graphql"))
SCHEMA = next(Path(bot.simulator.github.__path__[0]).rglob("schema.graphql"))


@pytest.fixture(scope="module")
def schema():
    return build_schema(SCHEMA.read_text())


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_one_that_github_understands(schema, name):
    assert validate(schema, parse(operation(name))) == []


def test_the_document_for_many_pull_requests_is_too(schema):
    assert validate(schema, parse(pulls_document(25))) == []
