"""Records that the service writes: of their own issue, forgetting nothing, taking only the newest run's result."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.engine.port import RunRow
from bot.linear import records
from bot.linear.marker import comment_id
from bot.machine.record import Artifact, Record
from tests.simulation.linear import Issue, Node, by_us
from tests.simulation.watch.callers import Callers
from tests.simulation.watch.part import Part
from tests.simulation.watch.runs import Runs
from tests.simulation.watch.seen import KEYS, record_id
from tests.simulation.watch.sights import Sights
from tests.simulation.watch.voices import answers_at_once, human, is_command, topic_of, wants_new_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.engine.memory_database import MemoryDatabase
    from tests.simulation.process import Process
    from tests.simulation.watch.seen import Seen


@dataclass
class Records(Part):
    """See the top of this file."""

    sights: Sights
    runs: Runs
    callers: Callers
    written: dict[str, Record] = field(default_factory=dict)
    """The last record of every issue that the service wrote; what others put there is not what it knew."""
    known: "dict[tuple[MemoryDatabase, str], Record]" = field(default_factory=dict)
    """By database and issue: the newest that it was told is written, or that one of its processes read."""
    counted: dict[tuple[str, str, str], Record] = field(default_factory=dict)
    """By process, epic and issue: what counted in its last round, also where somebody had put an older one back."""
    sealed: set[tuple[str, str]] = field(default_factory=set)
    """Everything that the service ever wrote as a record: of which issue, and its signed text."""

    def decided(self, process: "Process", epic: str) -> None:
        """A round came to a decision: what it read is known to its database."""
        for seen in self.sights.epics[process.name, epic].issues.values():
            if seen.record is not None:
                self._knows(process, seen.record)
                self.counted[process.name, epic, seen.id] = self.known[process.database, seen.id]

    def noted(self, process: "Process", numbers: "Mapping[str, int]") -> None:
        """A database is told which records stand on Linear; who dies before it never says so."""
        for issue, number in numbers.items():
            if issue in self.written and self.written[issue].number == number:
                self._knows(process, self.written[issue])

    def _knows(self, process: "Process", record: Record) -> None:
        known = self.known.get((process.database, record.issue))
        if known is None or known.number < record.number:
            self.known[process.database, record.issue] = record

    def newest(self, process: "Process", epic: str, seen: "Seen") -> Record | None:
        """The record that counted of what a process saw: its database knows when somebody has put an older one back."""
        return self.counted.get((process.name, epic, seen.id), seen.record) if seen.record else None

    def remembers(self, process: "Process", holder: Issue, metadata: Node) -> None:
        """The record of an issue is about to be written."""
        new, name = records.unseal(metadata, holder.id, KEYS), holder.identifier
        assert isinstance(new, Record), new
        self._believes_its_own(process, holder)
        self.sealed.add((holder.id, str(metadata)))
        if new.issue != holder.id:
            self.violated("the record of another issue is believed", name)
        last = old = self.written.get(holder.id)
        if put_back := self.put_back(process, holder):
            old = put_back
            self.runs.forget(process.database, holder.id, old.generation)
        if old is not None and new.number < old.number:
            if process.engine in process.database.engines:
                self.violated("an older record is written", f"{name}: {new.number}, after {old.number}")
            return  # a process that was taken for dead writes late: the newest is put back, and is what must be known
        self.written[holder.id] = new
        self._heard_people(holder, new)
        if new.settled > new.generation:
            self.violated("a result of nobody is accepted", f"{name}: {new.settled} of {new.generation}")
        if self.begun_anew(process, holder):
            self.runs.forget(process.database, holder.id, new.generation)
            return
        self._answers_people(process, holder, last, new)
        self.callers.remembers(process, holder, old, new)
        if old is None:
            return
        self._forgets_nothing(name, old, new)
        self._keeps_what_it_cost(process, holder, old, new)
        self._takes_result(process, holder, old, new)

    def begun_anew(self, process: "Process", holder: Issue) -> bool:
        """Whether a person asked for it, after the service had said that it does not believe what is there."""
        seen = self.sights.seen(process, holder.id)
        known = self.written[holder.id].number if holder.id in self.written else 0
        if seen is None or (seen.record is not None and seen.record.number >= known - 1):
            return False
        return wants_new_record(seen)

    def _believes_its_own(self, process: "Process", holder: Issue) -> None:
        """What stood there when it looked was written by the service, or a person asked for a new one."""
        seen = self.sights.seen(process, holder.id)
        if seen is None or seen.sealed is None or wants_new_record(seen):
            return
        if (holder.id, str(seen.sealed)) not in self.sealed:
            self.violated("a record of somebody else is believed", holder.identifier)

    def put_back(self, process: "Process", holder: Issue) -> Record | None:
        """An older record of ours that stands in the place of the last one, of which this database never heard."""
        sealed, last = holder.attachments.get(record_id(holder)), self.written.get(holder.id)
        shown = records.unseal(sealed["metadata"], holder.id, KEYS) if sealed else None
        known = self.known.get((process.database, holder.id))
        if not isinstance(shown, Record) or last is None or (known is not None and known.number >= last.number):
            return None
        return shown if shown.number < last.number else None

    def _answers_people(self, process: "Process", holder: Issue, old: Record | None, new: Record) -> None:
        """Whose word is heard has an answer by then, or an approval counts: nobody is ignored in silence.

        `old` is the last one that was written, also where an older one stands in its place now.
        """
        fresh = set(new.heard) - set(old.heard if old else ())
        seen = self.sights.seen(process, holder.id)
        heard = seen.comments if seen else ()  # as they read then: one may have been edited into another word since
        said = [one for one in heard if one["id"] in fresh and human(one) and is_command(one)]
        answered = {topic_of(one) for one in holder.comments if by_us(one)} if said else set()
        gone = self.world.linear.gone_words  # a person may have taken the answer away since
        answered |= {topic for one in said if comment_id(holder.id, topic := f"reply-{one['id']}") in gone}
        counts = new.approval.comment if new.approval else ""
        for one in said:
            told_once = "echo" in answered and answers_at_once(one, heard)
            if f"reply-{one['id']}" in answered or one["id"] == counts or told_once:
                continue
            self.violated("a word is ignored", f"{holder.identifier}: {one['body'][:40]}")

    def _heard_people(self, holder: Issue, new: Record) -> None:
        """What was heard is not the service's own, and what goes on to an agent is a person's."""
        strangers = [one for one in holder.comments if one["id"] in {*new.heard, *new.guidance} and by_us(one)]
        if strangers:
            self.violated("the service hears itself", f"{holder.identifier}: {strangers[0]['body'][:40]}")
        told = [one for one in holder.comments if one["id"] in new.guidance and not human(one)]
        if told:
            self.violated(
                "words of somebody who may not reach an agent", f"{holder.identifier}: {told[0]['body'][:40]}"
            )

    def _forgets_nothing(self, name: str, old: Record, new: Record) -> None:
        for what in ("generation", "settled", "cost_usd", "turns"):
            before, now = getattr(old, what), getattr(new, what)
            if now < before:
                self.violated("what was known is forgotten", f"{name}: {what} {before}, {now}")
        if {issue for issue, _ in old.left_usd} - {issue for issue, _ in new.left_usd}:
            self.violated("what was known is forgotten", f"{name}: what departed")
        if set(old.heard) - set(new.heard):
            self.violated("what was known is forgotten", f"{name}: words that were heard")

    def _keeps_what_it_cost(self, process: "Process", holder: Issue, old: Record, new: Record) -> None:
        """An epic that forgets a ticket which departed counts what that had cost from then on."""
        issues, sight = self.world.linear.issues, self.sights.epics.get((process.name, holder.id))
        for issue in {one for one, _ in old.at_work} - {one for one, _ in new.at_work}:
            known = self.known.get((process.database, issue))
            if sight is None or issue in sight.tickets or known is None or issues[issue].deleted:
                continue
            if not issues[issue].departed or issues[issue].lone:
                continue  # its record goes on by itself, or with another epic: which costs were seen here is not known
            if dict(new.left_usd).get(issue, 0.0) < known.cost_usd - 1e-6 and issue not in self.world.forged:
                self.violated("what was known is forgotten", f"{holder.identifier}: what {issue} cost")

    def _takes_result(self, process: "Process", holder: Issue, old: Record, new: Record) -> None:
        """A result is of the newest run, and costs what it cost."""
        known = [run.row for run in process.database.runs.values() if run.row.order.issue == holder.id]
        row = next((one for one in known if one.order.generation == new.settled > old.settled), None)
        settled = [one for one in known if old.settled < one.order.generation <= new.settled]
        cost, dues = new.cost_usd - old.cost_usd, self._dues(process, holder, known, settled)
        counts = new.settled > old.settled or abs(cost) > 1e-6
        if counts and not any(least - 1e-6 <= cost <= most + 1e-6 for least, most in dues):
            due = max((most for _, most in dues), default=0.0)
            self.violated("a cost is counted wrong", f"{holder.identifier}: {cost:.2f} instead of {due:.2f}")
        for artifact, folder in ((new.research, "research"), (new.plan, "plans")):
            if artifact is None:
                continue
            if f"/{folder}/" not in artifact.path:
                self.violated("a result of another stage is accepted", f"{holder.identifier}: {artifact.path}")
            made_by = self.world.git.commits[artifact.commit].made_by
            if artifact in (old.research, old.plan) or made_by is None or _is_told(artifact, made_by, holder, row):
                continue
            if made_by != (holder.id, new.settled):
                self.violated("a result of an older generation is accepted", f"{holder.identifier}: g{made_by[1]}")

    def _dues(
        self, process: "Process", holder: Issue, known: "Sequence[RunRow]", settled: "Sequence[RunRow]"
    ) -> list[tuple[float, float]]:
        """What was due at least and at most, for each epic that it was seen in: what its runs cost.

        One that is settled while it works, as it is replaced, may call its model once more since the look. Where the
        database was lost, as much as the dearest of the epic is due; another epic's runs are as good as lost to it,
        and so is one that a process which was taken for dead begins after the look. What a record tells that is not
        believed counts for nothing.
        """
        dues = []
        for sight in [one for one in self.sights.of(process) if holder.id in one.tickets]:
            key = f"epic:{sight.root}"
            here = [one for one in known if one.order.key == key]
            if here:
                theirs = [one for one in settled if one.order.key == key]
                calls = [call for one in theirs for call in self.world.calls.get(one.order.run_id, ())]
                seen = sum(usd for at, usd in calls if at <= sight.at)
                dues.append((seen, sum(one.spent_usd for one in theirs)))
            if any(one.queued_at <= sight.at for one in here):
                continue
            believed = [self.known.get((process.database, one)) for one in sight.tickets if sight.issues[one].record]
            dearest = max((ran.usd for record in believed if record for ran in record.ran), default=0.0)
            dues.append((dearest, dearest))
        return dues


def _is_told(artifact: Artifact, made_by: tuple[str, int], holder: Issue, row: RunRow | None) -> bool:
    """Whether the newest run found it so already, made by another run for the same issue, and says so itself."""
    result = (row.result or {}) if row else {}
    told = result.get("document") or result.get("changed_plan") or {}
    return made_by[0] == holder.id and bool(told.get("commit") == artifact.commit)
