"""`callboard plan run FILE`: one run after the other, here, until the loop stops.

The loop is the service's, and so is the worker; this only orders the next run, reads what the last one came to, and
writes it down. The truth is on the branch and under `refs/callboard/unfinished/`, so this may be killed at any moment.
Commits bear the user's name, as git knows it, because it is their repository; they are not signed.
"""

import asyncio
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from bot import logs
from bot.git.command import GitError
from bot.git.commit import Author
from bot.local import state as states
from bot.local import words
from bot.local.checking import begin, next_of, phases_done, progress_of
from bot.local.repository import POLICY, Repository, held, open_repository
from bot.local.settings import NAME, Rules, Setup, Wanted, choose, order, read_setup, rules
from bot.local.state import Guidance, State
from bot.local.watching import Display, Watched
from bot.local.words import Stop
from bot.machine.errors import UserError
from bot.machine.plan import Plan
from bot.machine.progress import AFTER, Done, Kind, Step
from bot.runs.agents import Agents
from bot.runs.bounds import Bounds
from bot.runs.contract import Ending
from bot.runs.egress import Network
from bot.runs.keep_going import out_of_money
from bot.runs.models import models_of_policy
from bot.runs.runner import House
from bot.runs.selftest import sandbox
from bot.runs.worker import Access, Worker, WorkOrder

FIRST_WAIT = timedelta(seconds=5)
"""After the first failure of the transport; each further one in a row doubles it."""
LONGEST_WAIT = timedelta(minutes=5)
MOST_HICCUPS = 8
"""Failures of the transport in a row, from which on a person should look."""
WAIT_FOR_LIMIT = timedelta(minutes=15)
"""With a usage limit of which nobody says when it ends."""


async def run(wanted: Wanted) -> int:
    """Run the plan in this repository: 0 completed, 3 blocked, 4 needs input, 130 interrupted (SIGINT, SIGTERM).

    Raises:
        UserError: something must be put right before it can start; one sentence says what.
    """
    repository = await open_repository(wanted.file)
    with held(repository):
        drive = await _prepared(repository, wanted)
        with (repository.folder / "plan.log").open("a") as log:
            logs.configure(out=log, secrets=drive.setup.settings.secrets())
            with _interruptible(), drive.display:
                stop = await drive.go()
        drive.display.say(stop.text)
    return stop.code


async def _prepared(repository: Repository, wanted: Wanted) -> "Drive":
    """Everything that a run needs, when nothing speaks against it."""
    setup = read_setup(repository.root)
    state = states.read(repository)
    progress = await progress_of(repository)
    found = await repository.obstacles()
    if state is not None:
        found += await _moved(repository, state, progress.plan, setup)
    if any(one.fatal for one in progress.plan.findings):
        found.append(f"{repository.named} can't be run as a plan: `callboard plan check {repository.named}` says why.")
    if found or (found := await setup.obstacles()):
        raise UserError(found[0])
    chosen = choose(wanted, state)
    how = rules(chosen, setup.policy, progress.plan)
    author = await repository.author()
    step = next_of(progress, how, state)
    made = begin(repository, how, chosen, step, state).model_copy(update={"policy_digest": setup.policy_digest})
    if wanted.answer and wanted.answer.strip():
        said = Guidance(author=author.name, body=wanted.answer.strip(), at=datetime.now(UTC).isoformat())
        made = made.model_copy(update={"guidance": (*made.guidance, said)})
    states.write(repository, made)
    return await _drive(repository, setup, how, step, made, author)


async def _moved(repository: Repository, state: State, plan: Plan, setup: Setup) -> list[str]:
    """What became otherwise since the last command, and must be accepted first."""
    accept = f"`callboard plan check {repository.named}`"
    if state.branch != repository.branch:
        return [
            f"The plan was last on the branch {state.branch}, and this is {repository.branch}:"
            f" `git switch {state.branch}`, or accept this one with {accept}."
        ]
    if not await repository.descends(state.head):
        return [
            f"The branch {state.branch} moved: {state.head[:10]}, where it stood, is no part of it any more."
            f" See that nothing is missing, then accept it with {accept}."
        ]
    if plan.digest != state.plan_digest:
        return [f"The plan was changed since it was last looked at: read it, then accept it with {accept}."]
    if setup.policy_digest != state.policy_digest:
        return [f"{POLICY} was changed since it was last looked at: read it, then accept it with {accept}."]
    return []


async def _drive(repository: Repository, setup: Setup, how: Rules, step: Step, state: State, author: Author) -> "Drive":
    house = House(
        await sandbox(setup.settings.sandbox),
        setup.upstream,
        network=Network(lambda: frozenset(setup.policy.network.allow)),
        bounds=lambda: Bounds.of(setup.policy.sandbox),
    )
    display = Display(Console(highlight=False))
    visible, models = (lambda: setup.policy.sandbox.read_only), (lambda: models_of_policy(setup.policy))
    agents = Agents(repository.folder / "runs", house, visible, display.hears, models=models)
    plan = step.progress.plan

    async def access(_name: str) -> Access:
        return Access(str(repository.root), "", None, author, local=True)

    def note(kind: Kind, phase: int, attempt: int) -> None:
        drive.note(kind, phase, attempt)

    watched = Watched(agents, display, plan, step.phase, note)
    worker = Worker(repository.folder, access=access, runner=watched)
    drive = Drive(repository, setup, how, plan, display, worker, state)
    display.say(f"{plan.title or repository.ticket}\n{words.goal(how, step, state)}\n")
    return drive


@dataclass
class Drive:
    """One command's way through the plan."""

    repository: Repository
    setup: Setup
    rules: Rules
    plan: Plan
    display: Display
    worker: Worker
    state: State
    at: str = "the plan"
    hiccups: int = 0

    async def go(self) -> Stop:
        """Go on until there is a reason to stop."""
        try:
            while True:
                # Looked at before each run, so that nothing is owed that nobody allowed.
                if self.state.spent_usd >= self.rules.budget_usd:
                    return self._stops("blocked", words.dear(self.repository, self.rules, self.state))
                work = order(self.repository, self.setup, self.plan, self.rules, self.state, datetime.now(UTC))
                result = await self._once(work)
                stop = await self._after(work, result)
                if stop is not None:
                    return stop
        except asyncio.CancelledError:
            # It was ours, by a signal, and everything below has ended: there is nobody left to tell.
            return self._stops(states.INTERRUPTED, words.interrupted(self.repository, self.display.step))

    async def _once(self, work: WorkOrder) -> Mapping[str, Any]:
        """One run; what it came to is in the state before anything else happens."""
        try:
            result = await self.worker.work(work, _Mine())
        except GitError as error:
            raise UserError(f"git failed here: {error.message.strip() or error}") from error
        self._remember(spent_usd=round(self.state.spent_usd + float(result.get("cost_usd") or 0.0), 6))
        if result.get("told"):
            self._remember(guidance=())
        if result.get("loop"):
            self._take_in(result["loop"], str(result["head"]))
        return result

    def _take_in(self, stands: Mapping[str, Any], head: str) -> None:
        """Where the loop stands after a run; what is committed since the last one is shown."""
        before = set(self.state.completed_phases)
        done = tuple(Done(**one) for one in stands["phases"])
        over = {one.number for one in done} | self.rules.skipped(self.plan)
        self.at = stands["at"]
        self._remember(
            **phases_done(done),
            head=head,
            current_phase=min((one.number for one in self.plan.phases if one.number not in over), default=None),
            phase_status=states.STATUS[Kind(stands["next"])],
            retry_count=max(0, stands["attempt"] - 1),
            resume=False,
            last_error=None,
        )
        for commit in self.state.commits:
            if commit.phase not in before:
                self.display.say(f"✓ committed {commit.hash[:10]}  {commit.message}", "green")

    async def _after(self, work: WorkOrder, result: Mapping[str, Any]) -> Stop | None:
        """Why to stop after this run, or None to go on, after a wait where one is due."""
        kind, error = Ending(result["kind"]), str(result.get("error") or "")
        self.hiccups = self.hiccups + 1 if kind is Ending.TRANSPORT_FAILED else 0
        match kind:
            case Ending.SUCCESS if result.get("changed_plan"):
                check = f"`callboard plan check {self.repository.named}`"
                raise UserError(f"The plan was changed on {self.repository.branch} meanwhile: accept it with {check}.")
            case Ending.SUCCESS:
                done = result.get("completed")
                return await self._completed(done) if done is not None else None
            case Ending.BLOCKED:
                stop = words.blocked(self.repository, self.at, result["attempts"], error, result["tried"])
                return self._stops("blocked", stop, error, resume=True)
            case Ending.NEEDS_INPUT:
                return self._asked(work, result["outcome"])
            case Ending.USAGE_LIMIT:
                await self._wait(error, _moment(result.get("resets_at")) or datetime.now(UTC) + WAIT_FOR_LIMIT)
            case Ending.TRANSPORT_FAILED if self.hiccups < MOST_HICCUPS:
                pause = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (self.hiccups - 1))
                await self._wait(error, datetime.now(UTC) + pause)
            case Ending.TRANSPORT_FAILED:
                why = f"It failed {self.hiccups} times in a row for a reason outside of the work: {error}"
                return self._stops("blocked", words.held_up(self.repository, why), why)
            case _:
                return await self._refused(error)
        return None

    async def _completed(self, done: Mapping[str, Any]) -> Stop:
        await self.worker.leave(NAME, self.repository.branch)
        look = await self.repository.protected([one.hash for one in self.state.commits])
        stop = words.completed(self.repository, self.state, done, look)
        return self._stops(states.STATUS[Kind.COMPLETED], stop, current_phase=None, retry_count=0)

    def _asked(self, work: WorkOrder, outcome: Mapping[str, Any]) -> Stop:
        question = str(outcome["question"])
        if question != out_of_money(work.run):
            stop = words.needs_input(self.repository, self.at, question, outcome["options"])
            return self._stops(states.STATUS[Kind.NEEDS_INPUT], stop, question, resume=True)
        if self.state.spent_usd >= self.rules.budget_usd:
            stop = words.dear(self.repository, self.rules, self.state)
        else:
            stop = words.run_dear(self.repository, self.at, work.run.budget_usd or 0.0)
        why = f"A run was ended when it had spent its ${work.run.budget_usd:.2f}."
        return self._stops(states.STATUS[Kind.NEEDS_INPUT], stop, why, resume=True)

    async def _refused(self, error: str) -> Stop:
        """A push that the repository refused: the commit waits in the work in hand."""
        why = error
        if changed := await self.repository.changes():
            why = (
                f"The working tree has changes that are not committed ({', '.join(changed[:5])}), so the phase's commit"
                " could not be brought in: commit or stash them."
            )
        return self._stops("blocked", words.held_up(self.repository, why), why)

    def _stops(self, status: str, stop: Stop, error: str | None = None, **more: Any) -> Stop:
        self._remember(phase_status=status, last_error=error, **more)
        return stop

    async def _wait(self, why: str, until: datetime) -> None:
        self.display.waits(why, until)
        await asyncio.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
        self.display.step = ""

    def note(self, kind: Kind, phase: int, attempt: int) -> None:
        """A step begins."""
        number = None if phase == AFTER else phase
        self._remember(current_phase=number, phase_status=states.STATUS[kind], retry_count=attempt - 1)

    def _remember(self, **fields: Any) -> None:
        self.state = self.state.model_copy(update=fields)
        states.write(self.repository, self.state)


class _Mine:
    """The right to change this repository: the lock, for as long as the command runs."""

    async def still_mine(self) -> bool:
        """Nobody takes it away."""
        return True


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM cancel what runs, so that it tidies up; a second one can't cut that short."""
    here, running = asyncio.get_running_loop(), asyncio.current_task()
    assert running is not None
    for one in (signal.SIGINT, signal.SIGTERM):
        here.add_signal_handler(one, running.cancel)
    try:
        yield
    finally:
        for one in (signal.SIGINT, signal.SIGTERM):
            here.remove_signal_handler(one)


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
