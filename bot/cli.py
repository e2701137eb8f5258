"""The commands. Each is a thin door: it reads settings, opens the service or the simulators, and prints."""

import argparse
import asyncio
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from bot import app, doctor, environment, local, logs
from bot.audit import AuditLog, BrokenChainError
from bot.board import Board, describe, open_board
from bot.config import PolicyFile, Settings, read_settings, require_for_serving
from bot.doctor import report
from bot.engine.port import Engine
from bot.git import worktree
from bot.machine.account import account
from bot.machine.decision import ShowCheck
from bot.machine.errors import Refused, Transient, UserError
from bot.machine.waiting import progress, why
from bot.process import keep_to_itself
from bot.setup.serving import until_set_up
from bot.setup.steps import unconfigured
from bot.setup.terminal import Terminal, Wanted
from bot.simulator.demo import command as demo
from bot.words import say, sentence

Command = Callable[[argparse.Namespace], Coroutine[Any, Any, int]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 when it did what it says, 1 for a mistake of the user or a refusal."""
    parsed = _parser().parse_args(arguments)
    command: Command = parsed.command
    try:
        return asyncio.run(command(parsed))
    except UserError as error:
        print(f"callboard: {error}", file=sys.stderr)
    except Refused as error:
        print(f"callboard: refused: {error}", file=sys.stderr)
    except Transient as error:
        print(f"callboard: not now: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("callboard", description="From a labelled Linear epic to merged pull requests.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, help: str) -> argparse.ArgumentParser:  # noqa: A002
        one = commands.add_parser(name, help=help, description=help)
        one.set_defaults(command=command)
        return one

    demo.add_arguments(add("demo", demo.run, "an epic from its label to merged pull requests, here, with no accounts"))
    add("serve", _serve(app.ALL), "the service, all in one process")
    add("web", _serve(app.WEB), "only what answers HTTP")
    add("worker", _serve(app.WORK), "only what reconciles and runs agents")
    orchestrate = add("orchestrate", _orchestrate, "make an epic from a spec and label it")
    orchestrate.add_argument("spec", type=Path, metavar="SPEC.md")
    orchestrate.add_argument("--team", required=True, metavar="KEY", help="the Linear team, such as YOU")
    add("status", _status, "how far an epic is").add_argument("epic", nargs="?", metavar="EPIC")
    add("why", _why, "what a ticket is waiting for").add_argument("ticket", metavar="TICKET")
    report = add("report", _report, "what an epic came to: turns, parallel use, time and cost per stage")
    report.add_argument("epic", metavar="EPIC")
    report.add_argument("--json", action="store_true", help="the same as JSON")
    add("dry-run", _dry_run, "what would happen to an epic now; nothing is written").add_argument(
        "epic", metavar="EPIC"
    )
    audit = add("audit", _audit, "what was done, on whose word and why; exit code 1 when the log was changed")
    audit.add_argument("epic", nargs="?", metavar="EPIC", help="only what belongs to this epic or ticket")
    audit.add_argument("--json", action="store_true", help="the lines as they stand")
    _add_setup(add("setup", _setup, "from nothing to a service that can start; twice is harmless"))
    examine = add("doctor", _doctor, "what is wrong, why it matters, and what mends it; exit code 1 when something is")
    examine.add_argument("--json", action="store_true", help="for machines")
    trees = add("worktree", _no_worktree, "a worktree by hand, as the service makes them").add_subparsers(required=True)
    create = trees.add_parser("create", help="make .trees/BRANCH on a new branch")
    create.add_argument("branch", metavar="BRANCH")
    create.add_argument("--base", default="main", metavar="BRANCH")
    create.set_defaults(command=_create_worktree)
    cleanup = trees.add_parser("cleanup", help="remove .trees/BRANCH")
    cleanup.add_argument("branch", metavar="BRANCH")
    cleanup.set_defaults(command=_cleanup_worktree)
    _add_plan(add("plan", _no_plan, "a plan in this repository, on this machine, with no Linear and no GitHub"))
    return parser


def _add_setup(setup: argparse.ArgumentParser) -> None:
    setup.add_argument("--yes", action="store_true", help="ask nothing; credentials come from the environment")
    setup.add_argument("--base-url", default="", metavar="URL", help="where Linear and GitHub reach the service")
    setup.add_argument("--repository", default="", metavar="OWNER/NAME", help="the repository to work on")
    setup.add_argument("--team", action="append", default=[], metavar="KEY", help="a Linear team that works on it")
    setup.add_argument("--base", default="", metavar="BRANCH", help="where pull requests go (main)")


def _add_plan(plan: argparse.ArgumentParser) -> None:
    commands = plan.add_subparsers(metavar="COMMAND")
    check = commands.add_parser("check", help="validate a plan, show what a run would do, start nothing")
    run = commands.add_parser("run", help="run a plan phase by phase, one commit each; exit code 3 blocked, 4 asks")
    for one, command in ((check, _check_plan), (run, _run_plan)):
        one.add_argument("file", type=Path, metavar="FILE", help="the plan, a Markdown file of this repository")
        one.add_argument("--max-retries", type=int, metavar="N", help="repairs per phase before it is blocked")
        one.add_argument("--start-phase", type=int, metavar="N", help="leave out the phases before this one")
        one.set_defaults(command=command)
    run.add_argument("--answer", metavar="TEXT", help="your answer or hint for the next run")
    run.add_argument("--verify", choices=("all",), help="run every command once more after the last phase")
    run.add_argument("--budget", type=float, metavar="USD", help="no further run starts once the plan has cost this")


def _settings(*, quiet: bool) -> Settings:
    settings = read_settings()
    require_for_serving(settings)
    if not quiet:
        logs.configure(as_json=settings.log_json, secrets=settings.secrets())
    return settings


def _serve(roles: frozenset[str]) -> Command:
    async def command(_arguments: argparse.Namespace) -> int:
        keep_to_itself()
        if roles == app.ALL and unconfigured(os.environ) and not await _set_up_first():
            return 0
        settings = _settings(quiet=False)
        await app.serve(settings, PolicyFile(settings.config), roles=roles)
        return 0

    return command


async def _set_up_first() -> bool:
    """Serve the set-up page until it is finished; False when the service was told to stop before."""
    env = environment.environment()
    port = env.get("PORT", "8080")
    if not port.isdigit():
        raise UserError(f"PORT must be a number, not {port!r}.")
    return await until_set_up(os.environ, env.get("HOST", "127.0.0.1"), int(port), lambda text: print(text, flush=True))


async def _orchestrate(arguments: argparse.Namespace) -> int:
    try:
        spec = arguments.spec.read_text()
    except OSError as error:
        raise UserError(f"The spec {arguments.spec} can't be read: {error.strerror}.") from None
    settings = _settings(quiet=True)
    async with open_board(settings, PolicyFile(settings.config)) as board:
        url = await board.make_epic(arguments.team, arguments.spec.stem, spec)
    print(f"The epic is at {url}; the breakdown will be shown there for approval.")
    return 0


@asynccontextmanager
async def _looking() -> AsyncIterator[tuple[Board, Engine]]:
    settings = _settings(quiet=True)
    logs.configure(out=io.StringIO())
    policy = PolicyFile(settings.config)
    async with open_board(settings, policy) as board, app.open_engine(settings, policy) as engine:
        yield board, engine


async def _status(arguments: argparse.Namespace) -> int:
    async with _looking() as (board, engine):
        for epic in [arguments.epic] if arguments.epic else await board.live():
            facts, decision = await board.look(epic, engine)
            shown: dict[str, Any] = progress(facts, decision)
            print(f"{facts.epic.issue.identifier}  {facts.epic.issue.title}  [{shown['stage']}]  ${shown['spent']}")
            for row in shown["rows"]:
                reasons = "; ".join(sentence(one) for one in row["blockers"])
                print(f"  {row['identifier']:<8} {row['stage']:<12} {row['title']:<40} {reasons}")
    return 0


async def _why(arguments: argparse.Namespace) -> int:
    async with _looking() as (board, engine):
        facts, decision = await board.look(arguments.ticket, engine)
        asked = arguments.ticket.rstrip("/").rpartition("/")[2].upper()
        named = {one.issue.identifier: one.issue.id for one in (facts.epic, *facts.tickets)}
        reasons = why(facts, decision, named.get(asked, arguments.ticket))
    print(say("why", {"reasons": reasons}), end="")
    return 0


async def _report(arguments: argparse.Namespace) -> int:
    async with _looking() as (board, engine):
        facts, _ = await board.look(arguments.epic, engine)
    values = account(facts).values()
    print(json.dumps(values, ensure_ascii=False, indent=2) if arguments.json else say("report", values).rstrip())
    return 0


async def _dry_run(arguments: argparse.Namespace) -> int:
    async with _looking() as (board, engine):
        facts, decision = await board.look(arguments.epic, engine)
    named = {one.issue.id: one.issue.identifier for one in (facts.epic, *facts.tickets)}
    for action in (one for one in decision.actions if not isinstance(one, ShowCheck)):
        print(f"would {describe(action, named)}")
    for blocker in decision.blockers:
        print(f"waits {named.get(blocker.issue, blocker.issue)}: {sentence(blocker)}")
    print("Nothing was written.")
    return 0


async def _audit(arguments: argparse.Namespace) -> int:
    wanted = (arguments.epic or "").upper()
    try:
        for line in AuditLog(read_settings().home / "audit.jsonl").lines():
            if wanted in ("", line["epic"], line["issue"]):
                print(json.dumps(line, ensure_ascii=False) if arguments.json else say("audit", line), end="")
                print("\n" if arguments.json else "", end="")
    except BrokenChainError as error:
        print(f"callboard: {error}; what follows in the log can't be believed", file=sys.stderr)
        return 1
    return 0


async def _setup(arguments: argparse.Namespace) -> int:
    logs.configure(out=io.StringIO())
    wanted = Wanted(arguments.yes, arguments.base_url, arguments.repository, tuple(arguments.team), arguments.base)
    try:
        await Terminal(os.environ, wanted, Console(highlight=False)).run()
    except EOFError:
        raise UserError("Nobody is there to answer: use --yes, with values in options and environment.") from None
    return 0


async def _doctor(arguments: argparse.Namespace) -> int:
    logs.configure(out=io.StringIO())
    findings = doctor.examine(environment.environment())
    if arguments.json:
        found = [one async for one in findings]
        print(report.as_json(found))
    else:
        found = await report.show(findings, Console(highlight=False))
    return 0 if all(one.well for one in found) else 1


async def _no_worktree(_arguments: argparse.Namespace) -> int:
    raise UserError("Say `callboard worktree create BRANCH` or `callboard worktree cleanup BRANCH`.")


async def _create_worktree(arguments: argparse.Namespace) -> int:
    path = await worktree.create(arguments.branch, arguments.base, repository=Path.cwd())
    print(f"Worktree created at {path}\n  branch: {arguments.branch}\n  base: {arguments.base}")
    return 0


async def _cleanup_worktree(arguments: argparse.Namespace) -> int:
    path = await worktree.cleanup(arguments.branch, repository=Path.cwd())
    print(f"Worktree removed: {path}")
    return 0


async def _no_plan(_arguments: argparse.Namespace) -> int:
    raise UserError("Say `callboard plan check FILE` or `callboard plan run FILE`.")


async def _check_plan(arguments: argparse.Namespace) -> int:
    return await local.check(local.Wanted(arguments.file, arguments.max_retries, arguments.start_phase))


async def _run_plan(arguments: argparse.Namespace) -> int:
    keep_to_itself()
    wanted = local.Wanted(
        arguments.file,
        arguments.max_retries,
        arguments.start_phase,
        arguments.verify,
        arguments.budget,
        arguments.answer,
    )
    return await local.run(wanted)


if __name__ == "__main__":
    sys.exit(main())
