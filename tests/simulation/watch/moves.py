"""Moves of issues on the board: no stage without its artifact."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.machine.calling import has_begun
from bot.machine.stages import ORCHESTRATE, Stage
from tests.simulation.linear import Issue
from tests.simulation.pull_request import Pull
from tests.simulation.watch.part import Part
from tests.simulation.watch.seen import ENDS, OVER, STAGES, PullSight
from tests.simulation.watch.sights import Sights

if TYPE_CHECKING:
    from tests.simulation.process import Process


@dataclass
class Moves(Part):
    """See the top of this file."""

    sights: Sights
    left_to_people: set[str] = field(default_factory=set)
    """Branches of tickets that were given up before their pull request was seen to be merged."""

    def before(self, process: "Process", issue: Issue, state: str) -> None:
        """The service is about to move an issue to a workflow state."""
        there = self.world.linear.states_of(issue.team)[state]
        stage = STAGES.get(str(there["name"])) or ENDS.get(str(there["type"]))
        if issue.parent is None and not self._is_alone(process, issue):
            self._epic(process, issue, stage)
        else:
            self._ticket(process, issue, stage)

    def _is_alone(self, process: "Process", issue: Issue) -> bool:
        """Whether it began as a single ticket; before that the label says so."""
        seen = self.sights.epics[process.name, issue.id].issues[issue.id]
        return seen.record.lone if seen.record and has_begun(seen.record) else ORCHESTRATE not in seen.labels

    def _epic(self, process: "Process", epic: Issue, stage: Stage | None) -> None:
        linear, sight = self.world.linear, self.sights.epics.get((process.name, epic.id))
        # a person may move one between the look and this, or put back what was taken out
        seen, there = (sight.issues, sight.tickets) if sight else ({}, frozenset[str]())
        open_ = [
            one for one in linear.children(epic.id)
            if linear.kind_of(one) not in OVER and not (one.id in seen and seen[one.id].over)
            and not (one.left and one.id not in there)
        ]  # fmt: skip
        if stage is Stage.DONE and open_ and ORCHESTRATE in epic.labels:
            self.violated("a stage is skipped", f"the epic is done, {open_[0].identifier} is not")

    def _ticket(self, process: "Process", ticket: Issue, stage: Stage | None) -> None:
        name, branch = ticket.identifier, ticket.branch
        pulls, known = self.world.hub.of(branch), self.sights.pull(process, branch)
        if self._puts_back(process, ticket, stage):
            return  # also to people, if it was left to them there
        if stage is not Stage.CANCELED:  # giving up once more what was given up leaves it to people still
            self.left_to_people.discard(branch)
        merged = known is not None and known.merged
        if stage is Stage.CANCELED and (not merged or self._was_given_up(process, ticket)):
            self.left_to_people.add(branch)
        elif stage is Stage.DONE and ticket.id not in self.world.nothing_to_do:
            if not any(self._is_on_base(one) if one.merged else self._came_along(one) for one in pulls):
                self.violated("a stage is skipped", f"{name} is done and nothing of it is on main")
        elif stage is Stage.MERGE and not (_stands(known) or any(one.open or one.merged for one in pulls)):
            # a person may close it between the look and the move: what the look showed counts as well
            self.violated("a stage is skipped", f"{name} is ready to merge without a pull request")
        elif stage is Stage.MERGE and known is not None and self._is_hasty(known):
            self.violated("a review bot is not waited for", name)
        elif stage is Stage.CODE_REVIEW and not pulls and self.world.git.tip(branch) is None:
            self.violated("a stage is skipped", f"{name} is in review without a branch")

    def _is_hasty(self, known: PullSight) -> bool:
        """Whether a review bot had not its time, by a clock that nobody set; a minute more or less is nothing."""
        had = self.world.loop.time() - known.awaited
        due = 60.0 * (self.world.policy.gates.review_bot_minutes - 1.0)
        return known.open and known.awaited > 0.0 and had < due and "clock jump" not in self.world.chaos.fired

    def _puts_back(self, process: "Process", ticket: Issue, stage: Stage | None) -> bool:
        """Whether it only goes back to where the service had it before automation moved it, whatever happened since."""
        seen = self.sights.around(process, ticket.id).issues[ticket.id]
        return ticket.mover == "automation" and bool(seen.record and seen.record.stage is stage)

    def _was_given_up(self, process: "Process", ticket: Issue) -> bool:
        """Whether it was before, by a person perhaps, and its branch left to people: whatever became of it since."""
        seen = self.sights.around(process, ticket.id).issues[ticket.id]
        record = seen.record
        return record is not None and record.stage is Stage.CANCELED and not record.branch

    def _came_along(self, pull: Pull) -> bool:
        """Whether somebody merged all of it with something else: GitHub counts it as merged where it goes to only."""
        return self.world.git.descends(self.world.git.refs["main"], self.world.hub.head(pull))

    def _is_on_base(self, pull: Pull) -> bool:
        seen = set[int]()
        while pull.landed_in != "main" and pull.number not in seen:
            seen.add(pull.number)
            below = next((one for one in self.world.hub.of(pull.landed_in) if one.merged), None)
            if below is None:
                return self.world.git.descends(self.world.git.refs["main"], pull.merge_commit)
            pull = below
        return pull.landed_in == "main"


def _stands(known: PullSight | None) -> bool:
    return known is not None and known.open
