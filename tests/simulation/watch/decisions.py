"""Decisions: nothing stands still without a reason."""

from dataclasses import dataclass

from bot.machine.decision import Decision
from bot.machine.facts import Facts, RunState
from tests.simulation.watch.part import Part
from tests.simulation.watch.seen import OVER


@dataclass
class Decisions(Part):
    """See the top of this file."""

    def made(self, facts: Facts, decision: Decision) -> None:
        """Everything that is not over has a reason why it does not go on, or goes on."""
        about = {getattr(one, "issue", "") for one in (*decision.actions, *decision.blockers)}
        if decision.recheck_after is not None:
            return
        for one in (facts.epic, *facts.tickets):
            live = any(run.state in (RunState.QUEUED, RunState.RUNNING) for run in one.runs)
            stage = one.issue.stage
            over = (stage is not None and stage.over) or one.issue.state_type in OVER
            if not (over or live or one.issue.id in about):
                self.violated(
                    "something stands still without a reason", f"{one.issue.identifier}: {one.issue.state_name}"
                )
