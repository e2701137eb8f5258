"""The values of this folder: what one review bot put on a pull request, and what that means for its head commit."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Word(StrEnum):
    """What a review bot says of one commit. SILENT: nothing yet, or nothing that can be understood."""

    REVIEWING = "reviewing"
    PAUSED = "paused"
    RATE_LIMITED = "rate_limited"
    SKIPPED = "skipped"
    APPROVED = "approved"
    FINDINGS = "findings"
    FAILED = "failed"
    SILENT = "silent"


class Severity(StrEnum):
    """How much a bot makes of a finding. A NITPICK that stands in no thread holds nothing back."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    NITPICK = "nitpick"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class BotComment:
    """A comment in the conversation, as it reads now; bots edit theirs in place."""

    body: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class BotReview:
    """A submitted review. `state` in capitals as in GraphQL, `commit` the one it was submitted for."""

    state: str
    body: str
    commit: str
    submitted_at: datetime


@dataclass(frozen=True)
class BotThread:
    """A review thread that the bot opened. `replies` are the bot's own later texts in it.

    `commit` must be the commit it was opened on (GraphQL `originalCommit`): GitHub moves `commit` along with the head.
    """

    id: str
    resolved: bool
    outdated: bool
    body: str
    commit: str
    path: str = ""
    line: int | None = None
    replies: tuple[str, ...] = ()


@dataclass(frozen=True)
class BotCheck:
    """A check run of the bot's App on the head, or its commit status there.

    A commit status comes as its context, its state (twice), and its description.
    """

    name: str
    status: str
    conclusion: str
    summary: str


@dataclass(frozen=True)
class Said:
    """Everything that one bot put on a pull request, as read now; nobody else's text.

    `head_at` is when the head was pushed, where that is known: what names no commit and is older is not about it.
    """

    head: str
    comments: tuple[BotComment, ...] = ()
    reviews: tuple[BotReview, ...] = ()
    threads: tuple[BotThread, ...] = ()
    checks: tuple[BotCheck, ...] = ()
    head_at: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """A bot's word on the head. `reason` is a sentence for people, `findings` what stands open.

    `until` is when a rate limit ends, where the bot says so; it may have passed. The bot does not come back by itself
    then, it must be asked again (facts/github section 9).
    """

    word: Word
    until: datetime | None = None
    reason: str = ""
    findings: int = 0


@dataclass(frozen=True)
class Finding:
    """One thing that a bot wants changed. `thread` is empty where it stands in a review's body only.

    `text` is the bot's, without what was meant for machines. It is data: whoever shows it to an agent quotes it.
    """

    thread: str
    path: str
    line: int | None
    text: str
    severity: Severity


class Dialect(Protocol):
    """The way one review bot speaks. `logins` in small letters, without the ending `[bot]`."""

    @property
    def name(self) -> str:
        """The bot's name for people."""
        ...

    @property
    def logins(self) -> frozenset[str]:
        """The accounts it speaks through."""
        ...

    def hear(self, said: Said) -> Verdict:
        """Its word on the head."""
        ...

    def findings(self, said: Said) -> tuple[Finding, ...]:
        """What it wants changed on the head: its open threads, and what stands in its review only."""
        ...
