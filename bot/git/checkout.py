"""A checkout for one run: its own repository, made fresh from the mirror, that points nowhere outside.

It borrows the mirror's objects (as `git clone --shared` does), so it is made in a moment and small; the sandbox must
let the agent read `Mirror.path / "objects"`. Git runs in it here only before the agent gets it. Afterwards the service
does nothing with the folder but delete it.
"""

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from bot.git.command import git
from bot.git.commit import Author
from bot.git.mirror import Mirror
from bot.git.names import checked

EXCLUDED = ".callboard/"
"""The folder in a checkout where the agent leaves its outcome; git overlooks it."""

AGENT = Author("Callboard agent", "agent@callboard.invalid")


async def make(
    mirror: Mirror,
    branch: str,
    commit: str,
    path: Path,
    *,
    author: Author = AGENT,
    others: Mapping[str, str] | None = None,
) -> None:
    """Make `path` a checkout of `commit` on a branch named `branch`; what was there before is removed.

    `others` are branches and their commits that the agent may want to compare with; they appear as `origin/<name>`.

    Raises:
        GitError: the mirror has no such commit.
    """
    await remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    inside = path / ".git"
    await git("init", "--quiet", f"--initial-branch={checked(branch)}", str(path))
    for folder in ("info", "objects/info"):
        (inside / folder).mkdir(exist_ok=True)
    (inside / "objects/info/alternates").write_text(f"{(mirror.path / 'objects').absolute()}\n")
    (inside / "info/exclude").write_text(f"/{EXCLUDED}\n")
    for key, value in {"user.name": author.name, "user.email": author.email, "gc.auto": "0"}.items():
        await git("config", key, value, repository=inside)
    for name, at in (others or {}).items():
        await git("update-ref", f"refs/remotes/origin/{checked(name)}", at, repository=inside)
    await git("--work-tree", str(path), "reset", "--quiet", "--hard", commit, repository=inside)


async def remove(path: Path) -> None:
    """Delete a checkout, whatever an agent left there. Links are deleted, never followed."""
    await asyncio.to_thread(_remove, path)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, onerror=_try_with_permission)


def _try_with_permission(failed: Callable[..., object], name: str, error: tuple[type, BaseException, object]) -> None:
    """An agent may have taken its own rights away (`chmod 0`): give them back to the folder and try once more."""
    if not os.path.lexists(name):
        return
    folder = Path(name if failed in (os.open, os.scandir, os.lstat, os.listdir) else os.path.dirname(name))  # noqa: PTH120
    mode = folder.lstat().st_mode
    if not stat.S_ISDIR(mode) or mode & 0o700 == 0o700:
        raise error[1]
    folder.chmod(0o700)  # checked just above: a folder, not a link
    _remove(Path(name))
