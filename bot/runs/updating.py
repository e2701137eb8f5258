"""Bring a branch up to date with its base: no agent, no model, only git.

A branch that nobody but the service wrote to is rebased when what it stood on came into the base as other commits, so
that no commit is there twice. To every other branch the base is merged: it is only ever added to.
"""

from typing import Any

from bot.git.commit import Conflict, carried, merge
from bot.git.rebase import own_commits, replay
from bot.machine.errors import Refused
from bot.runs.contract import Ending
from bot.runs.order import Start, ended


async def update(start: Start) -> dict[str, Any]:
    """The branch's new `head`, to be pushed, and `carried` (its tip before and after); or the `conflict`.

    `unchanged` says that the base is contained already, or that the branch itself is contained in the base.

    Raises:
        Refused: the branch is gone.
    """
    order, mirror, tip = start.order, start.mirror, start.commit
    if start.old is None:
        raise Refused(f"the branch {order.branch} is gone")
    if await mirror.descends(tip, start.base) or await mirror.descends(start.base, tip):
        return {**ended(Ending.SUCCESS), "unchanged": True}
    if order.upstream and not order.about.get("must") and await mirror.descends(start.base, order.upstream):
        return {**ended(Ending.SUCCESS), "unchanged": True}  # what it stood on came into the base as it was
    head: str | Conflict | None = await _rebased(start)
    if head is None:
        message = f"Merge {order.base} into {order.branch}"
        head = await merge(mirror, tip, [start.base], message=message, author=start.access.author, at=order.ordered_at)
    if isinstance(head, Conflict):
        clash = {"paths": list(head.paths), "with": order.base, "commit": start.base}
        return {**ended(Ending.SUCCESS), "conflict": clash}
    return {**ended(Ending.SUCCESS), "head": head, "carried": [tip, head]}


async def _rebased(start: Start) -> str | None:
    """The branch's own commits on top of its base; None when they can't be taken there, or must not be.

    Besides the tip, every single commit must be the service's: its last push may have gone on top of a person's.
    """
    order, mirror, author = start.order, start.mirror, start.access.author
    if start.commit != order.head or not order.upstream or not await mirror.descends(start.commit, order.upstream):
        return None
    commits = await own_commits(mirror, start.commit, order.upstream)
    if any(len(one.parents) != 1 or one.committer != author.email for one in commits):
        return None
    head = await replay(mirror, commits, onto=start.base, author=author, at=order.ordered_at)
    if isinstance(head, Conflict) or head == start.base:
        return None  # with nothing left of its own the pull request would be closed by the push
    whole = await carried(mirror, start.commit, upstream=order.upstream, onto=start.base)
    return head if whole.clean and await mirror.tree(head) == whole.tree else None
