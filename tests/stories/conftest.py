"""A theatre for stories: the real service between simulated Linear and GitHub, with a small program as its agent."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.engine.pace import Pace
from bot.runs.sandbox import Bubblewrap
from bot.simulator.model import model_app
from bot.simulator.theatre import POLICY, REPOSITORY, Plan, Theatre, open_theatre

AGENT = Path(__file__).with_name("agent.py")
PYTHON = Path(sys.base_prefix) / "bin" / "python3"
COMMAND_POLICY = f"""{POLICY.replace("checks_appear_seconds = 5", "checks_appear_seconds = 0.3")}
[agent]
runtime = "command"
command = ["{PYTHON}", "{AGENT}"]

[sandbox]
read_only = ["{AGENT}"]
"""
QUICK = Pace(tick=0.1, poll=0.1, resync=5.0, sweep=1.0)
FILES = {"README.md": "# YouLab\n", "test_it.py": "import unittest\n"}


class World:
    """What a story speaks to."""

    def __init__(self, theatre: Theatre) -> None:
        self.theatre, self.linear, self.github = theatre, theatre.linear, theatre.github
        self.alice, self.bob, self.gina = (theatre.person(name) for name in ("alice", "bob", "gina"))

    def epic(self, spec: str = "Write three modules.", title: str = "Modules", **more: Any) -> Any:
        return self.alice.creates("YOU", title, spec, **more)

    async def until(self, true: Callable[[], Any], what: str = "", seconds: float = 90.0) -> Any:
        """Wait until something is so; fails with what people would see when it never is."""
        end = time.monotonic() + seconds
        while not (value := true()):
            assert time.monotonic() < end, f"never: {what}\n{self.story()}"
            await asyncio.sleep(0.05)
        return value

    async def is_in(self, issue: Any, state: str, seconds: float = 90.0) -> None:
        await self.until(lambda: issue.state.name == state, f"{issue.identifier} in {state}", seconds)

    async def says(self, issue: Any, text: str, seconds: float = 90.0) -> str:
        """Wait for a comment of the bot with this text; returns the comment."""
        return await self.until(
            lambda: next((one for one in self.said(issue) if text in one), None), f"a comment with {text!r}", seconds
        )

    def said(self, issue: Any) -> list[str]:
        comments = self.linear.comments(issue)
        return [one.body for one in comments if one.user and one.user.app]

    async def approved(self, issue: Any, state: str = "Plan in Review") -> None:
        """Alice approves what stands in review as soon as it is shown."""
        await self.is_in(issue, state)
        await self.says(issue, "**Turn 1.**" if state == "Plan in Review" else "**Turns 2 and 3.**")
        self.alice.comments(issue, "approve")

    async def quiet(self, seconds: float = 1.0) -> None:
        """Give everything that might still happen the time to happen."""
        await asyncio.sleep(seconds)

    async def plays(self) -> Any:
        """An epic from its label to the end, approved by alice."""
        epic = self.epic()
        self.alice.labels(epic, "orchestrate")
        await self.approved(epic)
        await self.approved(epic, "Code Review")
        await self.is_in(epic, "Done", 90)
        return epic

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


@pytest.fixture
async def opens(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Open a world; settings of the theatre's plan may be given."""
    async with AsyncExitStack() as stack:

        async def open_one(*, habits: Any = None, **settings: Any) -> World:
            walls = "off" if await Bubblewrap().missing() else "bwrap"
            plan = Plan(
                tmp_path / "theatre",
                model_app(lambda _asked: None),
                FILES,
                **{"policy": COMMAND_POLICY, "sandbox": walls, "pace": QUICK, **settings},
            )
            theatre = await stack.enter_async_context(open_theatre(plan))
            if habits is not None:
                theatre.linear.post_office.habits = habits
                theatre.github.post_office.habits = habits
            return World(theatre)

        yield open_one


@pytest.fixture
async def world(opens: Callable[..., Any]) -> World:
    return await opens()
