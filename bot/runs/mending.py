"""Runs that mend an open pull request: repair failing checks, work a review in, resolve a conflict with the base.

Whatever the agent committed, the service adds one commit of its own to the branch; the plan file stays as it is there.
Of a conflict the service knows the outcome but for the paths that clash, so everything else must be exactly that: no
side loses anything because an agent merged carelessly.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from bot.git.bundle import Limits, Rejected, import_bundle
from bot.git.commit import Merged, commit_tree, merged, tree_of
from bot.machine import protected
from bot.machine.errors import Refused
from bot.runs.contract import Ending
from bot.runs.messages import one_line, paragraphs
from bot.runs.order import Start, ended
from bot.runs.runner import Handover
from bot.runs.settings import as_on_base
from bot.runs.taking import AGENTS_OWN, take_files
from bot.runs.taking import refused as rejected_by_service

Run = Callable[[], Awaitable[Handover]]
"""Let the agent work on the tip of the branch."""

_MARK = re.compile(rb"^(?:<{7}|>{7}|\|{7}) .*$", re.MULTILINE)
_SHOWN = 20
"""Paths that an error names at most."""
_ANY_NUMBER = Limits(files=1_000_000)
"""A merge brings all that changed in the base; what the agent may touch of it is examined path by path."""


async def mend(start: Start, run: Run) -> dict[str, Any]:
    """What the agent came to; with success also the `head` to be pushed, or `unchanged`.

    What a run left that asks or failed is not taken: the next one does it again.

    Raises:
        Refused: the branch is gone.
    """
    if start.old is None:
        raise Refused(f"the branch {start.order.branch} is gone")
    if start.order.about.get("kind") == "conflict":
        return await _resolve(start, run)
    handed = await run()
    result = handed.result.model_dump(mode="json")
    if handed.result.kind is not Ending.SUCCESS:
        return result
    summary = handed.result.summary
    message = f"{_subject(start, summary)}\n\n{paragraphs(summary)}".strip()
    kept = (start.order.plan_path,) if start.order.plan_path else ()
    taken = await take_files(start, handed, message=message, trailers=_trailers(start), drop=kept)
    return {**result, **(taken or {"unchanged": True})}


async def _resolve(start: Start, run: Run) -> dict[str, Any]:
    """One merge commit of the branch and its base; without an agent where nothing clashes (any more)."""
    mirror, tip = start.mirror, start.commit
    if await mirror.descends(tip, start.base):
        return {**ended(Ending.SUCCESS), "unchanged": True}
    expected = await merged(mirror, tip, start.base)
    if expected.clean:
        head = await _merge_commit(start, expected.tree, "")
        return {**ended(Ending.SUCCESS), "head": head, "carried": [tip, head]}
    handed = await run()
    result = handed.result.model_dump(mode="json")
    if handed.result.kind is not Ending.SUCCESS:
        return result
    if handed.bundle is None:
        return {**result, **ended(Ending.WORK_FAILED, f"origin/{start.order.base} was not merged: nothing was changed")}
    shown = await as_on_base(mirror, tip, start.trunk)
    imported = await import_bundle(
        mirror, handed.bundle, start.order.run.run_id, shown, bars=start.bars, limits=_ANY_NUMBER
    )
    if isinstance(imported, Rejected):
        return {**result, **rejected_by_service(imported)}
    tree = await _resolved_tree(start, imported.commit, expected)
    if reasons := [*await _strayed(start, tree, expected), *await _unresolved(start, tree, expected)]:
        return {**result, **ended(Ending.WORK_FAILED, " ".join(reasons))}
    head = await _merge_commit(start, tree, handed.result.summary)
    return {**result, "head": head, "protected": list(protected.among(expected.clashes, start.bars.protected))}


async def _resolved_tree(start: Start, theirs: str, expected: Merged) -> str:
    """The agent's files; the plan is the branch's, where it has one, and what agents leave for us is nobody's work."""
    plan = start.order.plan_path
    settings = protected.among(await start.mirror.differing(expected.tree, theirs), protected.SETTINGS)
    kept = tuple(path for path in settings if path not in expected.clashes)  # the run saw other ones there
    restore = {expected.tree: (AGENTS_OWN, *kept)}
    if plan and await start.mirror.read(start.commit, plan) is not None:
        restore[start.commit] = (plan,)
    return await tree_of(start.mirror, theirs, restore=restore)


async def _strayed(start: Start, tree: str, expected: Merged) -> list[str]:
    """What is otherwise than the merge gives it although it did not clash."""
    free = {*expected.clashes, start.order.plan_path}
    strayed = [path for path in await start.mirror.differing(expected.tree, tree) if path not in free]
    if not strayed:
        return []
    return [
        f"A merge of origin/{start.order.base} does not give these paths, and they did not clash: {_some(strayed)}."
    ]


async def _unresolved(start: Start, tree: str, expected: Merged) -> list[str]:
    """Where marks of the conflict were left; a line that one of the sides has already is none."""
    left = []
    for path in expected.clashes:
        ours, base, now = [await start.mirror.read(one, path) or b"" for one in (start.commit, start.base, tree)]
        known = {*_MARK.findall(ours), *_MARK.findall(base)}
        if path != start.order.plan_path and set(_MARK.findall(now)) - known:
            left.append(path)
    return [f"Marks of the conflict are left in {_some(left)}."] if left else []


async def _merge_commit(start: Start, tree: str, summary: str) -> str:
    order = start.order
    return await commit_tree(
        start.mirror,
        tree,
        (start.commit, start.base),
        message=f"Merge {order.base} into {order.branch}\n\n{paragraphs(summary)}".strip(),
        author=start.access.author,
        trailers=_trailers(start),
        at=order.ordered_at,
    )


def _subject(start: Start, summary: str) -> str:
    first = one_line(re.split(r"(?<=[.!?])\s|\n", summary.strip(), maxsplit=1)[0]) or start.order.run.title
    if start.order.run.prompt == "feedback":
        return one_line(f"Review: {first}")
    names = start.order.about.get("names")
    checks = ", ".join(str(one) for one in names) if isinstance(names, list) else ""
    return one_line(f"Repair: {checks or first}")


def _trailers(start: Start) -> dict[str, str]:
    return {"Callboard-Ticket": start.order.run.task_id, "Callboard-Run": start.order.run.run_id}


def _some(paths: list[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
