"""Agent settings come from the base branch, never from the branch under work (S-43).

Whoever works on a branch, or verifies it, gets a checkout in which the files that agents obey stand as they are on the
repository's base branch: one commit on top of the branch's own, which is never pushed. What the branch itself changed
there is put back when the work is taken over, except where this very run changed it again. Such changes are protected
paths, so they reach the base branch only when a person names them.
"""

from datetime import UTC, datetime
from pathlib import Path

from bot.git.bundle import Bars, Imported, Limits, Rejected, import_bundle
from bot.git.checkout import AGENT
from bot.git.commit import commit_tree, tree_of
from bot.git.mirror import Mirror
from bot.machine import protected

_LIMITS = Limits()
_EPOCH = datetime.fromtimestamp(0, UTC)


async def as_on_base(mirror: Mirror, commit: str, trunk: str) -> str:
    """`commit` with the agent settings of `trunk` on top, always the same one; `commit` itself where they are equal."""
    paths = await _settings(mirror, commit, trunk)
    if not paths:
        return commit
    tree = await tree_of(mirror, commit, restore={trunk: paths})
    message = "Agent settings as on the base branch\n\nWhat this branch changed in them is put back afterwards."
    return await commit_tree(mirror, tree, (commit,), message=message, author=AGENT, at=_EPOCH)


async def take_bundle(
    mirror: Mirror, bundle: Path, run: str, commit: str, trunk: str, *, bars: Bars, limits: Limits = _LIMITS
) -> Imported | Rejected:
    """What a run made of `commit`, with the settings that it did not touch put back; raises as `import_bundle`."""
    shown = await as_on_base(mirror, commit, trunk)
    imported = await import_bundle(mirror, bundle, run, shown, bars=bars, limits=limits)
    if isinstance(imported, Rejected) or shown == commit:
        return imported
    left = await _untouched(mirror, imported.commit, commit, shown)
    tree = await tree_of(mirror, imported.commit, restore={commit: left})
    head = await commit_tree(mirror, tree, (commit,), message="The run's work", author=AGENT, at=_EPOCH)
    files = await mirror.differing(commit, head)
    return Imported(head, imported.commits, files, protected.among(files, bars.protected))


async def _untouched(mirror: Mirror, theirs: str, commit: str, shown: str) -> tuple[str, ...]:
    """The settings that were shown otherwise than `commit` has them, and that `theirs` left as they were shown."""
    changed = set(await mirror.differing(shown, theirs))
    return tuple(path for path in await mirror.differing(commit, shown) if path not in changed)


async def _settings(mirror: Mirror, commit: str, trunk: str) -> tuple[str, ...]:
    return protected.among(await mirror.differing(commit, trunk), protected.SETTINGS)
