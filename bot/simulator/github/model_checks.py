"""What was reported on a commit: check suites, check runs, and statuses of the older kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.simulator.github.git import Commit
from bot.simulator.github.people import App, User, node_id


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
