"""Of a log only what says why a check failed."""

import pytest

from bot.github.logs import LONGEST, relevant

STAMP = "2026-05-04T12:00:00.1234567Z "


def actions(*lines: str) -> str:
    return "\ufeff" + "".join(f"{STAMP}{line}\n" for line in lines)


def test_a_short_log_is_whole_without_stamps_colours_and_tidying_up():
    log = actions(
        "##[group]Run make test", "\x1b[36;1mmake test\x1b[0m", "##[endgroup]", "\x1b[31mFAILED\x1b[0m test_a",
        "##[error]Process completed with exit code 2.", "Post job cleanup.", "git config --unset-all http.extraheader",
    )  # fmt: skip
    assert relevant(log).split("\n") == [
        "Run make test", "make test", "", "FAILED test_a", "##[error]Process completed with exit code 2.",
    ]  # fmt: skip


def test_the_first_errors_and_the_end_are_kept_of_a_long_one():
    noise = [f"compiling part {index} of the project" for index in range(5_000)]
    log = actions(
        *noise[:2_000], "src/a.py:7: error: that is wrong", "  7 | x = y", *noise[2_000:], "1 failed, 90 passed",
        "##[error]Process completed with exit code 1.", *["Cleaning up"] * 500,
    )  # fmt: skip
    kept = relevant(log)
    assert len(kept) <= LONGEST
    assert "src/a.py:7: error: that is wrong\n  7 | x = y" in kept
    assert kept.endswith("1 failed, 90 passed\n##[error]Process completed with exit code 1.")
    assert "Cleaning up" not in kept
    assert "lines left out" in kept


def test_what_says_that_nothing_failed_is_no_error():
    noise = ["x" * 100] * 500
    kept = relevant("\n".join(["0 errors, no failures", *noise, "ValueError: bad", *noise]))
    assert "ValueError: bad" in kept
    assert "0 errors" not in kept


def test_a_progress_bar_is_what_it_was_in_the_end():
    assert relevant("10 %\r50 %\r100 %\ndone\r\n") == "100 %\ndone"


@pytest.mark.parametrize(
    "nasty",
    ["\x1b]0;title\x07", "\x1b[2J\x1b[1;1H", "\x1b]8;;http://evil\x1b\\", "\x00\x08\x0b", "\u202e\u2066", "\x9b31m"],
)
def test_no_control_character_comes_through(nasty):
    kept = relevant(f"a{nasty}b")
    assert kept.startswith("a")
    assert kept.endswith("b")
    assert all(character.isprintable() for character in kept)


@pytest.mark.parametrize(
    "log",
    ["", "\n\n", "error " * 100_000, "error\n" * 100_000, "x" * 1_000_000, "\x1b[" * 50_000, "##[error]\n" * 9_999],
)
def test_no_log_is_too_odd(log):
    assert len(relevant(log)) <= LONGEST
