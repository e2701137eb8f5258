"""Starts: a run is ordered once, for what may go on, as far as its process could see, and within the budget."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from bot.engine.port import RunOrder
from bot.machine.decision import Decision, Remember
from bot.machine.facts import Facts
from bot.machine.stages import ORCHESTRATE, STATES, WORKER, Stage
from tests.simulation.watch.callers import Callers
from tests.simulation.watch.part import Part
from tests.simulation.watch.records import Records
from tests.simulation.watch.runs import Runs
from tests.simulation.watch.seen import Seen, Sight
from tests.simulation.watch.sights import Sights
from tests.simulation.watch.voices import handed_on, unheard

if TYPE_CHECKING:
    from tests.simulation.process import Process


@dataclass
class Starts(Part):
    """See the top of this file."""

    sights: Sights
    runs: Runs
    records: Records
    callers: Callers
    most: dict[str, float] = field(default_factory=dict)
    """The largest budget that each epic ever had, by its key."""
    days: defaultdict[date, float] = field(default_factory=lambda: defaultdict(float))
    """What all epics cost on each day."""

    def allows(self, facts: Facts, decision: Decision) -> None:
        """A round heard what an epic may cost: that holds at once, whether or not its record can be written then."""
        for one in decision.actions:
            if isinstance(one, Remember) and one.issue == facts.epic.issue.id and one.record.budget_usd is not None:
                self.most[facts.key] = max(one.record.budget_usd, self.most.get(facts.key, 0.0))

    def calls(self, process: "Process", run: str, usd: float) -> None:
        """An agent calls its model. What a database knew that was lost is an estimate from then on."""
        key, today = process.database.runs[run].row.order.key, self.world.loop.now().date()
        day, day_usd = self.days[today], self.world.policy.budget.day_usd
        self.days[today] += usd
        self.world.calls.setdefault(run, []).append((self.world.loop.now(), usd))
        if day >= day_usd and not self.world.losses:
            self.violated(
                "spent more than the budget", f"{key} calls, ${day:.2f} of the day's ${day_usd:.2f} are spent"
            )
        before, record = self.world.spent.get(key, 0.0), self.records.written.get(key.removeprefix("epic:"))
        said = record.budget_usd if record and record.budget_usd is not None else self.world.policy.budget.epic_usd
        self.world.spent[key], self.most[key] = before + usd, max(said, self.most.get(key, 0.0))
        if before >= self.most[key] and not self.world.losses:
            what = f"{key} calls, ${before:.2f} of ${self.most[key]:.2f} are spent"
            self.violated("spent more than the budget", what)

    def ordered(self, process: "Process", order: RunOrder) -> None:
        """A run is ordered."""
        if order.run_id in process.database.runs:
            return  # the same order again, which is nothing new
        epic, name = order.key.removeprefix("epic:"), self.world.linear.issues[order.issue].identifier
        self._is_new(process, order, name)
        sight = self.sights.epics[process.name, epic]
        seen, root = sight.issues.get(order.issue), sight.issues[epic]
        if seen is None:
            self.violated("what nobody saw starts", name)
            return
        self._goes_on(seen, root, f"{name} {order.stage}")
        self._was_approved(process, seen, root, name)
        is_epic = seen is root and not self.world.linear.issues[order.issue].lone  # whoever labels it wants it now
        if seen.state == STATES[Stage.TODO].name and not is_epic:  # what has begun goes on, whatever blocks it
            for below in seen.blocked_by:
                self._far_enough(process, sight.issues[below], name)
        if order.spec["run"]["prompt"] == "implement" and not order.spec["plan_path"]:
            self.violated("a stage is skipped", f"{name} is implemented without a plan")
        self._is_affordable(process, sight, root, name)

    def _is_new(self, process: "Process", order: RunOrder, name: str) -> None:
        holder = self.world.linear.issues[order.issue]
        begins = self.records.begun_anew(process, holder) or self.records.put_back(process, holder) is not None
        unknowable = begins or order.run_id in self.runs.late
        if unknowable and order.generation <= self.runs.newest.get(order.issue, 0):
            self.runs.forget(process.database, order.issue, order.generation - 1)
        if order.run_id in self.runs.known:
            self.violated("a generation is started twice", f"{name} g{order.generation}")
        self.runs.ordered(order, process.database, late=process.engine not in process.database.engines)
        if order.spec["run"]["attempt"] > self.world.policy.limits.max_retries + 1:
            self.violated("a stage is tried more often than allowed", f"{name} g{order.generation}")

    def _goes_on(self, seen: Seen, root: Seen, what: str) -> None:
        """Neither of them stands still or is over, unless somebody just said something."""
        fresh = unheard(seen) or unheard(root) or handed_on(seen, root)
        for one in (seen, root):
            if one.stands_still and not fresh:
                self.violated("what stands still starts", f"{what}: {one.identifier} is {sorted(one.labels)}")
            if one.thrown_away:
                self.violated("what is over starts", f"{what}: {one.identifier} is in the trash")
            if one.over and not fresh:
                self.violated("what is over starts", f"{what}: {one.identifier} is {one.state}")

    def _was_approved(self, process: "Process", seen: Seen, root: Seen, name: str) -> None:
        if not root.labels & {ORCHESTRATE, WORKER}:
            self.violated("a dropped epic starts something", name)
        self.callers.starts(process, root, self.records.newest(process, root.id, root))
        if seen is root:
            return
        if root.id not in self.sights.approved:
            self.violated("a ticket starts without turn 1", name)
        if root.record and root.record.approval is None and not unheard(root):
            self.violated("a ticket starts without an approval", name)

    def _far_enough(self, process: "Process", below: Seen, name: str) -> None:
        known = self.sights.pull(process, below.branch)
        merged = known is not None and known.merged
        if below.thrown_away or below.over or (below.kind == "completed" and merged):
            return
        far = below.stage in (Stage.CODE_REVIEW, Stage.MERGE) and self.world.policy.gates.dependents_start != "done"
        if not (far and known is not None and (known.green or known.merged)):
            self.violated("a ticket starts before its blockers", f"{name} starts, {below.identifier} is {below.state}")

    def _is_affordable(self, process: "Process", sight: Sight, root: Seen, name: str) -> None:
        record = root.record
        allowed = record.budget_usd if record and record.budget_usd is not None else self.world.policy.budget.epic_usd
        tickets = {sight.root} if record and record.lone else sight.tickets
        records = [self.records.newest(process, sight.root, sight.issues[one]) for one in tickets]
        departed = [usd for issue, usd in (record.left_usd if record else ()) if issue not in sight.tickets]
        spent = sum(departed) + sum(one.cost_usd for one in records if one)
        if spent >= allowed and not unheard(root):
            self.violated("spent more than the budget", f"{name} starts, ${spent:.2f} of ${allowed:.2f} are spent")
