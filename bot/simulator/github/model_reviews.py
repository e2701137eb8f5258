"""What was said about a pull request: comments, reviews, and the threads that reviews open on lines."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from bot.simulator.github.people import App, User, node_id

if TYPE_CHECKING:
    from bot.simulator.github.model import Pull


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
    pull: "Pull"
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
    pull: "Pull"
    user: User
    state: str
    body: str | None
    commit_id: str
    submitted_at: datetime | None
    via: App | None = None
    comments: list["ReviewComment"] = field(default_factory=list)
    minimized: str | None = None
    edited_at: datetime | None = None

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("PRR", self.id)


@dataclass(eq=False)
class Thread:
    """A conversation on a line. `line` is where it stands in the head; None once that line has changed."""

    id: int
    pull: "Pull"
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
