"""What a worker is asked and what it answers: the order of a run, where its branch begins, and the plain results."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, JsonValue

from bot.git.bundle import Bars
from bot.git.commit import Author
from bot.git.mirror import Mirror
from bot.machine import protected as guarded
from bot.machine.progress import Receipt
from bot.runs.contract import Ending, RunResult, RunSpec
from bot.runs.runner import Handover


@dataclass(frozen=True)
class Access:
    """How to reach one repository now: where to clone, where people look at it, a token for this moment."""

    clone_url: str
    page: str
    token: str | None
    author: Author
    """In whose name the service commits there."""
    local: bool = False
    """The repository is on this machine, and its working tree follows what is pushed."""


class LoopOrder(BaseModel):
    """What the implementation loop is told besides the plan.

    `agents` says, by the prompt of a step, which fields of the run's spec are others there. `resume`: a person had
    a say since it stood still. `wishes` are the ids of what people said that the run is told. `skipped` are phases to
    leave out.
    """

    model_config = ConfigDict(frozen=True)

    max_retries: int = 3
    verify_all: bool = False
    verify_minutes: float = 20
    resume: bool = False
    wishes: tuple[str, ...] = ()
    skipped: frozenset[int] = frozenset()
    agents: Mapping[str, Mapping[str, JsonValue]] = {}


class WorkOrder(BaseModel):
    """What the engine carries for a worker: the run, and where its work stands and goes.

    `about` comes back unchanged in every result; its `kind` says what a run on an open pull request mends: "feedback",
    "checks" (with their names as `checks`), "conflict", "update". `head` is the commit that the service pushed last to
    the branch: when the tip is another one, a person pushed. `upstream`, for the prompt "update": the commit that the
    branch stood on before its base changed, empty when nobody knows; what follows it is the branch's own. `trunk` is
    the repository's base branch, from which agent settings come; empty: `base`. `protected` are the patterns of files
    that people are asked to look at twice.
    """

    model_config = ConfigDict(frozen=True)

    run: RunSpec
    loop: LoopOrder = LoopOrder()
    repository: str
    branch: str
    base: str
    merges: tuple[str, ...] = ()
    plan_digest: str = ""
    research_path: str = ""
    plan_path: str = ""
    about: Mapping[str, JsonValue] = {}
    head: str = ""
    upstream: str = ""
    trunk: str = ""
    protected: tuple[str, ...] = guarded.DEFAULT
    ordered_at: datetime


class Lease(Protocol):
    """The right to change the world for one run."""

    async def still_mine(self) -> bool:
        """Ask the store."""


class Runner(Protocol):
    """Programs in a checkout, behind walls (see `bot/runs/agents.py`)."""

    async def run(self, spec: RunSpec, *, tree: Path, mirror: Path, base_commit: str) -> Handover:
        """Run an agent to its end; never raises for what the agent does."""

    async def verify(
        self, commands: tuple[str, ...], folder: str, /, *, tree: Path, mirror: Path, minutes: float
    ) -> tuple[Receipt, ...]:
        """Run commands one after another, each for so many minutes at most; never raises for what they do."""


@dataclass(frozen=True)
class Start:
    """Where a run begins, as of the fetch before it."""

    order: WorkOrder
    mirror: Mirror
    access: Access
    commit: str
    """What the agent begins with."""
    old: str | None
    """Where the branch stands on the other side; None when there is none yet."""
    base: str
    """The commit of the base."""
    trunk: str
    """The commit of the repository's base branch."""
    bars: Bars
    """What may not come in, or not unseen."""


def ended(kind: Ending, error: str = "") -> dict[str, Any]:
    """The result of a run that came to nothing else."""
    result = RunResult(kind=kind, error=error, summary=error)
    return result.model_dump(mode="json", exclude_defaults=True) | {"kind": str(kind)}


def nothing_new(old: str | None, shared: str | None) -> dict[str, Any]:
    """What an agent comes to that changed nothing: what is on the branch already is this ticket's work.

    An earlier start of the same run may have been killed when it had pushed `old`, and before anybody knew of it.
    `shared` is the newest commit that `old` has in common with the base.
    """
    if old is None or shared in (None, old):
        return {"nothing_to_do": True}
    return {"head": old}


def asks(question: str) -> dict[str, Any]:
    """The result of a run that only a person can help on."""
    return {**ended(Ending.NEEDS_INPUT, question), "outcome": {"question": question, "options": []}}
