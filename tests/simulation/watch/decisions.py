"""Decisions: nothing stands still without a reason, nor goes in circles."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.machine.decision import Decision, Post, StartRun
from bot.machine.facts import Facts
from bot.machine.record import generation_of
from tests.simulation.watch.part import Part
from tests.simulation.watch.seen import OVER

if TYPE_CHECKING:
    from tests.simulation.process import Process

CIRCLE_ROUNDS, CIRCLE_SECONDS = 300, 600
"""More rounds than this in so many seconds: it goes in circles, and Linear's hourly limit would end that."""


@dataclass
class Decisions(Part):
    """See the top of this file."""

    _began: list[float] = field(default_factory=list)
    """When each round of the time that is counted now came to its decision."""

    def made(self, process: "Process", facts: Facts, decision: Decision) -> None:
        """A round came to a decision."""
        self._goes_on(decision)
        self._has_a_reason(facts, decision)
        self._is_let(facts, decision)
        self._works_in_what_bots_find(facts, decision)
        if process.engine in process.database.engines:  # else it was taken for dead: gets no number, and says nothing
            self._names_what_is_known(facts, decision)

    def _goes_on(self, decision: Decision) -> None:
        now = self.world.loop.time()
        if self._began and now > self._began[0] + CIRCLE_SECONDS:
            self._began.clear()
        self._began.append(now)
        if len(self._began) > CIRCLE_ROUNDS:
            kinds = sorted({type(one).__name__ for one in decision.actions})
            self.violated("the service goes in circles", f"{kinds}, again in {decision.recheck_after}")
            self._began.clear()

    def _has_a_reason(self, facts: Facts, decision: Decision) -> None:
        """Everything that is not over has a reason why it does not go on, or goes on."""
        about = {getattr(one, "issue", "") for one in (*decision.actions, *decision.blockers)}
        if decision.recheck_after is not None:
            return
        for one in (facts.epic, *facts.tickets):
            live = any(run.live for run in one.runs)
            stage = one.issue.stage
            over = (stage is not None and stage.over) or one.issue.state_type in OVER or one.issue.archived
            if not (over or live or one.issue.id in about):
                self.violated(
                    "something stands still without a reason", f"{one.issue.identifier}: {one.issue.state_name}"
                )

    def _is_let(self, facts: Facts, decision: Decision) -> None:
        """No run begins while the model's account is at its limit, or after too much money or too many runs."""
        service = facts.service
        paused = service.paused_until is not None and service.paused_until > facts.now
        spent = service.today_usd >= facts.rules.day_usd or service.runs_lately >= facts.rules.runs_per_hour
        if (paused or spent) and any(isinstance(one, StartRun) for one in decision.actions):
            self.violated("what is held back for everybody starts", facts.epic.issue.identifier)

    def _works_in_what_bots_find(self, facts: Facts, decision: Decision) -> None:
        """No person is sent to a thread in which a review bot has the last word.

        Unless that went on for too long, or nobody might say anything there.
        """
        asked, bots = {one.issue for one in decision.blockers if one.reason == "threads"}, {*self.world.bots.named}
        for one in (one for one in (facts.epic, *facts.tickets) if one.issue.id in asked):
            pull, record = one.pull_request, one.issue.record
            tried = dict(record.rounds).get("bots", 0) if record else 0
            if pull is None or self.world.hub.pulls[pull.number].was_locked or tried >= facts.rules.max_fix_rounds:
                continue
            open_ = [thread.remarks for thread in pull.threads if not (thread.resolved or thread.outdated)]
            if any({remarks[0].author, remarks[-1].author} <= bots for remarks in open_ if remarks):
                self.violated("what a review bot found is left to people", one.issue.identifier)

    def _names_what_is_known(self, facts: Facts, decision: Decision) -> None:
        """A comment names no generation that the record has not yet: killed between them, it is refused for ever."""
        known = {one.issue.id: one.issue.record for one in (facts.epic, *facts.tickets)}
        for one in decision.actions:
            record = known.get(one.issue) if isinstance(one, Post) else None
            if isinstance(one, Post) and record is not None and generation_of(one.topic) > record.generation:
                self.violated("a comment tells of what the record does not know yet", one.topic)
