"""What review bots say: this folder alone knows their wording, and tests/github/reviewers/corpus is its measure.

Pure: from values that the caller read to a verdict about one head commit, and to findings that a run can work on.
Whatever is not understood is no approval. Who wrote what is the caller's to know: `Said` holds one bot's texts only.
"""

from bot.github.reviewers.bugbot import Bugbot
from bot.github.reviewers.coderabbit import CodeRabbit
from bot.github.reviewers.codex import Codex
from bot.github.reviewers.copilot import Copilot
from bot.github.reviewers.plain import Plain
from bot.github.reviewers.said import (
    BotCheck,
    BotComment,
    BotReview,
    BotThread,
    Dialect,
    Finding,
    Said,
    Severity,
    Verdict,
    Word,
)

__all__ = [
    "BotCheck",
    "BotComment",
    "BotReview",
    "BotThread",
    "Dialect",
    "Finding",
    "Said",
    "Severity",
    "Verdict",
    "Word",
    "dialect_of",
    "findings_of",
    "on_request",
    "verdict",
]

_DIALECTS: tuple[Dialect, ...] = (CodeRabbit(), Copilot(), Codex(), Bugbot())


def dialect_of(login: str) -> Dialect | None:
    """The dialect of a review bot by its login, however GitHub spells it (`x[bot]` in REST, `x` in GraphQL)."""
    name = login.lower().removesuffix("[bot]")
    return next((dialect for dialect in _DIALECTS if name in dialect.logins), None)


def verdict(login: str, said: Said) -> Verdict:
    """A bot's word on the head commit. An unknown bot is judged by its reviews and threads alone."""
    return (dialect_of(login) or Plain(login)).hear(said)


def findings_of(login: str, said: Said) -> tuple[Finding, ...]:
    """What a bot wants changed: its open threads, of any commit, and what stands only in its review of the head."""
    return (dialect_of(login) or Plain(login)).findings(said)


def on_request(login: str) -> bool:
    """Whether a bot looks at a new head only when its review is requested, as of a person."""
    return isinstance(dialect_of(login), Copilot)
