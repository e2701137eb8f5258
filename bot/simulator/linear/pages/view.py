"""How the pages are drawn."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from bot.simulator.linear.content import Comment
from bot.simulator.linear.model import Issue, Label, State, Team, User
from bot.simulator.linear.world import LinearWorld

_ORDER = ("triage", "backlog", "unstarted", "started", "completed", "canceled", "duplicate")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


_FOLDED = re.compile(r"<p>\+\+\+ (.+?)</p>(.*?)<p>\+\+\+</p>", re.DOTALL)
"""Linear's collapsible section, `+++ title … +++`, after rendering."""


def rendered(text: str | None) -> Markup:
    """Markdown as HTML; raw HTML is shown as text, HTML comments not at all, `[x]` as a ticked box."""
    html = _MARKDOWN.render(re.sub(r"<!--.*?-->", "", text or "", flags=re.DOTALL))
    html = re.sub(r"(<li>\s*(?:<p>)?)\[ \]", r"\1<span class=box>☐</span>", html)
    html = re.sub(r"(<li>\s*(?:<p>)?)\[[xX]\]", r"\1<span class=box>☑</span>", html)
    html = _FOLDED.sub(r"<details><summary>\1</summary>\2</details>", html)
    return Markup(html)  # noqa: S704  # markdown-it escaped it


def _path(issue: Issue) -> str:
    return f"/issue/{issue.identifier}"


_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters |= {
    "markdown": rendered,
    "path": _path,
    "json": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    "clock": lambda moment: moment.strftime("%H:%M:%S"),
}


@dataclass(frozen=True)
class Viewer:
    """Who looks at a page, and what went wrong with the form they sent last."""

    world: LinearWorld
    person: User
    error: str | None = None

    @property
    def people(self) -> list[User]:
        """The users in whose name one may act by hand."""
        return [user for user in self.world.all(User) if user.active and not user.app]


@dataclass(frozen=True)
class Column:
    """A workflow state of the board with its issues, in board order."""

    state: State
    issues: list[Issue]


@dataclass(frozen=True)
class Thread:
    """A comment with the replies to it, oldest first."""

    root: Comment
    replies: list[Comment]


def columns(team: Team) -> list[Column]:
    """The board of a team: its states in Linear's order, archived issues left out."""
    states = sorted(team.states, key=lambda state: (_ORDER.index(state.type), state.position))
    shown = [issue for issue in team.issues if not issue.archived_at]
    return [Column(state, [issue for issue in shown if issue.state is state]) for state in states]


def board_page(viewer: Viewer, team: Team) -> str:
    """The board of `team` as HTML."""
    return _PAGES.get_template("board.html").render(
        viewer=viewer,
        team=team,
        teams=viewer.world.all(Team),
        columns=columns(team),
        labels=_labels(viewer.world, team),
        open_blockers=open_blockers,
    )


def issue_page(viewer: Viewer, issue: Issue) -> str:
    """The page of `issue` as HTML."""
    threads = [Thread(comment, list(comment.children)) for comment in issue.comments if comment.parent is None]
    return _PAGES.get_template("issue.html").render(
        viewer=viewer,
        issue=issue,
        team=issue.team,
        columns=columns(issue.team),
        threads=threads,
        labels=[label for label in _labels(viewer.world, issue.team) if label not in issue.labels],
        open_blockers=open_blockers,
    )


def open_blockers(issue: Issue) -> list[Issue]:
    """The issues that block this one and are not closed."""
    blockers = [relation.issue for relation in issue.inverse_relations if relation.type == "blocks"]
    return [blocker for blocker in blockers if blocker.state.type not in ("completed", "canceled", "duplicate")]


def _labels(world: LinearWorld, team: Team) -> list[Label]:
    return [label for label in world.all(Label) if not label.is_group and label.team in (None, team)]
