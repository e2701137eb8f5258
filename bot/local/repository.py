"""The user's own repository, looked at with the user's own git.

Nothing is written here but a line in `.git/info/exclude` and the lock; commits arrive by the loop's pushes, which move
the branch and a clean working tree together. Files that git doesn't know don't count as changes: a push leaves them
alone, and refuses when a new file would overwrite one.
"""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.alone import alone
from bot.git.command import GitError, Result, run
from bot.git.commit import Author
from bot.git.mirror import WORK
from bot.git.names import checked
from bot.machine import protected
from bot.machine.errors import UserError

FOLDER = ".callboard"
"""Where everything of ours lies, below the repository's root."""
POLICY = "callboard.toml"
STRANGER = Author("Callboard", "callboard@callboard.invalid")
"""Whose name commits bear where the user has told git none."""
_INHERITED_STATE = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
)
_NOTHING_IN_HAND = "nothing in hand"


@dataclass(frozen=True)
class Repository:
    """A repository with a branch checked out, and a plan in its working tree."""

    root: Path
    common: Path
    """The git directory that all worktrees share."""
    branch: str
    head: str
    plan_path: str
    """From the root."""
    named: str
    """The plan as the user named it, quoted for a shell."""

    @property
    def folder(self) -> Path:
        """Where everything of ours lies."""
        return self.root / FOLDER

    @property
    def ticket(self) -> str:
        """What stands for a ticket in the trailers of commits: the name of the plan's file."""
        return re.sub(r"[^\w.-]+", "-", Path(self.plan_path).stem).strip("-.") or "plan"

    @property
    def content(self) -> bytes:
        """The plan as it stands in the working tree."""
        return (self.root / self.plan_path).read_bytes()

    @property
    def work(self) -> str:
        """The ref that holds the work in hand."""
        return f"{WORK}{self.branch}"

    async def descends(self, ancestor: str) -> bool:
        """Whether a commit is the branch's tip or one before it; False also when it is unknown here."""
        found = await _git(self.root, "merge-base", "--is-ancestor", ancestor, self.head, accept=(0, 1, 128))
        return found.code == 0

    async def changes(self) -> list[str]:
        """Tracked files that differ from the last commit."""
        status = await _git(
            self.root, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules", "--no-renames", "-z"
        )
        return [entry[3:] for entry in status.fields]

    async def author(self) -> Author:
        """The user, as git knows them: it is their repository."""
        name, email = [
            os.environ.get(f"GIT_AUTHOR_{key.upper()}")
            or (await _git(self.root, "config", "--get", f"user.{key}", accept=(0, 1))).line
            for key in ("name", "email")
        ]
        return Author(name, email) if name and email else STRANGER

    async def obstacles(self) -> list[str]:
        """What keeps a run from starting here, one sentence each, most important first."""
        found = []
        known = (await _git(self.root, "cat-file", "-e", f"{self.head}:{self.plan_path}", accept=(0, 1, 128))).code == 0
        if not known:
            found.append(
                f"{self.named} is not committed on {self.branch}: `git add {self.named}` and `git commit` it first."
            )
        if changed := [one for one in await self.changes() if known or one != self.plan_path]:
            names = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
            found.append(f"The working tree has changes that are not committed ({names}): commit or stash them first.")
        if (await _git(self.root, "rev-parse", "--is-shallow-repository")).line == "true":
            found.append("This is a shallow clone, whose history can't be copied: `git fetch --unshallow` first.")
        return found + await self._others()

    async def _others(self) -> list[str]:
        """Another plan's unfinished work on this branch; two can't be in hand at once."""
        seen = await _git(self.root, "log", "-1", "--format=%s", self.work, accept=(0, 128))
        ticket, _, about = seen.line.partition(": ")
        if seen.code or ticket == self.ticket or about == _NOTHING_IN_HAND:
            return []
        return [
            f"Another plan ({ticket}) is in the middle of its {about} on {self.branch}: finish that one, work on"
            f" another branch, or give it up with `git update-ref -d {self.work}`."
        ]

    async def protected(self, commits: list[str]) -> list[str]:
        """Files changed by these commits that a person should look at: they can run code here, or loosen the walls."""
        if not commits:
            return []
        listed = await _git(self.root, "log", "--no-walk", "--format=", "--name-only", "--no-renames", "-z", *commits)
        paths = sorted({path.strip("\n") for path in listed.text.split("\0")} - {""})
        return list(protected.among(paths, (*protected.DEFAULT, POLICY)))


async def open_repository(file: Path) -> Repository:
    """The repository that the process works in, and the plan `file` in it.

    Raises:
        UserError: there is none, no branch is checked out, or the plan isn't a file in it.
    """
    here = Path.cwd()
    try:
        root = Path((await _git(here, "rev-parse", "--show-toplevel")).line)
    except GitError as error:
        if "dubious ownership" in error.message:
            raise UserError(f"git doesn't trust {here}, which belongs to somebody else: {_last(error)}") from error
        raise UserError(f"{here} is not in a git repository: go to the one that the plan is for.") from error
    named = shlex.quote(str(file))
    path = (here / file).resolve()
    if not path.is_file():
        raise UserError(f"There is no file {named}: name the plan's Markdown file.")
    if not path.is_relative_to(root):
        raise UserError(f"{named} lies outside of the repository {root}: put the plan into it and commit it there.")
    branch = (await _git(root, "symbolic-ref", "--quiet", "--short", "HEAD", accept=(0, 1))).line
    if not branch:
        raise UserError("No branch is checked out (HEAD is detached): `git switch` to the one that gets the commits.")
    tip = await _git(root, "rev-parse", "--quiet", "--verify", "HEAD^{commit}", accept=(0, 1, 128))
    if tip.code:
        raise UserError(f"The branch {branch} has no commit yet: commit something first, the plan for example.")
    common = Path((await _git(root, "rev-parse", "--path-format=absolute", "--git-common-dir")).line)
    plan_path = path.relative_to(root).as_posix()
    return Repository(root, common, checked(branch), tip.line, plan_path, named)


@contextmanager
def held(repository: Repository) -> Iterator[None]:
    """Make the folder of ours, which git overlooks, and be the only one who works there.

    Raises:
        UserError: somebody else does.
    """
    repository.folder.mkdir(mode=0o700, exist_ok=True)
    _exclude(repository.common)
    with alone(repository.folder / "plan.lock", "callboard plan"):
        yield


def _exclude(common: Path) -> None:
    file = common / "info" / "exclude"
    file.parent.mkdir(exist_ok=True)
    lines = file.read_text().splitlines() if file.exists() else []
    if f"/{FOLDER}/" not in lines:
        file.write_text("\n".join([*lines, f"/{FOLDER}/", ""]))


def _last(error: GitError) -> str:
    return (error.message.strip().splitlines() or [""])[-1].strip()


async def _git(folder: Path, *arguments: str, accept: tuple[int, ...] = (0,)) -> Result:
    environment = {name: value for name, value in os.environ.items() if name not in _INHERITED_STATE}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
    return await run(("git", "-c", "core.hooksPath=/dev/null", *arguments), environment, accept=accept, cwd=folder)
