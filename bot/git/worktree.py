"""A worktree by hand, in the user's own repository and with the user's own git: `callboard worktree create|cleanup`."""

import asyncio
import os
import shutil
from pathlib import Path

from bot.git.command import GitError, Result, run
from bot.git.names import checked
from bot.machine.errors import UserError

TREES = ".trees"
CARRIED = ".claude"
THOUGHTS = ("thoughts/shared/research", "thoughts/shared/plans")
_INHERITED_STATE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


async def create(branch: str, base: str = "main", *, repository: Path) -> Path:
    """Make `.trees/<branch>` a worktree on the new branch `branch` from `base`; returns its path.

    The repository's `.claude` folder comes along as a copy, and the folders for thoughts are made. `.trees/` is
    noted in `.git/info/exclude`, so that git does not take worktrees for files.

    Raises:
        UserError: no repository, a bad name, or the branch, its folder or the base is not as needed.
    """
    root = await _root(repository)
    path = root / TREES / checked(branch)
    if path.exists():
        raise UserError(f"{path} is already there: clean it up first with `callboard worktree cleanup {branch}`.")
    if await _has_commit(root, f"refs/heads/{branch}"):
        raise UserError(f"The branch {branch} exists already: choose another name, or delete it first.")
    if not await _has_commit(root, base):
        raise UserError(f"There is no branch or commit {base!r} to start from: name one with --base.")
    await _exclude(root)
    try:
        await _git(root, "worktree", "add", "--quiet", "-b", branch, str(path), base)
    except GitError as error:
        raise UserError(f"git could not make the worktree: {error.message.strip()}") from error
    await asyncio.to_thread(_furnish, root, path)
    return path


async def cleanup(branch: str, *, repository: Path, force: bool = False) -> Path:
    """Remove the worktree of `branch` (the branch itself stays); returns the path that is gone.

    Raises:
        UserError: there is no such worktree; or it holds work that is not committed, and `force` is not set.
    """
    root = await _root(repository)
    path = root / TREES / checked(branch)
    listed = (await _git(root, "worktree", "list", "--porcelain", "-z")).fields
    if f"worktree {path}" not in listed:
        raise UserError(f"There is no worktree for {branch} at {path}.")
    if path.exists() and not force and (open_work := await _uncommitted(path)):
        raise UserError(
            f"{path} holds work that is not committed ({', '.join(open_work[:5])}): commit it, or add --force."
        )
    await _git(root, "worktree", "remove", "--force", str(path))
    _remove_empty(path.parent, root / TREES)
    return path


async def _root(repository: Path) -> Path:
    """The main worktree, also when called from another one or from a folder inside."""
    try:
        listed = await _git(repository, "worktree", "list", "--porcelain", "-z")
    except GitError as error:
        raise UserError(f"{repository} is not in a git repository.") from error
    if "bare" in listed.fields[:3]:
        raise UserError(f"{repository} belongs to a bare repository, which has no place for worktrees.")
    return Path(listed.fields[0].removeprefix("worktree "))


async def _has_commit(root: Path, name: str) -> bool:
    if name.startswith("-"):
        return False
    found = await _git(root, "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}", accept=(0, 1, 128))
    return found.code == 0


async def _exclude(root: Path) -> None:
    common = Path((await _git(root, "rev-parse", "--path-format=absolute", "--git-common-dir")).line)
    file = common / "info" / "exclude"
    file.parent.mkdir(exist_ok=True)
    lines = file.read_text().splitlines() if file.exists() else []
    if f"/{TREES}/" not in lines:
        file.write_text("\n".join([*lines, f"/{TREES}/", ""]))


def _furnish(root: Path, path: Path) -> None:
    if (root / CARRIED).is_dir():
        shutil.copytree(root / CARRIED, path / CARRIED, symlinks=True, dirs_exist_ok=True)
    for folder in THOUGHTS:
        (path / folder).mkdir(parents=True, exist_ok=True)


async def _uncommitted(path: Path) -> list[str]:
    """Paths with work in them; the copied folder doesn't count."""
    status = await _git(path, "status", "--porcelain", "--untracked-files=all", "--no-renames", "-z")
    return [entry[3:] for entry in status.fields if not entry[3:].startswith(f"{CARRIED}/")]


def _remove_empty(folder: Path, until: Path) -> None:
    while folder != until and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


async def _git(folder: Path, *arguments: str, accept: tuple[int, ...] = (0,)) -> Result:
    environment = {name: value for name, value in os.environ.items() if name not in _INHERITED_STATE}
    return await run(("git", *arguments), environment | {"LC_ALL": "C"}, accept=accept, cwd=folder)
