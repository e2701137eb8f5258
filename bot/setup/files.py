"""What set-up writes: settings, secrets and the policy. Nothing is written that was not proposed as a `Change` first.

A change shows what it does to a file, with secrets left out, so that a person can be asked. Secrets go to files of
their own, for their owner only; the settings name those files. Writing the same twice is no change.
"""

import difflib
import os
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from bot import environment
from bot.config import SECRETS
from bot.machine.errors import UserError
from bot.policy import Policy

_HEADING = "# Settings of Callboard, written by `callboard setup`. The process's own environment goes before them.\n"


@dataclass(frozen=True)
class Change:
    """A file as it would be. `before` is None when there is none yet."""

    path: Path
    before: str | None = field(repr=False)
    after: str = field(repr=False)
    secret: bool = False

    @property
    def overwrites(self) -> bool:
        """Whether something that stands there now would be gone: then a person is asked."""
        if self.before is None:
            return False
        kept = self.after.splitlines()
        return any(line not in kept for line in self.before.splitlines() if line.strip())

    def shown(self) -> str:
        """What it does to the file, line by line; of a secret only that it changes."""
        if self.secret:
            return f"{self.path}: {'another secret' if self.before is not None else 'a new secret'}"
        before, after = (self.before or "").splitlines(), self.after.splitlines()
        lines = difflib.unified_diff(before, after, str(self.path), str(self.path), lineterm="", n=2)
        return "\n".join(lines)


def settings_changes(home: Path, values: Mapping[str, str]) -> tuple[Change, ...]:
    """What has to be written so that these settings hold; lines of other settings and comments stay as they are."""
    changes: list[Change] = []
    lines: dict[str, str] = {}
    for name, value in values.items():
        if name in SECRETS:
            path = home / "secrets" / name.lower().replace("_", "-")
            before = path.read_text() if path.exists() else None
            if before is None or before.strip() != value.strip():
                changes.append(Change(path, before, value.strip() + "\n", secret=True))
            lines[f"{name}_FILE"] = str(path)
        else:
            if "\n" in value:
                raise UserError(f"{name} must be one line.")
            lines[name] = value.strip()
    path = home / environment.NAME
    before = path.read_text() if path.exists() else None
    after = _with_lines(before or _HEADING, lines)
    return (*changes, Change(path, before, after)) if after != before else tuple(changes)


def _with_lines(text: str, lines: Mapping[str, str]) -> str:
    left, kept = dict(lines), []
    for line in text.splitlines():
        name = line.partition("=")[0].strip()
        kept.append(f"{name}={left.pop(name)}" if name in left else line)
    return "\n".join([*kept, *(f"{name}={value}" for name, value in left.items())]) + "\n"


def policy_change(path: Path, repository: str, teams: Sequence[str], base: str) -> Change | None:
    """What makes this repository work for these teams; None when the policy says so already.

    Raises:
        UserError: what stands there is wrong, or says something else of this repository: a person must decide.
    """
    before = path.read_text() if path.exists() else None
    known = _policy(path, before or "")
    for place in known.repositories:
        if place.name == repository:
            if set(teams) <= set(place.teams) and place.base == base:
                return None
            says = f"teams = {list(place.teams)}, base = {place.base!r}"
            raise UserError(f"{path} names {repository} already, with {says}: change it there by hand.")
    named = ", ".join(map(_quoted, teams))
    section = f"[[repositories]]\nname = {_quoted(repository)}\nteams = [{named}]\nbase = {_quoted(base)}\n"
    after = f"{before.rstrip()}\n\n{section}" if before and before.strip() else section
    _policy(path, after)
    return Change(path, before, after)


def _policy(path: Path, text: str) -> Policy:
    try:
        return Policy.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise UserError(f"{path} is wrong, and stays as it is: {str(error).splitlines()[0]}.") from None


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def apply(changes: Sequence[Change]) -> None:
    """Write them, each at once or not at all, for their owner only.

    Raises:
        UserError: a file can't be written.
    """
    for change in changes:
        for folder in (change.path.parent.parent, change.path.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The policy is no secret and may lie where others read it; a file that is there keeps its mode.
        kept = change.path.exists() and not change.secret and change.path.name != environment.NAME
        mode = change.path.stat().st_mode & 0o777 if kept else 0o600
        temporary = change.path.with_name(f".{change.path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
                file.write(change.after)
            temporary.replace(change.path)
        except OSError as error:
            raise UserError(f"{change.path} can't be written: {error.strerror}.") from None
