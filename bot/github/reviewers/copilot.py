"""GitHub Copilot's code review. It always submits a mere comment, never an approval, and looks again only when asked.

Its body has had three forms: a sentence that counts the comments (2024 to 2026), a headline with a table of details,
and the overview that its hidden mark calls version 2 (2026), whose `Previously missed` findings stand in no thread.
Sources: the threads named in tests/github/reviewers/corpus.
"""

import re
from collections.abc import Iterator, Sequence

from bot.github.reviewers import judging
from bot.github.reviewers.cleaning import badge, plain, readable, severity_in
from bot.github.reviewers.judging import settled, unsettled
from bot.github.reviewers.markup import Kind, Line, Section, whole
from bot.github.reviewers.said import BotReview, Finding, Said, Severity, Verdict, Word

_REFUSALS = (  # how it says that it did not review; asked in this order
    (Word.RATE_LIMITED, re.compile(r"(?:unable|able) to review.*\bquota\b|reached .*\bquota\b", re.IGNORECASE)),
    (Word.FAILED, re.compile(r"encountered an error", re.IGNORECASE)),
    (Word.SKIPPED, re.compile(r"wasn't able to review (?:any files|this pull request because)", re.IGNORECASE)),
    (Word.SKIPPED, re.compile(r"copilot reviewed 0 out of \d+", re.IGNORECASE)),
    (Word.FAILED, re.compile(r"unable to review|wasn't able to review|could not (?:be )?review", re.IGNORECASE)),
)
_COUNTED = re.compile(
    r"copilot reviewed \d+ out of \d+ changed files? in this pull request and generated (no|\d{1,4})"
    r"(?: new)? (?:comments?|suggestions?)\.?",
    re.IGNORECASE,
)
_POSTED = (  # the newer forms; a review says it in one place or another
    re.compile(r"\W*\*\*comments generated:\*\*\s*(none|\d{1,4})(?: new)?", re.IGNORECASE),
    re.compile(r"\W*\*\*findings:\*\*\s*(none|\d{1,4})\b.*", re.IGNORECASE),
    re.compile(r"\*{0,2}(\d{1,4}) open findings?\*{0,2}", re.IGNORECASE),
)
_OPEN = re.compile(r"(?:open \((\d{1,4})\)|(\d{1,4}) open findings?)", re.IGNORECASE)
_ASSESSMENT = re.compile(r"#{2,4}\s*([🟢🟡🔵🟠🔴].*)")
_GOOD = re.compile(r"🟢\s*(?:approval recommended|approved|looks good)\W*", re.IGNORECASE)
_SUPPRESSED = re.compile(
    r"(?:comments suppressed due to low confidence|suppressed comments) \((\d{1,4})\)", re.IGNORECASE
)
_MISSED = re.compile(r"previously missed \((\d{1,4})\)", re.IGNORECASE)
_PLACE = re.compile(r"\s*(?:\*\*|`)(\S.*?):(\d{1,7})(?:-\d{1,7})?(?:\*\*|`)\s*")
_CHECKS = ("copilot", "copilot-pull-request-reviewer")


class Copilot:
    """GitHub Copilot's dialect."""

    name = "Copilot"
    logins = frozenset({"copilot-pull-request-reviewer", "copilot"})

    def hear(self, said: Said) -> Verdict:
        """Its word on the head."""
        review = _review(said)
        if review is None:
            return self._without_review(said)
        text = whole(review.body)
        for word, words in _REFUSALS:
            refusal = next((line for line in _own(text) if words.search(line.replace("’", "'"))), None)
            if refusal is not None:
                return unsettled(word, self.name, said, "" if word is Word.RATE_LIMITED else refusal)
        posted = _posted(text)
        beyond = _beyond(text, said)
        if posted is None or text.cut:
            return judging.not_understood(self.name, said, beyond)
        return settled(self.name, said, beyond, posted)

    def findings(self, said: Said) -> tuple[Finding, ...]:
        """Its open threads, and what stands in its newest review of the head only."""
        review = _review(said)
        threads = map(judging.thread_finding, judging.open_threads(said))
        return (*threads, *(_beyond(whole(review.body), said) if review else ()))

    def _without_review(self, said: Said) -> Verdict:
        if any(not thread.resolved and not thread.outdated for thread in judging.threads_of_head(said)):
            return settled(self.name, said, ())
        for check in said.checks:
            if check.name.lower() in _CHECKS and (judging.running(check) or judging.broken(check)):
                word = Word.REVIEWING if judging.running(check) else Word.FAILED
                return unsettled(word, self.name, said)
        return unsettled(Word.SILENT, self.name, said)


def _review(said: Said) -> BotReview | None:
    """Its newest review of the head that has a text."""
    return next((one for one in reversed(judging.reviews_of_head(said)) if one.body.strip()), None)


def _own(text: Section) -> Iterator[str]:
    return (line.text.strip() for line in text.lines() if line.own and line.text.strip())


def _title(place: Section) -> str:
    return plain(place.title).strip(" *")


def _posted(text: Section) -> int | None:
    """How many comments it announces; None where it says nothing of the kind, or nothing that can be understood."""
    lines = list(_own(text))
    details = (place for place in text.sections() if _title(place).lower() == "review details")
    lines += [line for place in details for line in _own(place)]
    found = [match[1] for line in lines if (match := _COUNTED.fullmatch(line))]
    found += [match[1] for line in lines for words in _POSTED if (match := words.fullmatch(line))]
    titles = (match for place in text.sections() if (match := _OPEN.fullmatch(_title(place))))
    found += [title[1] or title[2] for title in titles]
    counts = [0 if count.lower() in ("no", "none") else int(count) for count in found]
    return max(counts, default=None)


def _beyond(text: Section, said: Said) -> tuple[Finding, ...]:
    """What stands in the body only. An assessment that is not good, yet names nothing, is a finding by itself."""
    found: list[Finding] = []
    for place in text.sections():
        if missed := _MISSED.fullmatch(_title(place)):
            items = [_missed(item) for item in place.parts if isinstance(item, Section)]
            found += items if len(items) >= int(missed[1]) else [_all_of(place)]
        elif suppressed := _SUPPRESSED.fullmatch(_title(place)):
            items = list(_suppressed(place))
            found += items if len(items) >= int(suppressed[1]) else [_all_of(place, Severity.NITPICK)]
    assessment = next((match[1] for line in _own(text) if (match := _ASSESSMENT.fullmatch(line))), "")
    named = judging.holding(found) or _posted(text) or judging.threads_of_head(said)
    if assessment and not _GOOD.fullmatch(assessment) and not named:
        found.append(Finding("", "", None, _lead(text, assessment), Severity.UNKNOWN))
    return tuple(found)


def _missed(item: Section) -> Finding:
    """A folded item: its title, a line with the place, and the explanation."""
    lines = [line for line in item.lines() if line.text.strip()]
    place = _PLACE.fullmatch(lines[0].text) if lines and lines[0].kind is Kind.TEXT else None
    parts = [part for part in item.parts if not (place and part is lines[0])]
    title = plain(item.title).strip()
    text = readable((Line(Kind.TEXT, title), Line(Kind.TEXT, ""), *parts))
    severity = severity_in(badge(item.title))
    return Finding("", place[1] if place else "", int(place[2]) if place else None, text, severity)


def _suppressed(place: Section) -> Iterator[Finding]:
    """Comments that it kept back because it trusts them little, each under `**path:line**`."""
    spot: re.Match[str] | None = None
    parts: list[Line | Section] = []
    for part in (*place.parts, None):
        begins = _PLACE.fullmatch(part.text) if isinstance(part, Line) and part.kind is Kind.TEXT else None
        if (begins or part is None) and spot:
            yield Finding("", spot[1], int(spot[2]), readable(parts).removeprefix("* "), Severity.NITPICK)
        if begins:
            spot, parts = begins, []
        elif part is not None:
            parts.append(part)


def _all_of(place: Section, severity: Severity = Severity.UNKNOWN) -> Finding:
    return Finding("", "", None, readable(place.parts) or place.title, severity)


def _lead(text: Section, assessment: str) -> str:
    """The assessment with what it says under it, up to the next table of facts."""
    own: Sequence[str] = list(_own(text))
    start = next(index for index, line in enumerate(own) if assessment in line)
    below = [line for line in own[start + 1 :] if not line.startswith(("**", "---", "#", "💡"))]
    return "\n".join((assessment, *below))
