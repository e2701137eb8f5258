"""What commits add to a tree, and whether it may come in: pure rules over the output of `git diff-tree` (S-45)."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SYMLINK, GITLINK = "120000", "160000"
_NTFS_SHORT = re.compile(r"git~[0-9]+")
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Code points that some file systems leave out when they compare names (Unicode's Default_Ignorable_Code_Point)."""


@dataclass(frozen=True)
class Change:
    """One path that one commit adds, changes or deletes. `mode` is git's own, "000000" for a deletion."""

    path: str
    mode: str
    blob: str


def parse(raw: str) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """Read `git diff-tree --stdin -r -z --raw --always`: every commit with its changes, once per parent."""
    commit, changes = "", list[Change]()
    fields = iter(raw.split("\0"))
    for one in fields:
        if one.startswith(":"):
            _, mode, _, blob, _ = one.split(" ")
            changes.append(Change(next(fields), mode, blob))
        elif one:
            if commit:
                yield commit, tuple(changes)
            commit, changes = one, []
    if commit:
        yield commit, tuple(changes)


def introduced(differences: Iterable[tuple[str, tuple[Change, ...]]]) -> set[Change]:
    """The changes that commits made themselves: of a merge only what differs from every parent."""
    by_commit: dict[str, set[Change]] = {}
    for commit, changes in differences:
        by_commit[commit] = by_commit[commit] & set(changes) if commit in by_commit else set(changes)
    return set().union(*by_commit.values())


def objections(changes: Iterable[Change]) -> list[str]:
    """Why these changes may not come in, one sentence each; empty when they may."""
    reasons = []
    for change in sorted(changes, key=lambda change: change.path):
        shown = ascii(change.path)[1:-1][:200]
        if change.mode == SYMLINK:
            reasons.append(f"{shown} is a symbolic link")
        if change.mode == GITLINK:
            reasons.append(f"{shown} is a submodule")
        if any(looks_like_git(part) for part in change.path.split("/")):
            reasons.append(f"{shown} could be taken for git's own folder")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in change.path):
            reasons.append(f"{shown} has control characters in its name")
    return reasons


def looks_like_git(part: str) -> bool:
    """Whether some file system would take this part of a path for `.git` (letter case, NTFS names, ignorables)."""
    plain = _IGNORABLE.sub("", unicodedata.normalize("NFKC", _IGNORABLE.sub("", part))).casefold()
    for piece in plain.split("\\"):
        name = piece.split(":")[0].rstrip(". ")
        if name == ".git" or _NTFS_SHORT.fullmatch(name):
            return True
    return False
