"""A decision becomes effects; nothing else in the house writes to the world.

Every effect is idempotent, so a round that failed half-way is repaired by the next one. The order matters: GitHub
first, so that a stage never claims what does not exist; then everything for Linear in one document; runs start last,
when the generation they carry is remembered.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from bot.effects import GitHubEffects, Runs
from bot.github.errors import HeadMoved, Locked, NotFound, NotMergeable, Unprocessable
from bot.linear.ensure import NewTicket, Writes, ticket_id
from bot.machine.breakdown import Task, code
from bot.machine.decision import (
    Action,
    Answer,
    CleanUp,
    ClosePullRequest,
    CreateTickets,
    Decision,
    Dequeue,
    Dispose,
    Enqueue,
    Merge,
    Move,
    OpenPullRequest,
    Post,
    Remember,
    RequestReview,
    Rerun,
    Retarget,
    ShowCheck,
    StartRun,
    StopRun,
    WriteBreakdown,
)  # fmt: skip
from bot.machine.errors import Refused, Transient, UserError
from bot.machine.facts import Facts, Issue, Ticket
from bot.machine.inert import disarmed
from bot.machine.pull_request import Failure
from bot.machine.record import Record
from bot.machine.refusing import written_about
from bot.machine.spending import budget
from bot.machine.stack import base_branch_of
from bot.machine.stages import ORCHESTRATED, STATES, Disposition, Stage
from bot.ordering import order_of
from bot.policy import Policy
from bot.refusals import Refusals
from bot.words import say, sentence

log = structlog.get_logger()

SOON = 2.0
"""Seconds after which a round looks again when GitHub said that a head moved under it."""
LATER = 5.0
"""The same when GitHub doesn't do what it seemed ready to do; a decision's own hurry would ask it without end."""
PANEL_SECONDS = 3.0
"""The panel of one epic is edited no oftener than this, so that people can read it and Linear isn't flooded."""
_LATER = (Move, Dispose, Post, WriteBreakdown, CreateTickets, Remember, StartRun)
"""What waits until everything on GitHub is done: the writes to Linear, then the runs."""


@dataclass(frozen=True)
class Performer:
    """Performs decisions. `writes` begins a Linear document; `clean_up` removes a checkout; `page` is our address."""

    writes: Callable[[], Writes]
    github: GitHubEffects
    runs: Runs
    clean_up: Callable[[str, str], Awaitable[None]]
    log_of: Callable[[str, Failure], Awaitable[str]]
    """What a failing check printed, as far as it tells."""
    policy: Callable[[], Policy]
    page: str
    note: Callable[..., None] = lambda *_: None
    """Writes an action down before it is done (facts, action), and after a refusal once more (facts, action, why)."""
    redact: Callable[[str], str] = str
    """Cuts secrets out of what is posted."""
    refusals: Refusals = field(default_factory=Refusals)
    allowed: dict[str, float] = field(default_factory=dict)
    """What this process last told the engine that each epic may cost."""
    panels: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """What this process last wrote into each panel, and when: may be lost, then it is written once more at once."""

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
                self.note(facts, action)
                await self._before(action)
                self._is_refused(action, "")
            except (HeadMoved, NotMergeable) as error:
                self.note(facts, action, str(error))
                log.warning("github says no", reason=str(error), action=type(action).__name__)
                if isinstance(action, OpenPullRequest | Retarget):
                    opinions[_whose(facts, action)] = str(error)
                known = self._is_refused(action, "" if isinstance(error, HeadMoved) else str(error))
                if not known:  # else the decision knew, and is in no hurry
                    refused.append(SOON if isinstance(error, HeadMoved) else LATER)
            except (Refused, UserError, Unprocessable) as error:
                self.note(facts, action, str(error))
                said.setdefault(_whose(facts, action), str(error))
            except Transient as error:
                failure = error
        if failure is not None:
            raise failure  # Linear must not say what did not happen; the next round does all of it
        done = replace(decision, actions=tuple(one for one in decision.actions if written_about(one) not in said))
        late, rejected = await self._linear(facts, done)
        said |= rejected
        self._tell_refused(facts, decision, said)
        tried = self.refusals.tried(facts, opinions | said)
        late = min((one for one in (late, tried) if one is not None), default=None)
        await self._allow(facts, decision)
        for action in decision.actions:
            if isinstance(action, StartRun) and action.issue not in said:  # else its generation is not remembered
                self.note(facts, action)
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
            if isinstance(action, _LATER) and (why := said.get(getattr(action, "issue", ""))):
                self.note(facts, action, why)

    async def _allow(self, facts: Facts, decision: Decision) -> None:
        """The engine knows what the epic may cost before any of its runs calls a model."""
        everything = {one.issue.id: one for one in (facts.epic, *facts.tickets)}
        live = any(run.live for one in everything.values() for run in one.runs)
        if not live and not any(isinstance(action, StartRun) for action in decision.actions):
            return
        for action in decision.actions:
            if isinstance(action, Remember) and action.issue in everything:
                one = everything[action.issue]
                everything[action.issue] = replace(one, issue=replace(one.issue, record=action.record))
        usd = budget(replace(facts, epic=everything[facts.epic.issue.id]))
        if self.allowed.get(facts.key) != usd:
            recorded = sum(one.issue.record.cost_usd for one in everything.values() if one.issue.record)
            await self.runs.allow(facts.key, usd, recorded)
            self.allowed[facts.key] = usd

    async def _before(self, action: Action) -> None:
        match action:
            case StopRun(run, reason):
                await self.runs.cancel_run(run, reason)
            case OpenPullRequest(_, repository, branch, base, title, values):
                await self.github.ensure_pull(
                    repository, branch, base, self.redact(title), self._say("pull_request_body", values)
                )
            case Retarget(repository, number, base):
                await self.github.retarget(repository, number, base)
            case Merge(repository, number, head, title, methods):
                await self.github.merge(repository, number, head, title, methods)
            case Enqueue(repository, number, head):
                await self.github.enqueue(repository, number, head)
            case Dequeue(repository, number):
                await self.github.dequeue(repository, number)
            case Rerun(repository, failure):
                await self.github.rerun(repository, failure)
            case Answer():
                await self._answer(action)
            case RequestReview(repository, number, logins):
                await self.github.request_review(repository, number, logins)
            case ShowCheck():
                await self._show(action)
            case ClosePullRequest(repository, number):
                await self.github.close_pull(repository, number)
            case CleanUp(repository, branch, delete_branch, merged):
                await self.clean_up(repository, branch)
                if delete_branch:
                    await self.github.delete_branch(repository, branch, merged)

    def _say(self, words: str, values: Mapping[str, Any]) -> str:
        """A text to be posted: secrets are cut out before it is made harmless, which changes them, and after."""
        return self.redact(say(words, {name: _redacted(value, self.redact) for name, value in values.items()}))

    async def _answer(self, answer: Answer) -> None:
        """Say it where it belongs. Who deleted the thread, or locked the conversation, wants no answer."""
        body = self._say(answer.words, answer.values)
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
        await self.github.our_check(check.repository, check.head, status, conclusion, title, summary, self.page)

    async def _with_logs(self, start: StartRun) -> StartRun:
        """The run is shown what its failing checks printed."""
        if not start.failures:
            return start
        findings = [
            f"{told}\n\nThe relevant part of its log:\n{await self.log_of(start.repository, failure)}"
            for told, failure in zip(start.variables["findings"], start.failures, strict=True)
        ]
        return replace(start, variables={**start.variables, "findings": findings})

    async def _linear(self, facts: Facts, decision: Decision) -> tuple[float | None, Mapping[str, str]]:
        """All writes of the round; records last, so that none claims what did not happen.

        Returns in how many seconds a panel that was edited just now may be edited again, None when nothing is due; and
        of which issues something was refused, and why.
        """
        writes, late = self.writes(), None
        records: list[Record] = []
        issues = {one.issue.id: one.issue for one in (facts.epic, *facts.tickets)}
        issues |= {one.issue: one.now for one in facts.departed if one.now is not None}
        for action in decision.actions:
            if isinstance(action, _LATER) and not isinstance(action, StartRun):
                self.note(facts, action)
            match action:
                case Move(issue, stage):
                    writes.move(issues[issue], stage)
                case Dispose(issue, disposition):
                    wanted = {disposition} if disposition else set[Disposition]()
                    writes.label(issues[issue], add=wanted, remove=set(Disposition) - wanted)
                case Post(issue, "panel", words, values):
                    late = self._panel(writes, facts, issues[issue], self._say(words, values))
                case Post(issue, topic, words, values, parent):
                    writes.comment(issues[issue], topic, self._say(words, values), parent)
                case WriteBreakdown(epic, content):
                    writes.document(
                        issues[epic],
                        f"Breakdown of {issues[epic].identifier}",
                        _quiet(self.redact(content)),
                        facts.document,
                    )
                case CreateTickets():
                    records += self._create(writes, facts, action)
                case Remember(_, record):
                    records.append(record)
        remembered = await self._remember(writes, facts, records)
        said = (await writes.send()).refused
        if remembered := {issue: one for issue, one in remembered.items() if issue not in said}:
            await self.runs.wrote(facts.key, remembered)
        return late, said

    def _panel(self, writes: Writes, facts: Facts, epic: Issue, body: str) -> float | None:
        """Write the panel, unless it was edited a moment ago and the epic goes on."""
        shown, at = self.panels.get(epic.id, ("", None))
        if shown != body:
            wait = PANEL_SECONDS - (facts.now - at).total_seconds() if at else 0.0
            if 0 < wait <= PANEL_SECONDS and not (epic.stage and epic.stage.over):
                return wait
            self.panels[epic.id] = (body, facts.now)
        writes.comment(epic, "panel", body)  # the same text again is no edit
        return None

    def _create(self, writes: Writes, facts: Facts, create: CreateTickets) -> list[Record]:
        """Tickets with ids made from epic and task: a repeat is no second ticket, and those that exist stay.

        Returns the first records of those that are made.
        """
        known = {one.issue.record.task: one.issue.id for one in facts.tickets if one.issue.record}
        told = (one.issue for one in facts.tickets if one.issue.record or one.issue.record_refused)
        there = {one.id for one in told}  # what is known of them is not replaced by a fresh record
        ours = {task.key: ticket_id(facts.epic.issue.id, task.key) for task in create.tasks}
        known |= {key: issue for key, issue in ours.items() if issue in there}
        new = [task for task in create.tasks if task.key not in known]
        made = writes.create_tickets(
            facts.epic.issue,
            [
                NewTicket(
                    task.key,
                    _quiet(self.redact(task.title)),
                    _quiet(self.redact(_description(task))),
                    labels=(ORCHESTRATED,),
                    priority=facts.epic.issue.priority,
                )
                for task in new
            ],
        )
        ids = known | made
        related = {(one.issue.id, below.issue) for one in facts.tickets for below in one.issue.blocked_by}
        pairs = [(ids[task.key], ids[below]) for task in create.tasks for below in task.depends_on if below in ids]
        pairs += [(ids[key], below) for key, below in create.blocked_by if key in ids]
        archived = {one.issue.id for one in facts.tickets if one.issue.archived}  # where Linear rejects every edit
        for above, below in pairs:
            if (above, below) not in related and not {above, below} & archived:
                writes.relation(below, above, facts.epic.issue.id)
        return [Record(issue=made[task.key], task=task.key, epic=facts.epic.issue.id) for task in new]

    async def _remember(self, writes: Writes, facts: Facts, records: Iterable[Record]) -> dict[str, tuple[int, str]]:
        """Write records last; returns their numbers and signed texts. Each gets a number before anything is sent."""
        wanted = {one.issue: one for one in records}
        if not wanted:
            return {}
        above = {issue: one.number for issue, one in wanted.items()}
        numbers = await self.runs.intend(facts.key, above, facts.numbers)
        written, there = {}, {one.issue.id for one in (facts.epic, *facts.tickets)}
        for issue, one in wanted.items():  # one that is only made now is noted when it is read: it may be older
            spent = f"{one.stage} · run {one.generation} · ${one.cost_usd:.2f}"
            record = replace(one, number=numbers[issue])
            page, first = f"{self.page}/issues/{issue}", issue not in there
            epic = facts.epic.issue.id if first else ""
            text = writes.record(issue, record, title="Callboard", subtitle=spent, url=page, first=first, epic=epic)
            if not first:
                written[issue] = numbers[issue], text
        return written


def _whose(facts: Facts, action: Action) -> str:
    """The id of the issue that something on GitHub is about; the epic's where that can't be told."""
    match action:
        case OpenPullRequest(issue):
            return issue
        case CleanUp(_, branch):
            found = [one for one in facts.tickets if branch in _branches(one)]
        case ShowCheck(_, head):
            found = [one for one in facts.tickets if one.pull_request and one.pull_request.head == head]
        case _:
            number = getattr(action, "number", None)
            found = [one for one in facts.tickets if one.pull_request and one.pull_request.number == number]
    return (*found, facts.epic)[0].issue.id


def _branches(ticket: Ticket) -> tuple[str, ...]:
    record, pull = ticket.issue.record, ticket.pull_request
    known = (record.branch, base_branch_of(record.branch)) if record and record.branch else ()
    return (*known, pull.head_branch) if pull else known


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    match value:
        case str() if type(value) is str:
            return redact(value)
        case dict():
            return {name: _redacted(one, redact) for name, one in value.items()}
        case list() | tuple() if type(value) in (list, tuple):
            return type(value)(_redacted(one, redact) for one in value)
    return value


def _quiet(text: str) -> str:
    """What an agent wrote, as a text in Linear that notifies nobody and loads nothing."""
    return disarmed(text, references=False)


def _description(task: Task) -> str:
    """The text of a ticket: what a person reads in Linear, and what every worker of it is given."""
    parts = [task.description.strip()]
    parts += [f"**Scope:** {task.scope.strip()}"] if task.scope.strip() else []
    parts += [f"**Areas:** {', '.join(map(code, task.areas))}"] if task.areas else []
    return "\n\n".join(parts)
