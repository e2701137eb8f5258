"""What a GitHub keeps besides git: pull requests, what was said, and what was checked.

Commits and branches are not here: they live in the bare repositories and nowhere else. A pull request remembers its
head SHA because GitHub does too: it outlives the branch.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.simulator.github.git import Commit
from bot.simulator.github.people import LEVELS, App, User, node_id

if TYPE_CHECKING:
    from bot.simulator.github.workflows import WorkflowRun


@dataclass(frozen=True)
class QueueRule:
    """That a branch is merged into by its merge queue alone: how, and how long the checks of a group may take."""

    method: str = "merge"
    timeout: timedelta = timedelta(hours=1)


@dataclass
class Protection:
    """The rules of one branch."""

    checks: tuple[str, ...] = ()
    strict: bool = False
    approvals: int = 0
    dismiss_stale: bool = False
    conversation_resolution: bool = False
    last_push_approval: bool = False
    """Whether the newest push must be approved by somebody else than who pushed it."""
    queue: QueueRule | None = None
    ruleset: bool = False
    """Whether it is a ruleset rather than a classic branch protection: a refused merge is worded otherwise."""


@dataclass(eq=False)
class Repository:
    """A repository: the bare git folder, its rules, and everything that hangs on it."""

    id: int
    owner: User
    name: str
    path: Path
    created_at: datetime
    private: bool = True
    default_branch: str = "main"
    merge_commits: bool = True
    squash_merges: bool = True
    rebase_merges: bool = True
    auto_merge: bool = False
    delete_branch_on_merge: bool = False
    roles: dict[str, str] = field(default_factory=dict)
    protection: dict[str, Protection] = field(default_factory=dict)
    pulls: dict[int, "Pull"] = field(default_factory=dict)
    check_suites: list["CheckSuite"] = field(default_factory=list)
    workflow_runs: list["WorkflowRun"] = field(default_factory=list)
    queue: list["QueueEntry"] = field(default_factory=list)
    statuses: list["Status"] = field(default_factory=list)
    labels: dict[str, "Label"] = field(default_factory=dict)
    hooks: list["Hook"] = field(default_factory=list)
    queue_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner.login}/{self.name}"

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("R", self.id)

    def role(self, user: User) -> str:
        """What `user` may do here: none, read, triage, write, maintain or admin."""
        if user is self.owner:
            return "admin"
        return self.roles.get(user.login.lower(), "none" if self.private else "read")

    def allows(self, user: User, level: str) -> bool:
        """Whether the role of `user` is at least `level`."""
        return LEVELS[self.role(user)] >= LEVELS[level]

    @property
    def check_runs(self) -> Iterator["CheckRun"]:
        """Every check run of the repository, oldest first within its suite."""
        return (run for suite in self.check_suites for run in suite.runs)


@dataclass(eq=False)
class Label:
    """A label of a repository."""

    id: int
    name: str
    color: str = "ededed"

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("LA", self.id)


@dataclass(eq=False)
class Pull:
    """A pull request within one repository. `counted` remembers how often its mergeability was asked for."""

    id: int
    number: int
    repository: Repository
    author: User
    title: str
    body: str | None
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    created_at: datetime
    updated_at: datetime
    draft: bool = False
    via: App | None = None
    state: str = "open"
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: User | None = None
    merge_commit_sha: str | None = None
    auto_merge: "AutoMerge | None" = None
    labels: list[Label] = field(default_factory=list)
    requested: list[User] = field(default_factory=list)
    pushed_by: User | None = None
    reviews: list["Review"] = field(default_factory=list)
    threads: list["Thread"] = field(default_factory=list)
    comments: list["Comment"] = field(default_factory=list)
    counted: tuple[tuple[str, str], int] = (("", ""), 0)
    conflicts: tuple[tuple[str, str], bool] | None = None
    size: tuple[tuple[str, str], tuple[int, int, int, int]] | None = None

    @property
    def merged(self) -> bool:
        """Whether it is merged (a merged pull request is also closed)."""
        return self.merged_at is not None

    @property
    def queued(self) -> "QueueEntry | None":
        """Its place in the merge queue, or None."""
        return next((entry for entry in self.repository.queue if entry.pull is self), None)

    @property
    def open(self) -> bool:
        """Whether it is open."""
        return self.state == "open"

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("PR", self.id)


@dataclass(eq=False)
class QueueEntry:
    """A pull request in the merge queue of its base. `group` is the commit that is checked and would become the base.

    It was put in with `head_sha`, and leaves the queue when that is its head no more.
    """

    id: int
    pull: Pull
    base_ref: str
    head_sha: str
    by: User
    at: datetime
    jump: bool = False
    state: str = "QUEUED"
    base: str | None = None
    group: str | None = None
    built_at: datetime | None = None

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("MQE", self.id)

    @property
    def ref(self) -> str:
        """The branch that GitHub makes for the group."""
        return f"gh-readonly-queue/{self.base_ref}/pr-{self.pull.number}-{self.base}"


@dataclass(frozen=True)
class AutoMerge:
    """A merge that GitHub does itself once nothing stands in its way."""

    by: User
    at: datetime
    method: str
    title: str | None
    message: str | None


@dataclass(eq=False)
class Reaction:
    """A reaction to a comment; `content` as REST spells it (`eyes`, `+1`)."""

    id: int
    user: User
    content: str
    created_at: datetime


@dataclass(eq=False)
class Comment:
    """A comment in the conversation of a pull request."""

    id: int
    pull: Pull
    user: User
    body: str
    created_at: datetime
    updated_at: datetime
    via: App | None = None
    minimized: str | None = None
    reactions: list[Reaction] = field(default_factory=list)

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("IC", self.id)


@dataclass(eq=False)
class Review:
    """A review. `state` is GitHub's upper-case word; an absent body is None."""

    id: int
    pull: Pull
    user: User
    state: str
    body: str | None
    commit_id: str
    submitted_at: datetime | None
    via: App | None = None
    comments: list["ReviewComment"] = field(default_factory=list)
    minimized: str | None = None

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("PRR", self.id)


@dataclass(eq=False)
class Thread:
    """A conversation on a line. `line` is where it stands in the head; None once that line has changed."""

    id: int
    pull: Pull
    path: str
    line: int | None
    original_line: int
    original_commit: str
    hunk: str
    start_line: int | None = None
    side: str = "RIGHT"
    resolved_by: User | None = None
    comments: list["ReviewComment"] = field(default_factory=list)

    @property
    def first_line(self) -> int | None:
        """Where a remark on several lines begins in the head; None for a single line, and once it is outdated."""
        if self.line is None or self.start_line is None:
            return None
        return self.line - (self.original_line - self.start_line)

    @property
    def outdated(self) -> bool:
        """Whether the line it stands on has changed since."""
        return self.line is None

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("PRRT", self.id)


@dataclass(eq=False)
class ReviewComment:
    """A comment in a thread; the first one of the thread has `reply_to` None."""

    id: int
    thread: Thread
    review: Review
    user: User
    body: str
    created_at: datetime
    updated_at: datetime
    reply_to: "ReviewComment | None" = None
    via: App | None = None
    minimized: str | None = None
    reactions: list[Reaction] = field(default_factory=list)

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("PRRC", self.id)


@dataclass(eq=False)
class CheckSuite:
    """All check runs of one App on one commit."""

    id: int
    app: App
    commit: Commit
    head_branch: str | None
    created_at: datetime
    updated_at: datetime
    runs: list["CheckRun"] = field(default_factory=list)
    status: str = "queued"
    conclusion: str | None = None

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("CS", self.id)

    @property
    def head_sha(self) -> str:
        """The commit's SHA."""
        return self.commit.sha


@dataclass(eq=False)
class CheckRun:
    """One check of an App on one commit."""

    id: int
    suite: CheckSuite
    name: str
    started_at: datetime
    status: str = "queued"
    conclusion: str | None = None
    completed_at: datetime | None = None
    details_url: str | None = None
    external_id: str = ""
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[Mapping[str, object]] = field(default_factory=list)
    actions: list[Mapping[str, object]] = field(default_factory=list)

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("CR", self.id)


@dataclass(eq=False)
class Status:
    """A commit status of the older kind."""

    id: int
    sha: str
    context: str
    state: str
    creator: User
    created_at: datetime
    target_url: str | None = None
    description: str | None = None

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("SC", self.id)


@dataclass(eq=False)
class Hook:
    """A webhook of a repository."""

    id: int
    url: str
    secret: str | None
    events: tuple[str, ...]
    created_at: datetime
    content_type: str = "form"
    active: bool = True
