"""Merges, and whatever else the service does to pull requests: only what was approved is merged, and nothing twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.github.marks import topic_of
from bot.machine.decision import Dequeue
from tests.simulation.pull_request import OWN, Pull
from tests.simulation.setting import PROTECTED
from tests.simulation.watch.part import Part
from tests.simulation.watch.seen import PullSight
from tests.simulation.watch.sights import Sights
from tests.simulation.watch.voices import approved_heads, unheard

if TYPE_CHECKING:
    from tests.simulation.process import Process


QUICK_SECONDS, LEAVE_SECONDS = 30.0, 120.0
"""What a process may take to clear the merge queue of something: where nothing fails on the way, and where it may."""
_ALL_WELL = PullSight(green=True, open=True, merged=False, content=True)


@dataclass
class Pulls(Part):
    """See the top of this file."""

    sights: Sights
    enqueued: set[str] = field(default_factory=set)
    """Heads that the service merged, or put into the merge queue."""
    tips: dict[tuple[str, str], str] = field(default_factory=dict)
    """Where a branch stood when a process looked last, by process and branch."""
    below: dict[tuple[str, str], int] = field(default_factory=dict)
    """The newest pull request when a process asked last what goes into a branch, by process and branch."""

    def merges(self, process: "Process", pull: Pull, head: str, how: str) -> None:
        """Something is merged, or put into the merge queue, at a head."""
        self.enqueued.add(head)
        ticket = self.world.linear.of_branch(pull.branch)
        assert ticket is not None
        sight = self.sights.around(process, ticket.id)
        asked = sight.issues[sight.root]
        approved = approved_heads(asked, pull.number)
        named = [approved[one[:12]] for one in self._carried(head) if one[:12] in approved]
        if not named:
            self.violated("a merge without an approval of this head", f"#{pull.number} at {head[:12]}, {how}")
        elif PROTECTED not in (words := set[str]().union(*named)) and self._protected(head) - words:
            self.violated("a protected file is merged that nobody named", f"#{pull.number} at {head[:12]}, {how}")
        for one in (asked, sight.issues[ticket.id]):
            if one.stands_still and not (unheard(asked) or unheard(one)):
                self.violated("what stands still is merged", f"#{pull.number}: {sorted(one.labels)}")
        known = self.sights.pulls[process.name].get(pull.branch, _ALL_WELL)
        if not known.merged and not (known.green and known.content):
            self.violated("what is not well is merged", f"#{pull.number}")
        if pull.base != "main" and pull.landed_in != "main":
            self.violated("a merge into another branch", f"#{pull.number} into {pull.base}")

    def _protected(self, head: str) -> set[str]:
        """The protected files that a merge of this head would change, in small letters, as words are compared."""
        git = self.world.git
        main = git.refs["main"]
        tree, before, there = (git.commits[one].tree for one in (head, git.fork(head, main), main))
        return {
            path.lower() for path, text in tree.items()
            if path.startswith(PROTECTED) and text not in (before.get(path), there.get(path))
        }  # fmt: skip

    def _carried(self, head: str) -> list[str]:
        """A head, and those before it that the service only brought up to date with main."""
        line = [head]
        while (made := self.world.carried.get(line[-1])) is not None and made[1] == "main":
            line.append(made[0])
        return line

    def queue_merges(self, pull: Pull, head: str) -> None:
        """The merge queue merges a head."""
        if head not in self.enqueued:
            self.violated("a merge without an approval of this head", f"#{pull.number} by the queue")
        ticket = self.world.linear.of_branch(pull.branch)
        assert ticket is not None
        now, time = self.world.loop.time(), QUICK_SECONDS if self.world.chaos.harmless else LEAVE_SECONDS
        if not self.world.chaos.harmless and self._wants_out(pull):
            return
        if ticket.id in self.world.forged:
            return  # what is there instead of its record doesn't tell who put it there: it may be a person's
        if ticket.departed and ticket.home in self.world.forged:
            return  # nobody knows any more that there was such a ticket
        for process in self.world.processes:
            since = self.sights.held.get((process.name, ticket.id), now)
            if now - since > time and not process.frozen:
                self.violated("what shall not be merged stays in the queue", f"#{pull.number}")

    def _wants_out(self, pull: Pull) -> bool:
        """Whether the service takes it out of the queue in each round: that GitHub fails then is not its fault."""
        actions = [action for _, decision in self.world.decisions.values() for action in decision.actions]
        return any(isinstance(one, Dequeue) and one.number == pull.number for one in actions)

    def opened(self, pull: Pull) -> None:
        """The service opened a pull request."""
        if sum(one.open for one in self.world.hub.of(pull.branch)) > 1:
            self.violated("a pull request twice", pull.branch)

    def looks_below(self, process: "Process", branch: str) -> None:
        """A process asks which pull requests go into a branch: what is opened after that it can't know."""
        self.below[process.name, branch] = len(self.world.hub.pulls)

    def throws_away(self, process: "Process", branch: str) -> None:
        """The service deletes a branch as it saw it: all of it is on main, or was when its pull request was closed."""
        tip, hub = self.tips.get((process.name, branch), ""), self.world.hub
        newest = self.below.get((process.name, branch), len(hub.pulls))
        if hit := [one.number for one in hub.standing_on(branch) if one.number <= newest]:
            self.violated("deleting a branch closes pull requests", f"{branch}: {hit}")
        known = {one.at for one in hub.of(branch) if not one.open}
        if not branch.endswith("-base") and tip not in known and not hub.git.descends(hub.git.refs["main"], tip):
            self.violated("what nobody merged is deleted", branch)

    def replies(self, pull: Pull, thread: str, remarks: Sequence[Any], body: str) -> None:
        """The service answers on a pull request."""
        topic = topic_of(body)
        if any(one.by == OWN and topic_of(one.body) == topic for one in remarks):
            self.violated("an answer twice", f"#{pull.number} {thread} {topic}")
