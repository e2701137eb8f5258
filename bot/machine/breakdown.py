"""The breakdown of an epic: tasks, and the Markdown document in which people read and edit them.

Linear rewrites Markdown when it stores it (facts: bullets, links, blank lines), so the document is read through its
tree, and the digest is taken from the parsed tasks: it changes when the meaning does, not when the spelling does.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.machine.errors import UserError

DOCUMENTATION = "documentation"
"""Key of the task that comes after all others."""


@dataclass(frozen=True)
class Task:
    """One task of a breakdown; it becomes one ticket."""

    key: str
    title: str
    description: str = ""
    scope: str = ""
    depends_on: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    impact: str = ""


@dataclass(frozen=True)
class Breakdown:
    """All tasks of an epic, in the order of the document."""

    summary: str
    tasks: tuple[Task, ...]
    questions: tuple[str, ...] = field(default=())

    @property
    def digest(self) -> str:
        """Names what an approval approves: sha256 over the parsed tasks."""
        return digest_of(self.tasks)


def digest_of(tasks: Iterable[Task]) -> str:
    """Sha256 (hex) over the tasks' meaning."""
    meaning = [[t.key, t.title, _flat(t.description), _flat(t.scope), sorted(t.depends_on)] for t in tasks]
    return hashlib.sha256(json.dumps(meaning, ensure_ascii=False).encode()).hexdigest()


def write(breakdown: Breakdown) -> str:
    """The document people edit. Deleting a section drops the task; the lines below a title are its fields."""
    number = {task.key: index for index, task in enumerate(breakdown.tasks, 1)}
    lines = [_flat(breakdown.summary), ""]
    for task in breakdown.tasks:
        lines += [
            f"## {number[task.key]}. {_flat(task.title)}",
            "",
            task.description.strip().replace("\n#", "\n\\#"),
            "",
        ]
        depends = ", ".join(str(number[key]) for key in task.depends_on if key in number) or "nothing"
        lines += [f"* Key: `{task.key}`", f"* Scope: {_flat(task.scope) or 'as described'}", f"* Depends on: {depends}"]
        lines += [
            f"* Areas: {_flat(', '.join(map(code, task.areas))) or 'not said'}",
            f"* Impact: {_flat(task.impact) or 'not said'}",
            "",
        ]
    if breakdown.questions:
        lines += ["## Questions", "", *(f"* {_flat(question)}" for question in breakdown.questions), ""]
    return "\n".join(lines)


@lru_cache(maxsize=64)
def read(document: str) -> Breakdown:
    """The breakdown that a document holds, whoever edited it. Each round asks again, of the same text mostly.

    Raises:
        UserError: no task, a key or number twice, a dependency on a task that isn't there, or a circle.
    """
    summary, sections = _sections(document)
    numbered = [(match, body) for title, body in sections if (match := re.match(r"(\d+)\s*[.):-]\s*(.+)", title))]
    if not numbered:
        raise UserError("The breakdown has no task: each task is a heading such as “## 1. Title”.")
    keys: dict[str, str] = {}
    drafts = []
    for match, body in numbered:
        text, fields = body
        key = _key(fields.get("key", ""), match[2])
        if match[1] in keys or key in keys.values():
            raise UserError(f"The breakdown has task {match[1]} ({key}) twice: give each its own number and key.")
        keys[match[1]] = key
        drafts.append((key, match[2].strip(), text, fields))
    tasks = tuple(_task(key, title, text, fields, keys) for key, title, text, fields in drafts)
    in_order(tasks)
    return Breakdown(summary, tasks)


def in_order(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """The tasks with every dependency before what depends on it, otherwise as they come.

    Raises:
        UserError: the dependencies go in a circle.
    """
    waiting, placed = list(tasks), dict[str, Task]()
    known = {task.key for task in waiting}
    while waiting:
        free = next((t for t in waiting if all(key in placed or key not in known for key in t.depends_on)), None)
        if free is None:
            circle = ", ".join(task.title for task in waiting)
            raise UserError(f"These tasks wait for each other in a circle: {circle}. Take one dependency away.")
        waiting.remove(free)
        placed[free.key] = free
    return tuple(placed.values())


def with_documentation(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """The tasks and, after all of them, the documentation task."""
    if any(task.key == DOCUMENTATION for task in tasks):
        return tasks
    return (
        *tasks,
        Task(
            DOCUMENTATION,
            "Update the documentation",
            "Bring the documentation up to date with everything this epic changed.",
            "Documentation only; no code.",
            tuple(task.key for task in tasks),
        ),
    )


def _task(key: str, title: str, text: str, fields: dict[str, str], keys: dict[str, str]) -> Task:
    named = re.findall(r"\d+", fields.get("depends on", ""))
    unknown = [number for number in named if number not in keys]
    if unknown:
        raise UserError(f"Task “{title}” depends on task {', '.join(unknown)}, which the breakdown doesn't have.")
    return Task(
        key,
        title,
        text,
        fields.get("scope", ""),
        tuple(dict.fromkeys(keys[number] for number in named)),
        tuple(part.strip() for part in fields.get("areas", "").split(",") if part.strip()),
        fields.get("impact", ""),
    )


def _key(written: str, title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", (written or title).lower()).strip("-")[:60] or "task"


def _sections(document: str) -> tuple[str, list[tuple[str, tuple[str, dict[str, str]]]]]:
    """The text before the first heading, and every heading with its text and its `Name: value` list items."""
    summary: list[str] = []
    sections: list[tuple[str, tuple[list[str], dict[str, str]]]] = []
    depth = 0
    heading = False
    for token in MarkdownIt().parse(document):
        depth += {"list_item_open": 1, "list_item_close": -1}.get(token.type, 0)
        if token.type == "heading_open":
            heading = True
        elif token.type == "inline" and heading:
            sections.append((_text(token), ([], {})))
            heading = False
        elif token.type in {"inline", "fence", "code_block"}:
            _place(_text(token), depth, summary, sections)
    return "\n\n".join(summary), [(title, ("\n\n".join(texts), fields)) for title, (texts, fields) in sections]


def _place(
    text: str, depth: int, summary: list[str], sections: list[tuple[str, tuple[list[str], dict[str, str]]]]
) -> None:
    if not sections:
        summary.append(text)
        return
    texts, fields = sections[-1][1]
    match = re.match(r"(key|scope|depends on|areas|impact)\s*:\s*(.*)", text, re.I | re.S) if depth else None
    if match:
        fields[match[1].lower()] = match[2].strip()
    else:
        texts.append(f"- {text}" if depth else text)


def _text(token: Token) -> str:
    if token.children is None:
        return token.content.strip()
    return "".join("\n" if one.type in {"softbreak", "hardbreak"} else one.content for one in token.children).strip()


def code(text: str) -> str:
    """A path as code: Linear would take its underscores for emphasis, and its ending for a web address."""
    return f"`{_flat(text).replace('`', '')}`"


def _flat(text: str) -> str:
    return " ".join(text.split())
