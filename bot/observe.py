"""The whole picture of one epic: Linear, GitHub and the engine read into facts, and how a subject finds its key."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import structlog

from bot.engine.port import RunRow
from bot.engine.port import Service as Shared
from bot.git.names import identifier_of
from bot.linear import observe as linear
from bot.linear.directory import Directory
from bot.linear.ensure import ticket_id
from bot.linear.errors import NotFound
from bot.linear.newest import Ledger
from bot.machine import breakdown
from bot.machine.calling import caller_of, has_begun
from bot.machine.errors import Refused, UserError
from bot.machine.facts import Call, Departed, Facts, Issue, Refusal, Repository, Rules, Run, RunState, Service, Ticket
from bot.machine.moving import stage_of
from bot.machine.pull_request import PullRequest
from bot.machine.stages import ORCHESTRATE, WORKER, Stage
from bot.machine.watchdog import Memory
from bot.places import whereabouts, with_new_name
from bot.policy import Policy, RepositoryPolicy
from bot.pulls import GitHubReads, Pulls, Work, work_left, work_of
from bot.refusals import Refusals
from bot.unchecked import Unchecked

log = structlog.get_logger()

UNREAD_SECONDS = 60.0
"""How often GitHub is asked again that refuses to be read."""


class EngineReads(Ledger, Protocol):
    """What is asked of the engine."""

    async def runs(self, key: str) -> tuple[RunRow, ...]:
        """The runs of a key."""

    async def spent(self, key: str) -> float:
        """US dollars that count against the budget of an epic when a model is called."""

    async def service(self) -> Shared:
        """What all epics share."""

    async def route(self, subject: str, key: str) -> None:
        """Remember which key a subject belongs to."""


@dataclass
class Observer:
    """Reads facts. `known` are the subjects routed by this process, so that each costs one write only."""

    linear: linear.Observer
    directory: Directory
    github: GitHubReads
    engine: EngineReads
    policy: Callable[[], Policy]
    clock: Callable[[], datetime]
    known: set[tuple[str, str]] = field(default_factory=set)
    acts: bool = True
    """Whether anybody acts upon the facts; who only looks need not wait until Linear surely shows the newest."""
    memory: Memory = field(default_factory=Memory)
    """What the watchdog compares with."""
    unchecked: Unchecked = field(default_factory=Unchecked)
    refusals: Refusals = field(default_factory=Refusals)
    """The performer notes there what it was told."""

    def __post_init__(self) -> None:
        self.pulls = Pulls(self.github, self.policy, self.clock)

    async def observe(self, epic: str) -> Facts | None:
        """Facts about an epic or lone ticket, or None when it is not ours."""
        try:
            picture = await self.linear.observe_epic(epic, self.engine if self.acts else None)
        except NotFound:
            return None
        if not _is_ours(picture.epic):
            return None
        key = f"epic:{picture.epic.id}"
        policy = self.policy()
        lone = _is_lone(picture.epic)
        issues = (picture.epic,) if lone else (picture.epic, *_with_tasks(picture))
        where = await whereabouts(self.github, policy, picture.epic, issues)
        issues, place = tuple(with_new_name(one, where) for one in issues), where.place
        departed = () if lone or place is None else await self._departed(picture.epic, picture.tickets)
        works = [*map(work_of, issues), *(work_left(one) for one in departed if not one.whose)]
        pulls, gone, refused = await self._on_github(place, works)
        runs = [_run(row) for row in await self.engine.runs(key)]
        tickets = tuple(
            [
                Ticket(one, pulls.get(one.id), tuple(run for run in runs if run.issue == one.id), one.id in gone)
                for one in issues
            ]
        )
        await self._route(key, place, tickets)
        now = self.clock()
        unchanged = self.memory.see(tickets, now)
        return Facts(
            now=now,
            unchanged=unchanged,
            refusals=self._refusals(tickets, refused, unchanged, now, lone=lone),
            unchecked={one.issue.id: self.unchecked.watch(one.issue.id, one.pull_request) for one in tickets},
            merge_refused={one.issue.id: said for one in tickets if (said := self.refusals.of(one.pull_request))},
            key=key,
            epic=tickets[0],
            tickets=tickets if lone else tickets[1:],
            document=None if lone else picture.document,
            repository=Repository(place.name, place.base) if place else None,
            rules=rules_of(policy),
            began_in=where.began_in,
            named_now=where.named_now,
            states_missing=await self._missing_states(policy, picture.epic.team),
            lone=lone,
            service=Service(**vars(await self.engine.service())),
            spent_usd=await self.engine.spent(key),
            dropped=caller_of(lone=lone) not in picture.epic.labels,
            numbers=picture.numbers,
            orphans=tuple(run for run in runs if run.issue not in {one.id for one in issues}),
            departed=() if refused else tuple(replace(one, pull_request=pulls.get(one.issue)) for one in departed),
            call=await self._call(picture.epic, picture.viewer, caller_of(lone=lone)),
        )

    async def _on_github(
        self, place: RepositoryPolicy | None, works: Iterable[Work]
    ) -> tuple[Mapping[str, PullRequest], frozenset[str], str]:
        """The pull requests by issue, the issues whose branch is gone, and why GitHub shows none of it."""
        try:
            pulls = await self.pulls.of(place, works)
            gone = [one.issue for one in works if await self.pulls.is_branch_gone(place, one, pulls.get(one.issue))]
        except (Refused, UserError) as error:
            log.warning("github refuses to be read", reason=str(error))
            return {}, frozenset(), str(error)
        return pulls, frozenset(gone), ""

    def _refusals(
        self, tickets: Iterable[Ticket], unread: str, unchanged: Mapping[str, datetime], now: datetime, *, lone: bool
    ) -> dict[str, Refusal]:
        """Why nothing is done about an issue: GitHub refuses to be read, or what was tried before was refused."""
        found = {}
        for place, issue in enumerate(one.issue for one in tickets):
            refusal = _unread(issue, unread, is_epic=place == 0 and not lone)
            refusal = refusal or self.refusals.standing(issue.id, unchanged[issue.id], now)
            if refusal is not None:
                found[issue.id] = refusal
        return found

    async def _departed(self, epic: Issue, tickets: Iterable[Issue]) -> tuple[Departed, ...]:
        """What had a branch when it was a ticket of the epic; asked for until the epic's record forgets it."""
        there, found = {one.id for one in tickets}, []
        for issue, branch in epic.record.at_work if epic.record else ():
            if issue not in there:
                now, whose = await self.linear.find(issue)
                found.append(Departed(issue, branch, now, whose))
        return tuple(found)

    async def _call(self, epic: Issue, viewer: str, label: str) -> Call | None:
        """Who put the label there; not asked where it is not, or where it is known that they may."""
        if label not in epic.labels or (epic.record is not None and epic.record.called == label):
            return None
        return await self.linear.caller(epic.id, label, viewer)

    async def find_key(self, subject: str) -> str | None:
        """The key of a subject: `linear:<issue>`, `github:owner/name@branch`, `github:owner/name#number`."""
        source, _, rest = subject.partition(":")
        reference: str | None = rest
        if source == "github":
            reference = await self._ticket_of(rest)
        try:
            root = await self.linear.resolve(reference) if reference else None
        except NotFound:
            return None
        return f"epic:{root.id}" if root and root.called else None

    async def live(self) -> list[str]:
        """The keys of everything that has something left to do, also what nobody announced."""
        teams = {team for place in self.policy().repositories for team in place.teams}
        roots = await self.linear.observe_roots((ORCHESTRATE, WORKER), teams, self.clock()) if teams else ()
        return [f"epic:{root.id}" for root in roots]

    async def _missing_states(self, policy: Policy, team: str) -> tuple[str, ...]:
        missing = (await self.directory.team(team)).missing_states(policy.state_names())
        if missing:
            self.directory.forget()  # somebody may be creating them right now
        return tuple(missing.values())

    async def _ticket_of(self, place: str) -> str | None:
        match = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@(.+)|#(\d+))", place)
        if match is None:
            return None
        branch = match[2] or await self.github.branch_of_pull(match[1], int(match[3]))
        return identifier_of(branch) if branch else None

    async def _route(self, key: str, place: RepositoryPolicy | None, tickets: Iterable[Ticket]) -> None:
        subjects = [f"linear:{one.issue.id}" for one in tickets]
        if place is not None:
            subjects += [f"github:{place.name}@{record.branch}" for one in tickets if (record := one.issue.record)]
            subjects += [f"github:{place.name}#{one.pull_request.number}" for one in tickets if one.pull_request]
        for subject in subjects:
            if (subject, key) not in self.known:
                await self.engine.route(subject, key)
                self.known.add((subject, key))


def rules_of(policy: Policy) -> Rules:
    """The part of the policy that decisions ask for."""
    return Rules(
        max_retries=policy.limits.max_retries,
        plan_by_person=policy.gates.plan == "person",
        dependents_wait_for_done=policy.gates.dependents_start == "done",
        documentation=policy.gates.documentation,
        epic_usd=policy.budget.epic_usd,
        day_usd=policy.budget.day_usd,
        runs_per_ticket=policy.limits.runs_per_ticket,
        runs_per_hour=policy.limits.runs_per_hour,
        people=frozenset(policy.people.users),
        checks_appear_seconds=policy.gates.checks_appear_seconds,
        spec_characters=policy.limits.spec_kilobytes * 1000,
        review_bots=policy.gates.review_bots,
        review_bot_minutes=policy.gates.review_bot_minutes,
        max_fix_rounds=policy.limits.max_fix_rounds,
        open_reviews=policy.limits.open_reviews,
    )


def _is_ours(root: Issue) -> bool:
    """Whether anybody called us there; whoever takes the label off stops it all the same.

    What was part of an epic never was a root.
    """
    known = (root.record is not None and not root.record.epic) or root.record_refused
    return bool(root.labels & {ORCHESTRATE, WORKER} or known)


def _unread(issue: Issue, refused: str, *, is_epic: bool) -> Refusal | None:
    """That nothing is done about an issue while GitHub refuses to be read: nobody knows what became of its work.

    No run could fetch anything either. Only a breakdown that stands in review needs no GitHub, and what is over and
    left nothing there.
    """
    stage, record = stage_of(issue), issue.record
    if not refused or (is_epic and stage is Stage.PLAN_REVIEW):
        return None
    left = record is not None and (record.branch or record.pull_request is not None)
    return Refusal(refused, UNREAD_SECONDS) if left or not stage.over else None


def _is_lone(issue: Issue) -> bool:
    """Whether it is a single ticket: as it began, or by its label; what was part of an epic may be called alone.

    Who took an epic for a ticket, or the other way round, would implement without a plan, call done what is not
    merged, and see to nobody's pull requests any more.
    """
    record = issue.record
    if record is not None and not record.epic and (has_begun(record) or not issue.labels & {ORCHESTRATE, WORKER}):
        return record.lone
    return WORKER in issue.labels and ORCHESTRATE not in issue.labels


def _with_tasks(picture: linear.LinearPicture) -> Iterable[Issue]:
    """The tickets as people count them; one whose record names no task is known by its id, if we made it."""
    tickets = [_as_made(picture.epic.id, one) for one in sorted(picture.tickets, key=_number)]
    if all(one.record and one.record.task for one in tickets):
        return tickets
    try:
        tasks = breakdown.read(picture.document.content).tasks if picture.document else ()
    except UserError:
        tasks = ()
    keys = [*(task.key for task in tasks), breakdown.DOCUMENTATION]
    made = {ticket_id(picture.epic.id, key): key for key in keys}
    return [one if one.record and one.record.task else replace(one, task=made.get(one.id, "")) for one in tickets]


def _as_made(epic: str, ticket: Issue) -> Issue:
    """The ticket as the epic counts it: what was made for another epic's task is none of its own, whatever its key.

    A documentation ticket is that of whichever epic has it.
    """
    key = ticket.record.task if ticket.record else ""
    return replace(ticket, of_another=key not in ("", breakdown.DOCUMENTATION) and ticket.id != ticket_id(epic, key))


def _number(issue: Issue) -> tuple[str, int]:
    """The order in which people count tickets: Linear lists the newest first."""
    team, _, number = issue.identifier.rpartition("-")
    return team, int(number) if number.isdigit() else 0


def _run(row: RunRow) -> Run:
    order = row.order
    return Run(
        order.run_id,
        order.issue,
        order.stage,
        order.generation,
        RunState(row.state.value),
        row.ahead,
        started_at=row.started_at,
        finished_at=row.finished_at,
        result=_with_cost(row),
        spent_usd=row.spent_usd,
    )


def _with_cost(row: RunRow) -> Mapping[str, Any] | None:
    """A result with what the run cost over all its starts: what it says itself is about the last one."""
    if row.result is None or row.spent_usd <= float(row.result.get("cost_usd") or 0.0):
        return row.result
    return {**row.result, "cost_usd": round(row.spent_usd, 6)}
