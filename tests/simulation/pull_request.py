"""What GitHub keeps of a pull request, and how its repository is set up."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulation.clock import now

Node = dict[str, Any]
NAME = "acme/youlab"
SLUG = "callboard"
OWN = f"{SLUG}[bot]"
OUR_MAIL = f"7+{OWN}@users.noreply.github.com"
WRITERS = {"alice": "admin", "bob": "write", "eve": "read", "gina": "read"}


@dataclass(frozen=True)
class House:
    """How the repository is set up in this story."""

    methods: tuple[str, ...] = ("merge", "squash", "rebase")
    ci: bool = True
    required: bool = True
    """GitHub itself refuses a merge whose checks are not green."""
    strict: bool = False
    """Only what is up to date with its base may be merged."""
    review: bool = False
    """Only what a person approved on GitHub may be merged."""
    queue: bool = False
    linear: bool = False
    """The base branch takes no merge commits, which the settings of the repository don't tell."""
    keeps: bool = False
    """A rule forbids that anybody deletes a branch."""
    deletes: bool = False
    """GitHub deletes a branch with its merge, and takes what goes into it to where that was merged."""
    vast: bool = False
    """Some pull requests change so much that GitHub now and then has no list of it."""


@dataclass
class Check:
    """A check run on a head."""

    id: int
    name: str
    suite: int
    app: str
    status: str = "in_progress"
    conclusion: str = ""
    summary: str = ""
    title: str = ""


@dataclass
class Remark:
    """A comment, in a thread or in the conversation, or a review (then `state` is set)."""

    id: str
    by: str
    body: str
    made: datetime = field(default_factory=now)
    edited: datetime | None = None
    state: str = ""
    commit: str = ""


@dataclass
class Thread:
    """A review thread."""

    id: str
    path: str
    remarks: list[Remark]
    resolved_by: str = ""
    outdated: bool = False


@dataclass
class Pull:
    """A pull request. `at` is its head once it is closed; while it is open its branch says."""

    number: int
    branch: str
    base: str
    title: str
    by: str
    at: str = ""
    open: bool = True
    merged: bool = False
    merge_commit: str = ""
    merged_at_head: str = ""
    merged_by: str = ""
    reviews: list[Remark] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    conversation: list[Remark] = field(default_factory=list)
    queued: str = ""
    """The head that stands in the merge queue."""
    ejected: tuple[str, datetime, str] | None = None
    computed: str = ""
    """For which pair of commits GitHub knows whether it can be merged."""
    landed_in: str = ""
    draft: bool = False
    locked: bool = False
    """Nobody says anything there any more but people who may write."""
    was_locked: bool = False
    """It is, or was once: what was to be said then is said no more."""


class Refusal(Exception):  # noqa: N818
    """GitHub says no, with a status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message
