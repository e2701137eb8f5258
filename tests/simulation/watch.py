"""What must always hold, checked at the moment it could break.

An act of the service is judged by what that process had read last (`Sight`): nobody can act upon what happened after
the look. What it read is the world's truth at that moment, never the service's own conclusion.
"""

import math
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bot.engine.port import Delivery, RunOrder, RunState
from bot.github.marks import topic_of
from bot.linear import reading
from bot.linear.marker import effect_id, marker_of
from bot.machine.decision import Decision
from bot.machine.facts import Facts
from bot.machine.facts import RunState as FactState
from bot.machine.record import Record
from bot.machine.stages import ORCHESTRATE, STATES, WORKER, Disposition, Stage
from bot.runs.worker import WorkOrder
from tests.simulation.hub import OWN, Pull
from tests.simulation.linear import Issue, Node

if TYPE_CHECKING:
    from bot.engine.memory import MemoryDatabase
    from tests.simulation.process import Process
    from tests.simulation.worker import Agent
    from tests.simulation.world import World

KEYS = ("k" * 32,)
PEOPLE = frozenset({"user-alice", "user-bob"})
_STAGES = {state.name: stage for stage, state in STATES.items()}
_ROW = re.compile(r"^\| YOU-\d+ .*?\| \[#(\d+)\]\([^)]*\) \| `([0-9a-f]{12})` \|", re.M)
_OVER = ("completed", "canceled", "duplicate")
_MERGE_WORDS = frozenset({"approve", "approved", "merge"})
_REVIEW_WORDS = frozenset({"approve", "approved", "lgtm", "yes", "go"})
PullSight = tuple[str, bool, bool, bool]
"""Head of a pull request, whether its checks are green, whether it is merged, and whether nobody wants changes."""
LEAVE_SECONDS = 120.0
"""What a process may take to stop the runs of what it saw to be over, with everything that can fail on the way."""
WISH_SECONDS = 15.0
"""How much later than wished for a round may begin, when nothing is in its way but the round before."""
LATE_SECONDS = 8 * 3600 + 15 * 60


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

    @cached_property
    def record(self) -> Record | None:
        """Its record, when it is to be believed."""
        if self.sealed is None:
            return None
        read = reading.unseal(self.sealed, self.id, KEYS)
        return read if isinstance(read, Record) else None

    @cached_property
    def stage(self) -> Stage | None:
        """Where it is; where automation put it says nothing."""
        if self.mover == "automation":
            record = self.record
            return record.stage if record else None
        if self.kind in _OVER:
            return Stage.DONE if self.kind == "completed" else Stage.CANCELED
        return _STAGES.get(self.state)


@dataclass(frozen=True)
class Sight:
    """What one look at an epic showed."""

    at: datetime
    issues: Mapping[str, Seen]
    document: str


@dataclass
class Watch:
    """Watches one world. `found` are the violations: which invariant, and what happened."""

    world: "World"
    found: list[tuple[str, str]] = field(default_factory=list)
    sights: dict[tuple[str, str], Sight] = field(default_factory=dict)
    pull_sights: dict[str, dict[str, PullSight]] = field(default_factory=dict)
    runs: dict[str, tuple[str, int]] = field(default_factory=dict)
    ordered_in: "dict[str, MemoryDatabase]" = field(default_factory=dict)
    """Where each of them was ordered."""
    newest: dict[str, int] = field(default_factory=dict)
    written: dict[str, Record] = field(default_factory=dict)
    """The last record of every issue that the service wrote; what others put there is not what it knew."""
    written_in: "dict[str, MemoryDatabase]" = field(default_factory=dict)
    """Which database knows of it."""
    topics: set[tuple[str, str]] = field(default_factory=set)
    approved: set[str] = field(default_factory=set)
    enqueued: set[str] = field(default_factory=set)
    left_to_people: set[str] = field(default_factory=set)
    """Branches of tickets that were given up before their pull request was seen to be merged."""
    over: dict[tuple[str, str], float] = field(default_factory=dict)
    """Since when a process sees that an issue is over."""
    known: dict[str, tuple[tuple[object, ...], Seen]] = field(default_factory=dict)
    """How each issue looked last, which is how it looks until it changes."""
    taken: "dict[tuple[str, str], MemoryDatabase]" = field(default_factory=dict)
    wishes: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    """When each key is to be looked at again, as its rounds asked for, and whether nothing was broken: of what is to
    come the first stands."""

    def violated(self, invariant: str, what: str) -> None:
        """Something that must never be is so."""
        self.found.append((invariant, what))
        self.world.tell("VIOLATION", invariant, what)

    def broke(self, where: str, error: Exception) -> None:
        """An error that is a bug."""
        lines = traceback.format_exception(error)
        self.violated(f"{where} breaks", "".join(lines[-6:]))

    # ---- what processes see

    def sight(self, epic: str) -> Sight:
        """What a look at an epic shows now."""
        linear = self.world.linear
        root = linear.issue(epic)
        issues = {one.id: self._seen(one) for one in (root, *linear.children(root.id))}
        for one in tuple(issues.values()):
            for below in one.blocked_by:
                if below not in issues:
                    issues[below] = self._seen(linear.issues[below])
        document = next((str(one["content"]) for one in root.documents.values()), "")
        return Sight(self.world.loop.now(), issues, document)

    def _seen(self, one: Issue) -> Seen:
        shape = self.world.linear.shape(one)
        known = self.known.get(one.id)
        if known is None or known[0] != shape:
            known = self.known[one.id] = shape, self._looks(one)
        return known[1]

    def _looks(self, one: Issue) -> Seen:
        linear = self.world.linear
        sealed = one.attachments.get(effect_id("record", one.id))
        return Seen(
            one.id, one.identifier, linear.name_of(one), linear.kind_of(one), one.mover, frozenset(one.labels),
            tuple(one.blocked_by), one.comments[:], sealed["metadata"] if sealed else None,
            one.archived is not None,
        )  # fmt: skip

    def saw(self, process: "Process", epic: str, sight: Sight) -> None:
        """A process looked at an epic."""
        self.sights[process.name, epic] = sight
        for one in sight.issues.values():
            if one.stage is not None and one.stage.over:
                self.over.setdefault((process.name, one.id), self.world.loop.time())
            else:
                self.over.pop((process.name, one.id), None)
        if epic not in self.approved and self._turn_1(sight.issues[epic]):
            self.approved.add(epic)

    def _turn_1(self, seen: Seen) -> bool:
        shown = [one["createdAt"] for one in seen.comments if _ours(one) and "**Turn 1.**" in one["body"]]
        return any(_may(one) and _word(one) in _REVIEW_WORDS and min(shown, default=one["createdAt"]) < one["createdAt"]
                   for one in seen.comments)  # fmt: skip

    def pulls(self, numbers: tuple[int, ...]) -> dict[str, PullSight]:
        """What a look at pull requests shows now, by branch."""
        hub = self.world.hub
        found = {}
        for pull in (hub.pulls[one] for one in numbers if one in hub.pulls):
            head = hub.head(pull)
            asked = any(one.state == "CHANGES_REQUESTED" for one in hub.opinions(pull).values())
            green = hub.green(head) and (not hub.house.ci or bool(hub.latest(head)))
            found[pull.branch] = (head, green, pull.merged, not asked)
        return found

    def saw_pulls(self, process: "Process", pulls: dict[str, PullSight]) -> None:
        """A process looked at pull requests."""
        self.pull_sights.setdefault(process.name, {}).update(pulls)

    # ---- rounds

    def round_begins(self, key: str) -> None:
        """A key is looked at: no wish to look at it may be much older."""
        now, wishes = self.world.loop.time(), self.wishes.pop(key, [])
        late = now - min((due for due, sound in wishes if sound), default=now)
        if late > WISH_SECONDS:
            self.violated("a wish to look again is forgotten", f"{key}: {late:.0f} seconds late")
        self.wishes[key] = [one for one in wishes if one[0] > now + 0.01]  # dates have microseconds, the loop has more

    def round_ends(self, key: str, again: float | None) -> None:
        """A round went well, and asks for another one in so many seconds."""
        if again is None:
            return
        now, wishes = self.world.loop.time(), self.wishes.get(key, [])
        to_come = min([(now + again, self.world.sound), *(one for one in wishes if one[0] > now)])
        self.wishes[key] = [*(one for one in wishes if one[0] <= now), to_come]

    def round_failed(self, process: "Process", key: str) -> None:
        """A round failed: what it was about is not done, and is tried again at another time."""
        inbox = process.database.inbox
        before = {name for name, (done, of) in inbox.stored().items() if of == key and not done}
        self.wishes[key] = [(due, False) for due, _ in self.wishes.get(key, [])]

        def after() -> None:
            stored = inbox.stored()
            if lost := sorted(name for name in before if stored[name][0]):
                self.violated("an accepted delivery is not processed", f"{lost[0]}: its round failed")

        self.world.loop.call_soon(after)

    # ---- starts

    def run_of(self, run_id: str) -> tuple[str, int]:
        """Issue and generation of a run."""
        return self.runs[run_id]

    def starts(self, process: "Process", order: RunOrder) -> None:
        """A run is ordered."""
        if order.run_id in process.database.runs:
            return  # the same order again, which is nothing new
        issue, epic = order.issue, order.key.removeprefix("epic:")
        name = self.world.linear.issues[issue].identifier
        holder = self.world.linear.issues[issue]
        unknowable = self._begun_anew(process, holder) or self._put_back(process, holder)
        if unknowable and order.generation <= self.newest.get(issue, 0):
            self._forgets(process, issue, order.generation - 1)
        if order.run_id in self.runs:
            self.violated("a generation is started twice", f"{name} g{order.generation}")
        self.runs[order.run_id] = (issue, order.generation)
        self.ordered_in[order.run_id] = process.database
        if order.spec["run"]["attempt"] > self.world.policy.limits.max_retries + 1:
            self.violated("a stage is tried more often than allowed", f"{name} g{order.generation}")
        self.newest[issue] = max(self.newest.get(issue, 0), order.generation)
        sight = self.sights[process.name, epic]
        seen, root = sight.issues.get(issue), sight.issues[epic]
        if seen is None:
            self.violated("what nobody saw starts", name)
            return
        self._stands_still(seen, root, f"{name} {order.stage}")
        if not root.labels & {ORCHESTRATE, WORKER}:
            self.violated("a dropped epic starts something", name)
        if issue != epic and epic not in self.approved:
            self.violated("a ticket starts without turn 1", name)
        if issue != epic and root.record and root.record.approval is None and not self._fresh(root):
            self.violated("a ticket starts without an approval", name)
        prompt = str(order.spec["run"]["prompt"])
        if seen.state == STATES[Stage.TODO].name:  # what has begun goes on, whatever becomes of its blockers
            for below in seen.blocked_by:
                self._far_enough(process, sight.issues[below], name)
        if prompt == "implement" and not order.spec["plan_path"]:
            self.violated("a stage is skipped", f"{name} is implemented without a plan")
        self._affordable(sight, root, name)

    def _stands_still(self, seen: Seen, root: Seen, what: str) -> None:
        fresh = self._fresh(seen) or self._fresh(root) or self._handed_on(seen, root)
        for one in (seen, root):
            if one.labels & frozenset(map(str, Disposition)) and not fresh:
                self.violated("what stands still starts", f"{what}: {one.identifier} is {sorted(one.labels)}")
            if one.thrown_away:
                self.violated("what is over starts", f"{what}: {one.identifier} is in the trash")
            if one.stage is not None and one.stage.over and not fresh:
                self.violated("what is over starts", f"{what}: {one.identifier} is {one.state}")

    def _fresh(self, seen: Seen) -> bool:
        """Whether somebody who may said something that was not heard yet."""
        heard = seen.record.heard if seen.record else ()
        return any(one["id"] not in heard and _human(one) for one in seen.comments)

    def _handed_on(self, seen: Seen, root: Seen) -> bool:
        """Whether a wish said on the epic was found to be about the ticket, which has not heard it yet."""
        concerns = root.record.concerns if root.record else ()
        heard = seen.record.heard if seen.record else ()
        return any(seen.id in tickets and comment not in heard for comment, tickets in concerns)

    def _far_enough(self, process: "Process", below: Seen, name: str) -> None:
        stage = below.stage
        branch = f"agent/{below.identifier}"
        known = self.pull_sights.get(process.name, {}).get(branch)
        if (
            below.thrown_away
            or (stage is not None and stage.over)
            or (below.kind == "completed" and known is not None and known[2])
        ):
            return
        far = stage in (Stage.CODE_REVIEW, Stage.MERGE) and self.world.policy.gates.dependents_start != "done"
        if not (far and known is not None and (known[1] or known[2])):
            self.violated("a ticket starts before its blockers", f"{name} starts, {below.identifier} is {below.state}")

    def _affordable(self, sight: Sight, root: Seen, name: str) -> None:
        record = root.record
        allowed = record.budget_usd if record and record.budget_usd is not None else self.world.policy.budget.epic_usd
        spent = sum(one.record.cost_usd for one in sight.issues.values() if one.record)
        if spent >= allowed and not self._fresh(root):
            self.violated("spent more than the budget", f"{name} starts, ${spent:.2f} of ${allowed:.2f} are spent")

    # ---- agents

    def agent_begins(self, agent: "Agent") -> None:
        """An agent comes to life."""
        live = [one for one in self.world.agents if not one.process.frozen]
        if self._long_over(agent):
            self.violated("what is over starts", self.world.linear.issues[agent.issue].identifier)
        if any(one.issue == agent.issue for one in live):
            self.violated("two agents on one ticket", self.world.linear.issues[agent.issue].identifier)
        if len(live) >= self.world.policy.limits.workers:
            self.violated("more agents than allowed", str(len(live) + 1))

    def _long_over(self, agent: "Agent") -> bool:
        """Whether its process has known for long that its ticket is over."""
        since = self.over.get((agent.process.name, agent.issue), math.inf)
        return self.world.loop.time() - since > LEAVE_SECONDS

    def agent_pushes(self, agent: "Agent", order: WorkOrder, fence: int) -> None:
        """An agent's work goes out; `fence` is that of the start it belongs to."""
        name = f"{order.run.task_id} g{agent.generation}"
        row = agent.process.database.runs[agent.run].row
        if row.attempt_of_start != fence or row.stop_reason is not None:
            self.violated("a run that was taken away pushes", name)
        if self._long_over(agent):
            self.violated("an agent works on what is over", name)
        if agent.generation < self.newest.get(agent.issue, 0):
            self.violated("an older generation pushes", f"{name} of g{self.newest[agent.issue]}")
        rivals = [one for one in self.world.agents if one.issue == agent.issue and one is not agent]
        if any(one.process is not agent.process and not one.process.frozen for one in rivals):
            self.violated("an older generation pushes", f"{name}, while another process has the run")

    # ---- writes to Linear

    def before_write(self, process: "Process", name: str, wanted: Mapping[str, Any]) -> None:
        """The service is about to write."""
        values = wanted.get("input") or {}
        if name in ("attachmentCreate", "attachmentUpdate"):
            self._remembers(process, str(values.get("issueId") or ""), str(wanted.get("id") or ""), values["metadata"])
        elif name == "issueUpdate" and "stateId" in values:
            self._moves(process, self.world.linear.issues[wanted["id"]], values["stateId"])
        elif name == "issueCreate":
            self._makes_ticket(values)

    def after_write(self, process: "Process", name: str, wanted: Mapping[str, Any]) -> None:
        """The service has written."""
        if name != "commentCreate":
            return
        values = wanted["input"]
        marker = marker_of(values["body"])
        topic = (values["issueId"], marker.topic if marker else "")
        if topic in self.topics:
            self.violated("a comment twice", f"{topic[1]} on {self.world.linear.issues[topic[0]].identifier}")
        self.topics.add(topic)

    def _makes_ticket(self, values: Mapping[str, Any]) -> None:
        epic = values["parentId"]
        twins = [one for one in self.world.linear.children(epic) if one.title == values["title"]]
        if any(self.world.linear.kind_of(one) not in _OVER for one in twins):
            self.violated("a ticket twice", str(values["title"]))
        if epic not in self.approved:
            self.violated("tickets without turn 1", str(values["title"]))

    def _moves(self, process: "Process", issue: Issue, state: str) -> None:
        """No stage without its artifact."""
        stage = _STAGES.get(str(self.world.linear.states[state]["name"]))
        git, branch = self.world.git, f"agent/{issue.identifier}"
        pulls = self.world.hub.of(branch)
        if issue.id == "epic-1" or issue.parent is None:
            open_ = [one for one in self.world.linear.children(issue.id) if self.world.linear.kind_of(one) not in _OVER]
            if stage is Stage.DONE and open_ and ORCHESTRATE in issue.labels:
                self.violated("a stage is skipped", f"the epic is done, {open_[0].identifier} is not")
            return
        self.left_to_people.discard(branch)
        if stage is Stage.CANCELED and not self.pull_sights.get(process.name, {}).get(branch, ("", True, False))[2]:
            self.left_to_people.add(branch)
        elif stage is Stage.DONE and issue.id not in self.world.nothing_to_do:
            landed = [one for one in pulls if one.merged and self._is_on_base(one)]
            if not landed:
                self.violated("a stage is skipped", f"{issue.identifier} is done and nothing of it is on main")
        elif stage is Stage.MERGE and not any(one.open or one.merged for one in pulls):
            self.violated("a stage is skipped", f"{issue.identifier} is ready to merge without a pull request")
        elif stage is Stage.CODE_REVIEW and not pulls and git.tip(branch) is None:
            self.violated("a stage is skipped", f"{issue.identifier} is in review without a branch")

    def _is_on_base(self, pull: Pull) -> bool:
        seen = set[int]()
        while pull.landed_in != "main" and pull.number not in seen:
            seen.add(pull.number)
            below = next((one for one in self.world.hub.of(pull.landed_in) if one.merged), None)
            if below is None:
                return self.world.git.descends(self.world.git.refs["main"], pull.merge_commit)
            pull = below
        return pull.landed_in == "main"

    def _remembers(self, process: "Process", issue: str, attachment: str, metadata: Node) -> None:
        linear = self.world.linear
        holder = linear.issues.get(issue) or next(
            one for one in linear.issues.values() if effect_id("record", one.id) == attachment
        )
        new = reading.unseal(metadata, holder.id, KEYS)
        assert isinstance(new, Record), new
        if new.issue != holder.id:
            self.violated("the record of another issue is believed", holder.identifier)
        old, name = self.written.get(holder.id), holder.identifier
        if put_back := self._put_back(process, holder):
            old = put_back
            self._forgets(process, holder.id, old.generation)
        if old is not None and new.number < old.number:
            if process.engine in process.database.engines:
                self.violated("an older record is written", f"{name}: {new.number}, after {old.number}")
            return  # a process that was taken for dead writes late: the newest is put back, and is what must be known
        self.written[holder.id], self.written_in[holder.id] = new, process.database
        strangers = [one for one in holder.comments if one["id"] in {*new.heard, *new.guidance} and _ours(one)]
        if strangers:
            self.violated("the service hears itself", f"{name}: {strangers[0]['body'][:40]}")
        told = [one for one in holder.comments if one["id"] in new.guidance and not _human(one)]
        if told:
            self.violated("words of somebody who may not reach an agent", f"{name}: {told[0]['body'][:40]}")
        if new.settled > new.generation:
            self.violated("a result of nobody is accepted", f"{name}: {new.settled} of {new.generation}")
        if old is None:
            return
        if self._begun_anew(process, holder):
            self._forgets(process, holder.id, new.generation)
            return
        for what in ("generation", "settled", "cost_usd", "turns"):
            if getattr(new, what) < getattr(old, what):
                self.violated(
                    "what was known is forgotten", f"{name}: {what} {getattr(old, what)}, {getattr(new, what)}"
                )
        if set(old.heard) - set(new.heard):
            self.violated("what was known is forgotten", f"{name}: words that were heard")
        self._takes_result(process, holder, old, new)

    def _begun_anew(self, process: "Process", holder: Issue) -> bool:
        """Whether a person asked for it, after the service had said that it does not believe what is there."""
        seen = next((one.issues[holder.id] for (name, _), one in self.sights.items()
                     if name == process.name and holder.id in one.issues), None)  # fmt: skip
        known = self.written[holder.id].number if holder.id in self.written else 0
        if seen is None or (seen.record is not None and seen.record.number >= known - 1):
            return False
        told = [one["createdAt"] for one in seen.comments if _ours(one) and _topic(one) == "record-refused"]
        return any(_human(one) and _word(one) == "retry" and one["createdAt"] > min(told, default=one["createdAt"])
                   for one in seen.comments)  # fmt: skip

    def _put_back(self, process: "Process", holder: Issue) -> Record | None:
        """An older record of ours that stands in the place of the last one, of which this database never heard."""
        sealed, last = holder.attachments.get(effect_id("record", holder.id)), self.written.get(holder.id)
        shown = reading.unseal(sealed["metadata"], holder.id, KEYS) if sealed else None
        if not isinstance(shown, Record) or last is None or self.written_in[holder.id] is process.database:
            return None
        return shown if shown.number < last.number else None

    def _forgets(self, process: "Process", issue: str, generation: int) -> None:
        """Nobody can know a run above that generation whose record and database are both gone."""
        gone = [
            run for run, (of, number) in self.runs.items()
            if of == issue and number > generation and self.ordered_in[run] is not process.database
        ]  # fmt: skip
        for run in gone:
            del self.runs[run]
        self.newest[issue] = max((number for of, number in self.runs.values() if of == issue), default=0)

    def _takes_result(self, process: "Process", holder: Issue, old: Record, new: Record) -> None:
        """A result is of the newest run, and costs what it cost."""
        cost = new.cost_usd - old.cost_usd
        rows = {run.row.order.generation: run.row for run in process.database.runs.values()
                if run.row.order.issue == holder.id}  # fmt: skip
        row = rows.get(new.settled) if new.settled > old.settled else None
        due = float((row.result or {}).get("cost_usd") or 0.0) if row and row.state is RunState.FINISHED else 0.0
        if not rows:  # the database was lost: it is taken to have cost as much as the dearest of the epic
            sight = next((one for (name, _), one in self.sights.items() if name == process.name), None)
            known = [one.record for one in sight.issues.values() if one.record] if sight else []
            due = max((ran.usd for record in known for ran in record.ran), default=0.0)
        if abs(cost) > 1e-6 and abs(cost - due) > 1e-6:
            self.violated("a cost is counted wrong", f"{holder.identifier}: {cost:.2f} instead of {due:.2f}")
        for artifact, folder in ((new.research, "research"), (new.plan, "plans")):
            if artifact and f"/{folder}/" not in artifact.path:
                self.violated("a result of another stage is accepted", f"{holder.identifier}: {artifact.path}")
            made_by = self.world.git.commits[artifact.commit].made_by if artifact else None
            if artifact in (None, old.research, old.plan) or made_by is None:
                continue
            told = ((row.result or {}).get("document") or {}) if row else {}
            if made_by[0] == holder.id and told.get("commit") == artifact.commit:
                continue  # the newest run found it so already, and says so itself
            if made_by[1] != new.settled or made_by[0] != holder.id:
                self.violated("a result of an older generation is accepted", f"{holder.identifier}: g{made_by[1]}")

    # ---- GitHub

    def merges(self, process: "Process | None", pull: Pull, head: str, how: str) -> None:
        """Something is merged, or put into the merge queue, at a head."""
        if how == "queue":
            if head not in self.enqueued:
                self.violated("a merge without an approval of this head", f"#{pull.number} by the queue")
            return
        assert process is not None
        self.enqueued.add(head)
        ticket = next(one for one in self.world.linear.issues.values() if f"agent/{one.identifier}" == pull.branch)
        root = ticket.parent if ticket.parent and WORKER not in ticket.labels else ticket.id
        sight = self.sights[process.name, root or ticket.id]
        asked = sight.issues[root or ticket.id]
        line = [head]
        while (made := self.world.carried.get(line[-1])) is not None and made[1] == "main":
            line.append(made[0])
        if not {one[:12] for one in line} & self._approved_heads(asked, pull.number):
            self.violated("a merge without an approval of this head", f"#{pull.number} at {head[:12]}, {how}")
        for one in (asked, sight.issues[ticket.id]):
            if one.labels & frozenset(map(str, Disposition)) and not (self._fresh(asked) or self._fresh(one)):
                self.violated("what stands still is merged", f"#{pull.number}: {sorted(one.labels)}")
        _, green, merged, content = self.pull_sights[process.name].get(pull.branch, (head, True, False, True))
        if not merged and not (green and content):
            self.violated("what is not well is merged", f"#{pull.number}")
        if pull.base != "main" and pull.landed_in != "main":
            self.violated("a merge into another branch", f"#{pull.number} into {pull.base}")

    def _approved_heads(self, asked: Seen, number: int) -> set[str]:
        """Heads of a pull request that somebody who may approved as the newest summary before showed them."""
        found = set[str]()
        shown = ""
        for one in asked.comments:
            if _ours(one) and "**Turns 2 and 3.**" in one["body"]:
                shown = one["body"]
            elif _may(one) and _word(one) in _MERGE_WORDS:
                found |= {row[1] for row in _ROW.findall(shown) if int(row[0]) == number}
        return found

    def opened(self, pull: Pull) -> None:
        """The service opened a pull request."""
        if sum(one.open for one in self.world.hub.of(pull.branch)) > 1:
            self.violated("a pull request twice", pull.branch)

    def deletes(self, branch: str, hit: list[Pull]) -> None:
        """The service deletes a branch."""
        if hit:
            self.violated("deleting a branch closes pull requests", f"{branch}: {[one.number for one in hit]}")

    def replies(self, pull: Pull, thread: str, remarks: Sequence[Any], body: str) -> None:
        """The service answers on a pull request."""
        topic = topic_of(body)
        if any(one.by == OWN and topic_of(one.body) == topic for one in remarks):
            self.violated("an answer twice", f"#{pull.number} {thread} {topic}")

    # ---- webhooks

    def accepted(self, delivery: Delivery) -> None:
        """A delivery is committed."""
        self.taken[delivery.source, delivery.delivery] = self.world.database
        talks = delivery.event.startswith(("issue_comment", "pull_request_review"))
        if talks and b'"login": "callboard[bot]"' in delivery.body and not delivery.ignored and not delivery.parked:
            self.violated("the service is triggered by itself", delivery.event)

    def answered(self, process: "Process", source: str, delivery: str, status: int) -> None:
        """A sender got its answer."""
        if status == 200 and self.taken.get((source, delivery)) is None and process.alive:
            if source == "linear" and self.world.loop.time() > LATE_SECONDS:
                return  # dropped politely: too old
            self.violated("answered before it was stored", f"{source} {delivery}")

    def undone(self) -> list[str]:
        """Deliveries that were accepted, and neither processed nor parked."""
        stored = self.world.database.inbox.stored()
        return [f"{source} {name}" for (source, name), (done, _) in stored.items() if not done]

    def database_lost(self) -> None:
        """What was in the database is nobody's any more."""
        self.wishes.clear()
        self.taken.clear()

    # ---- decisions

    def decided(self, facts: Facts, decision: Decision) -> None:
        """Everything that is not over has a reason why it does not go on, or goes on."""
        about = {getattr(one, "issue", "") for one in (*decision.actions, *decision.blockers)}
        if decision.recheck_after is not None:
            return
        for one in (facts.epic, *facts.tickets):
            live = any(run.state in (FactState.QUEUED, FactState.RUNNING) for run in one.runs)
            stage = one.issue.stage
            over = (stage is not None and stage.over) or one.issue.state_type in _OVER
            if not (over or live or one.issue.id in about):
                self.violated(
                    "something stands still without a reason", f"{one.issue.identifier}: {one.issue.state_name}"
                )


def _ours(one: Node) -> bool:
    return bool(one["user"]) and one["user"]["id"] == "user-callboard"


def _topic(one: Node) -> str:
    marker = marker_of(one["body"])
    return marker.topic if marker else ""


def _human(one: Node) -> bool:
    """Somebody who may steer, as a person in Linear."""
    strange = one.get("botActor") or one.get("externalThread") or one.get("syncedWith")
    return bool(one["user"]) and one["user"]["id"] in PEOPLE and not strange


def _may(one: Node) -> bool:
    """Somebody whose word can approve, untouched since."""
    return _human(one) and one["editedAt"] is None


def _word(one: Node) -> str:
    return str(one["body"]).strip().rstrip(".! ").lower()
