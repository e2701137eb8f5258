"""A worker: one run from its order to the pushed branch.

The service's own git works in its own mirror only; the agent gets a fresh checkout and hands back a bundle, which is
examined before anything of it counts. Right before the push the worker asks whether the run is still its own, so that
one which lost its lease changes nothing outside. What is pushed is the service's commit with the agent's files, never
the agent's commit.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from bot.git import checkout
from bot.git.bundle import Bars
from bot.git.commit import Conflict, merge
from bot.git.mirror import WORK, Mirror, Pushed
from bot.machine import protected
from bot.machine.errors import Refused, Transient
from bot.machine.progress import Receipt
from bot.machine.secrets import SHAPED, without
from bot.runs import branch
from bot.runs.contract import WRITERS, Ending, RunResult, RunSpec
from bot.runs.implementing import Hands, Implementation, NotMine, Rules
from bot.runs.mending import mend
from bot.runs.messages import one_line, paragraphs
from bot.runs.order import Access, Lease, LoopOrder, Runner, Start, WorkOrder, asks, ended, nothing_new
from bot.runs.runner import Handover
from bot.runs.settings import as_on_base
from bot.runs.taking import take_document, take_files, with_research
from bot.runs.updating import update
from bot.storage import UNWRITABLE

__all__ = ["Access", "Lease", "LoopOrder", "Runner", "WorkOrder", "Worker"]

log = structlog.get_logger()


class Worker:
    """Does runs. One object per process: it keeps one mirror per repository below `folder`.

    `key` signs what is kept of unfinished work; without one (on a person's own machine) that is believed as it is.
    `secret` finds what no agent may say or hand over.
    """

    def __init__(
        self,
        folder: Path,
        *,
        access: Callable[[str], Awaitable[Access]],
        runner: Runner,
        key: str = "",
        secret: re.Pattern[str] = SHAPED,
    ) -> None:
        self._folder = folder
        self._key = key
        self._secret = secret
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
            failed = ended(Ending.TRANSPORT_FAILED, str(error))
        except NotMine:
            failed = ended(Ending.STOPPED, "the run is no longer this worker's")
        except Refused as error:
            failed = ended(Ending.WORK_FAILED, str(error))
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            failed = ended(Ending.TRANSPORT_FAILED, f"the data folder can't be written: {error.strerror}")
        finally:
            spent = self._spent.pop(run, 0.0)
        return failed | {"cost_usd": spent} | about

    async def leave(self, repository: str, branch: str) -> None:
        """Remove the checkout of a branch, whatever an agent left in it; what must be remembered stays."""
        await checkout.remove(self._tree(repository, branch))

    async def clean_up(self, repository: str, branch: str) -> None:
        """The work on a branch is over: remove its checkout, and its work in hand on the other side.

        That the other side does not answer, or refuses, is logged and does no harm: nobody sees that ref.
        """
        await self.leave(repository, branch)
        try:
            access = await self._access(repository)
            await self._mirror(repository, access).drop_work(branch, access.token)
        except (Transient, Refused) as error:
            log.warning("work in hand not deleted", repository=repository, branch=branch, reason=str(error))

    async def _where(self, order: WorkOrder, result: Mapping[str, Any]) -> Mapping[str, str]:
        """Where the branch stands; nothing while there is none."""
        mirror = self._mirrors[order.repository]
        head, base = result.get("head") or await mirror.tip(order.branch), await mirror.tip(order.base)
        if not head:
            return {}
        shared = await mirror.fork(head, base) if base else None
        return {"head": head} | ({"base_at": shared} if shared else {})

    async def _work(self, order: WorkOrder, lease: Lease) -> Mapping[str, Any]:
        access = await self._access(order.repository)
        mirror = self._mirror(order.repository, access)
        await mirror.fetch(access.token)
        start = await self._start(mirror, order, access)
        if isinstance(start, Conflict):
            return _conflict(order, start)
        match order.run.prompt:
            case "implement":
                return await self._implement(start, lease)
            case "update":
                result = await update(start)
            case "fix" | "feedback":
                result = await mend(start, lambda: self._run(start, lease, order.run, start.commit))
            case _:
                result = await self._once(start, lease)
        if result.get("head") in (None, start.old):
            return result
        return await self._push(start, lease, result)

    async def _once(self, start: Start, lease: Lease) -> dict[str, Any]:
        """A run whose agent writes a document, or files that become one commit."""
        run = start.order.run
        handed = await self._run(start, lease, await with_research(start), start.commit)
        result = handed.result.model_dump(mode="json")
        if handed.result.kind is not Ending.SUCCESS or run.prompt in ("breakdown", "concern"):
            return result
        if run.prompt not in WRITERS:
            return result | await take_document(start, handed)
        message = f"{run.task_id}: {one_line(run.title)}\n\n{paragraphs(handed.result.summary)}".strip()
        trailers = {"Callboard-Run": run.run_id, "Callboard-Attempt": str(run.attempt)}
        taken = await take_files(start, handed, message=message, trailers=trailers)
        return result | (taken or await self._nothing_new(start))

    async def _nothing_new(self, start: Start) -> dict[str, Any]:
        shared = await start.mirror.fork(start.old, start.base) if start.old else None
        result = nothing_new(start.old, shared)
        if "head" not in result or shared is None:
            return result
        paths = await start.mirror.differing(shared, result["head"])
        return result | {"protected": list(protected.among(paths, start.bars.protected))}

    async def _implement(self, start: Start, lease: Lease) -> Mapping[str, Any]:
        """Go on with the plan, as far as one agent gets."""
        order, mirror, wanted = start.order, start.mirror, start.order.loop
        base = start.base if start.base != start.commit else None
        author = start.access.author
        place = branch.Place(
            order.run.task_id, order.branch, order.plan_path, base, author, order.ordered_at, self._key
        )
        standing = await branch.read(mirror, place, start.commit, wanted.wishes)
        problem = _unfit(order, standing)
        if standing is None or problem is not None:
            return problem or {}

        async def run_agent(spec: RunSpec, commit: str) -> Handover:
            chosen = dict(wanted.agents.get(spec.prompt, {}))
            return await self._run(start, lease, spec.model_copy(update=chosen), commit)

        async def verify(commands: tuple[str, ...], commit: str) -> tuple[Receipt, ...]:
            tree, _ = await self._checkout(start, commit)
            folder = f"{order.run.run_id}-verify-{commit[:12]}"
            minutes = wanted.verify_minutes
            return await self._runner.verify(commands, folder, tree=tree, mirror=mirror.path, minutes=minutes)

        async def token() -> str | None:
            return (await self._access(order.repository)).token  # the run may have outlived the first one

        rules = Rules(wanted.max_retries, wanted.verify_all, wanted.resume, wanted.skipped)
        hands = Hands(run_agent, verify, lease.still_mine, token)
        return await Implementation(mirror, place, order.run, rules, hands, start.old, start.trunk, start.bars).go_on(
            standing
        )

    async def _run(self, start: Start, lease: Lease, spec: RunSpec, commit: str) -> Handover:
        """One agent. A process that stood still until its runs were given away begins none when it wakes up."""
        tree, shown = await self._checkout(start, commit)
        if not await lease.still_mine():
            raise NotMine
        handed = await self._runner.run(spec, tree=tree, mirror=start.mirror.path, base_commit=shown)
        self._spent[start.order.run.run_id] = handed.result.cost_usd
        said = without(self._secret, handed.result.model_dump(mode="json"))  # it becomes documents and commits' words
        return replace(handed, result=RunResult.model_validate(said))

    async def _checkout(self, start: Start, commit: str) -> tuple[Path, str]:
        """A fresh checkout of a commit, in the ticket's own folder, with the base as `origin/<base>`.

        The second is the commit that is checked out: agent settings stand there as on the repository's base branch.
        """
        order = start.order
        tree = self._tree(order.repository, order.branch)
        shown = await as_on_base(start.mirror, commit, start.trunk)
        await checkout.make(start.mirror, order.branch, shown, tree, others={order.base: start.base})
        return tree, shown

    async def _start(self, mirror: Mirror, order: WorkOrder, access: Access) -> Start | Conflict:
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
        trunk = await mirror.tip(order.trunk) if order.trunk else base
        bars = Bars(order.protected, self._secret)
        return Start(order, mirror, access, commit=old or base, old=old, base=base, trunk=trunk or base, bars=bars)

    async def _push(self, start: Start, lease: Lease, result: Mapping[str, Any]) -> Mapping[str, Any]:
        """Push what was made. Only an update may rewrite, and only where nobody pushed since the service did."""
        if not await lease.still_mine():
            raise NotMine
        order, head = start.order, str(result["head"])
        access = await self._access(order.repository)  # the run may have outlived the first token
        rewrites = order.run.prompt == "update" and start.old == order.head
        pushed = await start.mirror.push(order.branch, head, start.old, access.token, rewrites=rewrites)
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


def _unfit(order: WorkOrder, standing: branch.Standing | None) -> dict[str, Any] | None:
    """Why the plan on the branch can't be gone on with: it is missing, can't be run, or isn't what was approved."""
    if standing is None:
        return asks(
            f"There is no plan at `{order.plan_path}` on `{order.branch}`. Put it there, or move the ticket back to"
            " where plans are made; then reply `retry`."
        )
    if standing.doubt and not order.loop.resume:
        return asks(
            f"What is kept of unfinished work on `{order.branch}` can't be believed: {standing.doubt}. How often it was"
            f" tried and what was verified is not known. Look at `{WORK}{order.branch}`; when you reply `retry`, it is"
            " dropped, and the work goes on from what is committed."
        )
    found = standing.progress.plan
    if order.plan_digest and found.digest != order.plan_digest:
        changed = {"path": order.plan_path, "digest": found.digest, "commit": standing.tip}
        return {**ended(Ending.SUCCESS), "changed_plan": changed}
    wrong = [f"line {one.line}: {one.message}" for one in found.findings if one.fatal]
    if wrong:
        return asks(
            f"The plan at `{order.plan_path}` can't be run: {' '.join(wrong)} Mend it on `{order.branch}`, then reply"
            " `retry`."
        )
    return None


def _conflict(order: WorkOrder, conflict: Conflict) -> Mapping[str, Any]:
    where = f"{conflict.other[:12]} clashes in {', '.join(conflict.paths)}"
    question = (
        f"The branches that {order.run.task_id} builds upon don't merge by themselves: {where}. "
        f"Please merge them into `{order.base}` by hand and push it, then reply `retry`."
    )
    return asks(question)
