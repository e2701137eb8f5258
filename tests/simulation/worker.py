"""What `bot/runs/worker.py` does, without programs: runs begin at a branch, take time, and push what they made.

An agent of the story succeeds, fails, hangs, lies or asks. The fence is asked before every push, as the real worker
does.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.runs.contract import Ending
from bot.runs.order import asks, ended
from bot.runs.worker import Lease, WorkOrder
from tests.simulation.clock import now
from tests.simulation.pull_request import OWN
from tests.simulation.results import Begun, Results, untold

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

ENDS = ("well",) * 8 + ("fails", "transport", "limit", "asks", "lies", "nonsense", "hangs", "blocked")
CALLS = 2
"""How often an agent calls its model."""
UNLUCKY = (*ENDS, *("fails",) * len(ENDS) * 2)
"""How agents end in a story where hardly anything succeeds."""


@dataclass
class Agent:
    """One that is alive now."""

    run: str
    issue: str
    generation: int
    process: "Process"


class FakeWorker:
    """The worker of one process."""

    def __init__(self, world: "World", process: "Process") -> None:
        self.world, self.process = world, process
        self.results = Results(world)

    async def work(self, order: WorkOrder, lease: Lease) -> Mapping[str, Any]:
        """One run."""
        await self.process.may_pass()  # one that stands still starts no program
        if not await lease.still_mine():
            return ended(Ending.STOPPED, "the run is no longer this worker's")
        world = self.world
        agent = Agent(order.run.run_id, *world.run_of(order.run.run_id), self.process)
        world.watch.agents.begins(agent)
        world.agents.append(agent)
        try:
            return await self._does(order, lease, agent) | {"about": dict(order.about)}
        except Exception as error:
            world.watch.broke("a run", error)
            raise
        finally:
            world.agents = [one for one in world.agents if one is not agent]

    async def _does(self, order: WorkOrder, lease: Lease, agent: Agent) -> dict[str, Any]:
        world, chance = self.world, self.world.agent_chance
        begun = self._begins(order)
        if isinstance(begun, dict):
            return begun
        world.checkouts.add(order.branch)
        world.linear.begins(world.linear.issues[agent.issue], order.branch)
        how = "well" if world.calm else chance.choice(world.lot.ends)
        world.fired[f"agent {how}"] += 1
        calls = () if order.run.prompt == "update" else (round(chance.uniform(0.1, 1.0), 2),) * CALLS
        minutes = order.run.minutes if how == "hangs" else chance.choice((0.2, 1.0, 5.0))
        seconds = minutes * (10.0 if world.setting.smooth else 60.0) / max(1, len(calls))
        cost = 0.0
        for usd in calls or (0.0,):
            await asyncio.sleep(seconds)
            await self.process.may_pass()
            if usd and (problem := await self._calls(order, lease, usd)):
                return problem | {"cost_usd": cost} | untold(order.run.prompt)
            cost = round(cost + usd, 2)
        if how == "limit" and world.setting.scarce and order.run.prompt != "update":  # everybody has the same account
            self.process.engine.pause(world.later(minutes=chance.choice((5, 40))))
        result = self.results.result(order, begun, how, (agent.issue, agent.generation), chance)
        head = result.get("head")
        if head not in (None, begun.old):
            problem = self._refused() or await self._push(order, begun, lease, str(head), agent)
            if problem:
                return problem | {"cost_usd": cost}
            await self.process.door.pushed()
        world.meanwhile.before_result(world.linear.issues[agent.issue])
        world.tell(self.process.name, f"agent {how}", f"{order.run.task_id} {order.run.prompt} g{agent.generation}")
        return result | {"cost_usd": cost} | self._where(order, begun, result)

    async def clean_up(self, repository: str, branch: str) -> None:
        """The checkout and the work in hand are gone."""
        await self.process.may_pass()
        self.world.checkouts.discard(branch)
        self.world.git.unfinished.discard(branch)

    async def _calls(self, order: WorkOrder, lease: Lease, usd: float) -> dict[str, Any] | None:
        """The agent calls its model, once; or how its run ends, where it is turned away."""
        if not await lease.still_mine():
            return ended(Ending.STOPPED, "the run is no longer this worker's")
        engine, day_usd = self.process.engine, self.world.policy.budget.day_usd
        word = engine.calls(order.run.run_id, usd, day_usd)
        if word != "granted":
            self.world.fired[f"model {word}"] += 1
        match word:
            case "epic" | "day":
                return ended(Ending.OUT_OF_BUDGET, f"The budget of the {word} is spent.")
            case "paused":
                resets = (await engine.service()).paused_until or now()
                return ended(Ending.USAGE_LIMIT, "the limit is reached") | {"resets_at": resets.isoformat()}
        assert word == "granted", word
        self.world.watch.starts.calls(self.process, order.run.run_id, usd)
        return None

    def _life(self, lease: Lease) -> int:
        return int(getattr(lease, "fence", 0))

    def _refused(self) -> dict[str, Any] | None:
        """What becomes of a run when GitHub lets our App neither fetch nor push."""
        if self.world.hub.forbidden != "everything":
            return None
        return ended(Ending.WORK_FAILED, "GitHub refused: this installation has been suspended")

    def _begins(self, order: WorkOrder) -> Begun | dict[str, Any]:
        if refused := self._refused():
            return refused
        git = self.world.git
        base = git.tip(order.base)
        if order.merges:
            tips = [tip for branch in order.merges if (tip := git.tip(branch))]
            first, *others = [base, *tips] if base else tips or [git.refs["main"]]
            for other in others:
                tree, clashes = git.merged(first, other)
                if clashes:
                    issue, _ = self.world.run_of(order.run.run_id)
                    self.world.clashing[issue] = order.base, tuple(order.merges)
                    return asks(f"The branches below don't merge. Please merge them into `{order.base}`: {clashes}")
                if not git.descends(first, other):
                    first = git.commit((first, other), tree, ours=True)
            if first != base:
                self.world.hub.pushed(order.base, first, OWN)
            base = first
        if base is None:
            return ended(Ending.TRANSPORT_FAILED, f"the base branch {order.base} is not there")
        old = git.tip(order.branch)
        return Begun(old or base, old, base)

    async def _push(
        self, order: WorkOrder, begun: Begun, lease: Lease, head: str, agent: Agent
    ) -> dict[str, Any] | None:
        if not await lease.still_mine():
            return ended(Ending.STOPPED, "the run is no longer this worker's")
        git = self.world.git
        rewrites = order.run.prompt == "update" and begun.old == order.head
        if git.tip(order.branch) != begun.old:
            return ended(Ending.TRANSPORT_FAILED, f"somebody pushed to {order.branch} meanwhile")
        assert rewrites or begun.old is None or git.descends(head, begun.old), "only an update may rewrite"
        self.world.watch.agents.pushes(agent, order, self._life(lease))
        if order.run.prompt == "implement":
            git.unfinished.add(order.branch)
        self.world.hub.pushed(order.branch, head, OWN)
        return None

    def _where(self, order: WorkOrder, begun: Begun, result: Mapping[str, Any]) -> dict[str, str]:
        git = self.world.git
        head, base = result.get("head") or git.tip(order.branch), git.tip(order.base)
        if not head:
            return {}
        return {"head": str(head)} | ({"base_at": git.fork(str(head), base)} if base else {})
