"""`callboard demo`: the whole way once, on this machine, watched in the terminal and in a browser."""

import argparse
import asyncio
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from bot import logs
from bot.engine.port import RunRow, RunState
from bot.machine.errors import UserError
from bot.runs.sandbox import Bubblewrap
from bot.simulator import linear
from bot.simulator.demo import story
from bot.simulator.demo.checks import tests_of_the_repository
from bot.simulator.demo.script import model
from bot.simulator.theatre import POLICY, REPOSITORY, Plan, Theatre, open_theatre

TITLE = "User dashboard"
DONE, CANCELED = "Done", "Canceled"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--yes", action="store_true", help="approve everything, as a trusting person would")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what happened as JSON")
    parser.add_argument("--model", choices=("scripted", "real"), default="scripted", help="who thinks for the agents")
    parser.add_argument("--port", type=int, default=0, help="where the service listens (a free port)")
    parser.add_argument("--minutes", type=float, default=0, help="give up after so long (10 with --yes, else never)")


async def run(arguments: argparse.Namespace) -> int:
    """Play the demo; 0 when the epic is done."""
    console = Console()
    home = _home()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with (home / "service.log").open("w") as out:
        logs.configure(out=out)
        async with open_theatre(await _plan(arguments, home, console)) as theatre:
            async with tests_of_the_repository(theatre):
                show = _begin(theatre, console, yes=arguments.yes)
                await show.play(arguments.minutes * 60 or (600.0 if arguments.yes else None))
            report = show.report()
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=2) + "\n")
    _farewell(console, show, report, home)
    return 0 if show.epic.state.name == DONE else 1


def _home() -> Path:
    """Where the last demo can be looked at afterwards; the next one begins with an empty folder."""
    return Path.cwd() / ".callboard" / "demo"


async def _plan(arguments: argparse.Namespace, home: Path, console: Console) -> Plan:
    missing = await Bubblewrap().missing()
    sandbox = os.environ.get("CALLBOARD_SANDBOX") or ("off" if missing and arguments.model == "scripted" else "bwrap")
    if sandbox == "off":
        why = missing or "CALLBOARD_SANDBOX=off says so."
        console.print(f"[yellow]The agents run without a sandbox: {why}[/]")
    plan = Plan(home, model(), story.repository_files(), sandbox=sandbox, port=arguments.port)
    if arguments.model == "scripted":
        return plan
    key = os.environ.get("ANTHROPIC_API_KEY")
    if not key:
        raise UserError("`--model real` needs ANTHROPIC_API_KEY in the environment; without it the model is scripted.")
    plan.model_url = os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
    plan.model_key = key
    plan.policy = POLICY + "\n[budget]\nepic_usd = 50\n"
    return plan


def _begin(theatre: Theatre, console: Console, *, yes: bool) -> "Show":
    alice = theatre.person("alice")
    epic = alice.creates("YOU", TITLE, story.SPEC)
    console.print(f"Linear (simulated)   {theatre.linear_url}/issue/{epic.identifier}")
    console.print(f"GitHub (simulated)   {theatre.github_url}/{REPOSITORY}")
    console.print(f"Callboard            {theatre.url}")
    console.print(f"\nalice labels {epic.identifier} “{TITLE}” with [bold]orchestrate[/]\n")
    alice.labels(epic, "orchestrate")
    return Show(theatre, console, epic, yes)


@dataclass
class Show:
    """What is watched. `approved` are the comments of ours that were answered with an approval."""

    theatre: Theatre
    console: Console
    epic: linear.Issue
    yes: bool
    began: float = field(default_factory=time.monotonic)
    approved: set[str] = field(default_factory=set)
    runs: dict[str, RunRow] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    parallel: int = 0
    ended: float = 0.0

    async def play(self, limit: float | None) -> None:
        """Watch until the epic is over, or for `limit` seconds."""
        with Live(console=self.console, refresh_per_second=8, transient=False) as live:
            while self.epic.state.name not in (DONE, CANCELED):
                await self._look()
                live.update(self._table())
                self._tell()
                if limit is not None and self.seconds > limit:
                    break
                await asyncio.sleep(0.1)
            self.ended = time.monotonic()
            await self._look()
            live.update(self._table())

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return (self.ended or time.monotonic()) - self.began

    def report(self) -> dict[str, Any]:
        """What design.md section 9 asks the report to hold."""
        world = self.theatre.linear
        pulls = self._pulls()
        tickets = [
            {
                "id": ticket.identifier,
                "title": ticket.title,
                "stage": ticket.state.name.lower(),
                "pr": pulls[ticket.identifier].number if ticket.identifier in pulls else None,
                "merged": ticket.identifier in pulls and pulls[ticket.identifier].merged,
            }
            for ticket in sorted(world.children(self.epic), key=lambda one: one.number)
        ]
        costs = [_cost(one) for one in world.all(linear.Attachment)]
        return {
            "epic": self.epic.identifier,
            "tickets": tickets,
            "turns": self._turns(),
            "seconds": round(self.seconds, 1),
            "max_parallel": self.parallel,
            "runs": len(self.runs),
            "cost_usd": round(sum(costs), 4),
        }

    async def _look(self) -> None:
        rows = await self.theatre.service.engine.runs(f"epic:{self.epic.id}")
        self.runs |= {row.order.run_id: row for row in rows}
        self.parallel = max(self.parallel, sum(row.state is RunState.RUNNING for row in rows))
        asking = [one for one in self.theatre.linear.comments(self.epic) if "**Turn" in one.body]
        if (
            self.yes
            and asking
            and asking[-1].id not in self.approved
            and self.epic.state.name in ("Plan in Review", "Code Review")
        ):
            self.approved.add(asking[-1].id)
            self.theatre.person("alice").comments(self.epic, "approve")

    def _tell(self) -> None:
        """Where there is no live table to draw (a pipe, a log), say each change in a line."""
        if self.console.is_terminal:
            return
        lines = {one.identifier: one.state.name for one in (self.epic, *self.theatre.linear.children(self.epic))}
        lines |= {"you": turn} if (turn := self._turn()) else {}
        for name, state in sorted(lines.items()):
            if self.told.get(name) != state:
                self.console.print(f"{self.seconds:4.0f} s  {name:<6} {state}")
        self.told = lines

    def _turns(self) -> int:
        people = [one for one in self.theatre.linear.comments(self.epic) if one.user and not one.user.app]
        return len(people)

    def _pulls(self) -> dict[str, Any]:
        repository = self.theatre.github.repository(REPOSITORY)
        return {pull.title.partition(":")[0]: pull for pull in repository.pulls.values()}

    def _table(self) -> Table:
        title = f"{self.epic.identifier} {TITLE} · {self.epic.state.name} · {self.seconds:.0f} s"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        widths = {"ticket": 6, "title": max(12, self.console.width - 64), "stage": 20, "worker": 18, "pull request": 12}
        for name, width in widths.items():
            table.add_column(name, no_wrap=True, width=width)
        pulls = self._pulls()
        for issue in (self.epic, *sorted(self.theatre.linear.children(self.epic), key=lambda one: one.number)):
            row = self._running(issue.id)
            pull = pulls.get(issue.identifier)
            worker = f"{row.order.spec['run']['prompt']} {_elapsed(row)}" if row else ""
            shown = f"#{pull.number}{' merged' if pull.merged else ''}" if pull else ""
            table.add_row(issue.identifier, issue.title, issue.state.name, worker, shown)
        table.caption = self._turn()
        return table

    def _running(self, issue: str) -> RunRow | None:
        rows = [row for row in self.runs.values() if row.order.issue == issue and row.state is RunState.RUNNING]
        return rows[0] if rows else None

    def _turn(self) -> str:
        if self.yes or self.epic.state.name not in ("Plan in Review", "Code Review"):
            return ""
        return f"Your turn: read {self.theatre.linear_url}/issue/{self.epic.identifier} and comment `approve` there."


def _elapsed(row: RunRow) -> str:
    return f"{time.time() - row.started_at.timestamp():.0f} s" if row.started_at else ""


def _cost(attachment: linear.Attachment) -> float:
    value = attachment.metadata.get("cost_usd")
    return float(value) if isinstance(value, int | float) else 0.0


def _farewell(console: Console, show: Show, report: dict[str, Any], home: Path) -> None:
    merged: Sequence[Any] = [one for one in report["tickets"] if one["merged"]]
    console.print(
        f"\n{show.epic.identifier} is {show.epic.state.name}: {len(merged)} of {len(report['tickets'])} tickets merged "
        f"in {report['seconds']} s, {report['turns']} turns, {report['runs']} runs, "
        f"up to {report['max_parallel']} at once."
    )
    console.print(f"Transcripts, checkouts and the log are in {home.relative_to(Path.cwd())}")
