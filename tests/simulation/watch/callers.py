"""Callers: a label spends money only when somebody put it there who may."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.machine.record import Record
from bot.machine.stages import ORCHESTRATE, WORKER
from tests.simulation.linear import Issue
from tests.simulation.watch.part import Part
from tests.simulation.watch.seen import Seen
from tests.simulation.watch.sights import Sights
from tests.simulation.watch.voices import PEOPLE

if TYPE_CHECKING:
    from tests.simulation.process import Process


@dataclass
class Callers(Part):
    """See the top of this file."""

    sights: Sights
    told: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    """What each process read last of each issue and label: whether somebody who may put it there."""

    def read(self, process: "Process", issue: Issue) -> None:
        """Linear tells who put which label there; of what its history doesn't tell it was the creator."""
        for label in (ORCHESTRATE, WORKER):
            entry = next((one for one in issue.labelled if one["addedLabels"][0]["name"] == label), None)
            by = entry["actor"] if entry else issue.creator
            self.told[process.name, issue.id, label] = by is not None and by["id"] in PEOPLE

    def starts(self, process: "Process", root: Seen, record: Record | None) -> None:
        """A run of this epic is ordered, or of this ticket that stands alone; `record` is what counts of it."""
        labels = root.labels & {ORCHESTRATE, WORKER}
        if not (record and record.called in labels):
            self._count(process, root.id, labels, root.identifier)

    def remembers(self, process: "Process", holder: Issue, old: Record | None, new: Record) -> None:
        """The record of an issue is about to say by which label it was called."""
        if new.called and (old is None or new.called != old.called):
            self._count(process, holder.id, {new.called}, holder.identifier)
        seen = self.sights.seen(process, holder.id)
        if new.called and seen is not None and new.called not in seen.labels:
            self.violated("a label counts that is gone", f"{holder.identifier}: `{new.called}`")

    def _count(self, process: "Process", issue: str, labels: Set[str], name: str) -> None:
        if not any(self.told.get((process.name, issue, one), False) for one in labels):
            self.violated("what a stranger called starts", f"{name} by {', '.join(sorted(labels))}")
