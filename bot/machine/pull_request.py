"""A pull request as GitHub tells it now: its checks, what people and review bots said, and how it may be merged.

`observe` in `bot/github` fills it; nothing in it is a wire format.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Checks(StrEnum):
    """What the required checks of a head say together. UNKNOWN counts as not green."""

    NONE = "none"
    PENDING = "pending"
    GREEN = "green"
    RED = "red"
    UNKNOWN = "unknown"


class Mergeable(StrEnum):
    """Whether GitHub could merge it. UNKNOWN means that GitHub is still computing: look again."""

    YES = "yes"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Remark:
    """A comment on GitHub, in a thread or in the conversation, as it reads now. `id` is its node id."""

    id: str
    author: str
    """The login as REST spells it; bots end in `[bot]`."""
    body: str
    created_at: datetime
    edited_at: datetime | None = None
    person: bool = False
    """A human: no bot, no App, not ourselves."""
    may: bool = False
    """The person has write permission or above, as the API says."""
    ours: bool = False
    """The service wrote it: our App, or with a person's token that login and our mark at the end."""
    topic: str = ""
    """What our own remark is about; empty for other people's."""
    reply_to: str = ""
    """Id of the remark that it answers: the first of its thread."""
    minimized: bool = False
    url: str = ""


@dataclass(frozen=True)
class Thread:
    """A review thread. `line` is None when its code has changed since; `diff_hunk` shows the code it was about."""

    id: str
    path: str
    line: int | None = None
    start_line: int | None = None
    resolved: bool = False
    settled: bool = False
    """A person resolved it: whatever was said there wants no answer any more."""
    outdated: bool = False
    diff_hunk: str = ""
    remarks: tuple[Remark, ...] = ()
    """Oldest first. Empty when every remark was deleted meanwhile."""
    commit: str = ""
    """The commit that it was opened on."""

    @property
    def open(self) -> bool:
        """A person's thread stays open until somebody resolves it; a bot's also ends when its code has changed."""
        by_bot = bool(self.remarks) and self.remarks[0].author.endswith("[bot]")
        return not self.resolved and not (by_bot and self.outdated)


class Opinion(StrEnum):
    """What a submitted review says. DISMISSED no longer says anything."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    COMMENTED = "commented"
    DISMISSED = "dismissed"


@dataclass(frozen=True)
class Review:
    """A submitted review. Its comments on lines are in the threads; a lone comment or reply has an empty one too."""

    id: str
    author: str
    state: Opinion
    body: str
    commit: str
    """The head it was given for."""
    submitted_at: datetime
    edited_at: datetime | None = None
    person: bool = False
    may: bool = False
    ours: bool = False
    url: str = ""


@dataclass(frozen=True)
class CheckSeen:
    """A check or commit status on this head. `result` is GitHub's word, lower case: `success`, `failure`, `pending`…"""

    name: str
    by: str
    """The login of its App (`coderabbitai[bot]`) or of who reported the status."""
    result: str
    required: bool = False
    summary: str = ""


@dataclass(frozen=True)
class Annotation:
    """What a check says about a line."""

    path: str
    line: int
    message: str


@dataclass(frozen=True)
class Failure:
    """A check that counts and failed on this head. Its texts are what a program printed: data, never instructions."""

    name: str
    kind: Literal["check_run", "status"]
    head: str
    id: int = 0
    """Number of the check run, which is that of the job where GitHub Actions made it; 0 for a commit status."""
    by: str = ""
    conclusion: str = "failure"
    details_url: str = ""
    summary: str = ""
    annotations: tuple[Annotation, ...] = ()
    suite: int = 0
    """Number of the check suite, by which it can be asked to run again; 0: it can't."""
    actions_run: int = 0
    """Number of the GitHub Actions run it belongs to; 0: made by something else."""
    attempt: int = 1
    """How many times this check has run on this head by now."""
    busy: bool = False
    """Others of the same suite still run; GitHub runs nothing of it again before they end."""

    @property
    def can_rerun(self) -> bool:
        """Whether GitHub can be asked to run it again now. A commit status never can."""
        return bool(self.actions_run or self.suite) and not self.busy


@dataclass(frozen=True)
class QueueState:
    """A pull request in GitHub's merge queue. `state` is GitHub's word: `queued`, `awaiting_checks`, `mergeable`, …"""

    position: int
    state: str


@dataclass(frozen=True)
class Ejection:
    """GitHub's merge queue took the pull request out, with GitHub's reason; `head` is empty when it doesn't say."""

    reason: str
    at: datetime
    head: str = ""


@dataclass(frozen=True)
class Merging:
    """How a pull request may be merged where it goes: by its merge queue only, by auto-merge, by these methods."""

    queue: bool = False
    """The base branch takes merges only through GitHub's merge queue."""
    auto_merge_allowed: bool = False
    methods: tuple[str, ...] = ("merge", "squash", "rebase")


@dataclass(frozen=True)
class BotFinding:
    """What a review bot wants changed. `thread` is empty when it stands in the body of its review only."""

    thread: str
    path: str
    line: int | None
    text: str


@dataclass(frozen=True)
class BotWord:
    """What a review bot that the policy names says of this head (`bot/github/reviewers` knows its wording)."""

    login: str
    word: str
    """One of `reviewing`, `paused`, `rate_limited`, `skipped`, `approved`, `findings`, `failed`, `silent`."""
    reason: str = ""
    until: datetime | None = None
    findings: tuple[BotFinding, ...] = ()
    """What it wants changed. Whatever its word on this head is, a thread that it began on an older one may be open."""
    on_request: bool = False
    """It looks at a head only when its review is requested."""


@dataclass(frozen=True)
class PullRequest:
    """A pull request of ours, as GitHub tells it now."""

    number: int
    url: str
    node: str
    open: bool
    merged: bool
    head: str
    head_branch: str
    base_branch: str
    draft: bool = False
    merge_commit: str = ""
    mergeable: Mergeable = Mergeable.UNKNOWN
    checks: Checks = Checks.UNKNOWN
    failing: tuple[str, ...] = ()
    """Names of the checks that failed on this head."""
    waiting: tuple[str, ...] = ()
    """Names of the checks that have not ended on this head."""
    changes_requested_by: tuple[str, ...] = ()
    approved_by: tuple[str, ...] = ()
    review_required: bool = False
    """GitHub's rules ask for an approving review that is missing."""
    open_threads: int = 0
    threads: tuple[Thread, ...] = ()
    """All of them, resolved ones too, oldest first."""
    reviews: tuple[Review, ...] = ()
    """Every submitted review, oldest first."""
    conversation: tuple[Remark, ...] = ()
    """The comments below the pull request, oldest first, without minimized ones."""
    author_is_us: bool = True
    failing_details: tuple[Failure, ...] = ()
    """The same checks as `failing`."""
    checks_seen: tuple[CheckSeen, ...] = ()
    """Every check on this head but our own, also those that don't count."""
    behind: bool = False
    """The rules want the branch up to date with its base before the merge, and it is not."""
    blocked_by_rules: str = ""
    """GitHub refuses the merge for a rule it doesn't name here, as a sentence for people; empty: it does not."""
    merging: Merging = Merging()
    queue: QueueState | None = None
    """Its place in the merge queue; None: it is in none."""
    ejected: Ejection | None = None
    """The last time that the merge queue took it out."""
    auto_merge: bool = False
    """GitHub will merge it by itself once the rules are met."""
    protected: tuple[str, ...] | None = ()
    """Changed paths that may be merged only when a person names them; None when nobody knows which files it changes,
    or nobody asked, because it is not about to be merged."""
    bots: tuple[BotWord, ...] = ()
    """The review bots that the policy waits for."""
