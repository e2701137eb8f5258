"""All words that people read: comments, the panel, pull request bodies, and the sentence of every blocker.

`comments.md` holds the templates, each under a line `%% name`; `blockers.toml` one sentence per reason, `findings.toml`
what the doctor finds, `pages.toml` why a web page is not shown. What agents or strangers wrote goes through the filter
`plain`, so that it can't mention people, close issues, load images or hide.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from bot.machine.decision import Blocker
from bot.machine.inert import disarmed, inert
from bot.machine.visible import visible_characters


def say(words: str, values: Mapping[str, Any]) -> str:
    """The text of a template.

    Raises:
        KeyError: there is no such template.
        jinja2.UndefinedError: a value is missing.
    """
    return _environment().get_template(words).render(values).strip() + "\n"


def sentence(blocker: Blocker) -> str:
    """Why something waits, in one sentence: the same on the panel, in `why`, in the log and on the page."""
    values = {
        name: inert(one, references=False) if isinstance(one, str) else one for name, one in blocker.values.items()
    }
    return _sentences()[blocker.reason].format(**values)


def page_sentence(name: str, /, **values: object) -> str:
    """Why a page is not shown, or does not do what was asked, in a sentence or two.

    Raises:
        KeyError: there is no such reason, or a value is missing.
    """
    return _page_sentences()[name].format(**values)


def plain(text: object, limit: int = 6000) -> str:
    """Somebody else's text as Markdown that does nothing (see `bot/machine/inert.py`), bounded in length."""
    return _cut(inert(text), limit)


def fenced(text: object, limit: int = 6000) -> str:
    """Somebody else's text for a code block: it can't end the block, and nothing in it acts."""
    return _cut(disarmed(text), limit).replace("```", "'''").replace("~~~", "'''")


def cell(text: object, limit: int = 200) -> str:
    """Somebody else's text as code on one line, also in a table: no mark in it means anything."""
    flat = " ".join(visible_characters(str(text)).split())
    flat = (flat if len(flat) <= limit else f"{flat[:limit]} …").replace("|", "\u2223")
    fence = "`" * (max((len(run) for run in re.findall(r"`+", flat)), default=0) + 1)
    pad = " " if flat[:1] == "`" or flat[-1:] == "`" or not flat else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]} …"


def names() -> frozenset[str]:
    """The names of all templates."""
    return frozenset(_texts())


def findings() -> Mapping[str, Mapping[str, str]]:
    """What the doctor can find, by code: `level`, `what`, and for what is not well `why` and `mend`."""
    return _findings()


def setup_text(name: str, /, **values: object) -> str:
    """A text of set-up (`setup.md`), as Markdown.

    Raises:
        KeyError: there is no such text.
        jinja2.UndefinedError: a value is missing.
    """
    text = _texts("setup.md")[name]
    return Environment(undefined=StrictUndefined, autoescape=False).from_string(text).render(values).strip()  # noqa: S701


def reasons() -> frozenset[str]:
    """The reasons a blocker may have."""
    return frozenset(_sentences())


@cache
def _texts(file: str = "comments.md") -> dict[str, str]:
    parts = re.split(r"^%% (\w+)\n", files(__package__).joinpath(file).read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@cache
def _sentences() -> dict[str, str]:
    return tomllib.loads(files(__package__).joinpath("blockers.toml").read_text())


@cache
def _findings() -> dict[str, dict[str, str]]:
    return tomllib.loads(files(__package__).joinpath("findings.toml").read_text())


@cache
def _page_sentences() -> dict[str, str]:
    return tomllib.loads(files(__package__).joinpath("pages.toml").read_text())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=DictLoader(_texts()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  # Markdown; what others wrote goes through `plain`
    )
    environment.filters |= {"plain": plain, "fenced": fenced, "sentence": sentence, "cell": cell}
    return environment
