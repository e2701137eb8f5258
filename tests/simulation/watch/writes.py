"""Writes to Linear: tickets only after turn 1, and nothing twice. Records and moves have files of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.linear.marker import effect_id, without_marker
from tests.simulation.linear import Issue, by_us
from tests.simulation.watch.moves import Moves
from tests.simulation.watch.part import Part
from tests.simulation.watch.records import Records
from tests.simulation.watch.seen import OVER
from tests.simulation.watch.sights import Sights
from tests.simulation.watch.voices import topic_of

if TYPE_CHECKING:
    from tests.simulation.process import Process


@dataclass
class Writes(Part):
    """See the top of this file."""

    sights: Sights
    records: Records
    moves: Moves
    topics: set[tuple[str, str, str]] = field(default_factory=set)
    """Issues, what the service commented on each, and as whom: nobody can edit what another account said."""

    def before(self, process: "Process", name: str, wanted: Mapping[str, Any]) -> None:
        """The service is about to write."""
        values = wanted.get("input") or {}
        if name in ("attachmentCreate", "attachmentUpdate"):
            holder = self._holder(str(values.get("issueId") or ""), str(wanted.get("id") or ""))
            self.records.remembers(process, holder, values["metadata"])
        elif name == "issueUpdate" and "stateId" in values:
            self.moves.before(process, self.world.linear.issues[wanted["id"]], values["stateId"])
        elif name == "issueCreate":
            self._makes_ticket(values)

    def after(self, process: "Process", name: str, wanted: Mapping[str, Any]) -> None:
        """The service has written."""
        if name != "commentCreate":
            return
        values = wanted["input"]
        issue, topic = self.world.linear.issues[values["issueId"]], topic_of(values)
        said = next(one for one in issue.comments if one["id"] == values["id"])
        about, text = (issue.id, topic, said["user"]["id"]), without_marker(said["body"])
        before = [one for one in issue.comments if one is not said and by_us(one) and topic_of(one) == topic]
        if about in self.topics or any(without_marker(one["body"]) == text for one in before):
            self.violated("a comment twice", f"{topic} on {issue.identifier}")
        self.topics.add(about)

    def _holder(self, issue: str, attachment: str) -> Issue:
        """The issue that an attachment is made on, or that has it already."""
        issues = self.world.linear.issues
        return issues.get(issue) or next(
            one for one in issues.values() if attachment in one.attachments or effect_id("record", one.id) == attachment
        )

    def _makes_ticket(self, values: Mapping[str, Any]) -> None:
        epic = values["parentId"]
        children = self.world.linear.children(epic)
        twins = [one for one in children if one.title == values["title"] and one.home == epic]
        if any(self.world.linear.kind_of(one) not in OVER for one in twins):
            self.violated("a ticket twice", str(values["title"]))
        if epic not in self.sights.approved:
            self.violated("tickets without turn 1", str(values["title"]))
