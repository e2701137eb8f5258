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

from pydantic import BaseModel, ConfigDict, JsonValue

from bot.git import checkout
from bot.git.bundle import Rejected, import_bundle
from bot.git.commit import Author, Conflict, commit_file, merge, squash
from bot.git.mirror import Mirror, Pushed
from bot.machine import plan
from bot.machine.errors import Refused, Transient
from bot.machine.loop import Receipt
from bot.runs import branch
from bot.runs.contract import WRITERS, Ending, RunResult, RunSpec
from bot.runs.implementing import Hands, Implementation, NotMine, Rules
from bot.runs.runner import Handover


@dataclass(frozen=True)
class Access:
    """How to reach one repository now: where to clone, where people look at it, a token for this moment."""

    clone_url: str
    page: str
    token: str | None
    author: Author
    """In whose name the service commits there."""
    local: bool = False
    """The repository is on this machine, and its working tree follows what is pushed."""


class LoopOrder(BaseModel):
    """What the implementation loop is told besides the plan.

    `agents` says, by the prompt of a step, which fields of the run's spec are others there. `resume`: a person had
    a say since it stood still. `wishes` are the ids of what people said that the run is told. `skipped` are phases to
    leave out.
    """

    model_config = ConfigDict(frozen=True)

    max_retries: int = 3
    verify_all: bool = False
    verify_minutes: float = 20
    resume: bool = False
    wishes: tuple[str, ...] = ()
    skipped: frozenset[int] = frozenset()
    agents: Mapping[str, Mapping[str, JsonValue]] = {}


class WorkOrder(BaseModel):
    """What the engine carries for a worker: the run, and where its work stands and goes.

    `about` comes back unchanged in every result. `head` is the commit that the service pushed last to the branch: when
    the tip is another one, a person pushed. `upstream`, for the prompt "update": the commit that the branch stood on
    before its base changed, empty when nobody knows; what follows it is the branch's own.
    """

    model_config = ConfigDict(frozen=True)

    run: RunSpec
    loop: LoopOrder = LoopOrder()
    repository: str
    branch: str
    base: str
    merges: tuple[str, ...] = ()
    plan_digest: str = ""
    research_path: str = ""
    plan_path: str = ""
    about: Mapping[str, JsonValue] = {}
    head: str = ""
    upstream: str = ""
    ordered_at: datetime


class Lease(Protocol):
    """The right to change the world for one run."""

    async def still_mine(self) -> bool:
        """Ask the store."""


class Runner(Protocol):
    """Programs in a checkout, behind walls (see `bot/runs/agents.py`)."""

    async def run(self, spec: RunSpec, *, tree: Path, mirror: Path, base_commit: str) -> Handover:
        """Run an agent to its end; never raises for what the agent does."""

    async def verify(
        self, commands: tuple[str, ...], folder: str, /, *, tree: Path, mirror: Path, minutes: float
    ) -> tuple[Receipt, ...]:
        """Run commands one after another, each for so many minutes at most; never raises for what they do."""


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

    def __init__(self, folder: Path, *, access: Callable[[str], Awaitable[Access]], runner: Runner) -> None:
        self._folder = folder
        self._access = access
        self._runner = runner
        self._mirrors: dict[str, Mirror] = {}
        self._spent: dict[str, float] = {}
        """US dollars by run: what an agent cost is owed also when its work could not be pushed."""

    async def work(self, order: WorkOrder, lease: Lease) -> Mapping[str, Any]:
        """Do one run; the result is plain JSON: a RunResult and what became of the branch.

        Every result says what the run was `about`. One that had to do with a branch says where that stands: `head`,
        and `base_at`, the commit of the base that it contains. Failures outside end as `transport_failed`, a refusal as
        `work_failed`, each with the reason.
        """
        run, about = order.run.run_id, {"about": dict(order.about)}
        try:
            result = await self._work(order, lease)
            return {**result, **await self._where(order, result), **about}
        except Transient as error:
            ended = _ended(Ending.TRANSPORT_FAILED, str(error))
        except NotMine:
            ended = _ended(Ending.STOPPED, "the run is no longer this worker's")
        except Refused as error:
            ended = _ended(Ending.WORK_FAILED, str(error))
        finally:
            spent = self._spent.pop(run, 0.0)
        return ended | {"cost_usd": spent} | about

    async def _where(self, order: WorkOrder, result: Mapping[str, Any]) -> Mapping[str, str]:
        """Where the branch stands; nothing while there is none."""
        mirror = self._mirrors[order.repository]
        head, base = result.get("head") or await mirror.tip(order.branch), await mirror.tip(order.base)
        if not head:
            return {}
        shared = await mirror.fork(head, base) if base else None
        return {"head": head} | ({"base_at": shared} if shared else {})

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
        if order.run.prompt == "implement":
            return await self._implement(mirror, order, start, lease, access)
        spec = await _with_research(mirror, order, start)
        handed = await self._run(mirror, order, spec, start, start.commit)
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

    async def _implement(
        self, mirror: Mirror, order: WorkOrder, start: _Start, lease: Lease, access: Access
    ) -> Mapping[str, Any]:
        """Go on with the plan, as far as one agent gets."""
        wanted = order.loop
        base = start.base if start.base != start.commit else None
        place = branch.Place(order.run.task_id, order.branch, order.plan_path, base, access.author, order.ordered_at)
        standing = await branch.read(mirror, place, start.commit, wanted.wishes)
        problem = _unfit(order, standing)
        if standing is None or problem is not None:
            return problem or {}

        async def run_agent(spec: RunSpec, commit: str) -> Handover:
            spec = spec.model_copy(update=dict(wanted.agents.get(spec.prompt, {})))
            return await self._run(mirror, order, spec, start, commit)

        async def verify(commands: tuple[str, ...], commit: str) -> tuple[Receipt, ...]:
            tree = await self._checkout(mirror, order, start, commit)
            folder = f"{order.run.run_id}-verify-{commit[:12]}"
            minutes = wanted.verify_minutes
            return await self._runner.verify(commands, folder, tree=tree, mirror=mirror.path, minutes=minutes)

        async def token() -> str | None:
            return (await self._access(order.repository)).token  # the run may have outlived the first one

        rules = Rules(wanted.max_retries, wanted.verify_all, wanted.resume, wanted.skipped)
        hands = Hands(run_agent, verify, lease.still_mine, token)
        return await Implementation(mirror, place, order.run, rules, hands, start.old).go_on(standing)

    async def _run(self, mirror: Mirror, order: WorkOrder, spec: RunSpec, start: _Start, commit: str) -> Handover:
        tree = await self._checkout(mirror, order, start, commit)
        handed = await self._runner.run(spec, tree=tree, mirror=mirror.path, base_commit=commit)
        self._spent[order.run.run_id] = handed.result.cost_usd
        return handed

    async def _checkout(self, mirror: Mirror, order: WorkOrder, start: _Start, commit: str) -> Path:
        """A fresh checkout of a commit, in the ticket's own folder."""
        tree = self._tree(order.repository, order.branch)
        await checkout.make(mirror, order.branch, commit, tree, others={order.base: start.base})
        return tree

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
        """The agent's files as one commit of ours."""
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
        digest = plan.read(branch.as_text(content)).digest if order.run.prompt == "plan" else _digest(content)
        document = {"path": path, "digest": digest, "commit": head}
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
            known = self._mirrors[repository] = Mirror(path, access.clone_url, local=access.local)
        return known

    def _tree(self, repository: str, branch: str) -> Path:
        return self._folder / repository / ".trees" / branch


async def _with_research(mirror: Mirror, order: WorkOrder, start: _Start) -> RunSpec:
    """The run with the document that it builds upon."""
    if not order.research_path or order.run.prompt != "plan":
        return order.run
    found = await mirror.read(start.commit, order.research_path) or b""
    variables = {**order.run.variables, "research": found.decode(errors="replace")}
    return order.run.model_copy(update={"variables": variables})


def _unfit(order: WorkOrder, standing: branch.Standing | None) -> dict[str, Any] | None:
    """Why the plan on the branch can't be gone on with: it is missing, can't be run, or isn't what was approved."""
    if standing is None:
        return _asks(
            f"There is no plan at `{order.plan_path}` on `{order.branch}`. Put it there, or move the ticket back to"
            " where plans are made; then reply `retry`."
        )
    found = standing.progress.plan
    if order.plan_digest and found.digest != order.plan_digest:
        changed = {"path": order.plan_path, "digest": found.digest, "commit": standing.tip}
        return {**_ended(Ending.SUCCESS, ""), "changed_plan": changed}
    wrong = [f"line {one.line}: {one.message}" for one in found.findings if one.fatal]
    if wrong:
        return _asks(
            f"The plan at `{order.plan_path}` can't be run: {' '.join(wrong)} Mend it on `{order.branch}`, then reply"
            " `retry`."
        )
    return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _conflict(order: WorkOrder, conflict: Conflict) -> Mapping[str, Any]:
    where = f"{conflict.other[:12]} clashes in {', '.join(conflict.paths)}"
    question = (
        f"The branches that {order.run.task_id} builds upon don't merge by themselves: {where}. "
        f"Please merge them into `{order.base}` by hand and push it, then reply `retry`."
    )
    return _asks(question)


def _asks(question: str) -> dict[str, Any]:
    return {**_ended(Ending.NEEDS_INPUT, question), "outcome": {"question": question, "options": []}}


def _ended(kind: Ending, error: str) -> dict[str, Any]:
    return RunResult(kind=kind, error=error, summary=error).model_dump(mode="json", exclude_defaults=True) | {
        "kind": str(kind)
    }
