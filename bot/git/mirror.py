"""The service's own bare copy of a repository: fetched from, read, and pushed from.

Branches here mirror the other side (`refs/heads/*`), and so do the refs of work in hand
(`refs/callboard/unfinished/*`); what runs made stands under `refs/callboard/runs/`. Objects that nothing points at stay
(`gc.auto` is 0): a commit made here may be pushed minutes later. Whatever writes refs of one mirror goes one after
another, also across processes; everything else only reads, or adds objects.
"""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot.git.command import GitError, Result, failure, git
from bot.git.names import checked
from bot.machine.errors import Refused

WORK = "refs/callboard/unfinished/"
"""Where the work in hand of each branch is kept: no branch, so nobody sees it and no check runs on it."""
_LOCAL = {"protocol.file.allow": "always", "fetch.fsckObjects": "false"}
"""A repository on this machine is trusted as it is; what runs bring into it is examined elsewhere."""
_OTHER_SIDE = "git -c 'safe.directory=*' -c core.hooksPath=/dev/null -c receive.denyCurrentBranch=updateInstead"
"""Git on a local other side. Its hooks may lie among the files that an agent's work changes, so none is run."""


class Pushed(StrEnum):
    """What became of a push. MOVED: the branch was not where we thought, and nothing was changed."""

    PUSHED = "pushed"
    MOVED = "moved"
    UNCHANGED = "unchanged"


@dataclass
class Mirror:
    """A bare repository at `path` that mirrors the one at `url`. Keep one object per repository.

    The other side is http or https; with `local` it is a repository on this machine, whose checked-out branch is pushed
    to together with its clean working tree, or not at all.
    """

    path: Path
    url: str
    local: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False, compare=False)

    async def git(
        self,
        *arguments: str,
        input: bytes | int | None = None,  # noqa: A002
        config: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        token: str | None = None,
        accept: Collection[int] = (0,),
        inherits: Collection[int] = (),
    ) -> Result:
        """Run git on this mirror; see `bot.git.command.git`."""
        return await git(
            *arguments,
            repository=self.path,
            input=input,
            config={**(_LOCAL if self.local else {}), **(config or {})},
            environment=environment,
            token=token,
            accept=accept,
            inherits=inherits,
        )

    async def fetch(self, token: str | None) -> None:
        """Bring every branch up to date, drop those that are gone; makes the mirror when there is none yet.

        Raises:
            Transient, Refused, GitError: as `bot.git.command.git`.
        """
        async with self._alone() as lock:
            await self._begin()
            await self.git(
                "fetch",
                "--quiet",
                "--prune",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--refmap=",
                *((f"--upload-pack={_OTHER_SIDE} upload-pack",) if self.local else ()),
                self.url,
                "+refs/heads/*:refs/heads/*",
                f"+{WORK}*:{WORK}*",
                token=token,
                inherits=(lock,),
            )

    async def obtain(self, commit: str, token: str | None) -> bool:
        """Whether this commit is here, or can be had from the other side, as long as that keeps it without a branch.

        Git's protocol 2 gives any commit by its id; GitHub does so for what was pushed over.

        Raises:
            Transient, Refused: as `bot.git.command.git`.
        """
        if await self.has(commit):
            return True
        arguments = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=", self.url, commit)
        result = await self.git(*arguments, token=token, accept=range(256))
        error = failure(arguments, result.code, result.message) if result.code else None
        if error is not None and not isinstance(error, GitError):
            raise error
        return error is None and await self.has(commit)

    async def keep(self, run: str, commit: str) -> None:
        """Remember here what a run made, as `refs/callboard/runs/<run>`."""
        await self._note(f"refs/callboard/runs/{checked(run)}", commit)

    async def tip(self, branch: str) -> str | None:
        """The commit at the tip of `branch`, as of the last fetch or push; None when there is no such branch."""
        result = await self.git("rev-parse", "--quiet", "--verify", f"refs/heads/{checked(branch)}", accept=(0, 1))
        return result.line or None

    async def work(self, branch: str) -> str | None:
        """The commit that holds the work in hand of `branch`, as of the last fetch or push; None when there is none."""
        result = await self.git("rev-parse", "--quiet", "--verify", f"{WORK}{checked(branch)}", accept=(0, 1))
        return result.line or None

    async def has(self, commit: str) -> bool:
        """Whether this commit is here."""
        return (await self.git("cat-file", "-e", f"{commit}^{{commit}}", accept=(0, 1, 128))).code == 0

    async def contains(self, commit: str, branch: str) -> bool:
        """Whether `commit` is on `branch`; False also when either is unknown here."""
        tip = await self.tip(branch)
        return tip is not None and await self.descends(tip, commit)

    async def descends(self, commit: str, ancestor: str) -> bool:
        """Whether `ancestor` is `commit` or one of those before it; False also when either is unknown here."""
        if not (await self.has(commit) and await self.has(ancestor)):
            return False
        return (await self.git("merge-base", "--is-ancestor", ancestor, commit, accept=(0, 1))).code == 0

    async def fork(self, commit: str, other: str) -> str | None:
        """The newest commit that both contain, one of them where there are more; None when they share nothing."""
        return (await self.git("merge-base", commit, other, accept=(0, 1))).line or None

    async def read(self, commit: str, path: str) -> bytes | None:
        """The content of a file in `commit`; None when there is no regular file at `path`, or no path."""
        if not path:
            return None
        for entry in (await self.git("ls-tree", "-z", commit, "--", path)).fields:
            about, _, name = entry.partition("\t")
            mode, _, blob = about.split(" ")
            if name == path and mode.startswith("100"):
                return (await self.git("cat-file", "blob", blob)).out
        return None

    async def tree(self, commit: str) -> str:
        """The id of a commit's files: the same for the same files."""
        return (await self.git("rev-parse", "--verify", f"{commit}^{{tree}}")).line

    async def differing(self, one: str, other: str) -> tuple[str, ...]:
        """The paths in which two commits (or trees) differ."""
        return tuple((await self.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", one, other)).fields)

    async def push(
        self, branch: str, commit: str, expected_old: str | None, token: str | None, *, rewrites: bool = False
    ) -> Pushed:
        """Put `branch` of the other side on `commit`, if it stands at `expected_old` (None: if it does not exist).

        A branch that is already at `commit` is UNCHANGED whatever was expected, so a push whose answer got lost may
        be sent again. What stands on the branch is only ever added to, except with `rewrites`: for a branch that
        nobody else pushed to, whose commits come again on top of another base.

        Raises:
            ValueError: commits of the branch would be lost, and it is not said to be rewritten.
            Refused: no right to push, or a rule of the other side forbids it; the message is its own.
            Transient, GitError: as `bot.git.command.git`.
        """
        ref = f"refs/heads/{checked(branch)}"
        if expected_old is not None and not rewrites and not await self.descends(commit, expected_old):
            raise ValueError(f"{commit} would drop commits of {branch}, which is at {expected_old}")
        return await self._send(ref, commit, expected_old, token)

    async def push_work(self, branch: str, commit: str | None, expected: str | None, token: str | None) -> Pushed:
        """Put the work in hand of `branch` on `commit`, or delete it (None). Raises as `push`."""
        if commit is None and expected is None:
            return Pushed.UNCHANGED
        return await self._send(f"{WORK}{checked(branch)}", commit, expected, token)

    async def drop_work(self, branch: str, token: str | None) -> Pushed:
        """Delete the work in hand of `branch` wherever it stands; nothing has to be fetched first. Raises as `push`."""
        ref = f"{WORK}{checked(branch)}"
        async with self._alone():
            await self._begin()
        found = (await self.git("ls-remote", "--refs", self.url, ref, token=token)).text
        return await self._send(ref, None, found.partition("\t")[0], token) if found else Pushed.UNCHANGED

    async def delete(self, branch: str, expected: str, token: str | None) -> Pushed:
        """Delete `branch` on the other side if it stands at `expected`; UNCHANGED when it is gone. Raises as `push`."""
        ref = f"refs/heads/{checked(branch)}"
        if not (await self.git("ls-remote", "--refs", self.url, ref, token=token)).out:
            await self._note(ref, None)
            return Pushed.UNCHANGED
        return await self._send(ref, None, expected, token)

    async def _send(self, ref: str, commit: str | None, expected: str | None, token: str | None) -> Pushed:
        arguments = (
            "push",
            "--porcelain",
            "--no-verify",
            "--no-follow-tags",
            *((f"--receive-pack={_OTHER_SIDE} receive-pack",) if self.local else ()),
            f"--force-with-lease={ref}:{expected or ''}",
            self.url,
            f"{commit or ''}:{ref}",
        )
        pushing = self.git(*arguments, token=token, accept=range(256))
        result = await (_whole(pushing) if self.local else pushing)
        said = (line for line in result.text.splitlines() if "\t" in line and line.split("\t")[1].endswith(f":{ref}"))
        line = next(said, "")
        if result.code and not line.startswith("!"):
            raise failure(arguments, result.code, result.message)
        if line.startswith("!"):
            return self._rejected(arguments, line, result)
        await self._note(ref, commit)
        return Pushed.UNCHANGED if line.startswith("=") else Pushed.PUSHED

    def _rejected(self, arguments: tuple[str, ...], line: str, result: Result) -> Pushed:
        reason = line.split("\t")[-1]
        lost_race = "stale info" in reason or "fetch first" in reason or "non-fast-forward" in reason
        if lost_race or "cannot lock ref" in reason + result.message or "failed to update ref" in reason:
            return Pushed.MOVED
        if "[remote rejected]" in reason:
            said = " ".join(part[7:].strip() for part in result.message.splitlines() if part.startswith("remote:"))
            raise Refused(f"The push was refused: {reason} {said}".strip()[:1000])
        raise GitError(arguments, result.code, f"{reason}\n{result.message}")

    async def _note(self, ref: str, commit: str | None) -> None:
        """Remember here what the other side has now, so that `tip` is right without a fetch.

        Not during a fetch: that one would find the branch elsewhere than where it began, or put it back to before.
        """
        change = ("update-ref", ref, commit) if commit else ("update-ref", "-d", ref)
        async with self._alone() as lock:
            await self.git(*change, inherits=(lock,))

    async def _begin(self) -> None:
        if (self.path / "HEAD").exists():
            return
        begun = self.path.with_name(f"{self.path.name}.new")  # moved when whole: a kill leaves no half of a repository
        shutil.rmtree(begun, ignore_errors=True)
        await git("init", "--quiet", "--bare", str(begun))
        begun.rename(self.path)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[int]:
        """Hold the lock on the refs here, an open file; a git that inherits it holds it for as long as it lives.

        So what an earlier git left locked is nobody's any more: git does not clean up when it is killed, and each later
        one would refuse to touch those refs for ever (measured, git 2.39: one in forty killed fetches).
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        async with self._turn:
            file = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
                for left in _left_locked(self.path):
                    left.unlink(missing_ok=True)
                yield file
            finally:
                os.close(file)


def _left_locked(repository: Path) -> Iterator[Path]:
    yield from (repository / name for name in ("packed-refs.lock", "packed-refs.new", "HEAD.lock", "config.lock"))
    yield from (repository / "refs").rglob("*.lock")


async def _whole(push: Coroutine[Any, Any, Result]) -> Result:
    """Finish a push even when cancelled meanwhile: it would leave half of its files in a working tree."""
    task, cancelled = asyncio.ensure_future(push), None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled
    return task.result()
