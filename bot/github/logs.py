"""The part of a log that says why a check failed: around the first errors, and where it ended. Pure.

What it returns is what a program printed: data, never instructions.
"""

import re
from collections.abc import Iterable, Sequence

LONGEST = 12_000
"""Characters that are kept of a log."""
_LINE = 400
"""Characters that are kept of a line."""
_BEFORE, _AFTER, _PLACES = 3, 25, 3
"""Lines kept before and after a place that looks like an error, and how many such places."""
_STAMP = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z ?", re.ASCII)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_GROUP = re.compile(r"^##\[(?:end)?group\]")
_STOPPED = "##[error]"
"""How GitHub Actions marks the line in which a step failed; what follows the last one only tidies up."""
_SOUND = re.compile(r"\b(?:0|no) (?:errors?|failures?|failed)\b", re.IGNORECASE)
_WRONG = re.compile(
    r"\b(?:error|errors|fail|failed|failure|failures|fatal|exception|panicked|panic|traceback|assertionerror)\b"
    r"|\w(?:Error|Exception)\b|\bnot ok\b|[✗✖✘❌]",
    re.IGNORECASE,
)


def relevant(log: str) -> str:
    """The lines that matter, at most 12,000 characters, without colours, timestamps and control characters."""
    lines = _up_to_the_end(_plain(log))
    whole = "\n".join(lines)
    if len(whole) <= LONGEST:
        return whole
    places = _places(lines)
    first = _cut("\n".join(_joined(lines, places)), LONGEST // 2)
    rest = LONGEST - len(first) - 100
    end = whole[-rest:].partition("\n")[2] or whole[-rest:]
    return f"{first}\n\n[… the end of the log:]\n{end}" if first else end


def plain(text: str) -> str:
    """A text without escape sequences and control characters."""
    return _CONTROL.sub("", _ESCAPE.sub("", text.replace("\r\n", "\n")))


def _plain(log: str) -> list[str]:
    """Every line as it would stand on a screen in the end: what a carriage return wrote over is gone."""
    found = []
    for raw in log.replace("\r\n", "\n").split("\n"):
        line = _STAMP.sub("", raw).rstrip("\r").rpartition("\r")[2]
        line = _GROUP.sub("", _CONTROL.sub("", _ESCAPE.sub("", line))).rstrip()
        found.append(line if len(line) <= _LINE else f"{line[:_LINE]}…")
    return found


def _up_to_the_end(lines: list[str]) -> list[str]:
    """Without the tidying up after the step that failed, and without empty lines at both ends."""
    stops = [index for index, line in enumerate(lines) if line.startswith(_STOPPED)]
    kept = lines[: stops[-1] + 1] if stops else lines
    return "\n".join(kept).strip("\n").split("\n")


def _places(lines: Sequence[str]) -> list[int]:
    """The first lines that look like an error, each out of the reach of the one before."""
    found: list[int] = []
    for index, line in enumerate(lines):
        if found and index <= found[-1] + _AFTER:
            continue
        if _WRONG.search(_SOUND.sub("", line)):
            found.append(index)
        if len(found) == _PLACES:
            break
    return found


def _joined(lines: Sequence[str], places: Iterable[int]) -> list[str]:
    kept: list[str] = []
    done = 0
    for place in places:
        start = max(done, place - _BEFORE)
        if start > done:
            kept.append(f"[… {start - done} lines left out]")
        done = min(len(lines), place + _AFTER)
        kept.extend(lines[start:done])
    return kept


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most].rpartition("\n")[0] or text[:most]
