"""Transcripts for people: what an agent said, did and saw; nothing in one is ever a mistake of ours."""

import json

import pytest

from bot.runs.transcript import LONGEST, Piece, pieces


def line(**event):
    return json.dumps(event).encode()


def said(*blocks, **more):
    return line(type="assistant", message={"content": list(blocks)}, **more)


def test_words_tools_results_and_the_end_are_told_apart():
    assert list(pieces(said({"type": "text", "text": "I look."}))) == [Piece("says", "I look.")]
    tool = {"type": "tool_use", "name": "Bash", "input": {"command": "make test"}}
    assert list(pieces(said(tool, parent_tool_use_id="t"))) == [Piece("does", "make test", "Bash", inner=True)]
    result = [{"type": "tool_result", "content": [{"type": "text", "text": "ok"}]}]
    assert list(pieces(line(type="user", message={"content": result}))) == [Piece("sees", "ok")]
    end = line(type="result", result="{}", structured_output={"summary": "All done."})
    assert list(pieces(end)) == [Piece("ends", "All done.")]
    assert list(pieces(line(type="system", subtype="init"))) == []


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff\xfe", b"[]", b"null", b"{", b"[" * 20_000, b'{"type": 1}', b'{"type": "assistant"}',
     b'{"type": "assistant", "message": []}', b'{"type": "user", "message": {"content": [1, null, {"type": []}]}}',
     b'{"type": "assistant", "message": {"content": [{"type": "tool_use", "input": [1]}]}}'],
)  # fmt: skip
def test_nothing_that_an_agent_writes_is_a_mistake_of_ours(raw):
    assert all(isinstance(one, Piece) for one in pieces(raw))


def test_what_turns_writing_around_and_what_a_terminal_obeys_is_shown_as_such():
    (piece,) = pieces("a\u202eb\x1b[2Jc".encode())
    assert piece.text == "a\ufffdb\ufffd[2Jc"


def test_a_long_piece_is_cut_and_says_so():
    (piece,) = pieces(said({"type": "text", "text": "x" * (LONGEST + 5)}))
    assert piece.text.endswith("… (5 characters more)")
