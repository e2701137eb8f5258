"""Where a plan stands, as values: what is done, the piece of work in hand, what a step came to, and the step itself.

`bot/machine/loop.py` decides with them; `bot/runs/branch.py` reads and writes what must survive.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.machine.plan import Phase, Plan

AFTER = 0
"""The number of what comes after the phases."""


class Kind(StrEnum):
    """What a step does; the last three are the ways in which the loop ends."""

    IMPLEMENT = "implement"
    VERIFY = "verify"
    REVIEW = "review"
    FIX = "fix"
    COMMIT = "commit"
    COMPLETED = "completed"
    BLOCKED = "blocked"
    NEEDS_INPUT = "needs input"


AGENT_STEPS = frozenset({Kind.IMPLEMENT, Kind.REVIEW, Kind.FIX})
"""Steps that a worker's agent does; the service itself does the others."""
EXITS = frozenset({Kind.COMPLETED, Kind.BLOCKED, Kind.NEEDS_INPUT})


@dataclass(frozen=True)
class Receipt:
    """One command that the service ran. `ended` is "exited" when the command ended by itself; `output` is cut."""

    phase: int
    command: str
    code: int
    seconds: float
    ended: str
    output: str
    commit: str = ""
    """The commit whose files it ran on."""

    @property
    def passed(self) -> bool:
        """Whether the command says that all is well."""
        return self.ended == "exited" and self.code == 0


@dataclass(frozen=True)
class Done:
    """A phase that is committed."""

    number: int
    name: str
    commit: str
    attempts: int
    summary: str = ""
    """What the worker said that it did."""


@dataclass(frozen=True)
class Work:
    """The piece of work in hand: a phase, or `AFTER`. Everything in it survives on the branch's own ref."""

    phase: int
    digest: str = ""
    """Of the phase when it was begun; another one now means that the plan was changed under it."""
    attempt: int = 1
    written: bool = False
    """The worker said that it is done."""
    changed: bool = False
    """It left something to commit."""
    verified: bool = False
    """Only for `AFTER`: all commands passed since the last change. A phase is verified by its ticks."""
    reviewed: bool = False
    findings: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    """What every failed attempt came to, oldest first."""
    question: str = ""
    options: tuple[str, ...] = ()
    ticked: tuple[str, ...] = ()
    """Commands that the worker ticked."""
    ran: tuple[str, ...] = ()
    """Commands that the service ticked."""
    wishes: tuple[str, ...] = ()
    """Ids of the comments that `AFTER` answers."""
    summary: str = ""


@dataclass(frozen=True)
class Progress:
    """Where a plan stands. `wishes` are the ids of what people said that no commit answers yet."""

    plan: Plan
    max_retries: int = 3
    verify_all: bool = False
    done: tuple[Done, ...] = ()
    work: Work | None = None
    receipts: tuple[Receipt, ...] = ()
    wishes: tuple[str, ...] = ()
    skipped: frozenset[int] = frozenset()
    """Numbers of phases that somebody said to leave out (`--start-phase`)."""
    closed: bool = False
    """Nothing is left to do after the phases."""

    @property
    def remaining(self) -> tuple[Phase, ...]:
        """The phases that are neither committed nor skipped, in order."""
        over = {one.number for one in self.done} | self.skipped
        phases = sorted(self.plan.phases, key=lambda phase: phase.number)
        return tuple(phase for phase in phases if phase.number not in over)


@dataclass(frozen=True)
class Written:
    """An implement or fix run ended well. `plan` has the ticks that were believed."""

    plan: Plan
    summary: str = ""
    changed: bool = True
    ticked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A run came to nothing; what it left is kept."""

    plan: Plan
    error: str
    changed: bool = False
    ticked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """A run needs a person's word."""

    plan: Plan
    question: str
    options: tuple[str, ...] = ()
    changed: bool = False
    ticked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """The service ran commands; what passed is ticked in `plan`."""

    plan: Plan
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True)
class Reviewed:
    """A review run ended; no blockers means that it approves."""

    blockers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Committed:
    """The piece of work in hand is on the branch."""

    commit: str


Outcome = Written | Failed | Asked | Verified | Reviewed | Committed


@dataclass(frozen=True)
class Step:
    """What to do next. `progress` is where the plan stands now, with the last outcome taken in."""

    kind: Kind
    progress: Progress
    phase: int = AFTER
    commands: tuple[str, ...] = ()
    """With `verify`: what to run."""
    findings: tuple[str, ...] = ()
    """With `implement` and `fix`: what is to be repaired; with `blocked`: the last error."""

    @property
    def name(self) -> str:
        """In words: "phase 2 of 7: Add the parser"."""
        return name_of(self.progress.plan, self.phase)


def name_of(plan: Plan, number: int) -> str:
    """What people read of a piece of work."""
    if number == AFTER:
        return "after the last phase"
    return f"phase {number} of {len(plan.phases)}: {plan.phase(number).name}"
