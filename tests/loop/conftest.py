"""A worker with the real agent program behind real walls, a model that plays a script, and a remote of real git."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.git.commit import Author
from bot.machine.plan import Plan, read
from bot.runs.agents import Agents
from bot.runs.contract import RunSpec
from bot.runs.gateway import Upstream
from bot.runs.place import House
from bot.runs.sandbox import Bubblewrap
from bot.runs.worker import Access, LoopOrder, Worker, WorkOrder
from bot.simulator.model import Answer, Asked, Block, Log, calls, concludes, model_app, runs
from bot.simulator.serving import serve

BRANCH = "agent/YOU-2"
PATH = "thoughts/shared/plans/plan.md"
BOT = Author("callboard[bot]", "1+callboard[bot]@users.noreply.github.com")
GUARD = 60.0
"""Seconds after which a story that hangs is given up; a run takes one or two."""
APPROVES = '{"verdict": "approved", "summary": "fine", "blockers": []}'
BRIEF_REVIEW = {
    "runtime": "command",
    "command": ["sh", "-c", f"mkdir -p .callboard; echo '{APPROVES}' > \"$CALLBOARD_OUTCOME\""],
}
"""A reviewer behind the same walls that approves at once, for stories that are about something else."""


@dataclass
class Remote:
    """The other side: a bare repository, and a person's git in it."""

    path: Path

    def git(self, *arguments: str, stdin: str = "") -> str:
        environment = {
            **{"PATH": os.environ["PATH"], "HOME": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
            **{"GIT_AUTHOR_NAME": "Alice", "GIT_AUTHOR_EMAIL": "alice@example.org"},
            **{"GIT_COMMITTER_NAME": "Alice", "GIT_COMMITTER_EMAIL": "alice@example.org"},
        }
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.path, env=environment, input=stdin, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str], branch: str, message: str) -> None:
        """A person's commit on top of a branch; a branch that is not there yet begins at `main`, if there is one."""
        tips = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", "refs/heads/main").split()
        index = str(self.path / "index")
        self.git("read-tree", f"--index-output={index}", *(tips[:1] or ["--empty"]))
        for name, content in files.items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=content)
            self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
        parents = [word for tip in tips[:1] for word in ("-p", tip)]
        commit = self.git("commit-tree", self.git("write-tree"), *parents, "-m", message)
        self.git("update-ref", f"refs/heads/{branch}", commit)

    def log(self, form: str = "%s", branch: str = BRANCH) -> list[str]:
        """The branch's own commits, oldest first."""
        return self.git("log", "--reverse", f"--format={form}", f"main..{branch}").splitlines()

    def files(self, commit: str = BRANCH) -> list[str]:
        """The paths of a commit's files, but those that every story begins with."""
        names = self.git("ls-tree", "-r", "--name-only", commit).splitlines()
        return [name for name in names if name not in ("README.md", PATH)]

    def show(self, path: str, commit: str = BRANCH) -> str:
        """A file's content."""
        return self.git("show", f"{commit}:{path}")


@dataclass
class Model:
    """What the model says: for each step the conversations in their order; the last one is had again and again."""

    plays: dict[str, list[Sequence[Answer]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    """How each conversation began: the prompts that reached the model."""
    tools: list[str] = field(default_factory=list)
    """What the tools answered, in all conversations."""
    log: Log = field(default_factory=Log)
    """Every request that reached the model, word for word."""

    def script(self, asked: Asked) -> Sequence[Answer] | None:
        if not asked.header:
            return None
        if asked.answers == 0:
            self.asked.append(asked)
        self.tools += asked.results
        step = f"{asked.prompt} {asked.phase}"
        if step not in self.plays:
            assert asked.prompt == "review", f"nobody told the model what to do at {step}"
            return [concludes(json.loads(APPROVES))]
        return self.plays[step][min(self.steps.count(step), len(self.plays[step])) - 1]

    @property
    def steps(self) -> list[str]:
        """The steps that an agent was started for: `["implement 1", "review 1", …]`."""
        return [f"{asked.prompt} {asked.phase}" for asked in self.asked]


class Watched(Agents):
    """Real programs behind real walls; what they are told is noted."""

    def __init__(self, ran: list[str], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ran = ran

    async def verify(self, commands: tuple[str, ...], folder: str, /, **more: Any) -> Any:
        self._ran += commands
        return await super().verify(commands, folder, **more)


@dataclass
class Lab:
    """A ticket whose plan is on its branch, and a service that works on it run by run."""

    folder: Path
    remote: Remote
    model: Model
    upstream: str
    rules: dict[str, Any] = field(default_factory=lambda: {"agents": {"review": BRIEF_REVIEW}})
    """What the policy says about the loop."""
    guidance: list[dict[str, str]] = field(default_factory=list)
    """What people said since."""
    env: dict[str, str] = field(default_factory=dict)
    """What programs of this service find in their environment."""
    ran: list[str] = field(default_factory=list)
    """Commands that the service began to run, in order."""
    results: list[Mapping[str, Any]] = field(default_factory=list)
    services: int = 0
    orders: int = 0

    def __post_init__(self) -> None:
        self.starts_anew()

    def has_real_reviews(self) -> None:
        """Reviews are the real agent's, too."""
        self.rules["agents"] = {}

    def starts_anew(self) -> None:
        """A service on another machine: it knows nothing and has nothing, and goes on."""
        self.services += 1
        self.service = self.folder / f"service-{self.services}"
        house = House(Bubblewrap(), Upstream(self.upstream, api_key="sk-of-the-service"), env=self.env)
        runner = Watched(self.ran, self.service / "runs", house, lambda: ())
        self.worker = Worker(self.service / "repositories", access=self._access, runner=runner)

    async def _access(self, _name: str) -> Access:
        return Access(str(self.remote.path), "https://github.example/acme/youlab", None, BOT, local=True)

    async def still_mine(self) -> bool:
        return True

    @property
    def checkout(self) -> Path:
        return self.service / "repositories" / "acme/youlab/.trees" / BRANCH

    @property
    def mirror(self) -> Path:
        return self.service / "repositories" / "acme/youlab/mirror.git"

    def plan(self, **phases: Sequence[str]) -> None:
        """Put a plan on the branch; each phase is a name and its commands."""
        text = "# Plan: a parser\n"
        for number, (name, commands) in enumerate(phases.items(), 1):
            items = "".join(f"- [ ] {command}: `{command}`\n" for command in commands)
            text += f"\n## Phase {number}: Add the {name}\n\nWords.\n\n#### Automated Verification:\n{items}"
        self.remote.commit({PATH: text}, BRANCH, "YOU-2: plan")

    def agent(self, step: str, *does: Block, **says: Any) -> None:
        """One more conversation at this step: the tools that the agent uses, and then its outcome."""
        outcome = {"summary": "Did it."} | ({} if step.startswith("review") else {"status": "success"}) | says
        told = [calls(*does)] if does else []
        self.model.plays.setdefault(step, []).append([*told, concludes(outcome)])

    @staticmethod
    def ticks(command: str) -> Block:
        """The agent ticks a command in the plan."""
        return runs(f"sed -i 's/^- . .\\( {command}:\\)/- [x]\\1/' {PATH}")

    def order(self, **more: Any) -> WorkOrder:
        """What the engine would hand to a worker next."""
        self.orders += 1
        spec = RunSpec(
            run_id=f"run-{self.orders}",
            prompt="implement",
            task_id="YOU-2",
            stage="dev",
            title="Write a parser",
            minutes=1,
            variables={"guidance": list(self.guidance)},
        )
        return WorkOrder(
            run=spec,
            repository="acme/youlab",
            branch=BRANCH,
            base="main",
            plan_path=PATH,
            ordered_at=datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=self.orders),
            loop=LoopOrder(**{**self.rules, **more}),
        )

    async def once(self, **more: Any) -> Mapping[str, Any]:
        """One run."""
        async with asyncio.timeout(GUARD):
            result = await self.worker.work(self.order(**more), self)
        self.results.append(result)
        return result

    async def goes_on(self, **more: Any) -> Mapping[str, Any]:
        """As the service does: a run after the other until the loop ends."""
        for _ in range(12):
            result = await self.once(**more)
            more.pop("resume", None)
            if result["kind"] != "success" or "completed" in result:
                return result
        raise AssertionError(f"it never ended: {[one.get('loop') for one in self.results]}")

    async def is_killed(self, when: Callable[[], bool]) -> None:
        """The service goes down as soon as `when` holds, in the middle of a run; another one takes its place."""
        run = asyncio.create_task(self.once())
        async with asyncio.timeout(GUARD):
            while not when():  # a file that an agent or a command makes: there is nothing to wait for
                assert not run.done(), f"the run ended before: {run}"
                await asyncio.sleep(0.01)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
        self.starts_anew()

    async def goes_on_until(self, dead: asyncio.Event) -> Mapping[str, Any] | None:
        """As `goes_on`; None when the service died, and another one has taken its place."""
        run, death = asyncio.create_task(self.goes_on()), asyncio.create_task(dead.wait())
        async with asyncio.timeout(GUARD):
            await asyncio.wait({run, death}, return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
            if run.done():
                return run.result()
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
        dead.clear()
        self.starts_anew()
        return None

    @staticmethod
    def alive(words: str) -> bool:
        """Whether a process has these words in its command line."""
        return words in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout

    def read_plan(self) -> Plan:
        """The plan as it stands on the branch."""
        return read(self.remote.show(PATH))

    def passed(self) -> list[str]:
        """Commands that passed when the service ran them, of a loop that is completed."""
        receipts: Iterable[Mapping[str, Any]] = self.results[-1]["completed"]["receipts"]
        return [one["command"] for one in receipts if one["code"] == 0 and one["ended"] == "exited"]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """The service, with a remote and a model of its own."""
    if missing := await Bubblewrap().missing():
        pytest.skip(missing)
    (tmp_path / "far.git").mkdir()
    remote = Remote(tmp_path / "far.git")
    remote.git("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
    remote.commit({"README.md": "# Youlab\n"}, "main", "Begin")
    model = Model()
    async with serve(model_app(model.script, model.log)) as url:
        yield Lab(tmp_path, remote, model, url)
