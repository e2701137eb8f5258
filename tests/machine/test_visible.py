"""What a person sees of a text is all that a worker reads of it (security S-22)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.machine.visible import visible_characters, visible_text

pytestmark = pytest.mark.attack("S-22")

CANARY = "CANARY"
CHANNELS = {
    "a comment": f"<!-- {CANARY} -->",
    "a comment that never ends": f"<!-- {CANARY}\n{CANARY}",
    "the title of a definition": f'[r]: https://example.org "{CANARY}"',
    "a definition that nobody uses": f"[//]: # ({CANARY})",
    "tag characters": "".join(chr(0xE0000 + ord(letter)) for letter in CANARY),
    "bytes as variation selectors": "a" + "".join(chr(0xE0100 + ord(letter) - 16) for letter in CANARY),
    "an attribute": f'<span title="{CANARY}">x</span>',
    "a processing instruction": f"<?php {CANARY} ?>",
    "a declaration": f"<!DOCTYPE {CANARY}>",
    "the rest of an info string": f"```python {CANARY}\nx = 1\n```",
    "an alternative text": f"![{CANARY}](https://example.org/x.png)",
    "a link's address and title": f'[here](https://example.org/{CANARY} "{CANARY}")',
    "an element that is hidden": f"<div hidden>\n\n{CANARY}\n\n</div>",
}
CARRIERS = {
    "a paragraph of its own": "{}",
    "an item of a list": "* one\n* two\n\n  {}\n",
    "a quotation": "> said\n>\n> {}\n",
    "after a heading": "# About\n{}\n",
}


def _in(carrier: str, payload: str) -> str:
    inside = {"* one": "\n  ", "> said": "\n> "}.get(carrier.split("\n")[0], "\n")
    return f"before\n\n{carrier.format(payload.replace(chr(10), inside))}"


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS.keys())
@pytest.mark.parametrize("payload", CHANNELS.values(), ids=CHANNELS.keys())
def test_nothing_comes_through_a_hidden_channel(payload: str, carrier: str) -> None:
    seen = visible_text(_in(carrier, payload))
    assert CANARY not in seen
    assert seen.startswith("before")
    assert not any(0xE0000 <= ord(one) <= 0xE0FFF for one in seen)


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS.keys())
def test_what_is_seen_comes_through_in_every_carrier(carrier: str) -> None:
    assert "do *this* & `that`" in visible_text(_in(carrier, r"do \*this\* &amp; `that`"))


@pytest.mark.parametrize("code", range(0xE0000, 0xE01F0, 16))
def test_no_tag_and_no_supplementary_selector_is_left(code: int) -> None:
    block = "".join(map(chr, range(code, code + 16)))
    assert visible_characters(f"a{block}b\U0001f600{block}c") == "ab\U0001f600c"


@pytest.mark.parametrize("spelled", ["&#xE0041;", "&#917569;", "&ZeroWidthSpace;", "&#8203;", "&shy;", "&#x202E;"])
def test_what_is_spelled_as_an_entity_is_not_seen_either(spelled: str) -> None:
    assert visible_text(f"a{spelled}b") == "ab"


@pytest.mark.parametrize(
    "hidden",
    [
        "<template>\n\nX\n\n```\nX\n```\n\n</template>",
        "a <style>X</style>",
        '<p style="display: none">\n\nX\n\n</p>',
        "a <b hidden>X <b>X</b> X</b>",
        "a <!-- X",
        "<script>\nX\n</script>",
        "<details hidden><summary>X</summary>\n\nX\n\n</details>",
        "a <svg><text>X</text></svg>",
    ],
)
def test_text_between_tags_that_hide_it_is_not_seen(hidden: str) -> None:
    assert "X" not in visible_text(f"{hidden}\n\nafter") or hidden == "a <!-- X"
    assert "X" not in visible_text(hidden)


def test_an_image_hides_nothing_behind_it() -> None:
    assert visible_text('a <img hidden src="x"> b <br hidden> c').split() == ["a", "b", "c"]


PEOPLE = "\U0001f468\U0001f469\U0001f9d1"
TONES = ["", *(chr(code) for code in range(0x1F3FB, 0x1F400))]
TRADES = "\u2695\u2696\u2708\U0001f33e\U0001f373\U0001f393\U0001f3a4\U0001f3eb\U0001f4bb\U0001f52c"
EMOJI = [
    *(f"{one}{tone}\u200d{trade}{chr(0xFE0F) if ord(trade) < 0x3000 else ''}"
      for one in PEOPLE for tone in TONES for trade in TRADES),
    *(f"{key}\ufe0f\u20e3" for key in "0123456789#*"),
    *("\u2764\ufe0f", "\u2764\ufe0f\u200d\U0001f525", "\U0001f3f3\ufe0f\u200d\U0001f308"),
    *("\u2194\ufe0f", "\u00a9\ufe0f"),
    *("\U0001f441\ufe0f\u200d\U0001f5e8\ufe0f", "\U0001f9d1\u200d\U0001f91d\u200d\U0001f9d1", "\U0001f1e9\U0001f1ea"),
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
]  # fmt: skip


@pytest.mark.proves("S-22")
def test_emoji_and_scripts_look_as_before() -> None:
    assert len(EMOJI) > 200
    assert [one for one in EMOJI if visible_text(f"so {one} it is") != f"so {one} it is"] == []
    for words in ("क्‍ष", "می‌خواهم", "你好", "é", "Ελληνικά"):
        assert visible_characters(words) == words


def test_a_selector_after_anything_else_is_dropped() -> None:
    assert (
        visible_characters("a\ufe0fb\u200dc\u200c \U0001f600\u200db \U0001f600\ufe0f\ufe0f")
        == "abc \U0001f600b \U0001f600\ufe0f"
    )


@pytest.mark.proves("S-22")
def test_a_text_keeps_its_shape() -> None:
    text = "# Title\n\nOne **two** `three`\nfour\n\n- a\n- b\n  1. c\n\n> said\n\n"
    text += "| x | y |\n| --- | --- |\n| 1 | 2 |\n\n```suggestion\n- x\n```"
    assert visible_text(text) == text.replace("**two**", "two")


@given(st.text(alphabet=st.sampled_from(list("<>!-[]()#`*_~ \n\t\"'&;:/abX=\\|\u200b\u200d\ufe0f")), max_size=80))
@settings(deadline=None, max_examples=300)
def test_any_text_can_be_rendered(text: str) -> None:
    seen = visible_text(text)
    assert visible_characters(seen).strip() == seen
