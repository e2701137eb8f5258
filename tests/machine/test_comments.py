"""The comment grammar: a whole comment, an exact word, or it is text (security S-16)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.machine.comments import APPROVES_MERGE, APPROVES_REVIEW, SAYINGS, Word, parse


@pytest.mark.parametrize("saying", SAYINGS, ids=lambda one: one.word)
def test_every_spelling_is_understood_whatever_its_case(saying):
    for spelling in saying.spellings:
        for written in (spelling, spelling.upper(), f"  {spelling}!\n"):
            assert parse(written).word is saying.word


@pytest.mark.parametrize(
    "body",
    [
        "don't approve",
        "> approve",
        "`approve`",
        "```\napprove\n```",
        "approve this",
        "please approve",
        "<!-- approve -->",
        "аpprove",  # a Cyrillic letter
        "app\u200brove",
        "ａｐｐｒｏｖｅ",
        "approve abc1234",
        "not yes",
        "",
        "@callboard approve",
        "budget 50",
        "budget $1e9",
    ],
)
def test_what_only_looks_like_a_command_is_text(body):
    assert parse(body).word is Word.TEXT


@pytest.mark.parametrize(("body", "amount"), [("budget $50", 50.0), ("Budget: $7.50", 7.5), ("budget $0", 0.0)])
def test_a_budget_is_an_amount_in_dollars(body, amount):
    assert (parse(body).word, parse(body).amount) == (Word.BUDGET, amount)


def test_the_looser_words_approve_no_merge():
    assert {Word.APPROVE, Word.APPROVE_WITH, Word.MERGE} == APPROVES_MERGE
    assert Word.MERGE not in APPROVES_REVIEW


@given(st.text())
def test_any_text_is_parsed(body):
    assert parse(body).word in Word
