"""ChatGPT Codex's code review. A clean result is a comment that names the commit, findings are a review with threads.

Its thumbs-up reaction, which says the same as the comment, is not among what `Said` holds.
"""

import re
from urllib.parse import unquote

from bot.github.reviewers import judging
from bot.github.reviewers.cleaning import badge, plain, readable, severity_in
from bot.github.reviewers.judging import settled, unsettled
from bot.github.reviewers.markup import Kind, Line, Section, whole
from bot.github.reviewers.said import BotComment, Finding, Said, Verdict, Word

_CLEAN = re.compile(r"codex review: didn't find any major issues\b.*", re.IGNORECASE)
_COMMIT = re.compile(r"\**reviewed commit:?\**:?\s*`([0-9a-f]{7,64})`", re.IGNORECASE)
_LIMIT = re.compile(r"you have reached your codex usage limits?\b.*", re.IGNORECASE)
_UNSET = re.compile(r"to use codex here, \[?create\b.*", re.IGNORECASE)
_HEADLINE = re.compile(r"#+\s*\W*codex review\W*", re.IGNORECASE)
_PLACE = re.compile(
    r"https://[^\s/]+/[^\s/]+/[^\s/]+/blob/[0-9a-f]{7,64}/(\S+?)#L(\d{1,7})(?:-L\d{1,7})?\s*", re.IGNORECASE
)


class Codex:
    """Codex's dialect."""

    name = "Codex"
    logins = frozenset({"chatgpt-codex-connector"})

    def hear(self, said: Said) -> Verdict:
        """Its word on the head."""
        reviews = judging.reviews_of_head(said)
        understood = any(_HEADLINE.match(line) for review in reviews for line in _own(review.body))
        if understood and (judging.threads_of_head(said) or self._beyond(said)):
            return settled(self.name, said, self._beyond(said))
        if any(_is_clean(comment, said.head) for comment in said.comments):
            return settled(self.name, said, ())
        for comment in sorted(said.comments, key=lambda one: one.updated_at, reverse=True):
            word = _refusal(comment)
            if word and (said.head_at is None or comment.updated_at >= said.head_at):
                return unsettled(word, self.name, said)
        if reviews or judging.threads_of_head(said):
            return judging.not_understood(self.name, said, self._beyond(said))
        return unsettled(Word.SILENT, self.name, said)

    def findings(self, said: Said) -> tuple[Finding, ...]:
        """Its open threads, and what stands in its newest review of the head only."""
        return (*map(judging.thread_finding, judging.open_threads(said)), *self._beyond(said))

    def _beyond(self, said: Said) -> tuple[Finding, ...]:
        """Findings outside the diff: a link to the place on a line of its own, then the title and the text."""
        review = next((one for one in reversed(judging.reviews_of_head(said)) if one.body.strip()), None)
        if review is None:
            return ()
        items: list[tuple[re.Match[str], list[Line | Section]]] = []
        for part in whole(review.body).parts:
            place = _PLACE.fullmatch(part.text) if isinstance(part, Line) and part.kind is Kind.TEXT else None
            if place:
                items.append((place, []))
            elif items:
                items[-1][1].append(part)
        return tuple(_finding(place, parts) for place, parts in items)


def _own(body: str) -> list[str]:
    lines = (line.text.strip().replace("’", "'") for line in whole(body).lines() if line.own)
    return [line for line in lines if line]


def _is_clean(comment: BotComment, head: str) -> bool:
    own = _own(comment.body)
    commits = [found[1] for line in own if (found := _COMMIT.fullmatch(line))]
    named = bool(commits) and all(judging.same_commit(commit, head) for commit in commits)
    return named and bool(own) and _CLEAN.fullmatch(own[0]) is not None


def _refusal(comment: BotComment) -> Word | None:
    own = _own(comment.body)
    if not own:
        return None
    if _LIMIT.fullmatch(own[0]):
        return Word.RATE_LIMITED
    return Word.SKIPPED if _UNSET.fullmatch(own[0]) else None


def _finding(place: re.Match[str], parts: list[Line | Section]) -> Finding:
    first = next((part.text for part in parts if isinstance(part, Line) and part.text.strip()), "")
    path = unquote(plain(place[1]))
    return Finding("", path, int(place[2]), readable(parts), severity_in(badge(first)))
