"""The state file of a plan on somebody's own machine: `.callboard/orchestrator-state.json`.

It is for people and programs to look at, and holds what the branch can't tell: where the last command left the branch
and the plan, what it was told, and what it cost. How far the plan is stands on the branch; the file only repeats it.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.local.repository import Repository
from bot.machine.errors import UserError
from bot.machine.progress import Kind, Step, Work

NAME = "orchestrator-state.json"
INTERRUPTED = "interrupted"
PENDING = "pending"
STATUS = {
    Kind.IMPLEMENT: "implementing",
    Kind.VERIFY: "verifying",
    Kind.REVIEW: "reviewing",
    Kind.FIX: "fixing",
    Kind.COMMIT: "committing",
    Kind.COMPLETED: "completed",
    Kind.BLOCKED: "blocked",
    Kind.NEEDS_INPUT: "needs_input",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Commit(_Part):
    """The commit of a phase."""

    phase: int
    hash: str
    message: str


class Guidance(_Part):
    """What the user said, until a run has acted upon it. `at` is in ISO format."""

    author: str
    body: str
    at: str


class Chosen(_Part):
    """What was said on the command line; it holds until something else is said there. None: the policy decides."""

    max_retries: int | None = None
    start_phase: int | None = None
    verify: Literal["all"] | None = None
    budget_usd: float | None = None


class State(_Part):
    """Where the plan stands. Digests are sha256 in hex."""

    plan_path: str
    total_phases: int
    current_phase: int | None = None
    """None when no phase is left."""
    phase_status: str = PENDING
    retry_count: int = 0
    max_retries: int = 3
    completed_phases: tuple[int, ...] = ()
    commits: tuple[Commit, ...] = ()
    last_error: str | None = None
    branch: str
    head: str
    plan_digest: str
    policy_digest: str = ""
    """Of `callboard.toml`: agents may change files of the repository, and this one says what they may see."""
    spent_usd: float = 0.0
    chosen: Chosen = Chosen()
    resume: bool = False
    """It stopped as blocked or with a question, and no run went on from there yet."""
    guidance: tuple[Guidance, ...] = ()


def read(repository: Repository) -> State | None:
    """The state of this plan; None when there is none, or the file is about another plan.

    Raises:
        UserError: the file can't be read; the sentence says how to make it anew.
    """
    file = repository.folder / NAME
    try:
        state = State.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "it is no JSON"
        raise UserError(
            f"{file} can't be read ({where}): delete it; `callboard plan check {repository.named}` makes it anew."
        ) from None
    return state if state.plan_path == repository.plan_path else None


def write(repository: Repository, state: State) -> None:
    """Replace the state file, whole or not at all."""
    draft = repository.folder / f"{NAME}.new"
    draft.write_text(state.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.replace(repository.folder / NAME)


def status_of(step: Step) -> str:
    """The word for what is done next: "pending" as long as nothing was begun."""
    work = step.progress.work
    untouched = work is not None and work == Work(work.phase, work.digest) and not step.progress.done
    return PENDING if untouched and step.kind is Kind.IMPLEMENT else STATUS[step.kind]
