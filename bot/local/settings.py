"""What a plan on somebody's own machine runs with: the command line, then the policy, and the model's key.

Of the policy only `[agent]`, `[limits]`, `[budget]`, `[gates] verify` and `[sandbox]` matter here. It is read once: an
agent may change `callboard.toml`, and no run of the same command may believe it.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue

from bot.config import Settings, read_policy, read_settings
from bot.local.repository import FOLDER, POLICY, Repository
from bot.local.state import Chosen, State
from bot.machine.errors import UserError
from bot.machine.plan import Plan
from bot.machine.progress import AGENT_STEPS, Kind, Progress
from bot.machine.stages import Stage
from bot.policy import Policy
from bot.runs.contract import RunSpec
from bot.runs.gateway import Upstream
from bot.runs.models import models_of
from bot.runs.runtimes import REGISTRY
from bot.runs.selftest import sandbox
from bot.runs.worker import LoopOrder, WorkOrder

NAME = "repository"
"""What the worker calls the user's repository, and the folder of its mirror."""
_READ = ("HOME", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL", "CALLBOARD_SANDBOX")
"""The only settings that count here; whatever else the service needs may be missing or wrong."""
_CONFIG = "CALLBOARD_CONFIG"


@dataclass(frozen=True)
class Wanted:
    """What the command line says; None where it says nothing."""

    file: Path
    max_retries: int | None = None
    start_phase: int | None = None
    verify: str | None = None
    budget_usd: float | None = None
    answer: str | None = None


@dataclass(frozen=True)
class Setup:
    """How runs are made here. `policy_digest` is "" where there is no policy file."""

    settings: Settings
    policy: Policy
    policy_digest: str

    @property
    def upstream(self) -> Upstream | None:
        """Where the model is; None when nobody gave a key."""
        keys = (self.settings.anthropic_api_key, self.settings.claude_code_oauth_token, self.settings.openai_api_key)
        return models_of(self.settings) if any(keys) else None

    async def obstacles(self) -> list[str]:
        """What keeps agents from running on this machine, one sentence each."""
        found = []
        runtimes = {str(self.agent(step)["runtime"]) for step in AGENT_STEPS}
        if unknown := sorted(runtimes - REGISTRY.keys()):
            known = " or ".join(f"`{name}`" for name in sorted(REGISTRY))
            found.append(f"There is no runtime `{unknown[0]}`: {POLICY} can name {known} in `[agent] runtime`.")
        anthropic = self.settings.anthropic_api_key or self.settings.claude_code_oauth_token
        if "claude" in runtimes and not anthropic:
            found.append("There is no key for the model: set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN.")
        if "command" in runtimes and not self.policy.agent.command:
            found.append(f"The runtime `command` needs a program: name it in {POLICY}, `[agent] command = [..]`.")
        try:
            await sandbox(self.settings.sandbox)
        except UserError as error:
            found.append(str(error))
        return found

    def agent(self, step: Kind) -> dict[str, JsonValue]:
        """The fields of a run's spec that the policy sets by the step, or for the whole implementation."""
        return self.policy.agent.for_step(step, Stage.DEV)


@dataclass(frozen=True)
class Rules:
    """How the loop goes this time."""

    max_retries: int
    start_phase: int
    verify_all: bool
    budget_usd: float

    def apply(self, progress: Progress) -> Progress:
        """The progress under these rules."""
        skipped = self.skipped(progress.plan)
        return replace(progress, max_retries=self.max_retries, verify_all=self.verify_all, skipped=skipped)

    def skipped(self, plan: Plan) -> frozenset[int]:
        """The phases that are left out."""
        return frozenset(phase.number for phase in plan.phases if phase.number < self.start_phase)


def read_setup(root: Path) -> Setup:
    """The settings, and the policy of `CALLBOARD_CONFIG` or of `callboard.toml` in the root, or the default one.

    Raises:
        UserError: a file named by a setting can't be read, or the policy has a mistake.
    """
    given = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") in _READ}
    settings = read_settings({**given, "CALLBOARD_HOME": str(root / FOLDER), "CALLBOARD_SECRET_KEY": "unused " * 5})
    file = Path(os.environ.get(_CONFIG) or root / POLICY)
    if not os.environ.get(_CONFIG) and not file.exists():
        return Setup(settings, Policy(), "")
    return Setup(settings, read_policy(file), hashlib.sha256(file.read_bytes()).hexdigest())


def choose(wanted: Wanted, state: State | None) -> Chosen:
    """What was said now, and before where nothing is said now.

    Raises:
        UserError: a number makes no sense.
    """
    if wanted.max_retries is not None and wanted.max_retries < 0:
        raise UserError("--max-retries must be 0 or more.")
    if wanted.budget_usd is not None and not wanted.budget_usd > 0:
        raise UserError("--budget must be more than 0 (US dollars).")
    said = {
        "max_retries": wanted.max_retries,
        "start_phase": wanted.start_phase,
        "verify": wanted.verify,
        "budget_usd": wanted.budget_usd,
    }
    before = state.chosen if state else Chosen()
    return Chosen.model_validate(before.model_dump() | {key: value for key, value in said.items() if value is not None})


def rules(chosen: Chosen, policy: Policy, plan: Plan) -> Rules:
    """How the loop goes: as chosen, else as the policy says.

    Raises:
        UserError: the plan has no such phase to start with.
    """
    numbers = sorted(phase.number for phase in plan.phases)
    if chosen.start_phase is not None and chosen.start_phase not in numbers:
        known = ", ".join(map(str, numbers))
        raise UserError(f"The plan has no phase {chosen.start_phase} to start with: choose one of {known}.")
    return Rules(
        policy.limits.max_retries if chosen.max_retries is None else chosen.max_retries,
        chosen.start_phase or 1,
        "all" in (chosen.verify, policy.gates.verify),
        chosen.budget_usd or policy.budget.epic_usd,
    )


def order(repository: Repository, setup: Setup, plan: Plan, rules: Rules, state: State, now: datetime) -> WorkOrder:
    """The next run: the loop goes on from wherever the branch stands."""
    policy, agent = setup.policy, setup.agent(Kind.IMPLEMENT)
    guidance: list[JsonValue] = [one.model_dump() for one in state.guidance]
    spec = RunSpec.model_validate(
        {
            "run_id": f"{now:%Y%m%d-%H%M%S-%f}",
            "prompt": str(Kind.IMPLEMENT),
            "task_id": repository.ticket,
            "stage": str(Stage.DEV),
            "title": plan.title or repository.ticket,
            "variables": {"guidance": guidance},
            **agent,
            "minutes": policy.limits.run_minutes,
            "budget_usd": min(policy.budget.run_usd, rules.budget_usd - state.spent_usd),
            "max_turns": policy.limits.max_turns,
            "command": list(policy.agent.command),
        }
    )
    loop = LoopOrder(
        max_retries=rules.max_retries,
        verify_all=rules.verify_all,
        verify_minutes=policy.limits.verify_minutes,
        resume=state.resume,
        wishes=tuple(one.at for one in state.guidance),
        skipped=rules.skipped(plan),
        agents={str(step): setup.agent(step) for step in AGENT_STEPS},
    )
    branch = repository.branch
    return WorkOrder(
        run=spec, loop=loop, repository=NAME, branch=branch, base=branch, plan_digest=plan.digest,
        plan_path=repository.plan_path, ordered_at=now,
    )  # fmt: skip
