"""What all dialects share: which of a bot's reviews and threads are about the head, and when they are settled."""

import re
from collections.abc import Sequence

from bot.github.reviewers.cleaning import badge, labels, quotable, readable, severity_in
from bot.github.reviewers.markup import Section, whole
from bot.github.reviewers.said import BotCheck, BotReview, BotThread, Finding, Said, Severity, Verdict, Word

_SHORTEST_COMMIT = 7
_RUNNING = frozenset({"queued", "in_progress", "pending", "waiting", "requested", "expected"})
_BROKEN = frozenset({"failure", "error", "cancelled", "timed_out", "startup_failure", "action_required", "stale"})
_RATED = re.compile(r"\*\*\w+ severity\*\*", re.IGNORECASE)
_WITHDRAWN = "<review_comment_withdrawn>"

_SENTENCES = {
    Word.REVIEWING: "{name} is reviewing this commit",
    Word.PAUSED: "{name} has paused its reviews on this pull request",
    Word.RATE_LIMITED: "{name} has reached its review limit",
    Word.SKIPPED: "{name} does not review this commit",
    Word.APPROVED: "{name} has reviewed this commit and nothing of it is open",
    Word.FINDINGS: "{name} wants changes",
    Word.FAILED: "{name} failed to review this commit",
    Word.SILENT: "{name} has not said anything about this commit",
}


def sentence(word: Word, name: str, detail: str = "") -> str:
    """A verdict's reason for people; `detail` may be the bot's words."""
    text = _SENTENCES[word].format(name=name)
    quoted = quotable(detail)
    return f"{text}: {quoted}" if quoted else f"{text}."


def same_commit(one: str, other: str) -> bool:
    """Whether two names are of the same commit; bots shorten them, to seven characters at least."""
    short, long = sorted((one.lower(), other.lower()), key=len)
    return len(short) >= _SHORTEST_COMMIT and long.startswith(short)


def reviews_of_head(said: Said) -> tuple[BotReview, ...]:
    """The submitted reviews of the head that stand, oldest first."""
    mine = (
        review
        for review in said.reviews
        if same_commit(review.commit, said.head) and review.state.upper() not in ("PENDING", "DISMISSED")
    )
    return tuple(sorted(mine, key=lambda review: review.submitted_at))


def opinion(reviews: Sequence[BotReview]) -> str:
    """`APPROVED` or `CHANGES_REQUESTED`, whichever came last, or nothing: a mere comment changes neither."""
    opinions = [state for review in reviews if (state := review.state.upper()) in ("APPROVED", "CHANGES_REQUESTED")]
    return opinions[-1] if opinions else ""


def open_threads(said: Said) -> tuple[BotThread, ...]:
    """The bot's threads that somebody still has to answer, of any commit: not resolved, outdated or withdrawn."""
    return tuple(
        thread
        for thread in said.threads
        if not thread.resolved and not thread.outdated and not any(_WITHDRAWN in reply for reply in thread.replies)
    )


def threads_of_head(said: Said) -> tuple[BotThread, ...]:
    """The threads that were opened on the head, settled ones too."""
    return tuple(thread for thread in said.threads if same_commit(thread.commit, said.head))


def holding(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those findings of a review's body that hold a commit back."""
    return tuple(finding for finding in findings if finding.severity is not Severity.NITPICK)


def settled(name: str, said: Said, beyond: Sequence[Finding], posted: int = 0) -> Verdict:
    """The word of a bot that has reviewed the head.

    `beyond` are the findings in its body, `posted` is how many comments it says it wrote: while fewer can be seen, the
    review is still arriving (or was not read to its end), and that is no approval.
    """
    body = holding(beyond)
    count = len(open_threads(said)) + len(body)
    if count:
        return Verdict(Word.FINDINGS, reason=sentence(Word.FINDINGS, name, f"{count} open"), findings=count)
    seen = len(threads_of_head(said))
    if posted > seen:
        detail = f"{posted} comments were announced, {seen} can be seen"
        return Verdict(Word.REVIEWING, reason=sentence(Word.REVIEWING, name, detail))
    return Verdict(Word.APPROVED, reason=sentence(Word.APPROVED, name))


def not_understood(name: str, said: Said, beyond: Sequence[Finding] = ()) -> Verdict:
    """The word of a bot that wrote about the head what nobody knows, or not to its end: findings at most."""
    found = settled(name, said, beyond)
    return found if found.word is Word.FINDINGS else unsettled(Word.SILENT, name, said, "its review is not understood")


def unsettled(word: Word, name: str, said: Said, detail: str = "") -> Verdict:
    """Any word but the bot's judgement of the head; threads of older commits may stand open all the same."""
    return Verdict(word, reason=sentence(word, name, detail), findings=len(open_threads(said)))


def running(check: BotCheck) -> bool:
    """Whether a check or commit status says that the bot is at work."""
    return check.status.lower() in _RUNNING or check.conclusion.lower() in _RUNNING


def broken(check: BotCheck) -> bool:
    """Whether a check or commit status ended without a review."""
    return check.conclusion.lower() in _BROKEN


def thread_finding(thread: BotThread) -> Finding:
    """An open thread as a finding."""
    text = whole(thread.body)
    return Finding(thread.id, thread.path, thread.line, readable(text.parts), _severity(text))


def _severity(text: Section) -> Severity:
    """From the labels over the text, or from a picture or a word that other bots put before it."""
    if label := labels(text.parts):
        return severity_in(label)
    for line in [line.text.strip() for line in text.lines() if line.own and line.text.strip()][:2]:
        if line.lower().startswith("[nitpick]"):
            return Severity.NITPICK
        if _RATED.fullmatch(line) or badge(line):
            return severity_in(badge(line) or line)
    return Severity.UNKNOWN
