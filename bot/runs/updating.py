"""Bring a branch up to date with its base: no agent, no model, only git.

A branch that nobody but the service wrote to is rebased when what it stood on came into the base as other commits, so
that no commit is there twice. To every other branch the base is merged: it is only ever added to.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.git.commit import Conflict, carried, commit_tree, merged
from bot.git.rebase import Own, own_commits, replay
from bot.machine.errors import Refused
from bot.runs.contract import Ending
from bot.runs.order import Start, ended

LATEST = 4_102_444_800
"""2100, in seconds since 1970: well within what every program can read as a date."""


async def update(start: Start) -> dict[str, Any]:
    """The branch's new `head`, to be pushed, and `carried` (its tip before and after); or the `conflict`.

    `unchanged` says that the base is contained already, or the branch itself in the base; or, where the order is
    `about` nothing that `must` be, that what the branch stood on came into the base as it was: then the branch is right
    as it stands, and what people approved stays approved.

    Raises:
        Refused: the branch is gone.
    """
    order, mirror, tip = start.order, start.mirror, start.commit
    if start.old is None:
        raise Refused(f"the branch {order.branch} is gone")
    if order.head and tip != order.head and await _is_ours(start):
        return {**ended(Ending.SUCCESS), "head": tip, "carried": [order.head, tip]}
    if await mirror.descends(tip, start.base) or await mirror.descends(start.base, tip):
        return {**ended(Ending.SUCCESS), "unchanged": True}
    own = await _own(start)
    if own and not order.about.get("must", True) and await _landed_as_it_was(start):
        return {**ended(Ending.SUCCESS), "unchanged": True}
    head = await _rebased(start, own) or await _merged(start, own)
    if isinstance(head, Conflict):
        clash = {"paths": list(head.paths), "with": order.base, "commit": start.base}
        return {**ended(Ending.SUCCESS), "conflict": clash}
    return {**ended(Ending.SUCCESS), "head": head, "carried": [tip, head]}


async def _is_ours(start: Start) -> bool:
    """Whether the branch is what an earlier update made of it that was killed before it could say so.

    The same commits on the same base give the same ones again, to the last bit: their dates are those of what they are
    made of. So it is known even when the database, and with it the run, got lost.
    """
    if not await start.mirror.obtain(start.order.head, start.access.token):
        return False
    before = replace(start, commit=start.order.head)
    own = await _own(before)
    return start.commit == (await _rebased(before, own) or await _merged(before, own))


async def _newest(start: Start) -> datetime:
    """When the newest of what is brought together was committed. Commits may claim any date; LATEST is the last."""
    shown = await start.mirror.git("show", "--no-patch", "--format=%ct", start.commit, start.base)
    return datetime.fromtimestamp(min(LATEST, max(int(line) for line in shown.text.split())), UTC)


async def _own(start: Start) -> tuple[Own, ...]:
    """The branch's own commits; none when nobody knows where they begin."""
    upstream = start.order.upstream
    if not upstream or not await start.mirror.descends(start.commit, upstream):
        return ()
    return await own_commits(start.mirror, start.commit, upstream)


async def _landed_as_it_was(start: Start) -> bool:
    """Whether a merge brought what the branch stood on into the base; not when that itself only went on."""
    mirror, upstream = start.mirror, start.order.upstream
    if not await mirror.descends(start.base, upstream):
        return False
    since = await mirror.git("rev-list", "--first-parent", "--parents", start.base, f"^{upstream}")
    _, first, *_ = since.text.splitlines()[-1].split()
    return first != upstream


async def _rebased(start: Start, own: tuple[Own, ...]) -> str | None:
    """The branch's own commits on top of its base; None when they can't be taken there, or must not be.

    Besides the tip, every single commit must be the service's: its last push may have gone on top of a person's.
    """
    order, mirror, author = start.order, start.mirror, start.access.author
    if not own or start.commit != order.head:
        return None
    if any(len(one.parents) != 1 or one.committer != author.email for one in own):
        return None
    head = await replay(mirror, own, onto=start.base, author=author, at=await _newest(start))
    if isinstance(head, Conflict) or head == start.base:
        return None  # with nothing left of its own the pull request would be closed by the push
    whole = await carried(mirror, start.commit, upstream=order.upstream, onto=start.base)
    return head if whole.clean and await mirror.tree(head) == whole.tree else None


async def _merged(start: Start, own: tuple[Own, ...]) -> str | Conflict:
    """The base merged into the branch.

    Where that clashes only because what the branch stood on came into the base as other commits, the files are those
    that a rebase would give.
    """
    mirror = start.mirror
    found = await merged(mirror, start.commit, start.base)
    if not found.clean and own:
        without = await carried(mirror, start.commit, upstream=start.order.upstream, onto=start.base)
        found = without if without.clean else found
    if not found.clean:
        return Conflict(start.base, found.clashes)
    return await commit_tree(
        mirror,
        found.tree,
        (start.commit, start.base),
        message=f"Merge {start.order.base} into {start.order.branch}",
        author=start.access.author,
        at=await _newest(start),
    )
