"""Review bots that the policy names: their words count, their checks don't, and each word is counted once."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.machine.pull_request import Checks, CheckSeen, Failure, Opinion, PullRequest, Remark, Review, Thread
from bot.reviewing import WORDS, Reviewers, without_checks_of
from bot.simulator.github.coderabbit_words import skipped

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
RABBIT = "coderabbitai[bot]"
NITPICKS = Path(__file__).parent / "github/reviewers/corpus/coderabbit/nitpicks-only.md"
PULL = PullRequest(7, "http://x/7", "PR_7", open=True, merged=False, head="a" * 40, head_branch="b", base_branch="main")
TEST = CheckSeen("test", "github-actions[bot]", "success")
HANGS = CheckSeen("CodeRabbit", RABBIT, "pending")


def test_a_check_that_a_named_bot_never_ends_is_not_waited_for():
    pull = replace(PULL, checks=Checks.PENDING, waiting=("CodeRabbit",), checks_seen=(HANGS, TEST))
    assert without_checks_of(pull, [RABBIT]).checks is Checks.GREEN
    assert without_checks_of(pull, [RABBIT]).waiting == ()
    assert without_checks_of(replace(pull, checks_seen=(HANGS,)), [RABBIT]).checks is Checks.NONE
    assert without_checks_of(pull, ["cursor[bot]"]) == pull


def test_other_checks_are_waited_for_all_the_same():
    slow = CheckSeen("e2e", "github-actions[bot]", "pending")
    pull = replace(PULL, checks=Checks.PENDING, waiting=("CodeRabbit", "e2e"), checks_seen=(HANGS, slow))
    assert without_checks_of(pull, [RABBIT]).checks is Checks.PENDING
    assert without_checks_of(pull, [RABBIT]).waiting == ("e2e",)


def test_what_a_named_bot_fails_with_is_no_failing_check():
    failed = CheckSeen("Bugbot", "cursor[bot]", "failure")
    failure = Failure("Bugbot", "check_run", PULL.head, 3)
    pull = replace(PULL, checks=Checks.RED, failing=("Bugbot",), failing_details=(failure,), checks_seen=(failed, TEST))
    heard = without_checks_of(pull, ["cursor[bot]"])
    assert (heard.checks, heard.failing, heard.failing_details) == (Checks.GREEN, (), ())


def test_what_a_named_bot_ends_well_says_nothing_of_checks_that_have_not_appeared_yet():
    quick = CheckSeen("Cursor Bugbot", "cursor[bot]", "neutral")
    pull = replace(PULL, checks=Checks.GREEN, checks_seen=(quick,))
    assert without_checks_of(pull, ["cursor[bot]"]).checks is Checks.NONE
    assert without_checks_of(replace(pull, checks_seen=(quick, TEST)), ["cursor[bot]"]).checks is Checks.GREEN
    unreported = replace(pull, checks=Checks.PENDING)
    assert without_checks_of(unreported, ["cursor[bot]"]).checks is Checks.PENDING


def test_what_is_not_understood_is_not_green_when_a_named_bot_is_left_out():
    strange = CheckSeen("test", "github-actions[bot]", "levitating")
    failed = CheckSeen("Bugbot", "cursor[bot]", "failure")
    unseen = replace(PULL, checks=Checks.UNKNOWN, waiting=("CodeRabbit",), checks_seen=(HANGS, TEST))
    assert without_checks_of(unseen, [RABBIT]).checks is Checks.UNKNOWN
    pull = replace(PULL, checks=Checks.RED, failing=("Bugbot",), checks_seen=(failed, strange))
    assert without_checks_of(pull, ["cursor[bot]"]).checks is Checks.UNKNOWN


def test_a_check_that_the_repository_requires_counts_whoever_reports_it():
    required = replace(HANGS, required=True)
    pull = replace(PULL, checks=Checks.PENDING, waiting=("CodeRabbit",), checks_seen=(required,))
    assert without_checks_of(pull, [RABBIT]) == pull


@pytest.mark.proves("S-10", "S-20")
def test_a_person_with_the_name_of_a_review_bot_is_no_review_bot():
    person = Remark("c", "coderabbitai", skipped("Draft detected."), NOON, person=True)
    pull = replace(PULL, conversation=(person,))
    for named in (RABBIT, "coderabbitai[bot]".upper()):
        assert Reviewers().hear(pull, [named], NOON).bots[0].word == "silent"
    bot = replace(pull, conversation=(replace(person, author=RABBIT, person=False),))
    assert Reviewers().hear(bot, [RABBIT], NOON).bots[0].word == "skipped"


def test_nitpicks_beside_an_approval_are_nothing_to_work_on():
    body = (
        NITPICKS.read_text()
        .partition("+++\n")[2]
        .partition("+++\n")[2]
        .replace("@HEAD@", PULL.head)
        .replace("@BASE@", "c" * 40)
    )
    review = Review("r", RABBIT, Opinion.COMMENTED, body, PULL.head, NOON)
    (said,) = Reviewers().hear(replace(PULL, reviews=(review,)), [RABBIT], NOON).bots
    assert (said.word, said.findings) == ("approved", ())


def test_what_a_bot_said_of_an_older_head_stays_something_to_work_on():
    remark = Remark("c", RABBIT, "The list may be empty.", NOON)
    thread = Thread("t", "a.py", 1, remarks=(remark,), commit="b" * 40)
    (said,) = Reviewers().hear(replace(PULL, threads=(thread,)), [RABBIT], NOON).bots
    assert said.word == "silent"
    assert [one.thread for one in said.findings] == ["t"]


def test_a_word_on_a_head_is_counted_once_and_silence_never():
    pull = replace(PULL, conversation=(Remark("c", RABBIT, skipped("Draft detected."), NOON),))
    reviewers, counter = Reviewers(), WORDS.labels(RABBIT, "skipped")
    before = counter._value.get()
    for _ in range(3):
        assert reviewers.hear(pull, [RABBIT], NOON).bots[0].word == "skipped"
        assert reviewers.hear(PULL, [RABBIT], NOON).bots[0].word == "silent"
    assert counter._value.get() == before + 1
