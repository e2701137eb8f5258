"""What a GitHub keeps besides git: pull requests, what was said, and what was checked.

Commits and branches are not here: they live in the bare repositories and nowhere else. A pull request remembers its
head SHA because GitHub does too: it outlives the branch.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.simulator.github.model_checks import CheckRun, CheckSuite, Status
from bot.simulator.github.model_reviews import Comment, Review, Thread
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
    check_suites: list[CheckSuite] = field(default_factory=list)
    workflow_runs: list["WorkflowRun"] = field(default_factory=list)
    queue: list["QueueEntry"] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
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
    def check_runs(self) -> Iterator[CheckRun]:
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
    reviews: list[Review] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    removals: list["Removal"] = field(default_factory=list)
    counted: tuple[tuple[str, str], int] = (("", ""), 0)
    asked_at: datetime | None = None
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
class Removal:
    """A pull request left the merge queue: when it stood at `head_sha`, by whom, and why."""

    id: int
    entry: "QueueEntry"
    actor: User
    reason: str
    at: datetime

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("RFMQE", self.id)


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
class Hook:
    """A webhook of a repository."""

    id: int
    url: str
    secret: str | None
    events: tuple[str, ...]
    created_at: datetime
    content_type: str = "form"
    active: bool = True
