"""A decision becomes effects; nothing else in the house writes to the world.

Every effect is idempotent, so a round that failed half-way is repaired by the next one. The order matters: GitHub
first, so that a stage never claims what does not exist; then everything for Linear in one document; runs start last,
when the generation they carry is remembered.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from bot.effects import GitHubEffects, Runs
from bot.github.errors import HeadMoved, Locked, NotFound, NotMergeable, Unprocessable
from bot.machine.decision import (
    Action,
    Answer,
    CleanUp,
    ClosePullRequest,
    Decision,
    Dequeue,
    Enqueue,
    Merge,
    OpenPullRequest,
    Remember,
    RequestReview,
    Rerun,
    Retarget,
    ShowCheck,
    StartRun,
    StopRun,
)  # fmt: skip
from bot.machine.errors import Refused, Transient, UserError
from bot.machine.facts import Facts
from bot.machine.pull_request import Failure
from bot.machine.refusing import written_about
from bot.machine.spending import budget, recorded
from bot.machine.stages import STATES, Stage
from bot.ordering import order_of
from bot.policy import Policy
from bot.refusals import Refusals
from bot.telling import TOLD, Telling
from bot.words import sentence

log = structlog.get_logger()

SOON = 2.0
"""Seconds after which a round looks again when GitHub said that a head moved under it."""
LATER = 5.0
"""The same when GitHub doesn't do what it seemed ready to do; a decision's own hurry would ask it without end."""
_LATER = (*TOLD, StartRun)
"""What waits until everything on GitHub is done: the writes to Linear, then the runs."""


@dataclass(frozen=True)
class Performer:
    """Performs decisions. `clean_up` removes a checkout."""

    telling: Telling
    github: GitHubEffects
    runs: Runs
    clean_up: Callable[[str, str], Awaitable[None]]
    log_of: Callable[[str, Failure], Awaitable[str]]
    """What a failing check printed, as far as it tells."""
    policy: Callable[[], Policy]
    refusals: Refusals = field(default_factory=Refusals)
    allowed: dict[str, float] = field(default_factory=dict)
    """What this process last told the engine that each epic may cost."""

    async def perform(self, facts: Facts, decision: Decision) -> float | None:
        """Carry a decision out; returns in how many seconds to look again, or None.

        What GitHub or Linear refuses of one issue is left out with all that would be written about this issue, is
        remembered as its reason, and holds up no other.

        Raises:
            Transient, Refused, UserError: something could not be done; what comes after it was not begun.
        """
        failure: Transient | None = None
        refused: list[float] = []
        said: dict[str, str] = {}
        """By issue: what can't be done about it, so that Linear must not say that it was."""
        opinions: dict[str, str] = {}
        """The same where nothing that Linear says depends on it."""
        for action in decision.actions:
            if isinstance(action, _LATER):
                continue
            try:
                self.telling.note(facts, action)
                await self._before(action)
                self._is_refused(action, "")
            except (HeadMoved, NotMergeable) as error:
                self.telling.note(facts, action, str(error))
                log.warning("github says no", reason=str(error), action=type(action).__name__)
                if isinstance(action, OpenPullRequest | Retarget):
                    opinions[action.issue] = str(error)
                known = self._is_refused(action, "" if isinstance(error, HeadMoved) else str(error))
                if not known:  # else the decision knew, and is in no hurry
                    refused.append(SOON if isinstance(error, HeadMoved) else LATER)
            except (Refused, UserError, Unprocessable) as error:
                self.telling.note(facts, action, str(error))
                said.setdefault(action.issue, str(error))
            except Transient as error:
                failure = error
        if failure is not None:
            raise failure  # Linear must not say what did not happen; the next round does all of it
        done = replace(decision, actions=tuple(one for one in decision.actions if written_about(one) not in said))
        late, rejected = await self.telling.tell(facts, done)
        said |= rejected
        self._tell_refused(facts, decision, said)
        tried = self.refusals.tried(facts, opinions | said)
        late = min((one for one in (late, tried) if one is not None), default=None)
        await self._allow(facts, decision)
        for action in decision.actions:
            if isinstance(action, StartRun) and action.issue not in said:  # else its generation is not remembered
                self.telling.note(facts, action)
                await self.runs.start_run(order_of(self.policy(), facts, await self._with_logs(action)))
        again = max(refused) if refused else decision.recheck_after
        return again if late is None or (again is not None and again < late) else late

    def _is_refused(self, action: Action, said: str) -> bool:
        """Remember what GitHub said of a merge, for the next decision; whether it said the same before."""
        return isinstance(action, Merge | Enqueue) and self.refusals.note(action, said)

    def _tell_refused(self, facts: Facts, decision: Decision, said: Mapping[str, str]) -> None:
        """What was refused of an issue stands in the log, and beside everything that was to be done about it."""
        names = {one.issue.id: one.issue.identifier for one in (facts.epic, *facts.tickets)}
        for issue, reason in said.items():
            log.warning("refused", issue=names.get(issue, issue), reason=reason)
        for action in decision.actions:
            if isinstance(action, _LATER) and (why := said.get(action.issue)):
                self.telling.note(facts, action, why)

    async def _allow(self, facts: Facts, decision: Decision) -> None:
        """The engine knows what the epic may cost before any of its runs calls a model.

        While the epic's record is not believed nobody knows it: what was allowed last holds for what is under way.
        """
        everything = {one.issue.id: one for one in (facts.epic, *facts.tickets)}
        live = any(run.live for one in everything.values() for run in one.runs)
        if not live and not any(isinstance(action, StartRun) for action in decision.actions):
            return
        for action in decision.actions:
            if isinstance(action, Remember) and action.issue in everything:
                one = everything[action.issue]
                everything[action.issue] = replace(
                    one, issue=replace(one.issue, record=action.record, record_refused="")
                )
        if everything[facts.epic.issue.id].issue.record_refused:
            return
        tickets = tuple(everything[one.issue.id] for one in facts.tickets)
        then = replace(facts, epic=everything[facts.epic.issue.id], tickets=tickets)
        usd = budget(then)
        if self.allowed.get(facts.key) != usd:
            await self.runs.allow(facts.key, usd, recorded(then))
            self.allowed[facts.key] = usd

    async def _before(self, action: Action) -> None:
        match action:
            case StopRun(_, run, reason):
                await self.runs.cancel_run(run, reason)
            case OpenPullRequest(_, repository, branch, base, title, values):
                voice = self.telling.voice
                await self.github.ensure_pull(
                    repository,
                    branch,
                    base,
                    voice.redact(title),
                    voice.says("pull_request_body", values),
                )
            case Retarget(_, repository, number, base):
                await self.github.retarget(repository, number, base)
            case Merge(_, repository, number, head, title, methods):
                await self.github.merge(repository, number, head, title, methods)
            case Enqueue(_, repository, number, head):
                await self.github.enqueue(repository, number, head)
            case Dequeue(_, repository, number):
                await self.github.dequeue(repository, number)
            case Rerun(_, repository, failure):
                await self.github.rerun(repository, failure)
            case Answer():
                await self._answer(action)
            case RequestReview(_, repository, number, logins):
                await self.github.request_review(repository, number, logins)
            case ShowCheck():
                await self._show(action)
            case ClosePullRequest(_, repository, number):
                await self.github.close_pull(repository, number)
            case CleanUp(_, repository, branch, delete_branch, merged):
                await self.clean_up(repository, branch)
                if delete_branch:
                    await self.github.delete_branch(repository, branch, merged)

    async def _answer(self, answer: Answer) -> None:
        """Say it where it belongs. Who deleted the thread, or locked the conversation, wants no answer."""
        body = self.telling.voice.says(answer.words, answer.values)
        try:
            if not answer.thread:
                await self.github.answer(answer.repository, answer.number, body, answer.topic)
                return
            await self.github.reply(answer.repository, answer.thread, body, answer.topic)
            if answer.resolve:
                await self.github.resolve(answer.repository, answer.thread)
        except NotFound as gone:
            if not answer.thread:
                raise
            log.info("thread is gone", reason=str(gone))
        except Locked as locked:
            log.info("nothing may be said", number=answer.number, reason=str(locked))

    async def _show(self, check: ShowCheck) -> None:
        """Our own check: how far the ticket is. It is neutral at most, so it gates nothing."""
        done = check.stage.over or check.stage is Stage.MERGE
        title = "; ".join(sentence(one) for one in check.blockers)[:200] or STATES[check.stage].name
        status, conclusion = ("completed", "neutral") if done else ("in_progress", "")
        summary = "\n".join(f"* {sentence(one)}" for one in check.blockers) or title
        await self.github.our_check(check.repository, check.head, status, conclusion, title, summary, self.telling.page)

    async def _with_logs(self, start: StartRun) -> StartRun:
        """The run is shown what its failing checks printed."""
        if not start.failures:
            return start
        findings = [
            f"{told}\n\nThe relevant part of its log:\n{await self.log_of(start.repository, failure)}"
            for told, failure in zip(start.variables["findings"], start.failures, strict=True)
        ]
        return replace(start, variables={**start.variables, "findings": findings})
