"""What `callboard plan` says: the report of a check, and the one way in which every run stops, whatever the reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.local.repository import FOLDER, Repository
from bot.local.settings import Rules, Setup
from bot.local.state import NAME, State
from bot.machine import loop
from bot.machine.plan import Phase, Plan
from bot.machine.progress import EXITS, Kind, Progress, Step, Work

_SHORT = 10


@dataclass(frozen=True)
class Stop:
    """How a run of the command ended: its exit code, and what a person reads."""

    code: int
    text: str


def findings(plan: Plan) -> str:
    """What is wrong with a plan, by line; empty when nothing is."""
    lines = [f"  line {one.line}: {one.message}{'' if one.fatal else ' (it can be run)'}" for one in plan.findings]
    return "\n".join(["Findings:", *lines]) if lines else ""


def report(
    repository: Repository, setup: Setup, rules: Rules, step: Step, state: State, obstacles: Iterable[str]
) -> str:
    """All that there is to know before a run."""
    progress, plan = step.progress, step.progress.plan
    phases = sorted(plan.phases, key=lambda phase: phase.number)
    parts = [
        f"{plan.title or repository.ticket}\n{repository.plan_path}, on {repository.branch}",
        "\n".join(_phase(phase, progress) for phase in phases),
        findings(plan),
        _ahead(setup, rules, step),
        _list("It stopped with:", (state.last_error or "").splitlines()) if state.resume else "",
        f"To start it:\n  {_start(repository, state)}" if step.kind is not Kind.COMPLETED else "",
        _list("Before it can start:", (f"- {one}" for one in obstacles)),
        f"The state is in {FOLDER}/{NAME}. Nothing was started.",
    ]
    return "\n\n".join(part for part in parts if part)


def goal(rules: Rules, step: Step, state: State) -> str:
    """What a run sets out to do."""
    plan = step.progress.plan
    if step.kind is Kind.COMPLETED:
        return f"All {len(plan.phases)} phases are committed already."
    spent = f"${state.spent_usd:.2f} of ${rules.budget_usd:.2f} spent"
    return f"Begins with {step.name} ({step.kind}); {spent}.\nCtrl-C stops it; the same command goes on from there."


def completed(repository: Repository, state: State, done: Mapping[str, Any], look: list[str]) -> Stop:
    """Every phase is committed."""
    ran = {one["command"]: one for one in done["receipts"] if one["ended"] == "exited" and one["code"] == 0}
    only = [one for one in done["by_worker"] if one not in ran]
    parts = [
        f"Stopped: completed. All {state.total_phases} phases of {repository.plan_path} are done.",
        _list("Committed:", (f"{one.hash[:_SHORT]}  {one.message}" for one in state.commits)),
        _list("Run here, behind the walls, and passed:", (_receipt(one) for one in ran.values())),
        _list("Ticked by the worker only, and believed:", only),
        _list("For you to try by hand:", done["manual"]),
        _list("Look at these changes twice; they can run code here or change what agents may see:", look),
        f"${state.spent_usd:.2f} spent. The branch {repository.branch} is ready for you to push.",
    ]
    return Stop(0, "\n\n".join(part for part in parts if part))


def blocked(repository: Repository, at: str, attempts: int, error: str, tried: Iterable[str]) -> Stop:
    """The attempts are used up."""
    parts = [
        f"Stopped: blocked. {_sentence(at)}, after {attempts} attempts.",
        _list("Last error:", error.strip().splitlines()),
        _list("What was tried:", (f"{number}. {_line(one)}" for number, one in enumerate(tried, 1))),
        f"What stands of it:\n  git diff HEAD {repository.work}",
        f"To go on, mend what stands in the way and commit it, or give a hint; nothing that is done is done again:\n"
        f'  callboard plan run {repository.named} [--answer "a hint"]',
    ]
    return Stop(3, "\n\n".join(part for part in parts if part))


def needs_input(repository: Repository, at: str, question: str, options: Iterable[str]) -> Stop:
    """Only a person can decide."""
    parts = [
        f"Stopped: needs input. {_sentence(at)}.",
        _list("Question:", question.strip().splitlines()),
        _list("Options:", (f"{number}. {_line(one)}" for number, one in enumerate(options, 1))),
        f'To answer:\n  callboard plan run {repository.named} --answer "your answer"',
    ]
    return Stop(4, "\n\n".join(part for part in parts if part))


def held_up(repository: Repository, why: str) -> Stop:
    """Something around the loop stops it; the loop itself is where it was."""
    again = f"Then go on; nothing that is done is done again:\n  callboard plan run {repository.named}"
    return Stop(3, f"Stopped: blocked. {why}\n\n{again}")


def dear(repository: Repository, rules: Rules, state: State) -> Stop:
    """The money is spent."""
    why = f"The budget of ${rules.budget_usd:.2f} is spent (${state.spent_usd:.2f}), so no further run starts."
    more = max(rules.budget_usd, state.spent_usd) * 2
    again = f"To allow more in all and go on:\n  callboard plan run {repository.named} --budget {more:.0f}"
    return Stop(3, f"Stopped: blocked. {why}\n\n{again}")


def run_dear(repository: Repository, at: str, most: float) -> Stop:
    """One run was ended because of its own budget."""
    why = f"A run spent its ${most:.2f} (`[budget] run_usd`) before it was done; what it made is kept."
    return Stop(4, f"Stopped: needs input. {_sentence(at)}.\n\n{why} To go on from there:\n"
                   f"  callboard plan run {repository.named}")  # fmt: skip


def interrupted(repository: Repository, step: str) -> Stop:
    """Somebody pressed Ctrl-C."""
    where = f" in {step}" if step else ""
    return Stop(
        130,
        f"Stopped: interrupted{where}.\n\nNothing of it runs any more, and every step that had ended is kept."
        f" To go on from there:\n  callboard plan run {repository.named}",
    )


def _phase(phase: Phase, progress: Progress) -> str:
    done = {one.number: one.commit for one in progress.done}
    work = progress.work
    if phase.number in done:
        mark, how = "✓", f"committed {done[phase.number][:_SHORT]}"
    elif phase.number in progress.skipped:
        mark, how = "-", "left out"
    elif work is not None and work.phase == phase.number and work != Work(work.phase, work.digest):
        mark, how = ">", f"in hand, attempt {work.attempt}"
    else:
        mark, how = " ", "to do"
    head = f"{mark} Phase {phase.number}: {phase.name} ({how})"
    items = [f"    [{'x' if one.ticked else ' '}] {_line(one.command)}" for one in phase.automated]
    return "\n".join([head, *items, *(f"    by hand: {_line(one.label)}" for one in phase.manual)])


def _ahead(setup: Setup, rules: Rules, step: Step) -> str:
    if step.kind is Kind.COMPLETED:
        return "Nothing is left to do."
    at = f"It would begin with {step.name} ({step.kind})."
    if step.kind in EXITS:
        at = f"It stands still at {step.name}: {step.kind}."
    limits = setup.policy.limits
    return (
        f"{at}\nAt most {loop.most_runs(step.progress)} runs with {rules.max_retries} retries per phase,"
        f" {limits.run_minutes:g} minutes and ${setup.policy.budget.run_usd:g} each, ${rules.budget_usd:g} in all."
    )


def _start(repository: Repository, state: State) -> str:
    """The command, with what may be said."""
    hint = ' [--answer "your answer, or a hint"]' if state.resume else ""
    return f"callboard plan run {repository.named}{hint}"


def _receipt(one: Mapping[str, Any]) -> str:
    return f"{_line(one['command'])}  (exit code {one['code']}, {one['seconds']:.1f} s)"


def _list(title: str, lines: Iterable[str]) -> str:
    rows = [f"  {one}" for one in lines]
    return "\n".join([title, *rows]) if rows else ""


def _line(text: str) -> str:
    return " ".join(text.split())


def _sentence(at: str) -> str:
    return at[:1].upper() + at[1:]
