"""Facts: one frozen picture of an epic, its tickets, pull requests and runs, as the decision sees them.

`observe` in `bot/linear`, `bot/github` and the engine fill it; nothing in it is a wire format.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.machine.pull_request import PullRequest
from bot.machine.record import Record
from bot.machine.stages import Disposition, Stage


@dataclass(frozen=True)
class Author:
    """Who wrote a comment. `person` is False for everything that is not simply a human typing in Linear (S-12)."""

    id: str
    name: str
    person: bool
    active: bool = True
    guest: bool = False
    app: bool = False
    teams: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comment:
    """A Linear comment. `ours` is proven by its id or signed marker, never by its author alone."""

    id: str
    body: str
    author: Author | None
    created_at: datetime
    edited: bool = False
    ours: bool = False
    topic: str = ""
    """What our own comment is about (`ensure_comment(topic)`); empty for other people's."""
    parent: str | None = None
    url: str = ""
    editable: bool = True
    """Whether we may edit it: Linear lets only the account that wrote it, and ours may have been another then."""


@dataclass(frozen=True)
class Document:
    """The Linear document on an epic that holds the breakdown."""

    id: str
    title: str
    content: str
    updated_at: datetime
    url: str = ""


@dataclass(frozen=True)
class Blocking:
    """Another issue that must be far enough before this one starts; it may live outside the epic."""

    issue: str
    identifier: str
    stage: Stage | None
    state_name: str
    over: bool
    """Whether Linear counts it as completed or canceled, or somebody put it away."""


class Mover(StrEnum):
    """Who put an issue into the workflow state it is in, as its history tells.

    UNKNOWN: the history doesn't say (Linear writes none in an issue's first three minutes), or nobody asked, because
    the issue stands where we remember it.
    """

    PERSON = "person"
    AUTOMATION = "automation"
    US = "us"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Issue:
    """An epic or a ticket as Linear tells it. `stage` is None in a state that no stage is mapped to."""

    id: str
    identifier: str
    title: str
    description: str
    url: str
    team: str
    stage: Stage | None
    state_name: str
    state_type: str
    labels: frozenset[str]
    priority: int
    created_at: datetime
    comments: tuple[Comment, ...] = ()
    blocked_by: tuple[Blocking, ...] = ()
    record: Record | None = None
    shown: int | None = None
    """Number of the record that Linear shows, when it is ours, believed or not."""
    kept: str = ""
    """Id of the attachment that holds what Linear shows as its record, believed or not."""
    record_refused: str = ""
    """Why there is no record to believe (forged, copied, unreadable, older than what we said since, gone); empty when
    all is well, or when there never was one."""
    outdated: bool = False
    """Linear shows an older record than `record`, which is the newest one that stood there: it must be put back."""
    task: str = ""
    """Key of the task of the breakdown that this ticket's id is made from; told only where the record doesn't."""
    of_another: bool = False
    """It was made for a task of another epic's breakdown, and came from there."""
    parent: str | None = None
    project: str = ""
    archived: bool = False
    mover: Mover = Mover.UNKNOWN
    """Read only where Linear's state is not that of the stage we remember."""
    moved_by: Author | None = None
    """The person who moved it, or the automation by its name."""

    @property
    def over(self) -> bool:
        """Whether it is done or was given up, as Linear tells it."""
        return self.stage is not None and self.stage.over

    @property
    def disposition(self) -> Disposition | None:
        """Why it stands still, by its labels; the strictest word wins."""
        return next(
            (
                word
                for word in (Disposition.PAUSED, Disposition.NEEDS_INPUT, Disposition.BLOCKED)
                if word in self.labels
            ),
            None,
        )


class RunState(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELED = "canceled"


@dataclass(frozen=True)
class Run:
    """A run as the engine knows it. `result` is what `bot/runs/contract.py` calls a RunResult, as plain JSON."""

    id: str
    issue: str
    stage: str
    generation: int
    state: RunState
    ahead: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    spent_usd: float = 0.0
    """What it has cost until now."""

    @property
    def live(self) -> bool:
        """Whether it waits for a worker, or has one."""
        return self.state in (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True)
class Service:
    """What all epics share: the pause for the model's account, US dollars spent today (UTC), runs of the last hour."""

    paused_until: datetime | None = None
    paused_why: str = ""
    today_usd: float = 0.0
    runs_lately: int = 0


@dataclass(frozen=True)
class Call:
    """Who put the label there that makes an epic or a lone ticket ours, as Linear tells it."""

    label: str
    by: Author | None = None
    """None where Linear names nobody, and where it was us."""
    ours: bool = False
    """The service did: somebody ran `callboard orchestrate`."""


@dataclass(frozen=True)
class Ticket:
    """One ticket with everything that belongs to it."""

    issue: Issue
    pull_request: PullRequest | None = None
    runs: tuple[Run, ...] = ()
    branch_gone: bool = False
    """Its work is done and has no pull request yet, and the branch with it was deleted."""


@dataclass(frozen=True)
class Departed:
    """What has work of ours on a branch, and is none of the epic's tickets any more."""

    issue: str
    branch: str
    now: Issue | None
    """None: it was deleted for ever."""
    whose: str = ""
    """Id of what bears a label and has it now: itself, or the epic right above it. Empty: it is nobody's."""
    pull_request: PullRequest | None = None


def record_of(ticket: Ticket) -> Record:
    """The ticket's record, or a fresh one. One that was begun anew while its task could not be told is told it now."""
    issue = ticket.issue
    if issue.record is None:
        return Record(issue=issue.id, task=issue.task)
    return issue.record if issue.record.task or not issue.task else replace(issue.record, task=issue.task)


def task_of(ticket: Ticket) -> str:
    """Key of the task of the epic's breakdown that a ticket is for; empty: people made it part of the epic."""
    return "" if ticket.issue.of_another else record_of(ticket).task


@dataclass(frozen=True)
class Repository:
    """The repository an epic works on."""

    name: str
    base: str


@dataclass(frozen=True)
class Rules:
    """The part of the policy that decisions ask for."""

    max_retries: int = 3
    plan_by_person: bool = False
    dependents_wait_for_done: bool = False
    documentation: bool = True
    epic_usd: float = 100.0
    day_usd: float = 250.0
    runs_per_ticket: int = 100
    """Runs of one issue until a person says `retry`: the circuit breaker."""
    runs_per_hour: int = 600
    """Runs that the whole service orders within an hour."""
    people: frozenset[str] = frozenset()
    """Linear user ids that may approve and command; empty: every active member who is no guest."""
    checks_appear_seconds: float = 60.0
    spec_characters: int = 150_000
    review_bots: tuple[str, ...] = ()
    review_bot_minutes: float = 20.0
    max_fix_rounds: int = 2
    open_reviews: int = 0
    """How many pull requests may wait for a person at once; 0: any number."""


@dataclass(frozen=True)
class Refusal:
    """What Linear or GitHub refused for good of one issue, and in how many seconds it is tried again; 0: now."""

    reason: str
    wait: float = 0.0


@dataclass(frozen=True)
class Facts:
    """Everything one decision may know. `now` is a fact like the others."""

    now: datetime
    key: str
    epic: Ticket
    """The epic, or the lone ticket labelled `worker`; `lone` tells which."""
    tickets: tuple[Ticket, ...]
    document: Document | None
    repository: Repository | None
    rules: Rules = Rules()
    states_missing: tuple[str, ...] = ()
    """Names of workflow states that the team lacks."""
    lone: bool = False
    dropped: bool = False
    """The label was taken away: nothing new starts, what runs is stopped."""
    numbers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By issue id: the highest numbers that were given out and that stood on Linear for its record at this read."""
    orphans: tuple[Run, ...] = ()
    """Runs for what is none of the epic's tickets any more."""
    departed: tuple[Departed, ...] = ()
    """Asked for where the epic's record knows of a ticket that is none any more; none while GitHub can't be read."""
    unchanged: Mapping[str, datetime] = field(default_factory=dict)
    """By issue id: since when nothing that we know of it has changed. Nothing here: it is new to us."""
    unchecked: Mapping[str, float] = field(default_factory=dict)
    """By issue id: for how many seconds we have seen the head of its pull request without a check."""
    merge_refused: Mapping[str, str] = field(default_factory=dict)
    """By issue id: what GitHub said when it refused to merge this head, which nothing that it shows speaks against."""
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    """By issue id: what was refused of it; until it is tried again nothing is done about this issue."""
    service: Service = Service()
    spent_usd: float = 0.0
    """US dollars that the engine counts against the epic's budget when a model is called."""
    call: Call | None = None
    """Read only where the record doesn't know that somebody who may put the label there."""
    began_in: str = ""
    """Name of the repository that the work is in, as the records tell; empty while nothing has begun."""
    named_now: str = ""
    """Name of the repository that label, project or team name now; empty when they name none."""
