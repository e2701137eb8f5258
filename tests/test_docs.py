"""What the documents name exists: commands, figures, settings, files, make targets and words of the policy."""

import argparse
import re
from pathlib import Path

import pytest

from bot.cli import _parser
from bot.reference import PAGE, page, reference

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")])
SOURCES = "\n".join(
    path.read_text() for folder in ("bot", "handlers") for path in (ROOT / folder).rglob("*.py") if path.is_file()
)


def _commands(parser, before=()):
    """Every command of the parser, as words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield (*before, name)
                yield from _commands(below, (*before, name))


COMMANDS = {words[0]: {rest[1] for rest in _commands(_parser()) if rest[0] == words[0] and len(rest) > 1}
            for words in _commands(_parser())}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_exists(page):
    named = re.findall(r"(?:^ {4}|`|\$ )callboard ([a-z-]+)(?: ([a-z|]+)\b)?", page.read_text(), re.M)
    for command, below in named:
        assert command in COMMANDS, f"{page.name} names `callboard {command}`"
        for one in below.split("|") if below and COMMANDS[command] else ():
            assert one in COMMANDS[command], f"{page.name} names `callboard {command} {one}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_figure_that_a_page_names_is_counted(page):
    for name in re.findall(r"`(callboard_[a-z_]+)`", page.read_text()):
        assert f'"{name}"' in SOURCES, f"{page.name} names {name}"


def test_every_figure_is_explained():
    page = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r'"(callboard_[a-z_]+)"', SOURCES)) <= set(re.findall(r"`(callboard_[a-z_]+)`", page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_a_page_names_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:^ {4}|`)make ([a-z-]+)", page.read_text(), re.M)) <= targets | {"e2e"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for where in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / where).exists(), f"{page.name} links to {where}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_a_page_names_is_read(page):
    for name in re.findall(r"`((?:CALLBOARD|LINEAR|GITHUB|ANTHROPIC|OPENAI|DATABASE)_[A-Z_]+)`", page.read_text()):
        assert f'"{name.removesuffix("_FILE")}"' in SOURCES, f"{page.name} names {name}"


def test_the_reference_of_the_policy_is_what_make_docs_writes():
    assert PAGE.read_text() == page(PAGE.read_text()), "run `make docs`"


def test_every_key_of_the_policy_is_explained():
    unexplained = [line for line in reference().splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert not unexplained
