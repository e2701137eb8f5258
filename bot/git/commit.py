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


@dataclass(frozen=True)
class Merged:
    """The files of two histories merged. `clashes` are the paths that don't merge by themselves; marks stand there.

    What is not `clean` may still name no path: folders that were renamed into each other, say.
    """

    tree: str
    clean: bool
    clashes: tuple[str, ...] = ()


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
    return await commit_tree(mirror, tree, (base,), message=message, trailers=trailers, author=author, at=at)


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
    tree = await tree_of(mirror, tip, restore={base: drop}, put=put)
    return await commit_tree(
        mirror, tree, (base,), message=message, trailers=trailers, author=author, at=at, always=always
    )


async def tree_of(
    mirror: Mirror,
    files: str,
    *,
    restore: Mapping[str, Sequence[str]] | None = None,
    put: Mapping[str, bytes] | None = None,
) -> str:
    """The files of `files`, but the paths of `restore` as they are in the commit named there, and `put` on top.

    A path is a file, or a folder with all below it; what the commit does not have there is not in the result either.
    """
    lines: list[str] = []
    for commit, paths in (restore or {}).items():
        kept = await _entries(mirror, commit, paths)
        lines += [f"0 {_ABSENT}\t{path}" for path in (await _entries(mirror, files, paths)).keys() - kept.keys()]
        lines += kept.values()
    lines += [await _entry(mirror, path, content) for path, content in (put or {}).items()]
    entries = "".join(f"{line}\0" for line in lines)
    async with _index(mirror, files) as index:
        await mirror.git(
            "update-index",
            "--replace",
            "-z",
            "--index-info",
            input=entries.encode("utf-8", "surrogateescape"),
            environment=index,
        )
        return (await mirror.git("write-tree", environment=index)).line


async def merged(mirror: Mirror, one: str, other: str) -> Merged:
    """What merging two commits gives.

    Raises:
        GitError: the histories have nothing in common.
    """
    found = await mirror.git(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", one, other, accept=(0, 1)
    )
    tree, *paths = found.fields
    return Merged(tree, found.code == 0, tuple(paths))


async def carried(mirror: Mirror, tip: str, *, upstream: str, onto: str) -> Merged:
    """The files of `onto` with what `tip` changed since `upstream`.

    A helper commit with the files of `onto` and the parent `upstream` makes `upstream` the merge base (git 2.39 can't
    be told which to take).
    """
    nobody = _identity(Author("Callboard", "callboard@callboard.invalid"), datetime.fromtimestamp(0, UTC))
    helper = await mirror.git("commit-tree", f"{onto}^{{tree}}", "-p", upstream, "-m", "helper", environment=nobody)
    return await merged(mirror, helper.line, tip)


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
        found = await merged(mirror, current, other)
        if not found.clean:
            return Conflict(other, found.clashes)
        current = await commit_tree(mirror, found.tree, (current, other), message=message, author=author, at=at)
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

    For a stacked branch whose lower branch (`upstream`) went into the base branch (`onto`) as other commits.
    """
    found = await carried(mirror, tip, upstream=upstream, onto=onto)
    if not found.clean:
        return Conflict(tip, found.clashes)
    return await commit_tree(mirror, found.tree, (onto,), message=message, trailers=trailers, author=author, at=at)


async def commit_tree(
    mirror: Mirror,
    tree: str,
    parents: Sequence[str],
    *,
    message: str,
    author: Author,
    trailers: Mapping[str, str] | None = None,
    at: datetime | None = None,
    always: bool = False,
) -> str:
    """A commit with exactly these files; the only parent itself when it has them already, unless `always`."""
    if not always and len(parents) == 1 and (await mirror.tree(parents[0])) == tree:
        return parents[0]
    before = [word for parent in parents for word in ("-p", parent)]
    words = _message(message, trailers or {}).encode()
    return (await mirror.git("commit-tree", tree, *before, input=words, environment=_identity(author, at))).line


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
