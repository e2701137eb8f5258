"""A scenario: a small repository, a spec for it, and the work of the agents who build it. All of it is data.

The repository and the work are real files below `repository/`, so that they can be read and changed as what they are:
`main/` is the repository as it stands before the epic; `tasks/KEY/` holds a task's research, its plan and, below
`files/`, every file it adds or replaces, complete. Where a later phase replaces a file of an earlier one, `earlier/N/`
has it as phase N leaves it; `first/N/` has files with a mistake, as they are written at first in phase N, until the
mistake is found. They carry imports and tests of their own and are no part of this project: our linters leave the
folder alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from bot.machine.plan import Item
from bot.machine.plan import Phase as Planned
from bot.machine.plan import read as read_plan

_REPOSITORY = Path(__file__).parent / "repository"
_FILE = re.compile(r"^- \*\*File\*\*: `(?P<path>[^`]+)`", re.MULTILINE)
CODERABBIT = "coderabbitai[bot]"
Files = Mapping[str, str]
"""Complete contents by path in the repository."""


@dataclass(frozen=True)
class Mistake:
    """What goes wrong in a phase at first. `repair` is what the worker says that it did about it.

    Without `blockers` the service's verification finds it. With them the first review does, by the command `shown_by`.
    """

    repair: str
    blockers: tuple[str, ...] = ()
    shown_by: str = ""


@dataclass(frozen=True)
class Remark:
    """Something said on a line of a pull request, and what the worker answers.

    `at` stands in that line and in no other. Where nothing is `resolved` by the answer, whoever asked does it.
    """

    path: str
    at: str
    text: str
    answer: str
    resolved: bool = True


@dataclass(frozen=True)
class Review:
    """A look at a pull request that is ready to merge; a review bot's, where `by` is its login, as soon as it is open.

    Who asks for changes approves when all is answered. `later` names the files that the worker changes; empty: none.
    """

    by: str
    remarks: tuple[Remark, ...]
    verdict: Literal["request changes", "comment"] = "comment"
    body: str = ""
    answer: str = ""
    """What the worker says to the body."""
    later: str = ""
    summary: str = ""
    """What the worker says that it did."""


@dataclass(frozen=True)
class Push:
    """Files that a person pushes to the base branch when a pull request is ready to merge, which clash with it."""

    by: str
    message: str
    files: Files


@dataclass(frozen=True)
class Phase:
    """One phase of a plan, with the files it adds or replaces."""

    number: int
    name: str
    files: Files
    """As they are when the phase is done."""
    first: Files
    """Those of them that are written with a mistake at first, and how."""
    run: tuple[Item, ...]
    """What the worker verifies and ticks; it leaves the rest to the service."""
    mistake: Mistake | None


@dataclass(frozen=True)
class Task:
    """One task and all that is done about it. `files` are as they are at its end."""

    key: str
    title: str
    description: str
    scope: str
    depends_on: tuple[str, ...]
    areas: tuple[str, ...]
    impact: str
    research: str
    plan: str
    files: Files
    summary: str
    earlier: Mapping[int, Files]
    first: Mapping[int, Files]
    left: frozenset[str]
    """Commands of the plan that the worker leaves to the service."""
    mistakes: Mapping[int, Mistake]
    """By the number of the phase."""
    later: Mapping[str, Files]
    reviews: tuple[Review, ...]
    repairs: Mapping[str, str]
    """By what is wrong with the pull request, `checks` or `conflict`: what the worker says that it did about it."""
    push: Push | None

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of the plan; each names its files in lines that begin with `- **File**:`."""
        return tuple(self._phase(phase) for phase in read_plan(self.plan).phases)

    def _phase(self, phase: Planned) -> Phase:
        known = {**self.files, **self.earlier.get(phase.number, {})}
        return Phase(
            number=phase.number,
            name=phase.name,
            files=MappingProxyType({path: known[path] for path in _FILE.findall(phase.text)}),
            first=self.first.get(phase.number, MappingProxyType({})),
            run=tuple(item for item in phase.automated if item.command not in self.left),
            mistake=self.mistakes.get(phase.number),
        )


@dataclass(frozen=True)
class Scenario:
    """What one demo is about. `files` are the repository before the epic, `spec` is the epic's description."""

    title: str
    spec: str
    summary: str
    """What the breakdown says of itself."""
    tasks: tuple[Task, ...]
    """In the order of the breakdown."""
    documentation: Task | None = None
    """What the documentation agent does after all other tasks; None switches it off."""
    files: Files = field(default_factory=lambda: _tree(_REPOSITORY / "main"))
    review_bot: bool = False
    """Whether CodeRabbit looks at every pull request, and the merge waits for its word."""
    checks: tuple[str, ...] = ()
    """Names of the checks that the base branch requires; besides `test` they only pass."""
    flaky: str = ""
    """Key of the task whose last check fails for no reason until it is run again."""

    @property
    def gates(self) -> str:
        """Lines for the table `[gates]` of the policy."""
        bots = f'review_bots = ["{CODERABBIT}"]\nreview_bot_minutes = 2\n' if self.review_bot else ""
        return f"documentation = {str(self.documentation is not None).lower()}\n{bots}"

    @property
    def breakdown(self) -> dict[str, Any]:
        """The outcome of the breakdown run."""
        tasks = [
            {
                "key": task.key,
                "title": task.title,
                "description": task.description,
                "scope": task.scope,
                "depends_on": list(task.depends_on),
                "areas": list(task.areas),
                "impact": task.impact,
            }
            for task in self.tasks
        ]
        return {"summary": self.summary, "tasks": tasks, "questions": []}


def read_task(
    key: str,
    title: str,
    *,
    description: str,
    scope: str,
    impact: str,
    summary: str,
    depends_on: tuple[str, ...] = (),
    left: frozenset[str] = frozenset(),
    mistakes: Mapping[int, Mistake] = MappingProxyType({}),
    reviews: tuple[Review, ...] = (),
    repairs: Mapping[str, str] = MappingProxyType({}),
    push: Push | None = None,
) -> Task:
    """The task with this key, its documents and files read from its folder."""
    folder = _REPOSITORY / "tasks" / key
    files = _tree(folder / "files")
    return Task(
        key=key,
        title=title,
        description=description,
        scope=scope,
        depends_on=depends_on,
        areas=tuple(files),
        impact=impact,
        research=read_text(key, "research.md"),
        plan=read_text(key, "plan.md"),
        files=files,
        summary=summary,
        earlier={int(name): files for name, files in _trees(folder / "earlier").items()},
        first={int(name): files for name, files in _trees(folder / "first").items()},
        left=left,
        mistakes=mistakes,
        later=_trees(folder / "later"),
        reviews=reviews,
        repairs=repairs,
        push=push,
    )


def read_text(key: str, name: str) -> str:
    """A document in the folder of a task."""
    return (_REPOSITORY / "tasks" / key / name).read_text(encoding="utf-8")


def _trees(folder: Path) -> Mapping[str, Files]:
    return {one.name: _tree(one) for one in sorted(folder.glob("*"))}


def _tree(folder: Path) -> Files:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return MappingProxyType({path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files})
