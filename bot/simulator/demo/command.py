"""`callboard demo`: the whole way once, on this machine, watched in the terminal and in a browser."""

import argparse
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from bot import logs
from bot.alone import alone
from bot.machine.errors import UserError
from bot.runs.sandbox import Bubblewrap
from bot.runs.selftest import Examination, examine
from bot.simulator.demo.cast import machines, people
from bot.simulator.demo.long_plan import PLAN
from bot.simulator.demo.report import report
from bot.simulator.demo.review_story import REVIEW
from bot.simulator.demo.scenario import Scenario
from bot.simulator.demo.script import model
from bot.simulator.demo.show import DONE, Show
from bot.simulator.demo.story import EPIC
from bot.simulator.theatre import POLICY, REPOSITORY, Plan, Theatre, open_theatre

SCENARIOS = {"epic": EPIC, "plan": PLAN, "review": REVIEW}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--scenario",
        choices=SCENARIOS,
        default="epic",
        help="an epic of many tickets, one long plan, or all that happens to pull requests",
    )
    parser.add_argument("--yes", action="store_true", help="approve everything, as a trusting person would")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what happened as JSON")
    parser.add_argument("--model", choices=("scripted", "real"), default="scripted", help="who thinks for the agents")
    parser.add_argument("--port", type=int, default=0, help="where the service listens (a free port)")
    parser.add_argument("--login", action="store_true", help="people log in before they see Callboard's pages")
    parser.add_argument("--minutes", type=float, default=0, help="give up after so long (10 with --yes, else never)")


async def run(arguments: argparse.Namespace) -> int:
    """Play the demo; 0 when the epic is done. Raises UserError when another one is being played in this folder."""
    console = Console()
    scenario = SCENARIOS[arguments.scenario]
    home = _home()
    with _emptied(home), (home / "service.log").open("w") as out:
        logs.configure(out=out)
        plan = await _plan(scenario, arguments, home, console)
        limit = arguments.minutes * 60 or (600.0 if arguments.yes else None)
        show = await play(scenario, plan, console, yes=arguments.yes, limit=limit)
        told = await report(show)
    if arguments.report:
        arguments.report.write_text(json.dumps(told, indent=2) + "\n")
    _farewell(console, show, told, home)
    return 0 if show.epic.state.name == DONE else 1


async def play(scenario: Scenario, plan: Plan, console: Console, *, yes: bool, limit: float | None) -> Show:
    """Play from the label to the end of the epic, or for `limit` seconds; what was to be seen can still be looked at.

    With `yes` alice approves everything that is asked for.
    """
    async with open_theatre(plan) as theatre, machines(scenario, theatre):
        show = begin(scenario, theatre, console, yes=yes)
        async with people(scenario, show):
            await show.play(limit)
    return show


def walls(wanted: str | None, seen: Examination, *, scripted: bool) -> tuple[str, str]:
    """Which sandbox the demo takes, and the line that says so: it never goes without one in silence."""
    if wanted == "off":
        return "off", "[yellow]The agents run without walls: CALLBOARD_SANDBOX=off says so.[/]"
    if seen.reason and scripted and not wanted:
        why = escape(seen.reason)
        return "off", f"[yellow]The agents run without walls: {why} They are scripted; real ones are not started so.[/]"
    if seen.reason:
        return "bwrap", f"[yellow]{escape(seen.reason)}[/]"
    return "bwrap", f"The agents run behind walls that {len(seen.tried)} probes tried to get through, and none did"


@contextmanager
def _emptied(home: Path) -> Iterator[None]:
    """Begin with an empty folder, which is nobody else's while the block lasts."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with alone(home.with_name("demo.lock"), "callboard demo"):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        yield


def _home() -> Path:
    """Where the last demo can be looked at afterwards; the next one begins with an empty folder."""
    return Path.cwd() / ".callboard" / "demo"


async def _plan(scenario: Scenario, arguments: argparse.Namespace, home: Path, console: Console) -> Plan:
    scripted = arguments.model == "scripted"
    sandbox, said = walls(os.environ.get("CALLBOARD_SANDBOX"), await examine(Bubblewrap()), scripted=scripted)
    console.print(said)
    plan = Plan(home, model(scenario), scenario.files, sandbox=sandbox, port=arguments.port, login=arguments.login)
    plan.policy = POLICY + scenario.gates  # the policy ends in its table [gates]
    if scripted:
        return plan
    key = os.environ.get("ANTHROPIC_API_KEY")
    if not key:
        raise UserError("`--model real` needs ANTHROPIC_API_KEY in the environment; without it the model is scripted.")
    plan.model_url = os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
    plan.model_key = key
    plan.policy += "\n[budget]\nepic_usd = 50\n"
    return plan


def begin(scenario: Scenario, theatre: Theatre, console: Console, *, yes: bool) -> Show:
    """Let alice write the epic and label it."""
    alice = theatre.person("alice")
    epic = alice.creates("YOU", scenario.title, scenario.spec)
    console.print(f"Linear (simulated)   {theatre.linear_url}/issue/{epic.identifier}")
    console.print(f"GitHub (simulated)   {theatre.github_url}/{REPOSITORY}")
    console.print(f"Callboard            {theatre.url}")
    console.print(f"\nalice labels {epic.identifier} “{epic.title}” with [bold]orchestrate[/]\n")
    alice.labels(epic, "orchestrate")
    return Show(theatre, console, epic, yes)


def _farewell(console: Console, show: Show, told: dict[str, Any], home: Path) -> None:
    merged: Sequence[Any] = [one for one in told["tickets"] if one["merged"]]
    again = [f"{one['number']}" for one in told["phases"] if one["attempts"] > 1]
    console.print(
        f"\n{show.epic.identifier} is {show.epic.state.name}: {len(merged)} of {len(told['tickets'])} tickets merged "
        f"in {told['seconds']} s, {told['turns']} turns, {told['runs']} runs, "
        f"up to {told['max_parallel']} at once."
    )
    if again:
        console.print(
            f"{len(told['phases'])} phases, each one commit; more than one attempt: phase {', '.join(again)}."
        )
    if told["review_rounds"]:
        fixes = told["fix_runs"]
        console.print(
            f"{told['review_rounds']} reviews worked in, {fixes['checks']} repair of checks, {fixes['conflict']} of a"
            f" conflict. Merged: {', '.join(told['merge_order'])}."
        )
    console.print(f"Transcripts, checkouts and the log are in {home.relative_to(Path.cwd())}")
