"""A checkout, a place for a run, and a scripted model."""

import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.runs.contract import RunSpec
from bot.runs.gateway import Upstream
from bot.runs.runner import Handover, House, Place, run_agent
from bot.runs.sandbox import Bubblewrap
from bot.simulator.model import Answer, Log, Script, model_app
from bot.simulator.serving import serve

KEY = "sk-canary-7d1f"


def _git(*argv: str, cwd: Path) -> str:
    done = subprocess.run(["git", *argv], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    _git("init", "-q", "-b", "agent/YOU-7", cwd=checkout)
    _git("config", "user.name", "Agent", cwd=checkout)
    _git("config", "user.email", "agent@example.invalid", cwd=checkout)
    (checkout / "README.md").write_text("# YouLab\n")
    _git("add", "-A", cwd=checkout)
    _git("commit", "-qm", "Begin", cwd=checkout)
    return Place(checkout, tmp_path / "run", _git("rev-parse", "HEAD", cwd=checkout))


def _spec(prompt: str, **more: Any) -> RunSpec:
    variables = {"implement": {"plan": "## Phase 1: Do it"}, "breakdown": {"spec": "# A spec"}}.get(prompt, {})
    fields = {"run_id": "run-1", "task_id": "YOU-7", "stage": "dev", "title": "Count sessions", "minutes": 1}
    return RunSpec.model_validate({"prompt": prompt, "variables": variables} | fields | more)


@dataclass
class Bench:
    """A house whose model plays a script."""

    house: House
    log: Log
    progress: list[str] = field(default_factory=list)

    async def run(self, spec: RunSpec, place: Place, **more: Any) -> Handover:
        return await run_agent(spec, place, self.house, on_progress=self.progress.append, **more)


@asynccontextmanager
async def _bench(script: Script | Sequence[Answer], **more: Any) -> AsyncIterator[Bench]:
    """Keep a scripted model and a house that uses it."""
    log = Log()
    played = script if callable(script) else (lambda asked: script if asked.header else None)
    async with serve(model_app(played, log)) as url:
        env = {"CLAUDE_CODE_MAX_RETRIES": "1"}
        yield Bench(
            House(**({"sandbox": Bubblewrap(), "upstream": Upstream(url, api_key=KEY), "env": env} | more)), log
        )


@pytest.fixture
def bench() -> Callable[..., AbstractAsyncContextManager[Bench]]:
    return _bench


@pytest.fixture
def spec() -> Callable[..., RunSpec]:
    return _spec


@pytest.fixture
def git() -> Callable[..., str]:
    return _git
