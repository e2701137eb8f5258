"""Git as a subprocess: a clean environment, bare repositories, never a work tree."""

import asyncio
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ZERO = "0" * 40
_PLAIN = ("-c", "core.quotePath=false")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HISTORY = re.compile(r"[0-9a-f]{40}(\.\.[0-9a-f]{40})?")
"""Revisions that always mean the same, as a branch does not."""
_FIELDS = "%x1f".join(("%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B"))


class GitError(Exception):
    """git said no; the text is what it wrote to stderr."""


@dataclass(frozen=True)
class Signature:
    """Who, and when: one of the two identities of a commit."""

    name: str
    email: str
    date: datetime


@dataclass(frozen=True)
class Commit:
    """A commit, read from git."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True)
class ChangedFile:
    """One file of a diff; `status` is REST's word (added, modified, removed, renamed)."""

    path: str
    status: str
    additions: int
    deletions: int
    blob: str
    patch: str


class Git:
    """Runs git under an empty home. Every method takes the bare repository first.

    What can't change is asked once: a hundred processes less in every minute of a story.
    """

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "GitHub",
            "GIT_AUTHOR_EMAIL": "noreply@github.com",
            "GIT_COMMITTER_NAME": "GitHub",
            "GIT_COMMITTER_EMAIL": "noreply@github.com",
        }
        self._commits: dict[str, Commit] = {}
        self._listed: dict[tuple[Path, tuple[str, ...]], list[Commit]] = {}
        self._there: set[tuple[Path, str]] = set()
        self._parted: dict[tuple[Path, str, str], str] = {}

    async def attempt(
        self, repository: Path, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, bytes]:
        """Run `git -C repository …`; the exit code, stdout and stderr."""
        process = await asyncio.create_subprocess_exec(
            *("git", "-C", str(repository), *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self.environment, **(env or {})},
        )
        out, err = await process.communicate(stdin)
        return process.returncode or 0, out, err

    async def run(
        self, repository: Path, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> str:
        """Run git and give back its stdout without the trailing newline.

        Raises:
            GitError: the exit code was not 0.
        """
        code, out, err = await self.attempt(repository, *arguments, stdin=stdin, env=env)
        if code:
            raise GitError(f"git {' '.join(arguments[:3])}: {err.decode(errors='replace').strip()}")
        return out.decode(errors="replace").removesuffix("\n")

    async def branches(self, repository: Path) -> dict[str, str]:
        """Every branch and its head."""
        listed = await self.run(repository, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
        return dict(line.rsplit(" ", 1) for line in listed.splitlines())

    async def refs(self, repository: Path) -> dict[str, str]:
        """Every ref by its whole name (`refs/heads/main`, `refs/pull/1/head`) and what it points to."""
        listed = await self.run(repository, "for-each-ref", "--format=%(refname) %(objectname)")
        return dict(line.rsplit(" ", 1) for line in listed.splitlines())

    async def resolve(self, repository: Path, revision: str) -> str | None:
        """The commit that a revision names, or None. Options in disguise name nothing."""
        if not revision or revision.startswith("-"):
            return None
        if (repository, revision) in self._there:
            return revision
        code, out, _ = await self.attempt(repository, "rev-parse", "--verify", "-q", f"{revision}^{{commit}}")
        found = out.decode().strip()
        if code == 0 and found == revision:
            self._there.add((repository, revision))
        return found if code == 0 else None

    async def branch(self, repository: Path, name: str) -> str | None:
        """The head of a branch, or None. A loose ref is a file with the SHA; of any other kind git is asked."""
        loose = name and ".." not in name and not name.startswith("/")
        try:
            written = (repository / "refs" / "heads" / name).read_text().strip() if loose else ""
        except (OSError, ValueError):
            written = ""
        return written if _COMMIT.fullmatch(written) else await self.resolve(repository, f"refs/heads/{name}")

    async def contains(self, repository: Path, ancestor: str, descendant: str) -> bool:
        """Whether `ancestor` is part of the history of `descendant`."""
        code, _, _ = await self.attempt(repository, "merge-base", "--is-ancestor", ancestor, descendant)
        return code == 0

    async def merge_base(self, repository: Path, one: str, other: str) -> str | None:
        """Where two histories parted, or None when they have nothing in common."""
        asked = repository, one, other
        if asked in self._parted:
            return self._parted[asked]
        code, out, _ = await self.attempt(repository, "merge-base", one, other)
        found = out.decode().strip() if code == 0 else None
        if found and _COMMIT.fullmatch(one) and _COMMIT.fullmatch(other):
            self._parted[asked] = found
        return found

    async def merge_tree(self, repository: Path, ours: str, theirs: str) -> str | None:
        """The tree of a merge, or None on a conflict."""
        code, out, err = await self.attempt(repository, "merge-tree", "--write-tree", ours, theirs)
        if code > 1:
            raise GitError(err.decode(errors="replace"))
        return out.decode().splitlines()[0] if code == 0 else None

    async def commit_tree(
        self,
        repository: Path,
        tree: str,
        parents: Iterable[str],
        message: str,
        author: Signature,
        committer: Signature | None = None,
    ) -> str:
        """Make a commit of a tree; nothing points to it yet."""
        by = committer or author
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": author.date.isoformat(),
            "GIT_COMMITTER_NAME": by.name,
            "GIT_COMMITTER_EMAIL": by.email,
            "GIT_COMMITTER_DATE": by.date.isoformat(),
        }
        flags = [word for parent in parents for word in ("-p", parent)]
        return await self.run(repository, "commit-tree", tree, *flags, stdin=message.encode(), env=env)

    async def write(
        self,
        repository: Path,
        ref: str,
        parent: str | None,
        files: Mapping[str, str | bytes | None],
        message: str,
        author: Signature,
    ) -> str:
        """Put a commit upon `parent` with `files` laid over it (None takes one away), and `ref` on it; the SHA.

        The ref is moved whatever it was before: whoever calls this holds the repository's lock.
        """
        stamp = f"{author.name} <{author.email}> {int(author.date.timestamp())} +0000"
        lines = [f"commit {ref}\nmark :1\ncommitter {stamp}\n".encode(), _data(message.encode())]
        if parent:
            lines.append(f"from {parent}\n".encode())
        for path, content in files.items():
            quoted = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            if content is None:
                lines.append(f'D "{quoted}"\n'.encode())
                continue
            raw = content.encode() if isinstance(content, str) else content
            mode = "100755" if raw.startswith(b"#!") else "100644"
            lines += [f'M {mode} inline "{quoted}"\n'.encode(), _data(raw)]
        lines.append(b"get-mark :1\n")
        return await self.run(repository, "fast-import", "--quiet", "--force", "--cat-blob-fd=1", stdin=b"".join(lines))

    async def update_ref(self, repository: Path, ref: str, new: str, old: str) -> bool:
        """Move a ref from `old` to `new` (ZERO: create, delete); False when it was not at `old`."""
        command = ("-d", ref, old) if new == ZERO else (ref, new, old)
        code, _, _ = await self.attempt(repository, "update-ref", *command)
        return code == 0

    async def commits(self, repository: Path, *revisions: str) -> list[Commit]:
        """What `git log` lists for `revisions`, newest first."""
        asked = repository, revisions
        if asked in self._listed:
            return list(self._listed[asked])
        out = await self.run(repository, "log", "-z", f"--format={_FIELDS}", *revisions, "--")
        found = [_commit(record) for record in out.split("\0") if record.strip()]
        self._commits.update({commit.sha: commit for commit in found})
        if all(_HISTORY.fullmatch(one) for one in revisions):
            self._listed[asked] = list(found)
        return found

    async def commit(self, repository: Path, sha: str) -> Commit:
        """One commit by its full SHA."""
        if sha not in self._commits:
            await self.commits(repository, "-1", sha)
        return self._commits[sha]

    async def count(self, repository: Path, revisions: str) -> int:
        """How many commits a range holds."""
        return int(await self.run(repository, "rev-list", "--count", revisions, "--"))

    async def diff(self, repository: Path, base: str, head: str, *options: str) -> str:
        """The unified diff of two commits, as they stand."""
        return await self.run(repository, *_PLAIN, "diff", "--no-color", "--no-ext-diff", *options, base, head, "--")

    async def text(self, repository: Path, revision: str, path: str) -> bytes | None:
        """The content of a file at a revision, or None."""
        code, out, _ = await self.attempt(repository, "cat-file", "blob", f"{revision}:{path}")
        return out if code == 0 else None


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _commit(record: str) -> Commit:
    sha, tree, parents, name, email, date, committer, committer_email, committed, message = record.split("\x1f", 9)
    return Commit(
        sha.strip(),
        tree,
        tuple(parents.split()),
        Signature(name, email, datetime.fromisoformat(date)),
        Signature(committer, committer_email, datetime.fromisoformat(committed)),
        message.rstrip("\n"),
    )
