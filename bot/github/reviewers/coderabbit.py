"""CodeRabbit. Its wording is in the tables on top of this file; facts/github section 9 says where they come from.

It keeps one summary comment, edited in place, and posts a review only where it has findings. What it says of a commit
is therefore in three places that need not agree:

- the review, submitted for a commit; findings that GitHub can't place in the diff stand in its body only;
- the summary comment: blocks between hidden marks say what it does now (in progress, rate limited, …), and under them
  the last review's result with the commits that it covered. From the walkthrough on it retells the pull request,
  where anything may stand;
- a commit status, green also where a review was refused.

What must always hold: no approval without a review or a clean result that names the head. So what is newest wins only
where it takes something back (it reviews again, it failed); else the word on the head stands, and notices come last.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.github.reviewers import judging
from bot.github.reviewers.coderabbit_findings import findings_in, has_groups
from bot.github.reviewers.judging import sentence, settled, unsettled
from bot.github.reviewers.markup import Kind, Line, Section, fold, read, whole
from bot.github.reviewers.said import BotCheck, BotComment, BotReview, Finding, Said, Verdict, Word

_SUMMARY = "this is an auto-generated comment: summarize by coderabbit.ai"
_BLOCK = re.compile(r"(this is an|end of) auto-generated comment: (.+) by coderabbit\.ai", re.IGNORECASE)
_BLOCKS = {  # what the hidden marks of the summary comment call a block
    "review in progress": Word.REVIEWING,
    "rate limited": Word.RATE_LIMITED,
    "review paused": Word.PAUSED,
    "skip review": Word.SKIPPED,
    "failure": Word.FAILED,
}
_HEADINGS = (  # what people see; a heading says more than the mark around it
    (Word.REVIEWING, re.compile(r"currently (?:processing|reviewing) new changes in this PR\b", re.IGNORECASE)),
    (Word.REVIEWING, re.compile(r"review triggered\.?$", re.IGNORECASE)),
    (Word.SILENT, re.compile(r"reviews resumed\.?$", re.IGNORECASE)),
    (Word.SKIPPED, re.compile(r"review skipped\b", re.IGNORECASE)),
    (Word.FAILED, re.compile(r"review failed\b", re.IGNORECASE)),
    (Word.PAUSED, re.compile(r"reviews? paused\b|coderabbit has automatically paused this review", re.IGNORECASE)),
    (
        Word.RATE_LIMITED,
        re.compile(
            r"rate limit exceeded|review limit reached|review rate limited|you(?:'re| are) (?:currently )?rate limited",
            re.IGNORECASE,
        ),
    ),
)
_STATUSES = (
    (Word.RATE_LIMITED, re.compile(r"rate limit|limit reached", re.IGNORECASE)),
    (Word.SKIPPED, re.compile(r"skipped", re.IGNORECASE)),
    (Word.PAUSED, re.compile(r"paused", re.IGNORECASE)),
    (Word.FAILED, re.compile(r"failed|error", re.IGNORECASE)),
)
_RETOLD = re.compile(
    r"#+\s*(?:walkthrough|summary by coderabbit)\b|(?:walkthrough_start|tips_start)$"
    r"|this is an auto-generated comment: release notes by coderabbit\.ai",
    re.IGNORECASE,
)
_CLEAN = re.compile(r"\W*no actionable comments were generated in the recent review\.?\W*", re.IGNORECASE)
_POSTED = re.compile(r"\**actionable comments posted:\s*(\d{1,4})\**", re.IGNORECASE)
_COMMITS = re.compile(
    r"(?:reviewing )?files that changed from the base of the PR and between ([0-9a-f]{7,64}) and ([0-9a-f]{7,64})"
    r"(?: commits)?\.?",
    re.IGNORECASE,
)
_WAIT = re.compile(r"(?:available in|please wait|or wait)\b(.{1,80})", re.IGNORECASE)
_SPAN = re.compile(r"\b(\d{1,4}|an?)\s*(day|hour|minute|second)s?\b", re.IGNORECASE)
_FREE = re.compile(r"summarized by coderabbit free", re.IGNORECASE)
_TAKES_BACK = frozenset({Word.REVIEWING, Word.FAILED})
_STANDING = frozenset({Word.PAUSED, Word.SKIPPED})  # these hold until CodeRabbit takes them back, whatever is pushed


@dataclass(frozen=True)
class _Notice:
    """Something CodeRabbit says of what it does. `ends` are the commits it speaks of, where it names any.

    It is `firm` where a hidden mark or the summary comment says it; an answer to a command is a promise at most.
    """

    word: Word
    at: datetime
    firm: bool
    ends: tuple[str, ...]
    detail: str
    until: datetime | None


class CodeRabbit:
    """CodeRabbit's dialect."""

    name = "CodeRabbit"
    logins = frozenset({"coderabbitai"})

    def hear(self, said: Said) -> Verdict:
        """Its word on the head."""
        reviewed = _reviewed(said)
        notices = _notices(said)
        firm = next((notice for notice in notices if notice.firm), None)
        if firm and firm.word in _TAKES_BACK and (not reviewed or firm.at > reviewed[-1].submitted_at):
            return self._heard(firm, said)
        if reviewed or _clean(said):
            return self._judged(reviewed, said)
        checks = [check for check in said.checks if check.name.lower().startswith("coderabbit")]
        if any(judging.running(check) for check in checks):
            return unsettled(Word.REVIEWING, self.name, said)
        if notices:
            return self._heard(notices[0], said)
        return self._rest(checks, said)

    def findings(self, said: Said) -> tuple[Finding, ...]:
        """Its open threads, and what stands in its newest review of the head only."""
        threads = judging.open_threads(said)
        return (*map(judging.thread_finding, threads), *_beyond(_reviewed(said), said))

    def _judged(self, reviewed: Sequence[BotReview], said: Said) -> Verdict:
        latest = _latest(reviewed)
        posted = _posted(latest.body) if latest else 0
        beyond = _beyond(reviewed, said)
        if posted is None and not judging.opinion(reviewed):
            return judging.not_understood(self.name, said, beyond)
        verdict = settled(self.name, said, beyond, posted or 0)
        if verdict.word is Word.APPROVED and judging.opinion(reviewed) == "CHANGES_REQUESTED":
            detail = "all its comments are settled, its approval is still to come"
            return Verdict(Word.REVIEWING, reason=sentence(Word.REVIEWING, self.name, detail))
        return verdict

    def _heard(self, notice: _Notice, said: Said) -> Verdict:
        found = unsettled(notice.word, self.name, said, notice.detail)
        return Verdict(found.word, notice.until, found.reason, found.findings)

    def _rest(self, checks: Sequence[BotCheck], said: Said) -> Verdict:
        """Without a review and a notice: what its commit status says, or that it writes summaries only."""
        for check in checks:
            word = next((word for word, words in _STATUSES if words.search(check.summary)), None)
            if word is not None or judging.broken(check):
                return unsettled(word or Word.FAILED, self.name, said, check.summary)
        if any(_FREE.search(section.title) for comment in said.comments for section in whole(comment.body).sections()):
            return unsettled(Word.SKIPPED, self.name, said, "its plan has summaries, but no reviews")
        return unsettled(Word.SILENT, self.name, said)


def _reviewed(said: Said) -> tuple[BotReview, ...]:
    """Its reviews of the head. One without a text answers in a thread; one that names other commits is of those."""
    reviews = (review for review in judging.reviews_of_head(said) if review.body.strip() or judging.opinion([review]))
    return tuple(review for review in reviews if _about(_ends(whole(review.body)), said.head))


def _latest(reviewed: Sequence[BotReview]) -> BotReview | None:
    """The newest review with a text, unless an approval without one came after it."""
    for review in reversed(reviewed):
        if review.body.strip():
            return review
        if review.state.upper() == "APPROVED":
            return None
    return None


def _beyond(reviewed: Sequence[BotReview], said: Said) -> tuple[Finding, ...]:
    latest = _latest(reviewed)
    return findings_in(latest.body, judging.open_threads(said)) if latest else ()


def _posted(body: str) -> int | None:
    """How many comments a review announces; None where it says nothing of the kind, or is cut off."""
    tree = whole(body)
    lines = [line.text.strip() for line in tree.lines() if line.own]
    counts = [int(found[1]) for line in lines if (found := _POSTED.fullmatch(line))]
    if tree.cut:
        return None
    if not counts and (has_groups(tree) or any(_CLEAN.fullmatch(line) for line in lines)):
        return 0
    return max(counts, default=None)


def _clean(said: Said) -> bool:
    """Whether the summary comment says that the last review found nothing, and that it was of the head."""
    summary = _summary(said)
    if summary is None:
        return False
    tree = fold(_split(read(summary.body))[1])
    says_so = any(line.own and _CLEAN.fullmatch(line.text.strip()) for line in tree.lines())
    ends = _ends(tree)
    return says_so and not tree.cut and bool(ends) and _about(ends, said.head)


def _summary(said: Said) -> BotComment | None:
    """The newest summary comment; the mark must be its first line."""
    summaries = [comment for comment in said.comments if _is_summary(comment)]
    return max(summaries, key=lambda comment: comment.updated_at, default=None)


def _is_summary(comment: BotComment) -> bool:
    lines = (line for line in read(comment.body) if line.text.strip())
    first = next(lines, None)
    return first is not None and first.kind is Kind.MARK and first.quote == 0 and first.text.lower() == _SUMMARY


def _notices(said: Said) -> list[_Notice]:
    """What it says of what it does, as far as it is about the head, the newest first."""
    summary = _summary(said)
    current = (comment for comment in said.comments if comment is summary or not _is_summary(comment))
    found = (notice for comment in current for notice in _notices_in(comment) if _stands(notice, said))
    return sorted(found, key=lambda one: (one.at, one.word is Word.RATE_LIMITED), reverse=True)


def _notices_in(comment: BotComment) -> list[_Notice]:
    blocks, rest = _split(read(comment.body))
    found = [_notice(rest, None, comment, firm=_is_summary(comment))]
    for name, lines in blocks:
        marked = Word.REVIEWING if "progress" in name else _BLOCKS.get(name)
        found.append(_notice(lines, marked, comment, firm=True))
    return [notice for notice in found if notice]


def _notice(lines: Sequence[Line], marked: Word | None, comment: BotComment, *, firm: bool) -> _Notice | None:
    tree = fold(lines)
    own = [line.text.strip().lstrip("#* ").replace("’", "'") for line in tree.lines() if line.own]
    own = [text for text in own if text and not text.startswith("[!")]
    headings = ((word, index) for index, text in enumerate(own) for word, words in _HEADINGS if words.match(text))
    word, heading = next(headings, (marked, -1))
    if word is None:
        return None
    detail = own[heading + 1] if word in (Word.SKIPPED, Word.FAILED) and heading + 1 < len(own) else ""
    until = _until(" ".join(own), comment.updated_at) if word is Word.RATE_LIMITED else None
    return _Notice(word, comment.updated_at, firm, _ends(tree), detail, until)


def _stands(notice: _Notice, said: Said) -> bool:
    if notice.ends:
        return notice.word is Word.PAUSED or _about(notice.ends, said.head)
    return notice.word in _STANDING or said.head_at is None or notice.at >= said.head_at


def _split(lines: Iterable[Line]) -> tuple[list[tuple[str, list[Line]]], list[Line]]:
    """The marked blocks with their names, and the rest up to where the pull request is retold.

    A block that isn't ended goes on to the next mark.
    """
    blocks: list[tuple[str, list[Line]]] = []
    rest: list[Line] = []
    inside = False
    for line in lines:
        if line.kind is not Kind.CODE and line.quote == 0 and _RETOLD.match(line.text.strip()):
            break
        mark = _BLOCK.fullmatch(line.text) if line.kind is Kind.MARK and line.quote == 0 else None
        name = mark[2].lower() if mark else ""
        if mark and mark[1].lower() == "this is an" and name != "summarize":
            blocks.append((name, []))
            inside = True
        elif mark or (line.kind is Kind.MARK and line.text == "recent_review_start"):
            inside = False
        elif inside:
            blocks[-1][1].append(line)
        else:
            rest.append(line)
    return blocks, rest


def _ends(tree: Section) -> tuple[str, ...]:
    """The commits up to which CodeRabbit says it looked; whoever believes one must believe all."""
    places = (tree, *tree.sections())
    lines = (line for place in places for line in place.lines() if line.kind is Kind.TEXT)
    return tuple(found[2] for line in lines if (found := _COMMITS.fullmatch(line.text.strip())))


def _about(ends: Sequence[str], head: str) -> bool:
    return all(judging.same_commit(end, head) for end in ends)


def _until(text: str, since: datetime) -> datetime | None:
    """When a review is available again: `in 48 minutes`, `**24 minutes and 26 seconds**`, `an hour`."""
    found = _WAIT.search(text)
    if found is None:
        return None
    sentence_part = found[1].split(".")[0].replace("*", " ")
    spans = {unit.lower(): amount for amount, unit in _SPAN.findall(sentence_part)}
    amounts = {f"{unit}s": int(amount) if amount.isdigit() else 1 for unit, amount in spans.items()}
    return since + timedelta(**amounts) if amounts else None
