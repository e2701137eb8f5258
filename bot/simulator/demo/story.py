"""What the demo is about: a small repository, a spec for it, and the work of the agents who build it.

The repository and the work are real files below `repository/`, so that they can be read and changed as what they are:
`main/` is the repository as it stands before the epic; `tasks/KEY/` holds a task's research, its plan and, below
`files/`, every file it adds or replaces, complete. Independent tasks never touch the same file. They carry imports and
tests of their own and are no part of this project: our linters leave the folder alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

REPOSITORY = "acme/youlab"
_HERE = Path(__file__).parent
_PHASE = re.compile(r"^## Phase (?P<number>\d+): (?P<name>.+)$", re.MULTILINE)
_FILE = re.compile(r"^- \*\*File\*\*: `(?P<path>[^`]+)`", re.MULTILINE)


@dataclass(frozen=True)
class Phase:
    """One phase of a plan, with the files it adds or replaces by path."""

    number: int
    name: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    """One task and all that is done about it. `files` are complete contents by path in the repository."""

    key: str
    title: str
    description: str
    scope: str
    depends_on: tuple[str, ...]
    areas: tuple[str, ...]
    impact: str
    research: str
    plan: str
    files: Mapping[str, str]
    summary: str

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of the plan; each names its files in lines that begin with `- **File**:`."""
        heads = list(_PHASE.finditer(self.plan))
        ends = [head.start() for head in heads[1:]] + [len(self.plan)]
        return tuple(
            Phase(
                int(head["number"]),
                head["name"],
                MappingProxyType({path: self.files[path] for path in _FILE.findall(self.plan[head.end() : end])}),
            )
            for head, end in zip(heads, ends, strict=True)
        )


def repository_files() -> dict[str, str]:
    """The repository before the epic: contents by path."""
    return _tree(_HERE / "repository" / "main")


def _tree(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def _task(
    key: str, title: str, *, description: str, scope: str, impact: str, summary: str, depends_on: tuple[str, ...] = ()
) -> Task:
    folder = _HERE / "repository" / "tasks" / key
    files = _tree(folder / "files")
    return Task(
        key=key,
        title=title,
        description=description,
        scope=scope,
        depends_on=depends_on,
        areas=tuple(files),
        impact=impact,
        research=(folder / "research.md").read_text(encoding="utf-8"),
        plan=(folder / "plan.md").read_text(encoding="utf-8"),
        files=MappingProxyType(files),
        summary=summary,
    )


SPEC = (files("prompts") / "spec.md").read_text(encoding="utf-8")
"""The example spec, as the description of the epic. Its title is its first heading."""

STORY = (
    _task(
        "session-metrics",
        "Show session metrics on the dashboard",
        description=(
            "Add queries that count a user's sessions, average the length of those that have ended, and count the"
            " sessions of each day. Show total sessions, average length and the last seven days as a panel of the"
            " dashboard. A session is one conversation; days are days in UTC."
        ),
        scope="Queries, panel, style sheet, tests. Not the chart, no time zones, no caching.",
        impact="Small: new files only; the activity chart builds upon the counts per day.",
        summary=(
            "The dashboard shows total sessions, average length and the sessions of the last seven days. Sessions that"
            " go on count, but not into the average; without a finished session the average is a dash."
        ),
    ),
    _task(
        "activity-chart",
        "Draw the activity chart",
        depends_on=("session-metrics",),
        description=(
            "Draw the sessions per day as an SVG bar chart on the server and show it on the dashboard, below the"
            " figures. The last 7, 30 or 90 days can be chosen by links; 30 is the usual span."
        ),
        scope="Drawing, panel, style sheet, tests. No scripts, no library, no other kinds of chart.",
        impact="Small: new files only; uses the counts per day of the session metrics.",
        summary=(
            "The dashboard shows a bar chart of the sessions per day over 7, 30 or 90 days, drawn as SVG by the server."
            " Each bar says its day and number, and the whole chart has a label that can be read out."
        ),
    ),
    _task(
        "settings",
        "Add settings with notification preferences",
        description=(
            "Add a table for what users choose and a settings page that is made of panels, so that later tickets add"
            " a panel and change no line of the page. The first panel holds the notification preferences: an answer of"
            " the tutor, a reminder after three days, a summary of the week."
        ),
        scope="Table, storage, page, notification preferences, tests. Nothing is sent; theme and API keys come apart.",
        impact="Medium: a new table and a new page in the menu; theme and API keys build upon them.",
        summary=(
            "There is a settings page with notification preferences, kept in a new table that holds choices only."
            " Values that are not offered are refused. Nothing is sent yet, and the code says so."
        ),
    ),
    _task(
        "theme",
        "Let users choose a light or a dark theme",
        depends_on=("settings",),
        description=(
            "Add a dark set of colours and let every page carry the theme its user has chosen. A panel of the settings"
            " page changes it. Before the login the theme is light."
        ),
        scope="Setting, colours, the frame of every page, panel, tests. Does not follow the operating system.",
        impact="Medium: changes the frame of every page (youlab/layout.py), which no other ticket touches.",
        summary=(
            "Every page is shown in the theme its user has chosen, light or dark, from the first paint and without a"
            " script. The choice is a panel of the settings page; an unknown theme is refused."
        ),
    ),
    _task(
        "api-keys",
        "Manage API keys",
        depends_on=("settings",),
        description=(
            "Let users make, see and revoke keys for programs on the settings page. A key is random, shown once when"
            " it is made, and kept as a digest with a label and its last four characters."
        ),
        scope="Table, storage, panel, pages, tests. No page accepts a key yet; keys have no scopes and no expiry.",
        impact="Medium: a new table that holds digests of secrets; a panel of the settings page.",
        summary=(
            "Users make, list and revoke up to 20 API keys on the settings page. A key is shown once in an answer that"
            " is never cached; only its digest is stored. No page accepts a key yet."
        ),
    ),
    _task(
        "activity-feed",
        "Show recent conversations in an activity feed",
        description=(
            "List a user's conversations, newest first, each with its day, the number of messages and its first"
            " message: five on the dashboard, fifty on a new page called Activity. Entries lead to the conversation."
        ),
        scope="Query, list, panel, page, tests. No search and no filter by date; nothing beyond the newest fifty.",
        impact="Small: new files only, one new page in the menu; search and date filter build upon it.",
        summary=(
            "The dashboard lists the five newest conversations and the new Activity page the newest fifty, each with a"
            " link, its day, the number of messages and its first message, cut where it is long."
        ),
    ),
    _task(
        "feed-search",
        "Search the activity feed and filter it by date",
        depends_on=("activity-feed",),
        description=(
            "Give the Activity page a form with words, a first day and a last day. Every word must stand in the title"
            " or in a message. The search is part of the address; a day that can't be read is named and left out."
        ),
        scope="Query, form, tests. No full-text index, no ranking, no search on the dashboard.",
        impact="Small: replaces the feed's query and its page, keeps the panel on the dashboard as it is.",
        summary=(
            "The Activity page can be searched by words in titles and messages and narrowed to some days, both"
            " included. Signs that mean something to SQL are just signs; a search can be bookmarked."
        ),
    ),
)
"""The tasks of the epic, in the order of the breakdown."""

DOCUMENTATION = _task(
    "documentation",
    "Document the user dashboard",
    depends_on=tuple(task.key for task in STORY),
    description="Describe the dashboard, the activity page and the settings, and bring the other documents up to date.",
    scope="Documents only; no code.",
    impact="Small: one new page, two changed ones.",
    summary=(
        "docs/dashboard.md describes every part of the dashboard and what it does not do yet; the README leads there"
        " and names the new modules; docs/architecture.md lists the new tables."
    ),
)
"""What the documentation agent does after all other tasks."""

BREAKDOWN: dict[str, Any] = {
    "summary": (
        "The user dashboard in seven tasks. Session metrics, settings and the activity feed start at once; the chart,"
        " theme, API keys and the search each build upon one of them. Pages and panels are found by themselves, so"
        " tasks that don't depend on each other change no file in common."
    ),
    "tasks": [
        {
            "key": task.key,
            "title": task.title,
            "description": task.description,
            "scope": task.scope,
            "depends_on": list(task.depends_on),
            "areas": list(task.areas),
            "impact": task.impact,
        }
        for task in STORY
    ],
    "questions": [],
}
"""The outcome of the breakdown run."""
