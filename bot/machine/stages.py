"""The stages an epic or ticket goes through, and why it may stand still: the one table of both."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """How far an epic or ticket is."""

    TODO = "todo"
    RESEARCH = "research"
    PLAN = "plan"
    PLAN_REVIEW = "plan_review"
    READY = "ready"
    DEV = "dev"
    CODE_REVIEW = "code_review"
    MERGE = "merge"
    DONE = "done"
    CANCELED = "canceled"

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self in (Stage.DONE, Stage.CANCELED)

    @property
    def rank(self) -> int:
        """Place in the order of the work, from 0; canceled comes last."""
        return list(Stage).index(self)


class Disposition(StrEnum):
    """Why an epic or ticket stands still. The value is the name of the Linear label."""

    BLOCKED = "blocked"
    NEEDS_INPUT = "needs input"
    PAUSED = "paused"


DISPOSITIONS = frozenset(Disposition)


@dataclass(frozen=True)
class WorkflowState:
    """A Linear workflow state as Callboard wants it: its default name and Linear's type of it."""

    name: str
    type: str


STATES: dict[Stage, WorkflowState] = {
    Stage.TODO: WorkflowState("Todo", "unstarted"),
    Stage.RESEARCH: WorkflowState("Research in Progress", "started"),
    Stage.PLAN: WorkflowState("Plan in Progress", "started"),
    Stage.PLAN_REVIEW: WorkflowState("Plan in Review", "started"),
    Stage.READY: WorkflowState("Ready for Dev", "started"),
    Stage.DEV: WorkflowState("In Dev", "started"),
    Stage.CODE_REVIEW: WorkflowState("Code Review", "started"),
    Stage.MERGE: WorkflowState("Ready to Merge", "started"),
    Stage.DONE: WorkflowState("Done", "completed"),
    Stage.CANCELED: WorkflowState("Canceled", "canceled"),
}

ORCHESTRATE = "orchestrate"
"""The label that makes an issue an epic of ours."""
WORKER = "worker"
"""The label that makes a single ticket run alone."""
ORCHESTRATED = "orchestrated"
"""The label on every ticket that a breakdown made."""
LABELS: tuple[str, ...] = (ORCHESTRATE, WORKER, ORCHESTRATED, *Disposition)
