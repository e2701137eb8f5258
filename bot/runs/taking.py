"""What an agent left becomes one commit of the service's on top of the branch; pushing it is the caller's."""

import hashlib
from collections.abc import Mapping
from typing import Any

from bot.git.bundle import Rejected
from bot.git.commit import commit_file, squash
from bot.machine import plan
from bot.runs import branch
from bot.runs.contract import Ending, RunSpec
from bot.runs.order import Start, WorkOrder, ended
from bot.runs.runner import Handover
from bot.runs.settings import take_bundle

AGENTS_OWN = branch.AGENTS_OWN


async def take_files(
    start: Start, handed: Handover, *, message: str, trailers: Mapping[str, str], drop: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The agent's files as one commit: its `head` and which of the paths are `protected`.

    Nothing where the agent changed nothing besides `drop`, which stays as on the branch; a `work_failed` when what it
    left is refused.
    """
    if handed.bundle is None:
        return {}
    order, mirror = start.order, start.mirror
    imported = await take_bundle(mirror, handed.bundle, order.run.run_id, start.commit, start.trunk, bars=start.bars)
    if isinstance(imported, Rejected):
        return refused(imported)
    head = await squash(
        mirror,
        start.commit,
        imported.commit,
        message=message,
        author=start.access.author,
        trailers=trailers,
        drop=(AGENTS_OWN, *drop),
        at=order.ordered_at,
    )
    return {} if head == start.commit else {"head": head, "protected": list(imported.protected)}


async def take_document(start: Start, handed: Handover) -> dict[str, Any]:
    """The document that the outcome carries, committed where its ticket keeps it, and where people find it."""
    order = start.order
    content = str((handed.result.outcome or {}).get("document", "")).encode()
    research = order.run.prompt == "research"
    known, folder = (order.research_path, "research") if research else (order.plan_path, "plans")
    path = known or f"thoughts/shared/{folder}/{order.ordered_at:%Y-%m-%d}-{order.run.task_id}.md"
    head = await commit_file(
        start.mirror,
        start.commit,
        path,
        content,
        message=f"{order.run.task_id}: {order.run.prompt}",
        author=start.access.author,
        at=order.ordered_at,
    )
    digest = hashlib.sha256(content).hexdigest() if research else plan.read(branch.as_text(content)).digest
    document = {"path": path, "digest": digest, "commit": head}
    return {"head": head, "document": document, "document_url": f"{start.access.page}/blob/{head}/{path}"}


async def with_research(start: Start) -> RunSpec:
    """The run with the document that it builds upon."""
    order: WorkOrder = start.order
    if not order.research_path or order.run.prompt != "plan":
        return order.run
    found = await start.mirror.read(start.commit, order.research_path) or b""
    variables = {**order.run.variables, "research": found.decode(errors="replace")}
    return order.run.model_copy(update={"variables": variables})


def refused(rejected: Rejected) -> dict[str, Any]:
    """The result of a run whose commits may not come in."""
    return ended(Ending.WORK_FAILED, f"its commits were refused: {'; '.join(rejected.reasons)}")
