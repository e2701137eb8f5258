"""What is watched while the demo plays: a live table, or a line for each change where there is no terminal."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from bot.engine.port import RunRow, RunState
from bot.machine.progress import AGENT_STEPS, Kind
from bot.simulator import linear
from bot.simulator.theatre import REPOSITORY, Theatre

DONE, CANCELED = "Done", "Canceled"
_TOLD = AGENT_STEPS | {"feedback", "update"}
"""What is done in a stage besides its own prompt."""
_REVIEWS = ("Plan in Review", "Code Review")
_PHASE = re.compile(r"phase (\d+) of (\d+)")


@dataclass
class Show:
    """What is watched. `approved` are the comments of ours that were answered with an approval.

    `to_come` are acts of other people; alice waits for them before she approves the merge.
    """

    theatre: Theatre
    console: Console
    epic: linear.Issue
    yes: bool
    began: float = field(default_factory=time.monotonic)
    approved: set[str] = field(default_factory=set)
    runs: dict[str, RunRow] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    to_come: Set["asyncio.Task[None]"] = frozenset()
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    parallel: int = 0
    ended: float = 0.0

    async def play(self, limit: float | None) -> None:
        """Watch until the epic is over, or for `limit` seconds."""
        with Live(console=self.console, refresh_per_second=5, transient=False) as live:
            while self.epic.state.name not in (DONE, CANCELED):
                await self._look()
                live.update(self._table())
                self._tell()
                self.looked.set()
                self.looked = asyncio.Event()
                if limit is not None and self.seconds > limit:
                    break
                await asyncio.sleep(0.2)
            self.ended = time.monotonic()
            await self._look()
            self._tell()
            live.update(self._table())

    async def until(self, true: Callable[[], object]) -> None:
        """Watch until something is so."""
        while not true():
            await self.looked.wait()

    def say(self, who: str, what: str) -> None:
        """Tell what somebody does."""
        self.console.print(f"{self.seconds:4.0f} s  {who:<6} {what}", soft_wrap=True, highlight=False, markup=False)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def tickets(self) -> list[linear.Issue]:
        """The epic's tickets in their order."""
        return sorted(self.theatre.linear.children(self.epic), key=lambda one: one.number)

    @property
    def pulls(self) -> Mapping[str, Any]:
        """Pull requests by the ticket they belong to."""
        repository = self.theatre.github.repository(REPOSITORY)
        return {pull.title.partition(":")[0]: pull for pull in repository.pulls.values()}

    async def _look(self) -> None:
        rows = await self.theatre.service.engine.runs(f"epic:{self.epic.id}")
        self.runs |= {row.order.run_id: row for row in rows}
        self.parallel = max(self.parallel, sum(row.state is RunState.RUNNING for row in rows))
        alice = self.theatre.person("alice")
        asking = [one for one in alice.reads(self.epic) if "**Turn" in one.body]
        fresh = asking and asking[-1].id not in self.approved and self.epic.state.name in _REVIEWS
        if self.yes and fresh and not self._is_to_wait():
            self.approved.add(asking[-1].id)
            alice.comments(self.epic, "approve")

    def _is_to_wait(self) -> bool:
        """Whether somebody still has a say in the pull requests that the epic shows."""
        return self.epic.state.name == _REVIEWS[1] and not all(act.done() for act in self.to_come)

    def _tell(self) -> None:
        if self.console.is_terminal:
            return
        lines = {one.identifier: self._line(one) for one in (self.epic, *self.tickets)}
        lines |= {"you": turn} if (turn := self._turn()) else {}
        for name, line in sorted(lines.items()):
            if self.told.get(name) != line:
                self.say(name, line)
        self.told = lines

    def _line(self, issue: linear.Issue) -> str:
        """The stage of an issue, with the step of its loop; between two runs that is the last one."""
        state, row = issue.state.name, self._running(issue.id)
        if row is None:
            said = self.told.get(issue.identifier, "")
            return said if said.startswith(f"{state}: ") else state
        kind, at = self._step(row)
        return f"{state}: {kind} {at}".rstrip() if kind in _TOLD else state

    def _table(self) -> Table:
        title = f"{self.epic.identifier} {self.epic.title} · {self.epic.state.name} · {self.seconds:.0f} s"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        widths = {"ticket": 6, "title": max(12, self.console.width - 67), "stage": 20, "worker": 18, "pull request": 12}
        for name, width in widths.items():
            table.add_column(name, no_wrap=True, width=width)
        pulls = self.pulls
        for issue in (self.epic, *self.tickets):
            pull = pulls.get(issue.identifier)
            shown = f"#{pull.number}{' merged' if pull.merged else ''}" if pull else ""
            table.add_row(issue.identifier, issue.title, issue.state.name, self._worker(issue), shown)
        table.caption = self._turn()
        return table

    def _worker(self, issue: linear.Issue) -> str:
        row = self._running(issue.id)
        if row is None:
            return ""
        kind, at = self._step(row)
        phase = _PHASE.match(at)
        parts = (kind, f"{phase[1]}/{phase[2]}" if phase else "", _elapsed(row))
        return " ".join(part for part in parts if part)

    def _running(self, issue: str) -> RunRow | None:
        rows = [row for row in self.runs.values() if row.order.issue == issue and row.state is RunState.RUNNING]
        return rows[0] if rows else None

    def _step(self, row: RunRow) -> tuple[str, str]:
        """What a run does, and where its loop is: the run before it in the same loop said what comes next."""
        prompt = str(row.order.spec["run"]["prompt"])
        before = [one for one in self.runs.values() if one.order.issue == row.order.issue and one.result]
        last = max((one for one in before), key=lambda one: one.order.generation, default=None)
        said = (last.result.get("loop") if last and last.result else None) or {}
        goes_on = prompt == Kind.IMPLEMENT and said.get("next") in AGENT_STEPS
        mends = str(row.order.spec["about"].get("kind", "")) if prompt == Kind.FIX else ""
        return (said["next"], said["at"]) if goes_on else (prompt, mends)

    def _turn(self) -> str:
        if self.yes or self.epic.state.name not in _REVIEWS:
            return ""
        return f"Your turn: read {self.theatre.linear_url}/issue/{self.epic.identifier} and comment `approve` there."


def _elapsed(row: RunRow) -> str:
    return f"{time.time() - row.started_at.timestamp():.0f} s" if row.started_at else ""
