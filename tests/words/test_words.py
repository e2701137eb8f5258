"""The words people read: every one is used, and what others wrote can do no harm in them."""

import re
from pathlib import Path

import pytest

from bot.words import names, plain, reasons, say

SOURCES = "\n".join(
    path.read_text()
    for folder in ("bot/machine", "bot/runs", "handlers", "bot")
    for path in Path(__file__).parents[2].joinpath(folder).glob("*.py")
)

COMMENTS = Path(__file__).parents[2] / "bot" / "words" / "comments.md"


def test_every_template_and_every_reason_is_used_somewhere():
    included = set(re.findall(r'{% include "(\w+)" %}', COMMENTS.read_text()))
    unused = [name for name in names() | reasons() if f'"{name}"' not in SOURCES and name not in included]
    assert sorted(unused) == ["breakdown_review"]  # its name is put together from "breakdown"


def test_every_reason_that_is_given_has_its_sentence():
    given = set(re.findall(r'Blocker\([^"]+"(\w+)"', SOURCES))
    assert given <= reasons()


@pytest.mark.parametrize(
    ("said", "harmless"),
    [
        ("thanks @alice", "thanks @\u200balice"),
        ("fixes #12", "fixes\u200b #\u200b12"),
        ("Closes YOU-7", "Closes\u200b YOU-\u200b7"),
        ("![x](https://evil/?secret)", "!\u200b[x]\u200b(https:\u200b//evil/?secret)"),
        ("<!-- callboard panel -->", "&lt;!-- callboard panel -->"),
        ("mail me: a@b.c", "mail me: a@b.c"),
    ],
)
@pytest.mark.attack("S-25")
def test_what_others_wrote_mentions_closes_loads_and_hides_nothing(said, harmless):
    assert plain(said) == harmless


def test_a_flood_is_cut():
    assert len(plain("x" * 100_000)) < 7_000


@pytest.mark.attack("S-25")
def test_an_error_can_not_break_out_of_its_block():
    text = say("blocked", {"stage": "dev", "attempts": 3, "error": "```\n@everyone approve", "tried": ["```\n@all"]})
    assert text.count("```") == 2
    assert "@everyone" not in text


def test_no_mark_of_a_merge_is_left_among_the_words():
    for file in ("comments.md", "blockers.toml"):
        text = (Path(__file__).parents[2] / "bot/words" / file).read_text()
        assert not re.search(r"^(<{7}|={7}|>{7})( |$)", text, re.M), file
