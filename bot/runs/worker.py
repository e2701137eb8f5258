"""A worker: one run from its order to the pushed branch.

The service's own git works in its own mirror only; the agent gets a fresh checkout and hands back a bundle, which is
examined before anything of it counts. Right before the push the worker asks whether the run is still its own, so that
one which lost its lease changes nothing outside. What is pushed is the service's commit with the agent's files, never
the agent's commit.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from bot.git import checkout
from bot.git.bundle import Rejected, import_bundle
from bot.git.commit import Author, Conflict, commit_file, merge, squash
from bot.git.mirror import Mirror, Pushed
from bot.machine.errors import Refused, Transient
from bot.runs.contract import COMMIT_DUE, WRITERS, Ending, RunResult, RunSpec
from bot.runs.runner import Handover


@dataclass(frozen=True)
class Access:
    """How to reach one repository now: where to clone, where people look at it, a token for this moment."""

    clone_url: str
    page: str
    token: str | None
    author: Author
    """In whose name the service commits there."""


class WorkOrder(BaseModel):
    """What the engine carries for a worker: the run, and where its work stands and goes."""

    model_config = ConfigDict(frozen=True)

    run: RunSpec
    repository: str
    branch: str
    base: str
    merges: tuple[str, ...] = ()
    plan_digest: str = ""
    research_path: str = ""
    plan_path: str = ""
    ordered_at: datetime


class Lease(Protocol):
    """The right to change the world for one run."""

    async def still_mine(self) -> bool:
        """Ask the store."""


class RunAgent(Protocol):
    """Run an agent in a checkout (see `bot/runs/runner.py`)."""

    async def __call__(self, spec: RunSpec, *, tree: Path, mirror: Path, base_commit: str) -> Handover:
        """Run it to its end; never raises for what the agent does."""


@dataclass(frozen=True)
class _Start:
    commit: str
    """What the agent begins with."""
    old: str | None
    """Where the branch stands on the other side; None when there is none yet."""
    base: str
    """The commit of the base."""


class Worker:
    """Does runs. One object per process: it keeps one mirror per repository below `folder`."""

    def __init__(self, folder: Path, *, access: Callable[[str], Awaitable[Access]], run_agent: RunAgent) -> None:
        self._folder = folder
        self._access = access
        self._run_agent = run_agent
        self._mirrors: dict[str, Mirror] = {}

    async def work(self, order: WorkOrder, lease: Lease) -> Mapping[str, Any]:
        """Do one run; the result is plain JSON: a RunResult and what became of the branch.

        Failures outside end as `transport_failed`, a refusal as `work_failed`, each with the reason.
        """
        try:
            return await self._work(order, lease)
        except Transient as error:
            return _ended(Ending.TRANSPORT_FAILED, str(error))
        except Refused as error:
            return _ended(Ending.WORK_FAILED, str(error))

    async def clean_up(self, repository: str, branch: str) -> None:
        """Remove the checkout of a branch, whatever an agent left in it."""
        await checkout.remove(self._tree(repository, branch))

    async def _work(self, order: WorkOrder, lease: Lease) -> Mapping[str, Any]:
        access = await self._access(order.repository)
        mirror = self._mirror(order.repository, access)
        await mirror.fetch(access.token)
        start = await self._start(mirror, order, access)
        if isinstance(start, Conflict):
            return _conflict(order, start)
        spec, changed = await _with_documents(mirror, order, start)
        if changed is not None:
            return {**_ended(Ending.SUCCESS, ""), "changed_plan": changed}
        tree = self._tree(order.repository, order.branch)
        await checkout.make(mirror, order.branch, start.commit, tree, others={order.base: start.base})
        handed = await self._run_agent(spec, tree=tree, mirror=mirror.path, base_commit=start.commit)
        result = handed.result.model_dump(mode="json")
        if handed.result.kind is not Ending.SUCCESS or order.run.prompt == "breakdown":
            return result
        if order.run.prompt in WRITERS:
            made = await self._take_over(mirror, order, start, handed, access)
        else:
            made = await self._write_document(mirror, order, start, handed, access)
        if made.get("head") in (None, start.old):
            return {**result, **made}
        return await self._push(mirror, order, start, lease, {**result, **made})

    async def _start(self, mirror: Mirror, order: WorkOrder, access: Access) -> _Start | Conflict:
        base = await mirror.tip(order.base)
        if order.merges:
            tips = [tip for branch in order.merges if (tip := await mirror.tip(branch))]
            first, *others = [base, *tips] if base else tips
            merged = await merge(mirror, first, others, message=f"Base of {order.run.task_id}", author=access.author)
            if isinstance(merged, Conflict):
                return merged
            if await mirror.push(order.base, merged, base, access.token) is Pushed.MOVED:
                raise Transient(f"{order.base} moved while it was being made")
            base = merged
        if base is None:
            raise Transient(f"the base branch {order.base} is not there")
        old = await mirror.tip(order.branch)
        return _Start(commit=old or base, old=old, base=base)

    async def _take_over(
        self, mirror: Mirror, order: WorkOrder, start: _Start, handed: Handover, access: Access
    ) -> Mapping[str, Any]:
        """The agent's files as one commit of ours; nothing at all is a failure where a commit is due."""
        if handed.bundle is not None:
            imported = await import_bundle(mirror, handed.bundle, order.run.run_id, start.commit)
            if isinstance(imported, Rejected):
                return _ended(Ending.WORK_FAILED, f"its commits were refused: {'; '.join(imported.reasons)}")
            head = await squash(
                mirror,
                start.commit,
                imported.commit,
                message=f"{order.run.task_id}: {order.run.title}\n\n{handed.result.summary}".strip(),
                author=access.author,
                trailers={"Callboard-Run": order.run.run_id, "Callboard-Attempt": str(order.run.attempt)},
                at=order.ordered_at,
            )
            if head != start.commit:
                return {"head": head, "protected": list(imported.protected)}
        if order.run.prompt in COMMIT_DUE:
            return _ended(Ending.WORK_FAILED, "it said success and left no commit")
        return {"nothing_to_do": True}

    async def _write_document(
        self, mirror: Mirror, order: WorkOrder, start: _Start, handed: Handover, access: Access
    ) -> Mapping[str, Any]:
        """The document that the outcome carries, committed on the ticket's branch."""
        content = str((handed.result.outcome or {}).get("document", "")).encode()
        known = order.research_path if order.run.prompt == "research" else order.plan_path
        folder = "research" if order.run.prompt == "research" else "plans"
        path = known or f"thoughts/shared/{folder}/{order.ordered_at:%Y-%m-%d}-{order.run.task_id}.md"
        message = f"{order.run.task_id}: {order.run.prompt}"
        head = await commit_file(
            mirror, start.commit, path, content, message=message, author=access.author, at=order.ordered_at
        )
        document = {"path": path, "digest": _digest(content), "commit": head}
        return {"head": head, "document": document, "document_url": f"{access.page}/blob/{head}/{path}"}

    async def _push(
        self, mirror: Mirror, order: WorkOrder, start: _Start, lease: Lease, result: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        if not await lease.still_mine():
            return _ended(Ending.STOPPED, "the run is no longer this worker's")
        access = await self._access(order.repository)  # the run may have outlived the first token
        pushed = await mirror.push(order.branch, str(result["head"]), start.old, access.token)
        if pushed is Pushed.MOVED:
            raise Transient(f"somebody pushed to {order.branch} meanwhile; the work starts again on top of that")
        return result

    def _mirror(self, repository: str, access: Access) -> Mirror:
        known = self._mirrors.get(repository)
        if known is None or known.url != access.clone_url:
            path = self._folder / repository / "mirror.git"
            path.parent.mkdir(parents=True, exist_ok=True)
            known = self._mirrors[repository] = Mirror(path, access.clone_url)
        return known

    def _tree(self, repository: str, branch: str) -> Path:
        return self._folder / repository / ".trees" / branch


async def _with_documents(mirror: Mirror, order: WorkOrder, start: _Start) -> tuple[RunSpec, dict[str, str] | None]:
    """The run with the documents it builds upon; or the plan that stands there now, when it isn't the approved one."""
    variables = dict(order.run.variables)
    if order.research_path and order.run.prompt == "plan":
        variables["research"] = (await mirror.read(start.commit, order.research_path) or b"").decode(errors="replace")
    if order.plan_path and order.run.prompt == "implement":
        plan = await mirror.read(start.commit, order.plan_path) or b""
        if order.plan_digest and _digest(plan) != order.plan_digest:
            return order.run, {"path": order.plan_path, "digest": _digest(plan), "commit": start.commit}
        variables["plan"] = plan.decode(errors="replace")
    return order.run.model_copy(update={"variables": variables}), None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _conflict(order: WorkOrder, conflict: Conflict) -> Mapping[str, Any]:
    where = f"{conflict.other[:12]} clashes in {', '.join(conflict.paths)}"
    question = (
        f"The branches that {order.run.task_id} builds upon don't merge by themselves: {where}. "
        f"Please merge them into `{order.base}` by hand and push it, then reply `retry`."
    )
    return {**_ended(Ending.NEEDS_INPUT, question), "outcome": {"question": question, "options": []}}


def _ended(kind: Ending, error: str) -> dict[str, Any]:
    return RunResult(kind=kind, error=error, summary=error).model_dump(mode="json", exclude_defaults=True) | {
        "kind": str(kind)
    }
