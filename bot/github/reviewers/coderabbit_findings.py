"""CodeRabbit's findings that stand in the body of a review: outside the diff, failed to post, repeated, nitpicks."""

import re
from collections.abc import Sequence

from bot.github.reviewers.cleaning import readable, severity_in
from bot.github.reviewers.markup import Kind, Line, Section, whole
from bot.github.reviewers.said import BotThread, Finding, Severity

_GROUP = re.compile(
    r"\W*(outside diff range|comments? failed to post|duplicate|nitpick)[a-z ]*\((\d{1,4})\)\W*", re.IGNORECASE
)
_FILE = re.compile(r"(\S.*?)\s*\(\d{1,4}\)")
_ITEM = re.compile(r"\s*`?(\d{1,7})(?:\s*[-–]\s*\d{1,7})?`?:\s*(.*)")
_CAUTION = "[!caution]"  # the box that says that comments could not be placed


def findings_in(body: str, threads: Sequence[BotThread]) -> tuple[Finding, ...]:
    """The findings of a review's body. `threads` are the open ones, which the body's repetitions must not double.

    A group that announces more than can be read is given whole, as one finding: nothing may get lost.
    """
    tree = whole(body)
    groups = [(section, title) for section in tree.sections() if (title := _GROUP.fullmatch(section.title))]
    found: list[Finding] = []
    for section, title in groups:
        kind = title[1].lower()
        severity = Severity.NITPICK if kind == "nitpick" else Severity.UNKNOWN
        items = [item for file in section.sections() for item in _items(file, severity)]
        if len(items) < int(title[2]):
            items = [Finding("", "", None, readable(section.parts) or section.title, severity)]
        elif kind == "duplicate":
            items = [item for item in items if not _repeats(item, threads)]
        found += items
    if not groups and any(line.own and line.text.strip().lower() == _CAUTION for line in tree.lines()):
        found.append(Finding("", "", None, readable(tree.parts), Severity.UNKNOWN))  # announced, but not here
    return tuple(found)


def has_groups(tree: Section) -> bool:
    """Whether a review's body has a group of findings at its top, where no quote can put one."""
    tops = (part for part in tree.parts if isinstance(part, Section) and part.quote == 0)
    return any(_GROUP.fullmatch(section.title) for section in tops)


def _items(file: Section, default: Severity) -> list[Finding]:
    """What a file's section says, item by item; each begins with its lines."""
    path = _FILE.fullmatch(file.title)
    if path is None:
        return []
    items: list[tuple[int, str, list[Line | Section]]] = []
    for part in file.parts:
        start = _ITEM.fullmatch(part.text) if isinstance(part, Line) and part.kind is Kind.TEXT else None
        if start:
            items.append((int(start[1]), start[2], [Line(Kind.TEXT, start[2])]))
        elif items:
            items[-1][2].append(part)
    return [_finding(path[1], number, label, parts, default) for number, label, parts in items]


def _finding(path: str, number: int, label: str, parts: Sequence[Line | Section], default: Severity) -> Finding:
    severity = default if default is Severity.NITPICK else severity_in(label if label.startswith("_") else "")
    return Finding("", path.removeprefix("@").strip("`"), number, readable(parts), severity)


def _repeats(item: Finding, threads: Sequence[BotThread]) -> bool:
    """Whether an open thread in the same file says the same, by its title."""
    title = next((line.strip() for line in item.text.splitlines() if line.strip()), "")
    return any(thread.path == item.path and bool(title) and title in thread.body for thread in threads)
