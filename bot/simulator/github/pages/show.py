"""What the pages show, gathered: a template gets finished values and does no work of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markupsafe import Markup

from bot.simulator.github import diff, rules
from bot.simulator.github.git import ChangedFile, Commit
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.model_checks import CheckRun
from bot.simulator.github.model_reviews import Comment, Review, Thread
from bot.simulator.github.people import User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

_HIDDEN = re.compile(r"<!--.*?-->", re.DOTALL)
_KEPT = re.compile(r"&lt;(/?(?:details|summary|sub|sup|kbd|br))\s*/?&gt;")
_TASK = re.compile(r"<li>(?:<p>)?\[([ xX])\] ")
_STATES = {
    "clean": "Nothing stands in the way of the merge.",
    "unstable": "A check that is not required is red or still running.",
    "dirty": "It conflicts with its base.",
    "behind": "Its base has moved on, and the rules want it up to date.",
    "draft": "It is a draft.",
    "blocked": "The rules of its base miss something.",
    "unknown": "",
}


@dataclass(frozen=True)
class Line:
    """One line of a diff: `kind` is added, removed, hunk or same."""

    kind: str
    old: int | None
    new: int | None
    text: str


@dataclass(frozen=True)
class File:
    """One file of a diff."""

    changed: ChangedFile
    lines: Sequence[Line]


@dataclass(frozen=True)
class Entry:
    """One thing that was said, in the order of time."""

    at: datetime
    who: User
    kind: str
    words: str
    body: Markup
    thread: Thread | None = None


@dataclass(frozen=True)
class PullPage:
    """Everything on the page of one pull request."""

    pull: Pull
    state: str
    body: Markup
    entries: Sequence[Entry]
    commits: Sequence[Commit]
    files: Sequence[File]
    checks: Sequence[CheckRun]
    statuses: Sequence[object]
    merge_state: str
    merge_words: str
    blockers: Sequence[str]
    people: Sequence[User]
    branch_stands: bool


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def markdown(text: str | None) -> Markup:
    """Markdown as safe HTML: comments are hidden, a few harmless tags are kept, every other tag shows as text."""
    made = _markdown().render(_HIDDEN.sub("", text or ""))
    made = _TASK.sub(lambda task: '<li class="task">' + ("☐ " if task[1] == " " else "☑ "), made)
    return Markup(_KEPT.sub(r"<\1>", made))  # noqa: S704  # the renderer escapes; the tags put back take no attributes


def state(pull: Pull) -> str:
    """Draft, open, merged or closed."""
    if pull.merged:
        return "merged"
    return "draft" if pull.open and pull.draft else pull.state


def lines(patch: str) -> list[Line]:
    """A diff, line by line, with the numbers of both sides."""
    found = []
    for hunk in diff.hunks(patch):
        old, new = hunk.old_start, hunk.new_start
        found.append(Line("hunk", None, None, hunk.header))
        for text in hunk.lines:
            mark = text[:1]
            kind = {"+": "added", "-": "removed"}.get(mark, "same")
            found.append(Line(kind, old if mark in {" ", "-"} else None, new if mark in {" ", "+"} else None, text))
            old += mark in {" ", "-"}
            new += mark in {" ", "+"}
    return found


async def files(world: "GitHubWorld", repo: Repository, base: str, head: str) -> list[File]:
    """What changed between two commits."""
    changed = diff.files(await world.git.diff(repo.path, base, head, "--full-index"))
    return [File(one, lines(one.patch)) for one in changed]


def entries(pull: Pull) -> list[Entry]:
    """The conversation: comments, reviews and threads."""
    said: list[Entry] = [_comment(one) for one in pull.comments]
    said += [_review(one) for one in pull.reviews if one.body or one.state != "COMMENTED"]
    said += [
        Entry(one.comments[0].created_at, one.comments[0].user, "thread", "", Markup(), one) for one in pull.threads
    ]
    return sorted(said, key=lambda entry: entry.at)


def _comment(one: Comment) -> Entry:
    words = f"commented (hidden: {one.minimized})" if one.minimized else "commented"
    return Entry(one.created_at, one.user, "comment", words, markdown(one.body))


def _review(one: Review) -> Entry:
    words = {
        "APPROVED": "approved",
        "CHANGES_REQUESTED": "asked for changes",
        "DISMISSED": "had a review here that was dismissed",
        "COMMENTED": "reviewed",
    }[one.state]
    at = one.submitted_at or one.pull.created_at
    return Entry(at, one.user, one.state.lower(), f"{words} at {one.commit_id[:7]}", markdown(one.body))


def people(world: "GitHubWorld", repo: Repository) -> list[User]:
    """Who may act on the pages: the repository's people."""
    return [world.users[login] for login in repo.roles if login in world.users]


async def pull_page(world: "GitHubWorld", pull: Pull) -> PullPage:
    """Gather the page of a pull request. Looking at it does not count as asking for its mergeability."""
    repo = pull.repository
    base = await world.git.merge_base(repo.path, pull.base_sha, pull.head_sha) or pull.base_sha
    commits = await world.git.commits(repo.path, f"{pull.base_sha}..{pull.head_sha}")
    _, word = await rules.state(world, pull)
    return PullPage(
        pull=pull,
        state=state(pull),
        body=markdown(pull.body),
        entries=entries(pull),
        commits=commits[::-1],
        files=await files(world, repo, base, pull.head_sha),
        checks=rules.latest_runs(repo, pull.head_sha),
        statuses=rules.latest_statuses(repo, pull.head_sha),
        merge_state=word,
        merge_words=_STATES[word],
        blockers=rules.blockers(world, pull) if pull.open else [],
        people=people(world, repo),
        branch_stands=await world.git.branch(repo.path, pull.head_ref) is not None,
    )
