"""Our GraphQL documents against the slice of GitHub's own schema that the simulator has."""

from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

import bot.simulator.github
from bot.github.operations import FOLDER, operation, pulls_document

OPERATIONS = sorted({file.name.removesuffix(".graphql") for file in FOLDER.iterdir()} - {"fragments"})
SCHEMA = next(Path(bot.simulator.github.__path__[0]).rglob("schema.graphql"))


@pytest.fixture(scope="module")
def schema():
    return build_schema(SCHEMA.read_text())


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_one_that_github_understands(schema, name):
    assert validate(schema, parse(operation(name))) == []


def test_the_document_for_many_pull_requests_is_too(schema):
    assert validate(schema, parse(pulls_document(25))) == []


def test_the_document_repeats_the_marked_part_and_has_every_fragment_once():
    text = pulls_document(3)
    assert "$n0: Int!, $n1: Int!, $n2: Int!" in text
    assert [f"p{index}: pullRequest(number: $n{index})" in text for index in range(4)] == [True, True, True, False]
    assert text.count("isRequired(pullRequestNumber: $n2)") == 2
    assert text.count("fragment LineRemark on") == 1
