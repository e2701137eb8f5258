"""Where several things a bot said don't agree: which of them is its word on the head."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.github.reviewers import (
    BotCheck,
    BotComment,
    BotReview,
    BotThread,
    Said,
    Word,
    dialect_of,
    findings_of,
    verdict,
)

RABBIT = "coderabbitai[bot]"
COPILOT = "copilot-pull-request-reviewer[bot]"


@pytest.fixture
def comment(bodies: Callable[[str], str], noon: datetime) -> Callable[..., BotComment]:
    """A text of the corpus as a comment, edited some minutes after noon."""
    return lambda name, minutes=0: BotComment(bodies(name), noon, noon + timedelta(minutes=minutes))


@pytest.fixture
def review(head: str, noon: datetime) -> Callable[..., BotReview]:
    return lambda body="", state="COMMENTED", minutes=0: BotReview(state, body, head, noon + timedelta(minutes=minutes))


def pending(text: str = "Review in progress") -> BotCheck:
    return BotCheck("CodeRabbit", "PENDING", "PENDING", text)


@pytest.mark.parametrize(
    "login",
    ["coderabbitai[bot]", "coderabbitai", "CodeRabbitAI[bot]", COPILOT, "copilot-pull-request-reviewer", "Copilot"],
)
def test_a_bot_is_known_by_every_spelling_of_its_login(login: str) -> None:
    dialect = dialect_of(login)
    assert dialect is not None
    assert dialect.name == ("Copilot" if "opilot" in login else "CodeRabbit")


@pytest.mark.parametrize("login", ["ada", "coderabbit", "not-coderabbitai[bot]", "copilot-swe-agent[bot]", ""])
def test_other_accounts_have_no_dialect(login: str) -> None:
    assert dialect_of(login) is None


def test_nothing_said_is_silence(head: str) -> None:
    for login in (RABBIT, COPILOT, "chatgpt-codex-connector[bot]", "cursor[bot]", "house[bot]"):
        assert verdict(login, Said(head)).word is Word.SILENT
        assert findings_of(login, Said(head)) == ()


def test_an_answer_that_a_review_was_triggered_is_no_reason_to_wait_once_the_head_is_clean(
    head: str, comment: Any
) -> None:
    answer = comment("coderabbit/triggered", 5)
    assert verdict(RABBIT, Said(head, (answer,))).word is Word.REVIEWING
    assert verdict(RABBIT, Said(head, (answer, comment("coderabbit/clean")))).word is Word.APPROVED


def test_a_refusal_is_believed_over_an_older_promise(head: str, comment: Any) -> None:
    said = Said(head, (comment("coderabbit/triggered"), comment("coderabbit/rate-limited", 1)))
    assert verdict(RABBIT, said).word is Word.RATE_LIMITED


def test_a_limit_ends_so_long_after_the_edit_that_told_it(head: str, comment: Any, noon: datetime) -> None:
    heard = verdict(RABBIT, Said(head, (comment("coderabbit/rate-limited-answer", 7),)))
    assert heard.until == noon + timedelta(minutes=7 + 48)


def test_the_summary_in_progress_takes_back_an_older_review_of_the_head(head: str, comment: Any, review: Any) -> None:
    done = review("**Actionable comments posted: 0**", minutes=3)
    assert verdict(RABBIT, Said(head, (comment("coderabbit/in-progress", 4),), (done,))).word is Word.REVIEWING
    assert verdict(RABBIT, Said(head, (comment("coderabbit/in-progress", 2),), (done,))).word is Word.APPROVED


def test_a_failure_takes_back_an_older_approval_only(head: str, comment: Any, review: Any) -> None:
    approval = review(state="APPROVED", minutes=3)
    assert verdict(RABBIT, Said(head, (comment("coderabbit/failed", 4),), (approval,))).word is Word.FAILED
    assert verdict(RABBIT, Said(head, (comment("coderabbit/failed", 2),), (approval,))).word is Word.APPROVED


def test_a_failed_review_of_an_older_push_says_nothing(head: str, comment: Any, noon: datetime) -> None:
    said = Said(head, (comment("coderabbit/failed"),), head_at=noon + timedelta(minutes=1))
    assert verdict(RABBIT, said).word is Word.SILENT


def test_a_pending_status_is_believed_over_a_pause(head: str, comment: Any) -> None:
    paused = comment("coderabbit/paused")
    assert verdict(RABBIT, Said(head, (paused,))).word is Word.PAUSED
    assert verdict(RABBIT, Said(head, (paused,), checks=(pending(),))).word is Word.REVIEWING


def test_a_status_that_stays_pending_does_not_hide_a_review(head: str, comment: Any) -> None:
    assert verdict(RABBIT, Said(head, (comment("coderabbit/clean"),), checks=(pending(),))).word is Word.APPROVED


def test_a_green_status_of_another_tool_says_nothing(head: str) -> None:
    other = BotCheck("lint", "PENDING", "PENDING", "Review in progress")
    assert verdict(RABBIT, Said(head, checks=(other,))).word is Word.SILENT


def test_resumed_ends_a_pause_that_an_answer_told(head: str, noon: datetime) -> None:
    paused = BotComment("✅ Actions performed\n\nReviews paused.", noon, noon)
    resumed = BotComment("✅ Actions performed\n\nReviews resumed.", noon, noon + timedelta(minutes=1))
    assert verdict(RABBIT, Said(head, (paused,))).word is Word.PAUSED
    assert verdict(RABBIT, Said(head, (paused, resumed))).word is Word.SILENT


def test_of_two_summaries_the_newer_counts(head: str, comment: Any) -> None:
    said = Said(head, (comment("coderabbit/clean", 1), comment("coderabbit/skipped-bot-author", 2)))
    assert verdict(RABBIT, said).word is Word.SKIPPED


def test_a_clean_summary_does_not_hide_what_the_review_says_outside_the_diff(
    head: str, comment: Any, review: Any, bodies: Any
) -> None:
    said = Said(head, (comment("coderabbit/clean", 5),), (review(bodies("coderabbit/outside-the-diff")),))
    assert verdict(RABBIT, said).word is Word.FINDINGS


def test_the_newest_review_of_a_head_is_its_word(head: str, review: Any, bodies: Any) -> None:
    first, second = (
        review(bodies("coderabbit/outside-the-diff")),
        review("**Actionable comments posted: 0**", minutes=9),
    )
    assert verdict(RABBIT, Said(head, reviews=(second, first))).word is Word.APPROVED
    assert findings_of(RABBIT, Said(head, reviews=(second, first))) == ()


def test_an_approval_after_findings_settles_what_stood_in_the_body(head: str, review: Any, bodies: Any) -> None:
    first, approval = review(bodies("coderabbit/outside-the-diff")), review(state="APPROVED", minutes=9)
    assert verdict(RABBIT, Said(head, reviews=(first, approval))).word is Word.APPROVED


def test_changes_requested_after_an_approval_win_and_a_comment_lifts_nothing(head: str, review: Any) -> None:
    approval, request = review(state="APPROVED"), review("No.", "CHANGES_REQUESTED", 1)
    talk = review("Thank you.", minutes=2)
    for login in (RABBIT, "house[bot]"):
        assert verdict(login, Said(head, reviews=(approval, request, talk))).word is not Word.APPROVED


def test_a_repeated_finding_is_not_told_twice_while_its_thread_is_open(head: str, review: Any, bodies: Any) -> None:
    body = bodies("coderabbit/duplicates")
    thread = BotThread("PRRT_9", False, False, "**Close the cursor.**\n\nIt leaks.", "0" * 40, "youlab/feed.py", 31)
    said = Said(head, reviews=(review(body),), threads=(thread,))
    assert [finding.thread for finding in findings_of(RABBIT, said)] == ["PRRT_9"]
    assert verdict(RABBIT, said).findings == 1
    settled = replace(said, threads=(replace(thread, outdated=True),))
    assert [finding.thread for finding in findings_of(RABBIT, settled)] == [""]


def test_copilot_must_have_reviewed_this_head_whatever_its_check_says(head: str) -> None:
    check = BotCheck("copilot-pull-request-reviewer", "COMPLETED", "SUCCESS", "")
    assert verdict(COPILOT, Said(head, checks=(check,))).word is Word.SILENT


def test_copilots_newest_review_counts_even_if_it_failed(head: str, review: Any, bodies: Any) -> None:
    said = Said(head, reviews=(review(bodies("copilot/clean")), review(bodies("copilot/error"), minutes=1)))
    assert verdict(COPILOT, said).word is Word.FAILED


def test_codex_is_not_unsaid_by_a_later_usage_limit(head: str, comment: Any) -> None:
    said = Said(head, (comment("codex/clean"), comment("codex/usage-limit", 5)))
    assert verdict("chatgpt-codex-connector[bot]", said).word is Word.APPROVED


def test_threads_of_older_commits_are_counted_while_the_bot_is_at_work(head: str, comment: Any) -> None:
    thread = BotThread("PRRT_1", False, False, "**Off by one.**", "0" * 40)
    heard = verdict(RABBIT, Said(head, (comment("coderabbit/in-progress"),), threads=(thread,)))
    assert (heard.word, heard.findings) == (Word.REVIEWING, 1)


def test_a_short_commit_is_understood_and_too_short_a_one_is_not(head: str, noon: datetime) -> None:
    body = (
        "<!-- This is an auto-generated comment: summarize by coderabbit.ai -->\n"
        "No actionable comments were generated in the recent review. 🎉\n\n"
        "Reviewing files that changed from the base of the PR and between 0be44d9 and {end}."
    )
    for end, word in ((head[:7], Word.APPROVED), (head[:6] + "0", Word.SILENT), (head[:6], Word.SILENT)):
        said = Said(head, (BotComment(body.format(end=end), noon, noon),))
        assert verdict(RABBIT, said).word is word
