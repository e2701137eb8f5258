"""Decisions: what shall be so, as values. `bot/perform.py` alone turns them into effects.

Each says which issue it is about, by its Linear id: what is refused of one issue holds up no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.machine.breakdown import Task
from bot.machine.pull_request import Failure
from bot.machine.record import Record
from bot.machine.stages import Disposition, Stage


@dataclass(frozen=True)
class Move:
    """The issue is in this stage."""

    issue: str
    stage: Stage


@dataclass(frozen=True)
class Dispose:
    """The issue bears this disposition and no other."""

    issue: str
    disposition: Disposition | None


@dataclass(frozen=True)
class Remember:
    """The issue's signed record says this."""

    issue: str
    record: Record


@dataclass(frozen=True)
class Post:
    """The issue has one comment about `topic`, made from the template `words`; a changed text edits it in place."""

    issue: str
    topic: str
    words: str
    values: Mapping[str, Any] = field(default_factory=dict)
    parent: str | None = None


@dataclass(frozen=True)
class WriteBreakdown:
    """The epic has a document with this breakdown."""

    issue: str
    content: str


@dataclass(frozen=True)
class CreateTickets:
    """The epic has a ticket for each task, with the tasks' dependencies as `blocks` relations."""

    issue: str
    team: str
    tasks: tuple[Task, ...]
    blocked_by: tuple[tuple[str, str], ...] = ()
    """Pairs of a task's key and the id of an issue that exists already and blocks it."""


@dataclass(frozen=True)
class StartRun:
    """A worker does this stage of this issue once, with this generation."""

    issue: str
    prompt: str
    stage: Stage
    generation: int
    attempt: int
    priority: int
    header: Mapping[str, str]
    variables: Mapping[str, Any]
    repository: str
    branch: str
    base: str
    merges: tuple[str, ...] = ()
    """Branches that are merged into `base` first, when two or more blockers stand below."""
    plan_digest: str = ""
    """The plan that a person approved; another one on the branch ends the run before it starts. Empty: any."""
    research_path: str = ""
    plan_path: str = ""
    resume: bool = False
    """A person had a say since the implementation loop stood still."""
    wishes: tuple[str, ...] = ()
    """Ids of the comments that the run is told."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """JSON that comes back with the result."""
    head: str = ""
    """The commit that the service pushed last."""
    upstream: str = ""
    """The commit that the branch stood on before its base changed."""
    failures: tuple[Failure, ...] = ()
    """Failing checks whose logs the run is shown."""


@dataclass(frozen=True)
class StopRun:
    """This run does not go on; `reason` is for people."""

    issue: str
    run: str
    reason: str


@dataclass(frozen=True)
class OpenPullRequest:
    """The branch has a pull request into `base`."""

    issue: str
    repository: str
    branch: str
    base: str
    title: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Retarget:
    """The pull request goes into `base`."""

    issue: str
    repository: str
    number: int
    base: str


@dataclass(frozen=True)
class Merge:
    """The pull request is merged at exactly this head, which a person approved."""

    issue: str
    repository: str
    number: int
    head: str
    title: str
    methods: tuple[str, ...] = ("merge", "squash", "rebase")


@dataclass(frozen=True)
class Enqueue:
    """The pull request is in GitHub's merge queue at exactly this head, which a person approved."""

    issue: str
    repository: str
    number: int
    head: str


@dataclass(frozen=True)
class Dequeue:
    """The pull request is in no merge queue: what was approved is so no more, or shall wait."""

    issue: str
    repository: str
    number: int


@dataclass(frozen=True)
class Rerun:
    """The failed check runs once more."""

    issue: str
    repository: str
    failure: Failure


@dataclass(frozen=True)
class Answer:
    """The thread (or, without one, the conversation) has our answer about `topic`; then it is resolved or not."""

    issue: str
    repository: str
    number: int
    thread: str
    topic: str
    words: str
    values: Mapping[str, Any] = field(default_factory=dict)
    resolve: bool = False


@dataclass(frozen=True)
class RequestReview:
    """These people are asked to look again."""

    issue: str
    repository: str
    number: int
    logins: tuple[str, ...]


@dataclass(frozen=True)
class ShowCheck:
    """Our own check on this head says how far the ticket is; it never gates."""

    issue: str
    repository: str
    head: str
    stage: Stage
    blockers: "tuple[Blocker, ...]"


@dataclass(frozen=True)
class ClosePullRequest:
    """The pull request is closed without a merge."""

    issue: str
    repository: str
    number: int


@dataclass(frozen=True)
class CleanUp:
    """The checkout is gone, and the branch: the work is merged, or will never be.

    A branch with something else than the commit `merged` stays: somebody pushed to it since. Empty: whatever it has.
    """

    issue: str
    repository: str
    branch: str
    delete_branch: bool
    merged: str = ""


Action = (
    Move | Dispose | Remember | Post | WriteBreakdown | CreateTickets | StartRun | StopRun | OpenPullRequest | Retarget
    | Merge | Enqueue | Dequeue | Rerun | Answer | RequestReview | ShowCheck | ClosePullRequest | CleanUp
)  # fmt: skip


@dataclass(frozen=True)
class Blocker:
    """Why an issue does not go on: a reason from `bot/words/blockers.toml` and what fills its sentence."""

    issue: str
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What to do now, what stands in the way, and when to look again (seconds; None: when something happens).

    `record` is the new record of the issue a handler was asked about; None leaves it as it is.
    """

    actions: tuple[Action, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    recheck_after: float | None = None
    record: Record | None = None

    def __add__(self, other: "Decision") -> "Decision":
        if other is NOTHING:
            return self
        if self is NOTHING:
            return other
        waits = [one.recheck_after for one in (self, other) if one.recheck_after is not None]
        return Decision(
            self.actions + other.actions,
            self.blockers + other.blockers,
            min(waits, default=None),
            other.record or self.record,
        )


NOTHING = Decision()


def until(now: datetime, moment: datetime) -> float:
    """Seconds from now to a moment, never negative."""
    return max(0.0, (moment - now).total_seconds())
