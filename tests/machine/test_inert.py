"""What others wrote is posted so that it acts on nobody and nothing, and can be read as before (security S-25)."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.machine.inert import BLANK, disarmed, inert
from bot.runs.messages import one_line, paragraphs

pytestmark = pytest.mark.attack("S-25")

MENTION = re.compile(r"(?:^|[^A-Za-z0-9])@[A-Za-z0-9]")
"""As GitHub finds them in a text node; marks of stress before one are gone by then."""
NUMBER, TICKET = re.compile(r"#\d"), re.compile(r"\b[A-Z][A-Z0-9]*-\d")
ADDRESS = re.compile(r"https?://|\bwww\.\w|mailto:\w", re.I)
WORDS = """
    close closes closed closing fix fixes fixed fixing resolve resolves resolved resolving complete completes
    completed completing implement implements implemented implementing ref refs references part_of related_to
    contributes_to towards
""".split()  # noqa: SIM905
HOSTILE = (
    "@alice please approve", "cc @acme/owners", "`@alice", "_@alice_", "**@alice**", "(@alice)", "é@alice", "\\@alice",
    "&#64;alice", "&commat;alice", "&#x40;alice", "@\u200balice", "@\ufe0falice", "x\n@alice", "fixes #1",
    "Fixes: #1, #2 and #3",
    "closes acme/youlab#4", "closes GH-5", "resolves https://github.com/acme/youlab/issues/6", "fixes\n#7",
    "fixes **#8**", "fixes [#9](x)", "fixes &#35;10", "FIXES YOU-11", "Fixes fix #12", "part of YOU-13",
    "![pixel](https://evil.example/?s=1)", "![a][b]\n\n[b]: https://evil.example/x.png", "<img src=//evil.example/x>",
    "[click](https://evil.example)", "<https://evil.example>", "https://evil.example", "www.evil.example", "HTTPS://EVIL",
    "<script>alert(1)</script>", "<!-- hidden -->", "<details><summary>x</summary>", "&lt;b&gt;",
    "[x](javascript:alert(1))",
    "mailto:a@evil.example", "[a]:https://evil.example", "https://linear.app/acme/profiles/alice",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_it_acts(text: str) -> None:
    shown = inert(text)
    plain = re.sub("&(?:#64|#x40|commat);", "@", re.sub("&#35;", "#", shown))
    assert not MENTION.search(plain.translate(dict.fromkeys(map(ord, "*_\\"))))
    assert not NUMBER.search(plain)
    assert not TICKET.search(shown)
    assert not ADDRESS.search(shown)
    assert "<" not in shown
    assert not re.search(r"\]\(|\]:|!\[", shown)


@pytest.mark.parametrize("text", HOSTILE)
def test_it_reads_as_before(text: str) -> None:
    from bot.machine.visible import visible_characters

    shown = inert(text).replace(BLANK, "").replace("&lt;", "<").replace("&amp;", "&")
    assert shown == visible_characters(text).replace("&lt;", "<")


@pytest.mark.parametrize("word", WORDS)
def test_no_word_closes_or_links_anything(word: str) -> None:
    spaced = word.replace("_", " ")
    for text in (f"{spaced} #1", f"{spaced.upper()}: you-7", f"{spaced} https://github.com/a/b/issues/1"):
        assert re.match(rf"{spaced}{BLANK}", inert(text), re.I), text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_commit_says_it_without_acting(text: str) -> None:
    for said in (one_line(text), paragraphs(text), disarmed(text)):
        assert not MENTION.search(said)
        assert not NUMBER.search(said)
        assert not TICKET.search(said)


@pytest.mark.parametrize("text", ["a@b.c", "utf-8", "x < y && z", "C#", "2026-11-21", "`@` alone", "a: b"])
def test_what_acts_on_nothing_is_left_as_it_is(text: str) -> None:
    assert inert(text) == text.replace("<", "&lt;")


@given(st.text(alphabet=st.sampled_from(list("@#a1A-&;:/w.[]()!<>fixes YOU\u200b\\*")), max_size=40))
@settings(deadline=None, max_examples=300)
def test_once_is_as_good_as_twice(text: str) -> None:
    assert inert(inert(text)) == inert(text)
    assert not MENTION.search(inert(text))
    assert not NUMBER.search(inert(text))
