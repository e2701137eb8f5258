"""What one look shows: values that stay as they were, whatever happens after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from bot.linear import records
from bot.linear.marker import effect_id
from bot.machine.record import Record
from bot.machine.stages import STATES, Disposition, Stage
from tests.simulation.linear import Issue, Node

KEYS = ("k" * 32,)
OVER = ("completed", "canceled", "duplicate")
"""Types of workflow states in which an issue is over."""
STAGES = {state.name: stage for stage, state in STATES.items()}
"""The stage that a workflow state of this name stands for."""
ENDS = {"completed": Stage.DONE, "canceled": Stage.CANCELED, "duplicate": Stage.CANCELED}
"""What a workflow state of this type means, whatever it is called."""
_DISPOSITIONS = frozenset(map(str, Disposition))


def record_id(issue: Issue) -> str:
    """The id of the attachment that holds the record: the one that the service gave first, or else the newest."""
    ours = effect_id("record", issue.id)
    if ours in issue.attachments or not issue.attachments:
        return ours
    read = {key: records.unseal(one["metadata"], issue.id, KEYS) for key, one in issue.attachments.items()}
    return max(read, key=lambda key: one.number if isinstance(one := read[key], Record) else -1)


@dataclass(frozen=True)
class Seen:
    """An issue as a process saw it."""

    id: str
    identifier: str
    state: str
    kind: str
    mover: str
    labels: frozenset[str]
    blocked_by: tuple[str, ...]
    comments: Sequence[Node]
    sealed: Node | None
    thrown_away: bool
    branch: str

    @cached_property
    def record(self) -> Record | None:
        """Its record, when it is to be believed."""
        if self.sealed is None:
            return None
        read = records.unseal(self.sealed, self.id, KEYS)
        return read if isinstance(read, Record) else None

    @cached_property
    def stage(self) -> Stage | None:
        """Where it is; where automation put it says nothing, nor does a state that means nothing (it was renamed)."""
        known = STAGES.get(self.state)
        if self.mover == "automation" or (known is None and self.kind == "started"):
            return self.record.stage if self.record else None
        return ENDS.get(self.kind, known)

    @property
    def over(self) -> bool:
        """Whether nothing is left to do; where it is archived nobody can say so."""
        return self.thrown_away or (self.stage is not None and self.stage.over)

    @property
    def stands_still(self) -> bool:
        """Whether a label says so."""
        return bool(self.labels & _DISPOSITIONS)


@dataclass(frozen=True)
class Sight:
    """What one look at an epic showed."""

    at: datetime
    issues: Mapping[str, Seen]
    """The epic, its tickets, and what else they wait for."""
    document: str
    tickets: frozenset[str]
    """The ids of the epic and its tickets."""
    root: str
    """The id of the epic, or of the single ticket."""


class PullSight(NamedTuple):
    """A pull request as a process saw it: `content` says that nobody wants changes, `awaited` since when a review bot
    is waited for that has not said its last word (0: none is)."""

    green: bool
    open: bool
    merged: bool
    content: bool
    awaited: float = 0.0
