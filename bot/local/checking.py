"""`callboard plan check FILE`: what a run would do, with nothing started. It accepts whatever changed since."""

from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from bot.git.mirror import Mirror
from bot.local import state as states
from bot.local import words
from bot.local.repository import Repository, held, open_repository
from bot.local.settings import Rules, Wanted, choose, read_setup, rules
from bot.local.state import Chosen, Commit, State
from bot.machine import loop, plan
from bot.machine.progress import AFTER, Done, Kind, Progress, Step
from bot.runs import branch
from bot.runs.prompting import visible


async def check(wanted: Wanted) -> int:
    """Validate the plan, show what a run would do, and write the state file; 1 when the plan can't be run.

    A plan that isn't committed yet can be checked, too; what else is in the way of a run is shown.

    Raises:
        UserError: no repository, no such plan in it, or a setting that means nothing.
    """
    repository = await open_repository(wanted.file)
    console = Console(highlight=False)
    setup = read_setup(repository.root)
    with held(repository):
        state = states.read(repository)
        standing = await progress_of(repository)
        if any(one.fatal for one in standing.plan.findings):
            _show(console, f"{repository.plan_path} can't be run.\n\n{words.findings(standing.plan)}")
            return 1
        chosen = choose(wanted, state)
        how = rules(chosen, setup.policy, standing.plan)
        step = next_of(standing, how, state)
        made = begin(repository, how, chosen, step, state).model_copy(update={"policy_digest": setup.policy_digest})
        states.write(repository, made)
        obstacles = await repository.obstacles() + await setup.obstacles()
        _show(console, words.report(repository, setup, how, step, made, obstacles))
    return 0


async def progress_of(repository: Repository) -> Progress:
    """How far the plan in the working tree is, by what the branch says of its phases."""
    mirror = Mirror(repository.common, str(repository.root), local=True)
    place = branch.Place(
        repository.ticket, repository.branch, repository.plan_path, None, await repository.author(), datetime.now(UTC)
    )
    found = plan.read(branch.as_text(repository.content))
    standing = await branch.read(mirror, place, repository.head, ())
    if standing is None:
        return Progress(found)
    committed = {phase.number: phase.digest for phase in standing.progress.plan.phases}
    same = {phase.number for phase in found.phases if committed.get(phase.number) == phase.digest}
    done = tuple(one for one in standing.progress.done if one.number in same)
    return replace(standing.progress, plan=found, done=done)


def next_of(progress: Progress, how: Rules, state: State | None) -> Step:
    """The step that a run would begin with."""
    progress = how.apply(progress)
    return loop.next_step(loop.resume(progress) if state and state.resume else progress)


def begin(repository: Repository, how: Rules, chosen: Chosen, step: Step, before: State | None) -> State:
    """The state of a plan before a run; cost, questions and answers are those of `before`."""
    work = step.progress.work
    kept = (
        before.model_dump(include={"spent_usd", "resume", "guidance", "last_error", "policy_digest"}) if before else {}
    )
    return State.model_validate(
        {
            **kept,
            "plan_path": repository.plan_path,
            "total_phases": len(step.progress.plan.phases),
            "current_phase": None if step.phase == AFTER else step.phase,
            "phase_status": states.status_of(step),
            "retry_count": work.attempt - 1 if work and step.kind is not Kind.COMPLETED else 0,
            "max_retries": how.max_retries,
            "branch": repository.branch,
            "head": repository.head,
            "plan_digest": step.progress.plan.digest,
            "chosen": chosen,
            **phases_done(step.progress.done),
        }
    )


def phases_done(done: tuple[Done, ...]) -> dict[str, object]:
    """The fields of the state that tell about committed phases, in the order of their numbers."""
    ordered = sorted(done, key=lambda one: one.number)
    commits = [Commit(phase=one.number, hash=one.commit, message=f"Phase {one.number}: {one.name}") for one in ordered]
    return {"completed_phases": tuple(one.number for one in ordered), "commits": tuple(commits)}


def _show(console: Console, text: str) -> None:
    console.print(Text(visible(text)), soft_wrap=True)
