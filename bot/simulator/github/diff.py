"""Reading unified diffs: which files, which lines, and where a line went."""

import re
from dataclasses import dataclass, replace

from bot.simulator.github.git import ChangedFile

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_INDEX = re.compile(r"^index [0-9a-f]+\.\.([0-9a-f]+)", re.MULTILINE)


@dataclass(frozen=True)
class Hunk:
    """One `@@` block: where it starts and how long it is on both sides, and its lines."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    header: str
    lines: tuple[str, ...]


def hunks(patch: str) -> list[Hunk]:
    """The blocks of one file's diff."""
    found: list[Hunk] = []
    for line in patch.split("\n"):
        if match := _HUNK.match(line):
            old, old_count, new, new_count = match.groups()
            found.append(Hunk(int(old), int(old_count or 1), int(new), int(new_count or 1), line, ()))
        elif found and line[:1] in {" ", "+", "-", "\\"}:
            found[-1] = replace(found[-1], lines=(*found[-1].lines, line))
    return found


def files(diff: str) -> list[ChangedFile]:
    """The files of a whole diff (made with `--full-index`), as REST lists them."""
    parts = re.split(r"^diff --git ", diff, flags=re.MULTILINE)[1:]
    return [_file(part) for part in parts]


def _file(part: str) -> ChangedFile:
    head, _, rest = part.partition("\n@@")
    patch = f"@@{rest}".rstrip("\n") if rest else ""
    named = re.search(r'^\+\+\+ "?b/(.*?)"?\t?$', head, re.MULTILINE) or re.search(
        r'^--- "?a/(.*?)"?\t?$', head, re.MULTILINE
    )
    renamed = re.search(r"^rename to (.*)$", head, re.MULTILINE)
    first = head.split("\n", 1)[0]
    path = renamed.group(1) if renamed else named.group(1) if named else first[len(first) // 2 + 1 :].removeprefix("b/")
    status = "modified"
    for word, meaning in (("new file", "added"), ("deleted file", "removed"), ("rename from", "renamed")):
        if f"\n{word}" in head:
            status = meaning
    lines = [line for hunk in hunks(patch) for line in hunk.lines]
    blob = _INDEX.search(head)
    return ChangedFile(
        path,
        status,
        sum(line.startswith("+") for line in lines),
        sum(line.startswith("-") for line in lines),
        blob.group(1) if blob else "",
        patch,
    )


def hunk_at(patch: str, line: int, side: str = "RIGHT") -> str | None:
    """The block that shows `line`, cut off after it as GitHub's `diff_hunk` is; None when the diff doesn't show it."""
    for hunk in hunks(patch):
        old, new = hunk.old_start, hunk.new_start
        kept = [hunk.header]
        for text in hunk.lines:
            kept.append(text)
            mark = text[:1]
            shown = (mark != "-" and new == line) if side == "RIGHT" else (mark != "+" and old == line)
            if shown and mark != "\\":
                return "\n".join(kept)
            old += mark in {" ", "-"}
            new += mark in {" ", "+"}
    return None


def moved(patch: str, line: int) -> int | None:
    """Where a line of the old file stands in the new one (`patch` made with `-U0`); None when it was changed."""
    offset = 0
    for hunk in hunks(patch):
        # An insertion (`old_count` 0) names the line it follows, so only lines after that one move.
        first = hunk.old_start if hunk.old_count else hunk.old_start + 1
        if line < first:
            break
        if hunk.old_count and line < hunk.old_start + hunk.old_count:
            return None
        offset += hunk.new_count - hunk.old_count
    return line + offset
