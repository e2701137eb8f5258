"""Writes to Linear that may be asked for twice and happen once, all of a round in one GraphQL document.

Linear has no transaction over a document of mutations. It runs them in order; one that fails nulls the answer, those
before it stay done and those behind it did not run. So:

* what is created has an id derived from what it is for; Linear answers a repeated create with a conflict that names
  this id, which is success, and what stood behind it is sent again;
* what Linear rejects of one issue (it doesn't accept a value, the thing is gone, or we may not) is left out together
  with all that stood behind it about the same issue; the others go on (`Sent.refused`). What can't even be asked for,
  since the team of that issue lacks a state, is the same. Where we may do none of several, it is our credentials;
* any other failure ends the round: nothing that stood behind it is done.

So a record that is written last never claims what did not happen. The next round reads Linear and asks for what is
still missing.

Ask for writes in the order in which they must become true: tickets before their relations, the record last.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.linear import upsert
from bot.linear.batch import Sent, Write, append, fitting, post
from bot.linear.client import LinearClient
from bot.linear.directory import Directory, Team
from bot.linear.marker import digest_of, effect_id
from bot.linear.records import FIELD, seal
from bot.machine.errors import UserError
from bot.machine.facts import Document, Issue
from bot.machine.record import Record
from bot.machine.stages import LABELS, STATES, Stage

_COLORS = {"unstarted": "#e2e2e2", "started": "#f2c94c", "completed": "#5e6ad2", "canceled": "#95a2b3"}
_LABEL_COLOR = "#5e6ad2"


@dataclass(frozen=True)
class NewTicket:
    """A ticket to be made. `key` is the key of its task: the same epic and key are the same ticket, always."""

    key: str
    title: str
    description: str
    stage: Stage = Stage.TODO
    labels: tuple[str, ...] = ()
    priority: int = 0


class Writes:
    """Collects the writes of one round; `send` does them. `key` signs records and markers. Used once."""

    def __init__(self, client: LinearClient, directory: Directory, *, states: Mapping[Stage, str], key: str) -> None:
        self._client, self._directory, self._states, self._key = client, directory, states, key
        self._plans: list[tuple[str, Callable[[], Awaitable[list[Write]]]]] = []
        self._made_labels: set[str] = set()

    def comment(self, issue: Issue, topic: str, body: str, parent: str | None = None) -> str:
        """The issue has one comment of ours about `topic` with this text; returns its id.

        A comment that is there is edited when we last wrote another text; or another one is written, where that was
        with the credentials of another account. `parent` is the comment that is answered; Linear's threads are one
        level deep, so the answer to an answer goes under the first comment. Where that one was deleted there is no
        thread any more: the answer then stands by itself.
        """
        ours, write = upsert.comment(issue, topic, body, parent, key=self._key)
        if write:
            self._add(write)
        return ours

    def epic(self, team: Team, title: str, spec: str, label: str) -> str:
        """The team has an epic with this spec, labelled; returns its id. The same spec is the same epic."""
        ours = effect_id("epic", team.id, digest_of(spec))
        for write in self._missing_labels(team, (label,), ""):
            self._add(write)
        made = {
            "id": ours,
            "teamId": team.id,
            "title": title,
            "description": spec,
            "labelIds": [self._label_id(team, label)],
        }
        self._add(Write("issueCreate", {"input": made}, f"epic in {team.key}: {title}", "Issue", ours))
        return ours

    def create_tickets(self, epic: Issue, tickets: Iterable[NewTicket]) -> dict[str, str]:
        """The epic has these tickets, in its own team; returns their ids by key."""
        wanted = list(tickets)

        async def plan() -> list[Write]:
            team = await self._directory.team(epic.team)
            return [write for ticket in wanted for write in self._ticket(epic, team, ticket)]

        self._plans.append((epic.id, plan))
        return {ticket.key: ticket_id(epic.id, ticket.key) for ticket in wanted}

    def relation(self, blocker: str, blocked: str, epic: str = "") -> None:
        """The issue `blocker` blocks the issue `blocked` (both by id); it is a matter of their epic.

        One that was made before, and was taken out of the epic and archived since, blocks nothing and is not blocked.
        """
        ours = effect_id("relation", blocker, blocked)
        made = {"id": ours, "issueId": blocker, "relatedIssueId": blocked, "type": "blocks"}
        about = f"relation: {blocker} blocks {blocked}"
        ends, subject = (blocker, blocked), epic or blocked
        self._add(Write("issueRelationCreate", {"input": made}, about, "IssueRelation", ours, None, subject, ends))

    def move(self, issue: Issue, stage: Stage) -> None:
        """The issue is in the workflow state of this stage."""
        if issue.stage == stage:
            return

        async def plan() -> list[Write]:
            state = self._state(await self._directory.team(issue.team), stage)
            return [_update(issue, {"stateId": state}, f"move {issue.identifier} to {self._states[stage]}")]

        self._plans.append((issue.id, plan))

    def label(self, issue: Issue, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """The issue bears the labels `add` and not the labels `remove`; the others stay as they are."""
        added = sorted({str(name) for name in add} - issue.labels)
        removed = sorted({str(name) for name in remove} & issue.labels)
        if not added and not removed:
            return

        async def plan() -> list[Write]:
            team = await self._directory.team(issue.team)
            made = self._missing_labels(team, added, issue.id)
            change: dict[str, Any] = {}
            if added:
                change["addedLabelIds"] = [self._label_id(team, name) for name in added]
            if gone := [known for name in removed if (known := team.label(name))]:
                change["removedLabelIds"] = gone
            about = f"label {issue.identifier}: {' '.join(f'+{name}' for name in added)}"
            return [*made, _update(issue, change, f"{about} {' '.join(f'-{name}' for name in removed)}".strip())]

        self._plans.append((issue.id, plan))

    def record(
        self,
        issue: Issue | str,
        record: Record,
        *,
        title: str,
        url: str,
        subtitle: str = "",
        first: bool = False,
        epic: str = "",
    ) -> str:
        """The issue's signed record is this one; returns its signed text, empty when it is so already.

        `title`, `subtitle` and `url` are what people see of it. The `first` one of an issue that is only made now
        replaces none: the issue may have been there for long, where nobody looked; it is a matter of its epic.
        """
        if isinstance(issue, Issue) and issue.record == record:
            return ""
        metadata = seal(record, self._key)
        shown = {"title": title, "subtitle": subtitle, "metadata": metadata}
        self._add(upsert.record(issue, record.number, url, shown, first=first, epic=epic))
        return str(metadata[FIELD])

    def document(self, epic: Issue, title: str, content: str, existing: Document | None = None) -> str:
        """The epic has one document of ours with this content; returns its id.

        One in the trash comes back: Linear's schema says that `trashed: null` restores it.
        """
        ours, write = upsert.document(epic, title, content, existing)
        self._add(write)
        return ours

    def create_states(self, team: Team) -> tuple[str, ...]:
        """The team has a workflow state for every stage; returns the names of those that are made."""
        missing = team.missing_states(self._states)
        for stage, name in missing.items():
            ours, kind = effect_id("state", team.id, stage), STATES[stage].type
            last = max((one.position for one in team.states if one.type == kind), default=0.0)
            made = {"id": ours, "teamId": team.id, "name": name, "type": kind, "color": _COLORS[kind]}
            about = f"workflow state of {team.key}: {name}"
            self._add(
                Write(
                    "workflowStateCreate",
                    {"input": {**made, "position": last + 1 + stage.rank}},
                    about,
                    "WorkflowState",
                    ours,
                )
            )
        return tuple(missing.values())

    def create_labels(self, team: Team) -> tuple[str, ...]:
        """The team has every label of ours; returns the names of those that are made."""

        async def plan() -> list[Write]:
            return self._missing_labels(team, LABELS, "")

        self._plans.append(("", plan))
        return team.missing_labels()

    async def plan(self, refused: dict[str, str] | None = None) -> tuple[Write, ...]:
        """The mutations that `send` would send, in order; `refused` is told what can't be asked for, by issue, and why.

        Raises:
            UserError: a team lacks a workflow state or doesn't exist, and nobody wants to be told of single issues.
        """
        writes: list[Write] = []
        self._made_labels.clear()
        for issue, plan in self._plans:
            if refused and issue in refused:
                continue
            try:
                planned = await plan()
            except UserError as error:
                if refused is None or not issue:
                    raise
                refused[issue] = str(error)
                planned = []
            for write in planned:
                append(writes, write)
        return tuple(writes)

    async def send(self) -> Sent:
        """Do all that was asked for, in order.

        Raises:
            Transient, Refused: as `LinearClient.execute`; what stood before the failure is done.
            Forbidden: we may do nothing of it, and it is about several issues.
            UserError: the same, and it is about no issue that could be left out.
        """
        sent = Sent()
        queue = list(await self.plan(sent.refused))
        self._plans.clear()
        made = {write.operation for write in queue}
        labels = {write.id for write in queue if write.operation == "issueLabelCreate"}
        while queue:
            batch = queue[: fitting(queue)]
            try:
                rest = await post(self._client, batch, sent) + queue[len(batch) :]
            except UserError:
                self._directory.forget()  # perhaps a state or label is not what we remember
                raise
            queue = [write for write in rest if write.issue not in sent.refused]
        if sent.forbidden and len(sent.refused) > 1 and not sent.done and not sent.repeated:
            raise sent.forbidden
        self._directory.spent.update(sent.there & labels)
        if sent.refused or made & {"issueLabelCreate", "workflowStateCreate"}:
            self._directory.forget()
        return sent

    def _add(self, write: Write) -> None:
        async def plan() -> list[Write]:
            return [write]

        self._plans.append((write.issue, plan))

    def _ticket(self, epic: Issue, team: Team, ticket: NewTicket) -> list[Write]:
        made_labels = self._missing_labels(team, ticket.labels, epic.id)
        ours = ticket_id(epic.id, ticket.key)
        made: dict[str, Any] = {
            "id": ours,
            "teamId": team.id,
            "parentId": epic.id,
            "title": ticket.title,
            "description": ticket.description,
            "priority": ticket.priority,
            "stateId": self._state(team, ticket.stage),
            "labelIds": [self._label_id(team, name) for name in ticket.labels],
        }
        about = f"ticket of {epic.identifier}: {ticket.key}"
        return [*made_labels, Write("issueCreate", {"input": made}, about, "Issue", ours, issue=epic.id)]

    def _state(self, team: Team, stage: Stage) -> str:
        state = team.state(self._states[stage])
        if state is None:
            missing = ", ".join(team.missing_states(self._states).values())
            raise UserError(
                f"Team {team.key} lacks these workflow states: {missing}. Run `callboard setup` to create them, "
                "or name others under [states] in callboard.toml."
            )
        return state.id

    def _label_id(self, team: Team, name: str) -> str:
        """The id of a label that is there, or with which it is made; one that is used can't be used again."""
        if there := team.label(name):
            return there
        known, tries = effect_id("label", team.id, name.casefold()), 1
        while known in self._directory.spent:
            known, tries = effect_id("label", team.id, name.casefold(), str(tries)), tries + 1
        return known

    def _missing_labels(self, team: Team, names: Iterable[str], issue: str) -> list[Write]:
        writes = []
        for name in team.missing_labels(names):
            ours = self._label_id(team, name)
            if name.casefold() in {group.casefold() for group in team.groups}:
                raise UserError(
                    f"Team {team.key} has a label group called {name}: rename it, Callboard needs that label."
                )
            if ours not in self._made_labels:
                self._made_labels.add(ours)
                made = {"id": ours, "teamId": team.id, "name": name, "color": _LABEL_COLOR}
                about = f"label of team {team.key}: {name}"
                writes.append(Write("issueLabelCreate", {"input": made}, about, "IssueLabel", ours, issue=issue))
        return writes


def ticket_id(epic: str, key: str) -> str:
    """The id of the ticket for the task `key` of an epic (by the epic's id)."""
    return effect_id("ticket", epic, key)


def _update(issue: Issue, change: Mapping[str, Any], about: str) -> Write:
    return Write("issueUpdate", {"id": issue.id, "input": change}, about, issue=issue.id)
