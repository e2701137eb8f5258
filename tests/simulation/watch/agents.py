"""Agents: one for each ticket, no more than allowed, and only the newest run pushes."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.runs.worker import WorkOrder
from tests.simulation.watch.part import Part
from tests.simulation.watch.runs import Runs
from tests.simulation.watch.sights import Sights

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.worker import Agent

LEAVE_SECONDS = 120.0
"""What a process may take to stop the runs of what it saw to be over, with everything that can fail on the way."""


@dataclass
class Agents(Part):
    """See the top of this file."""

    sights: Sights
    runs: Runs

    @staticmethod
    def _is_known_to_live(agent: "Agent", to: "Process") -> bool:
        """Whether a process that begins one must count this one. Another one that was taken for dead and wakes up has
        agents for a moment more, until its next sign of life: nobody else can know, and they can push nothing."""
        whose = agent.process
        return not whose.frozen and (whose is to or whose.engine in whose.database.engines)

    def begins(self, agent: "Agent") -> None:
        """An agent comes to life."""
        live = [one for one in self.world.agents if self._is_known_to_live(one, agent.process)]
        if self._long_over(agent):
            self.violated("what is over starts", self.world.linear.issues[agent.issue].identifier)
        if any(one.issue == agent.issue for one in live):
            self.violated("two agents on one ticket", self.world.linear.issues[agent.issue].identifier)
        if len(live) >= self.world.policy.limits.workers:
            self.violated("more agents than allowed", str(len(live) + 1))

    def _long_over(self, agent: "Agent") -> bool:
        """Whether its process has known for long that its ticket is over."""
        since = self.sights.over.get((agent.process.name, agent.issue), math.inf)
        return self.world.loop.time() - since > LEAVE_SECONDS

    def pushes(self, agent: "Agent", order: WorkOrder, fence: int) -> None:
        """An agent's work goes out; `fence` is that of the start it belongs to."""
        name = f"{order.run.task_id} g{agent.generation}"
        row = agent.process.database.runs[agent.run].row
        if row.attempt_of_start != fence or row.stop_reason is not None:
            self.violated("a run that was taken away pushes", name)
        if self._long_over(agent):
            self.violated("an agent works on what is over", name)
        newest = self.runs.newest.get(agent.issue, 0)
        if agent.generation < newest:
            self.violated("an older generation pushes", f"{name} of g{newest}")
        rivals = [one for one in self.world.agents if one.issue == agent.issue and one is not agent]
        if any(one.process is not agent.process and not one.process.frozen for one in rivals):
            self.violated("an older generation pushes", f"{name}, while another process has the run")
