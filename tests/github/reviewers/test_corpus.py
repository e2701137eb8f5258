"""Every text of the corpus, against what it must mean."""

from datetime import timedelta
from typing import Any

from bot.github.reviewers import Word, findings_of, verdict

FORBIDDEN = ("<!--", "Prompt for", "curl evil", "delete the tests", "<details", "must not become", "Copilot custom")


def test_every_text_means_what_the_corpus_says(case: Any, noon: Any) -> None:
    heard = verdict(case.login, case.said())
    expected = case.expected
    assert heard.word == expected["word"], heard
    assert heard.findings == expected.get("findings", 0), heard
    wait = timedelta(minutes=expected.get("minutes", 0), seconds=expected.get("seconds", 0))
    assert heard.until == (noon + wait if wait else None)
    assert expected.get("says", "") in heard.reason


def test_every_reason_is_one_sentence_that_does_nothing_in_markdown(case: Any) -> None:
    reason = verdict(case.login, case.said()).reason
    assert reason
    assert len(reason) < 260
    assert not set(reason) & set("`*_#<>[]@|\n") - (set("[]") if case.login in reason else set()), reason


def test_findings_can_be_read_and_placed(case: Any) -> None:
    found = findings_of(case.login, case.said())
    for finding in found:
        assert finding.text
        assert not [words for words in FORBIDDEN if words in finding.text]
    if "finding" not in case.expected:
        return
    beyond = [finding for finding in found if not finding.thread]
    assert len(beyond) == len(case.expected["finding"])
    for finding, expected in zip(beyond, case.expected["finding"], strict=True):
        assert (finding.path, finding.line) == (expected["path"], expected.get("line"))
        assert finding.severity == expected["severity"]
        assert finding.text == expected.get("text", finding.text)
        assert all(words in finding.text for words in expected.get("has", ()))


def test_a_verdict_of_findings_always_comes_with_findings_to_work_on(case: Any) -> None:
    if verdict(case.login, case.said()).word is Word.FINDINGS:
        assert findings_of(case.login, case.said())


def test_no_cut_makes_an_approval_of_what_is_none(case: Any) -> None:
    if case.expected["word"] == "approved":
        return
    for position in range(0, len(case.body), max(1, len(case.body) // 60)):
        cut = case.body[:position]
        if cut.count("<details") == cut.count("</details>") and "CAUTION]" not in cut:
            continue  # a whole text: nothing tells that more was to come
        assert verdict(case.login, case.said(cut)).word is not Word.APPROVED, cut


def test_no_approval_survives_another_head(case: Any) -> None:
    """Every place that names the head now names another commit: in the texts, the reviews and the threads."""
    said = case.said()
    other = "e" * 40
    moved = type(said)(
        head=other, comments=said.comments, reviews=said.reviews, threads=said.threads, head_at=said.head_at
    )
    assert verdict(case.login, moved).word is not Word.APPROVED


def test_a_quoted_or_fenced_text_approves_nothing(case: Any) -> None:
    """The bot repeats its own text: in an answer, as a quote, and in a code block."""
    if case.expected.get("as") == "check" or case.expected.get("state") or case.expected.get("threads"):
        return  # these don't hang on words
    quoted = "\n".join(f"> {line}" for line in case.body.splitlines())
    for text in (f"@ada wrote:\n\n{quoted}", f"````markdown\n{case.body}\n````", quoted.replace("> ", "> > ")):
        assert verdict(case.login, case.said(text)).word is not Word.APPROVED, text
