"""Make commits in the mirror without a work tree: no file is ever written where something could run it.

Nothing here moves a branch: each function returns a commit, and `Mirror.push` decides what becomes of it. With the
same arguments, `at` among them, the commit is the same one.
"""

import os
import re
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.git.mirror import Mirror

_TRAILER = re.compile(r"[A-Za-z][A-Za-z0-9-]*", re.ASCII)
_ABSENT = "0" * 40


@dataclass(frozen=True)
class Author:
    """Whose name a commit bears."""

    name: str
    email: str


@dataclass(frozen=True)
class Conflict:
    """Two histories that don't merge by themselves: `other` clashes with what was merged before, in `paths`."""

    other: str
    paths: tuple[str, ...]


async def commit_file(
    mirror: Mirror,
    base: str,
    path: str,
    content: bytes,
    *,
    message: str,
    author: Author,
    trailers: Mapping[str, str] | None = None,
    at: datetime | None = None,
) -> str:
    """The commit on top of `base` in which `path` has `content`; `base` itself when it has that already.

    Raises:
        GitError: `path` is none that git would take.
    """
    blob = (await mirror.git("hash-object", "-w", "--stdin", input=content)).line
    async with _index(mirror, base) as index:
        await mirror.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environment=index)
        tree = (await mirror.git("write-tree", environment=index)).line
    return await _commit(mirror, tree, (base,), _message(message, trailers or {}), author, at)


async def squash(
    mirror: Mirror,
    base: str,
    tip: str,
    *,
    message: str,
    author: Author,
    trailers: Mapping[str, str] | None = None,
    drop: Sequence[str] = (".callboard/",),
    put: Mapping[str, bytes] | None = None,
    always: bool = False,
    at: datetime | None = None,
) -> str:
    """One commit on top of `base` with the files of `tip`; `base` itself when they are the same files.

    The folders and files of `drop` are left as they are in `base`; those of `put` get the content given there. With
    `always` there is a commit even when no file differs: its message is what matters.
    """
    kept = await _entries(mirror, base, drop)
    gone = (f"0 {_ABSENT}\t{path}" for path in (await _entries(mirror, tip, drop)).keys() - kept.keys())
    new = [await _entry(mirror, path, content) for path, content in (put or {}).items()]
    entries = "".join(f"{line}\0" for line in (*gone, *kept.values(), *new))
    async with _index(mirror, tip) as index:
        await mirror.git(
            "update-index",
            "--replace",
            "-z",
            "--index-info",
            input=entries.encode("utf-8", "surrogateescape"),
            environment=index,
        )
        tree = (await mirror.git("write-tree", environment=index)).line
    return await _commit(mirror, tree, (base,), _message(message, trailers or {}), author, at, always=always)


async def merge(
    mirror: Mirror,
    first: str,
    others: Sequence[str],
    *,
    message: str,
    author: Author,
    at: datetime | None = None,
) -> str | Conflict:
    """A commit that holds `first` and every one of `others`, merged one after another; nothing new where one suffices.

    Raises:
        GitError: the histories have nothing in common.
    """
    current = first
    for other in others:
        if await mirror.descends(current, other):
            continue
        if await mirror.descends(other, current):
            current = other
            continue
        merged = await mirror.git(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", current, other, accept=(0, 1)
        )
        tree, *paths = merged.fields
        if merged.code:
            return Conflict(other, tuple(paths))
        current = await _commit(mirror, tree, (current, other), message, author, at)
    return current


async def transplant(
    mirror: Mirror,
    tip: str,
    *,
    upstream: str,
    onto: str,
    message: str,
    author: Author,
    trailers: Mapping[str, str] | None = None,
    at: datetime | None = None,
) -> str | Conflict:
    """One commit on top of `onto` with what `tip` changed since `upstream`; `onto` itself when nothing is left of it.

    For a stacked branch whose lower branch (`upstream`) went into the base branch (`onto`) as other commits. A helper
    commit with the files of `onto` and the parent `upstream` makes `upstream` the merge base (git 2.39 can't be told).
    """
    helper = (await mirror.git("commit-tree", f"{onto}^{{tree}}", "-p", upstream, "-m", "helper",
                               environment=_identity(author, at))).line  # fmt: skip
    merged = await mirror.git(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", helper, tip, accept=(0, 1)
    )
    tree, *paths = merged.fields
    if merged.code:
        return Conflict(tip, tuple(paths))
    return await _commit(mirror, tree, (onto,), _message(message, trailers or {}), author, at)


async def _entries(mirror: Mirror, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """What `commit` has at or below `paths`: path to the line that `update-index --index-info` takes."""
    if not paths:
        return {}
    listed = await mirror.git("ls-tree", "-r", "-z", commit, "--", *(path.rstrip("/") for path in paths))
    return {entry.partition("\t")[2]: entry for entry in listed.fields}


async def _entry(mirror: Mirror, path: str, content: bytes) -> str:
    """The line that makes `path` a plain file with this content."""
    blob = (await mirror.git("hash-object", "-w", "--stdin", input=content)).line
    return f"100644 {blob}\t{path}"


async def _commit(
    mirror: Mirror,
    tree: str,
    parents: Sequence[str],
    message: str,
    author: Author,
    at: datetime | None,
    *,
    always: bool = False,
) -> str:
    if not always and len(parents) == 1 and (await mirror.git("rev-parse", f"{parents[0]}^{{tree}}")).line == tree:
        return parents[0]
    before = [word for parent in parents for word in ("-p", parent)]
    made = await mirror.git("commit-tree", tree, *before, input=message.encode(), environment=_identity(author, at))
    return made.line


def _message(message: str, trailers: Mapping[str, str]) -> str:
    for key, value in trailers.items():
        if not _TRAILER.fullmatch(key) or "\n" in value:
            raise ValueError(f"{key}: {value!r} is no trailer")
    block = "".join(f"{key}: {value}\n" for key, value in trailers.items())
    return f"{message.strip()}\n" + (f"\n{block}" if block else "")


def _identity(author: Author, at: datetime | None) -> dict[str, str]:
    seconds = int((at or datetime.now(UTC)).timestamp())
    return {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", author.name), ("EMAIL", author.email), ("DATE", f"@{seconds} +0000"))
    }


@asynccontextmanager
async def _index(mirror: Mirror, commit: str) -> AsyncIterator[dict[str, str]]:
    """An index of its own, filled from `commit`, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="callboard-index-") as folder:
        environment = {"GIT_INDEX_FILE": os.fspath(Path(folder) / "index")}
        await mirror.git("read-tree", commit, environment=environment)
        yield environment
