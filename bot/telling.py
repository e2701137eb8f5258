"""What a round says on Linear: all of it at once, records last, so that none claims what did not happen."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.effects import Runs
from bot.linear.ensure import NewTicket, Writes, ticket_id
from bot.machine.breakdown import Task, code
from bot.machine.decision import CreateTickets, Decision, Dispose, Move, Post, Remember, WriteBreakdown
from bot.machine.facts import Facts, Issue, task_of
from bot.machine.record import Record
from bot.machine.stages import ORCHESTRATED, Disposition
from bot.voice import Voice

PANEL_SECONDS = 3.0
"""The panel of one epic is edited no oftener than this, so that people can read it and Linear isn't flooded."""
TOLD = (Move, Dispose, Post, WriteBreakdown, CreateTickets, Remember)
"""What is done on Linear."""


@dataclass(frozen=True)
class Telling:
    """Tells decisions. `begin` begins a Linear document; `page` is our address."""

    begin: Callable[[], Writes]
    runs: Runs
    page: str
    voice: Voice = field(default_factory=Voice)
    note: Callable[..., None] = lambda *_: None
    """Writes an action down before it is done (facts, action), and after a refusal once more (facts, action, why)."""
    panels: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """What this process last wrote into each panel, and when: may be lost, then it is written once more at once."""

    async def tell(self, facts: Facts, decision: Decision) -> tuple[float | None, Mapping[str, str]]:
        """All writes of the round; records last, so that none claims what did not happen.

        Returns in how many seconds a panel that was edited just now may be edited again, None when nothing is due; and
        of which issues something was refused, and why.
        """
        writes, late = self.begin(), None
        records: list[Record] = []
        issues = {one.issue.id: one.issue for one in (facts.epic, *facts.tickets)}
        issues |= {one.issue: one.now for one in facts.departed if one.now is not None}
        for action in decision.actions:
            if isinstance(action, TOLD):
                self.note(facts, action)
            match action:
                case Move(issue, stage):
                    writes.move(issues[issue], stage)
                case Dispose(issue, disposition):
                    wanted = {disposition} if disposition else set[Disposition]()
                    writes.label(issues[issue], add=wanted, remove=set(Disposition) - wanted)
                case Post(issue, "panel", words, values):
                    late = self._panel(writes, facts, issues[issue], self.voice.says(words, values))
                case Post(issue, topic, words, values, parent):
                    writes.comment(issues[issue], topic, self.voice.says(words, values), parent)
                case WriteBreakdown(issue, content):
                    writes.document(
                        issues[issue],
                        f"Breakdown of {issues[issue].identifier}",
                        self.voice.repeats(content),
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
            if 0 < wait <= PANEL_SECONDS and not epic.over:
                return wait
            self.panels[epic.id] = (body, facts.now)
        writes.comment(epic, "panel", body)  # the same text again is no edit
        return None

    def _create(self, writes: Writes, facts: Facts, create: CreateTickets) -> list[Record]:
        """Tickets with ids made from epic and task: a repeat is no second ticket, and those that exist stay.

        Returns the first records of those that are made.
        """
        known = {task_of(one): one.issue.id for one in facts.tickets if one.issue.record}
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
                    self.voice.repeats(task.title),
                    self.voice.repeats(_description(task)),
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


def _description(task: Task) -> str:
    """The text of a ticket: what a person reads in Linear, and what every worker of it is given."""
    parts = [task.description.strip()]
    parts += [f"**Scope:** {task.scope.strip()}"] if task.scope.strip() else []
    parts += [f"**Areas:** {', '.join(map(code, task.areas))}"] if task.areas else []
    return "\n\n".join(parts)
