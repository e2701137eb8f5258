"""A theatre for stories: the real service between simulated Linear and GitHub, with a small program as its agent."""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from bot.engine.pace import Pace
from bot.linear.marker import effect_id
from bot.linear.records import seal
from bot.machine import echo
from bot.machine.plan import read as read_plan
from bot.machine.record import Approval, Artifact, Record
from bot.machine.stages import STATES, Stage
from bot.runs.sandbox import Bubblewrap
from bot.simulator.github.actors import Person
from bot.simulator.linear.model import Actor
from bot.simulator.linear.talk import create_attachment
from bot.simulator.model import model_app
from bot.simulator.theatre import POLICY, REPOSITORY, Plan, Theatre, open_theatre
from tests.databases import Databases, open_databases

AGENT = Path(__file__).with_name("agent.py")
PYTHON = Path(sys.base_prefix) / "bin" / "python3"
COMMAND_POLICY = f"""{POLICY.replace("checks_appear_seconds = 5", "checks_appear_seconds = 0.3")}
[agent]
runtime = "command"
command = ["{PYTHON}", "{AGENT}"]

[sandbox]
read_only = ["{AGENT}"]
"""
QUICK = Pace(tick=0.5, poll=0.5, resync=5.0, sweep=2.0, lag=1.0)  # the simulator shows at once what was written
FILES = {"README.md": "# YouLab\n", "test_it.py": "import unittest\n"}


class World:
    """What a story speaks to."""

    def __init__(self, theatre: Theatre) -> None:
        self.theatre, self.linear, self.github = theatre, theatre.linear, theatre.github
        self.alice, self.bob, self.gina = (theatre.person(name) for name in ("alice", "bob", "gina"))

    def epic(self, spec: str = "Write three modules.", title: str = "Modules", **more: Any) -> Any:
        return self.alice.creates("YOU", title, spec, **more)

    async def until(self, true: Callable[[], Any], what: str = "", seconds: float = 300.0) -> Any:
        """Wait until something is so; fails with what people would see when it never is."""
        end = time.monotonic() + seconds
        while not (value := true()):
            assert time.monotonic() < end, f"never: {what}\n{self.story()}"
            await asyncio.sleep(0.05)
        return value

    async def is_in(self, issue: Any, state: str, seconds: float = 300.0) -> None:
        await self.until(lambda: issue.state.name == state, f"{issue.identifier} in {state}", seconds)

    async def says(self, issue: Any, text: str, seconds: float = 300.0) -> str:
        """Wait for a comment of the bot with this text; returns the comment."""
        return await self.until(
            lambda: next((one for one in self.said(issue) if text in one), None), f"a comment with {text!r}", seconds
        )

    def said(self, issue: Any) -> list[str]:
        return [one.body for one in self.alice.reads(issue) if one.user and one.user.app]

    async def approved(self, issue: Any, state: str = "Plan in Review") -> None:
        """Alice approves what stands in review as soon as it is shown."""
        await self.is_in(issue, state)
        await self.says(issue, "**Turn 1.**" if state == "Plan in Review" else "**Turns 2 and 3.**")
        self.alice.comments(issue, "approve")

    async def shown(self, epic: Any, times: int = 1) -> None:
        """Wait until the merge was asked for so many times."""
        text = "**Turns 2 and 3.**"
        await self.until(lambda: sum(text in one for one in self.said(epic)) >= times, f"summary {times}")

    async def asked(self, epic: Any, times: int = 1, by: Any = None) -> None:
        """Alice (or `by`) approves the merge when it was asked for so many times."""
        await self.shown(epic, times)
        await self.is_in(epic, "Code Review")
        (by or self.alice).comments(epic, "approve")

    async def quiet(self, seconds: float = 1.0) -> None:
        """Give everything that might still happen the time to happen."""
        await asyncio.sleep(seconds)

    async def plays(self) -> Any:
        """An epic from its label to the end, approved by alice."""
        epic = self.epic()
        self.alice.labels(epic, "orchestrate")
        await self.approved(epic)
        await self.approved(epic, "Code Review")
        await self.is_in(epic, "Done")
        return epic

    async def built(
        self,
        below: Mapping[str, tuple[str, ...]],
        files: Mapping[str, Mapping[str, str]] | None = None,
        *,
        documentation: bool = False,
    ) -> Any:
        """An epic whose tickets are built and pushed, each on what it stands upon, and have no pull requests yet.

        `below` says for each ticket what it is stacked on; `files` what it writes, besides a module of its name. With
        `documentation` there is that ticket too, not begun. The service never saw the epic: it finds it as one whose
        database was lost.
        """
        now, secret = datetime.now(UTC), self.theatre.settings.secret_key
        epic = self.alice.creates("YOU", "Modules", "Write modules.", state=STATES[Stage.DEV].name)
        for name, under in below.items():
            state = STATES[Stage.CODE_REVIEW].name
            ticket = self.alice.creates("YOU", f"Write {name}.py", f"The module {name}.", parent=epic, state=state)
            for one in under:
                self.alice.blocks(self.ticket(one), ticket)
            branch, more = f"agent/{ticket.identifier}", (files or {}).get(name, {})
            base = f"agent/{self.ticket(under[0]).identifier}" if under else "main"
            if len(under) > 1:
                base = f"{branch}-base"
                await self.merges_branches(base, [f"agent/{self.ticket(one).identifier}" for one in under])
            base_at = await self.log("rev-parse", base)
            await self.writes(branch, base_at, {f"{name}.py": f"NAME = {name!r}\n"}, f"Phase 1: {name}")
            head = await self.writes(
                branch, branch, {f"test_{name}.py": f"import {name}\n", **more}, f"Phase 2: {name}"
            )
            record = _worked_on(ticket, name, (base, base_at), head)
            self.remembers(ticket, replace(record, own_base=len(under) > 1), secret)
        if documentation:
            last = self.alice.creates("YOU", "Update the documentation", "All of it.", parent=epic, state="Todo")
            for one in below:
                self.alice.blocks(self.ticket(one), last)
            self.remembers(last, Record(last.id, task="documentation"), secret)
        approval = Approval("turn-1", self.alice.user.id, now)
        self.remembers(epic, Record(epic.id, stage=Stage.DEV, generation=1, settled=1, approval=approval), secret)
        self.alice.labels(epic, "orchestrate")
        return epic

    def remembers(self, issue: Any, record: Record, secret: str) -> None:
        """The issue has this signed record, as the service writes it."""
        page = f"{self.theatre.url}/issues/{issue.id}"
        fields = {"id": effect_id("record", issue.id), "issue_id": issue.id, "url": page, "title": "Callboard"}
        callboard = Actor(self.linear.user("callboard"))
        create_attachment(self.linear, callboard, {**fields, "metadata": seal(record, secret)})

    async def writes(self, branch: str, onto: str, files: Mapping[str, str], message: str) -> str:
        """The service's own commit on a branch, as its worker would push it."""
        world, place = self.github, self.github.repository(REPOSITORY)
        parent = await self.log("rev-parse", onto)
        signed = world.signature(world.user("callboard[bot]"))
        return await world.git.write(place.path, f"refs/heads/{branch}", parent, files, message, signed)

    async def merges_branches(self, branch: str, others: list[str]) -> None:
        """A branch that holds others, as the service makes the base of a ticket with several blockers."""
        world, place = self.github, self.github.repository(REPOSITORY)
        first, *more = [await self.log("rev-parse", one) for one in others]
        signed = world.signature(world.user("callboard[bot]"))
        for other in more:
            tree = await world.git.merge_tree(place.path, first, other)
            first = await world.git.commit_tree(place.path, tree, (first, other), "Base", signed)
        await world.git.update_ref(place.path, f"refs/heads/{branch}", first, "0" * 40)

    def ticket(self, name: str) -> Any:
        """The ticket that writes a module."""
        return next(one for one in self.linear.issues() if one.title == f"Write {name}.py")

    def pull(self, name: str) -> Any:
        """The newest pull request of a ticket, or None."""
        branch = f"agent/{self.ticket(name).identifier}"
        return next((one for one in reversed(self.pulls) if one.head_ref == branch), None)

    async def has_merged_all(self, epic: Any) -> None:
        """Everything is merged, once, and nothing was said twice."""
        tickets = self.linear.children(epic)
        assert sorted(one.title for one in tickets) == [
            "Update the documentation",
            "Write one.py",
            "Write three.py",
            "Write two.py",
        ]
        assert {one.state.name for one in tickets} == {"Done"}
        assert len(self.pulls) == 4
        assert all(one.merged for one in self.pulls)
        merges = await self.log("log", "--merges", "--first-parent", "--format=%s", "main")
        assert len(merges.splitlines()) == 4
        files = (await self.log("ls-tree", "-r", "--name-only", "main")).splitlines()
        assert {"one.py", "two.py", "three.py", "README.md"} <= set(files)
        bodies = [one for ticket in (epic, *tickets) for one in self.said(ticket)]
        assert len(bodies) == len(set(bodies)), "something was said twice"
        branches = await self.log("branch", "--list", "agent/*")
        assert branches == ""
        people = [one for one in self.linear.comments(epic) if not one.user.app]
        assert len(people) == 2

    async def stands(self, title: str, spec: str = "A module with a name.") -> tuple[Any, Any]:
        """A lone ticket whose work waits for the merge, with its pull request."""
        ticket, pull = await self.reviewed(title, spec)
        await self.is_in(ticket, "Ready to Merge")
        return ticket, pull

    async def reviewed(self, title: str, spec: str = "A module with a name.") -> tuple[Any, Any]:
        """A lone ticket, built and pushed, that just got its pull request; nothing before that was run here."""
        name = title.removeprefix("Write ").removesuffix(".py")
        ticket = self.alice.creates("YOU", title, spec, state=STATES[Stage.CODE_REVIEW].name)
        files = {
            f"{name}.py": f"NAME = {name!r}\nTOLD = 1\n",
            f"test_{name}.py": f"import {name}\nassert {name}.NAME\n",
        }
        base_at = await self.log("rev-parse", "main")
        head = await self.writes(f"agent/{ticket.identifier}", "main", files, f"Phase 1: {name}")
        record = replace(_worked_on(ticket, name, ("main", base_at), head), lone=True)
        self.remembers(ticket, record, self.theatre.settings.secret_key)
        self.alice.labels(ticket, "worker")
        return ticket, await self.until(lambda: self.pull_of(ticket), f"a pull request of {title}")

    async def planned(self, title: str, plan: str) -> Any:
        """A lone ticket that is Ready for Dev with this plan on its branch; nothing before that was run here."""
        ticket = self.alice.creates("YOU", title, "A module with a name.", state=STATES[Stage.READY].name)
        branch, path = f"agent/{ticket.identifier}", f"thoughts/shared/plans/{ticket.identifier}.md"
        base_at = await self.log("rev-parse", "main")
        head = await self.writes(branch, "main", {path: plan}, f"{ticket.identifier}: plan")
        record = Record(
            ticket.id, stage=Stage.READY, generation=2, settled=2, branch=branch, base="main", head=head,
            head_at=datetime.now(UTC), base_at=base_at, stands_on="main", started_at=datetime.now(UTC),
            plan=Artifact(path, read_plan(plan).digest, head), lone=True,
        )  # fmt: skip
        self.remembers(ticket, record, self.theatre.settings.secret_key)
        self.alice.labels(ticket, "worker")
        return ticket

    def pull_of(self, ticket: Any) -> Any:
        """The newest pull request of a ticket, or None."""
        branch = f"agent/{ticket.identifier}"
        return next((one for one in reversed(self.pulls) if one.head_ref == branch), None)

    def on_github(self, login: str) -> Person:
        """Somebody in the simulated GitHub; alice and bob may write."""
        return Person(self.github, login)

    def prompts(self, ticket: Any, name: str = "") -> list[str]:
        """What the workers of a ticket were told, oldest first; with `name`, those of one prompt."""
        files = sorted((self.theatre.settings.home / "runs").rglob("prompt.md"), key=lambda one: one.stat().st_mtime)
        wanted = {"TASK_ID": ticket.identifier} | ({"PROMPT": name} if name else {})
        texts = [file.read_text() for file in files]
        return [text for text in texts if wanted.items() <= dict(re.findall(r"^([A-Z_]+): ?(.*)$", text, re.M)).items()]

    async def waits(self, pull: Any, text: str) -> None:
        """Wait until our own check on the head says that this is what the ticket waits for."""
        await self.until(lambda: text in (self.our_check(pull).summary or ""), f"#{pull.number} waits for {text!r}")

    def our_check(self, pull: Any) -> Any:
        """Our own check on the head; an empty one while there is none."""
        runs = [one for one in pull.repository.check_runs if one.suite.head_sha == pull.head_sha]
        own = [one for one in runs if one.suite.app.slug == "callboard"]
        return own[-1] if own else SimpleNamespace(status="", conclusion=None, title="", summary="")

    def obeys(self, gates: str = "", limits: str = "") -> None:
        """From the next round on the policy says this besides what it said in the beginning."""
        first = self.theatre.plan.policy.replace("[gates]", f"[gates]\n{gates}")
        self.theatre.settings.config.write_text(f"{first}\n[limits]\n{limits}\n")

    @property
    def pulls(self) -> list[Any]:
        return list(self.github.repository(REPOSITORY).pulls.values())

    async def log(self, *arguments: str) -> str:
        path = self.github.repository(REPOSITORY).path
        process = await asyncio.create_subprocess_exec("git", *arguments, cwd=path, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return out.decode().strip()

    def story(self) -> str:
        lines = []
        for issue in self.linear.issues():
            lines.append(f"{issue.identifier} {issue.title} [{issue.state.name}] {issue.label_names}")
            lines += [
                f"    {one.user.name if one.user else '?'}: {one.body[:300]!r}" for one in self.linear.comments(issue)
            ]
        return "\n".join(lines)


def _worked_on(ticket: Any, name: str, base: tuple[str, str], head: str) -> Record:
    """What the service remembers of a ticket whose work is done; `base` is a branch, and the commit it stands upon."""
    now = datetime.now(UTC)
    return Record(
        ticket.id, stage=Stage.CODE_REVIEW, generation=3, settled=3, branch=f"agent/{ticket.identifier}", base=base[0],
        head=head, head_at=now, base_at=base[1], stands_on=base[0], task=name, started_at=now,
        summary=f"wrote {name}.py", manual=(f"Look at {name}.py",),
    )  # fmt: skip


async def open_world(home: Path, stack: AsyncExitStack, *, habits: Any = None, **settings: Any) -> World:
    """Open a world that is gone with the stack; settings of the theatre's plan may be given.

    Without a `database_url` the service has a PostgreSQL of its own in its data folder.
    """
    walls = "off" if await Bubblewrap().missing() else "bwrap"
    plan = Plan(
        home,
        model_app(lambda _asked: None),
        FILES,
        **{"policy": COMMAND_POLICY, "sandbox": walls, "pace": QUICK, **settings},
    )
    theatre = await stack.enter_async_context(open_theatre(plan))
    if habits is not None:
        theatre.linear.post_office.habits = habits
        theatre.github.post_office.habits = habits
    return World(theatre)


@pytest.fixture(autouse=True, scope="module")
def typing_takes_no_time() -> Iterator[None]:
    """People in stories answer at once, again and again; the one story about a program that does so says so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(echo, "HOP", timedelta(0))
        yield


@pytest.fixture
def opening() -> Callable[..., Any]:
    """`open_world`, for stories that open more than one."""
    return open_world


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Databases]:
    async with open_databases(tmp_path_factory.mktemp("database")) as databases:
        yield databases


@pytest.fixture
async def opens(tmp_path: Path, databases: Databases) -> AsyncIterator[Callable[..., Any]]:
    """Open a world; settings of the theatre's plan may be given."""
    async with AsyncExitStack() as stack:

        async def open_one(**settings: Any) -> World:
            if "database_url" not in settings:
                settings["database_url"] = await databases.one()
            return await open_world(tmp_path / "theatre", stack, **settings)

        yield open_one


@pytest.fixture
async def world(opens: Callable[..., Any]) -> World:
    return await opens()


@pytest.fixture
async def follows() -> AsyncIterator[Callable[[Any], Any]]:
    """Have somebody listen (a scripted CI, a review bot) as long as the story lasts; ask for it after the world."""
    async with AsyncExitStack() as stack:
        yield stack.enter_async_context


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> AsyncIterator[World]:
    """One world for all stories of a file; each has tickets of its own there, or leaves one as it found it."""
    async with AsyncExitStack() as stack:
        yield await open_world(tmp_path_factory.mktemp("shared"), stack, database_url=await databases.one())
