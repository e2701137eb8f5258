"""The audit log: every act of the service with who had it done and why, in lines that can't be changed unseen.

`audit.jsonl` in the data folder is written to only at its end, one JSON object a line. Each line carries a digest over
itself and the digest of the line before (S-74): a line that is changed, taken out or put in breaks the chain from there
on. What lies before the first line that is left can't be proven; keep copies elsewhere where that matters.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.machine.decision import (
    Action,
    CreateTickets,
    Enqueue,
    Merge,
    Move,
    Post,
    Remember,
    ShowCheck,
    StartRun,
    StopRun,
)
from bot.machine.errors import Transient
from bot.machine.facts import Facts
from bot.machine.record import Approval

FIRST = "0" * 64
"""What the first line follows upon."""
LONGEST = 4096
"""Characters of one value that are kept."""


@dataclass(frozen=True)
class AuditLog:
    """The log in one file; processes of one machine may share it."""

    path: Path

    def note(self, facts: Facts, action: Action, refused: str = "") -> None:
        """Write down what is about to be done, or with `refused` that it was not.

        It is written before the act, so that nothing is done that stands nowhere.

        Raises:
            Transient: it can't be written down, so it must not be done.
        """
        if not _tells(facts, action):
            return
        who, why = _behind(facts, action)
        names = {one.issue.id: one.issue.identifier for one in (facts.epic, *facts.tickets)}
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "act": type(action).__name__,
            "epic": facts.epic.issue.identifier,
            "issue": names.get(action.issue, ""),
            "what": _values(action),
            "who": who,
            "why": why,
        }
        try:
            self._append(line | ({"refused": refused[:LONGEST]} if refused else {}))
        except OSError as error:
            raise Transient(f"{self.path} can't be written ({error.strerror}), so nothing is done") from error

    def lines(self) -> Iterator[Mapping[str, Any]]:
        """Every line, oldest first.

        Raises:
            BrokenChainError: a line is not what was written, or one is missing before it.
        """
        before = FIRST
        if not self.path.exists():
            return
        with self.path.open() as file:
            for number, text in enumerate(file, 1):
                line = _parsed(text)
                if line is None or line.pop("chain", None) != _digest(before, line):
                    raise BrokenChainError(f"line {number} of {self.path.name} is not what was written there")
                yield line
                before = _digest(before, line)

    def _append(self, line: Mapping[str, Any]) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            before, torn = _last(handle)
            text = json.dumps({**line, "chain": _digest(before, line)}, ensure_ascii=False)
            os.write(handle, (torn + text + "\n").encode())
        finally:
            os.close(handle)


class BrokenChainError(Exception):
    """The log was changed by something else than the service, or cut."""


def _last(handle: int) -> tuple[str, str]:
    """The digest of the last line, and what ends a line that a crash or a full disk left half written."""
    size = os.fstat(handle).st_size
    tail = os.pread(handle, 65536, max(0, size - 65536)).decode(errors="replace")
    whole, _, rest = tail.rpartition("\n")
    last = _parsed(whole.rpartition("\n")[2]) if whole else None
    return str(last.get("chain", FIRST)) if last else FIRST, "\n" if rest else ""


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _digest(before: str, line: Mapping[str, Any]) -> str:
    told = json.dumps(line, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{told}".encode()).hexdigest()


def _tells(facts: Facts, action: Action) -> bool:
    """Whether an action changes something outside: what is decided in every round does so only once."""
    if isinstance(action, ShowCheck | Remember):
        return False
    if isinstance(action, Post):
        issue = next((one.issue for one in (facts.epic, *facts.tickets) if one.issue.id == action.issue), None)
        return issue is None or action.topic not in {one.topic for one in issue.comments if one.ours}
    return True


def _behind(facts: Facts, action: Action) -> tuple[str, str]:
    """Who had it done, and why."""
    record = facts.epic.issue.record
    match action:
        case Merge() | Enqueue() | CreateTickets() if record and record.approval:
            return _person(facts, record.approval), f"approved by comment {record.approval.comment}"
        case StartRun():
            told = f", told comments {', '.join(action.wishes)}" if action.wishes else ""
            return "callboard", f"{action.stage}, generation {action.generation}, attempt {action.attempt}{told}"
        case StopRun():
            return "callboard", action.reason
        case Move():
            issue = next((one.issue for one in (facts.epic, *facts.tickets) if one.issue.id == action.issue), None)
            return "callboard", f"it was in {issue.state_name}" if issue else ""
    return "callboard", ""


def _person(facts: Facts, approval: Approval) -> str:
    authors = [one.author for one in facts.epic.issue.comments if one.id == approval.comment and one.author]
    return f"{authors[0].name} ({approval.user})" if authors else approval.user


def _values(action: Action) -> dict[str, Any]:
    plain = {name: value for name, value in vars(action).items() if isinstance(value, str | int) and value != ""}
    return {
        name: value[:LONGEST] if isinstance(value, str) else value for name, value in plain.items() if name != "issue"
    }
