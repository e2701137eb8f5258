"""What each process saw last, which is all that it may be judged by."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.machine.stages import ORCHESTRATE, WORKER, Stage
from tests.simulation.linear import Issue
from tests.simulation.watch.seen import PullSight, Seen, Sight, record_id
from tests.simulation.watch.voices import turn_1

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World


@dataclass
class Sights:
    """Looks at the world, and remembers who looked."""

    world: "World"
    epics: dict[tuple[str, str], Sight] = field(default_factory=dict)
    """By the name of the process, and the epic."""
    pulls: dict[str, dict[str, PullSight]] = field(default_factory=dict)
    """By the name of the process, and the branch."""
    approved: set[str] = field(default_factory=set)
    """Epics of which some process saw that their breakdown is approved."""
    over: dict[tuple[str, str], float] = field(default_factory=dict)
    """Since when a process sees that an issue is over."""
    held: dict[tuple[str, str], float] = field(default_factory=dict)
    """Since when a process sees that an issue shall not be merged now, as nobody has seen otherwise since."""
    known: dict[str, tuple[tuple[object, ...], Seen]] = field(default_factory=dict)
    """How each issue looked last, which is how it looks until it changes."""

    def look(self, epic: str) -> Sight:
        """What a look at an epic shows now."""
        linear = self.world.linear
        root = linear.issue(epic)
        issues = {one.id: self._seen(one) for one in (root, *linear.children(root.id))}
        tickets = frozenset(issues)
        for one in tuple(issues.values()):
            for below in one.blocked_by:
                if below not in issues:
                    issues[below] = self._seen(linear.issues[below])
        document = next((str(one["content"]) for one in root.documents.values()), "")
        return Sight(self.world.loop.now(), issues, document, tickets, root.id)

    def _seen(self, one: Issue) -> Seen:
        shape = self.world.linear.shape(one)
        known = self.known.get(one.id)
        if known is None or known[0] != shape:
            known = self.known[one.id] = shape, self._looks(one)
        return known[1]

    def _looks(self, one: Issue) -> Seen:
        linear = self.world.linear
        sealed = one.attachments.get(record_id(one))
        return Seen(
            one.id, one.identifier, linear.name_of(one), linear.kind_of(one), one.mover, frozenset(one.labels),
            tuple(below for below in one.blocked_by if not linear.issues[below].deleted),
            one.comments[:], sealed["metadata"] if sealed else None,
            one.archived is not None, one.branch,
        )  # fmt: skip

    def saw(self, process: "Process", epic: str, sight: Sight) -> None:
        """A process looked at an epic; what it saw of its pull requests before is no part of this look.

        What lies below and is another epic's is seen by the rounds of that one: they may be under way.
        """
        self.epics[process.name, epic] = sight
        for one in sight.issues.values():
            if one.id in sight.tickets or one.id == epic:
                self.pulls.get(process.name, {}).pop(one.branch, None)
            if one.id in sight.tickets or not self.world.linear.issues[one.id].home:
                self._saw_whether_over(process, one)
                self._saw_whether_held(process, one, sight.issues[epic])
        self._saw_what_departed(process, epic, sight)
        if epic not in self.approved and turn_1(sight.issues[epic]):
            self.approved.add(epic)

    def _saw_what_departed(self, process: "Process", epic: str, sight: Sight) -> None:
        """Nothing more is done for what the epic had once: no agent works on it, and it is not merged."""
        for one in self.world.linear.issues.values():
            if one.home == epic and one.id not in sight.tickets and one.departed and not one.lone:
                self.over.setdefault((process.name, one.id), self.world.loop.time())
                self.held.setdefault((process.name, one.id), self.world.loop.time())

    def saw_moves(self, process: "Process", issue: Issue) -> None:
        """A process asked who moved an issue: it was told where that stands by now, and believes this of the two."""
        now = self._seen(issue)
        for (name, epic), sight in self.epics.items():
            if name == process.name and issue.id in sight.issues:
                seen = replace(sight.issues[issue.id], state=now.state, kind=now.kind, mover=now.mover)
                self.epics[name, epic] = replace(sight, issues={**sight.issues, issue.id: seen})
                self._saw_whether_over(process, seen)

    def _saw_whether_over(self, process: "Process", seen: Seen) -> None:
        if seen.over:
            self.over.setdefault((process.name, seen.id), self.world.loop.time())
        else:
            self.over.pop((process.name, seen.id), None)

    def _saw_whether_held(self, process: "Process", seen: Seen, root: Seen) -> None:
        """By its stage, or the epic's, by a label that says so, or because the epic is not called any more."""
        elsewhere = seen.stage not in (Stage.MERGE, Stage.DONE) or root.stage is not Stage.MERGE
        if elsewhere or seen.stands_still or root.stands_still or not root.labels & {ORCHESTRATE, WORKER}:
            self.held.setdefault((process.name, seen.id), self.world.loop.time())
        else:
            self.held = {(name, issue): since for (name, issue), since in self.held.items() if issue != seen.id}

    def look_at_pulls(self, numbers: tuple[int, ...]) -> dict[str, PullSight]:
        """What a look at pull requests shows now, by branch."""
        hub = self.world.hub
        found = {}
        for pull in (hub.pulls[one] for one in numbers if one in hub.pulls):
            head = hub.head(pull)
            asked = any(one.state == "CHANGES_REQUESTED" for one in hub.opinions(pull).values())
            green = hub.checks.green(head) and (not hub.house.ci or bool(hub.checks.latest(head)))
            awaited = self.world.bots.awaited(pull)
            found[pull.branch] = PullSight(green, pull.open, pull.merged, content=not asked, awaited=awaited)
        return found

    def saw_pulls(self, process: "Process", pulls: dict[str, PullSight]) -> None:
        """A process looked at pull requests."""
        self.pulls.setdefault(process.name, {}).update(pulls)

    def of(self, process: "Process") -> list[Sight]:
        """What a process saw of every epic that it looked at."""
        return [sight for (name, _), sight in self.epics.items() if name == process.name]

    def seen(self, process: "Process", issue: str) -> Seen | None:
        """An issue as a process saw it last."""
        found = [one for one in self.of(process) if issue in one.issues]
        return max(found, key=lambda one: one.at).issues[issue] if found else None

    def around(self, process: "Process", issue: str) -> Sight:
        """The newest look of a process that showed an issue with its epic; that may be another one by now."""
        return max((one for one in self.of(process) if issue in one.tickets), key=lambda one: one.at)

    def pull(self, process: "Process", branch: str) -> PullSight | None:
        """What a process saw of the pull request of a branch."""
        return self.pulls.get(process.name, {}).get(branch)
