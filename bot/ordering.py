"""A run that was decided becomes an order: for the engine when it may start, for the worker what to do."""

from bot.engine.port import RunOrder
from bot.linear.marker import effect_id
from bot.machine.decision import StartRun
from bot.machine.facts import Facts
from bot.machine.progress import AGENT_STEPS
from bot.policy import Policy
from bot.runs.contract import RunSpec
from bot.runs.worker import LoopOrder, WorkOrder


def order_of(policy: Policy, facts: Facts, start: StartRun) -> RunOrder:
    """What the engine queues and a worker is handed, with what the policy says now."""
    limits = policy.limits
    run_id = effect_id("run", start.issue, str(start.generation))
    work = WorkOrder(
        run=_spec(policy, start, run_id),
        repository=start.repository,
        branch=start.branch,
        base=start.base,
        merges=start.merges,
        plan_digest=start.plan_digest,
        research_path=start.research_path,
        plan_path=start.plan_path,
        about=start.about,
        head=start.head,
        upstream=start.upstream,
        trunk=facts.repository.base if facts.repository else "",
        protected=policy.git.protected,
        ordered_at=facts.now,
        loop=_loop(policy, start),
    )
    return RunOrder(
        run_id=run_id,
        key=facts.key,
        issue=start.issue,
        generation=start.generation,
        stage=str(start.stage),
        caps=(
            ("service", limits.workers),
            (f"repository:{start.repository}", limits.workers_per_repository),
            (facts.key, limits.workers_per_epic),
        ),
        priority=start.priority,
        spec=work.model_dump(mode="json"),
    )


def _loop(policy: Policy, start: StartRun) -> LoopOrder:
    """What the implementation loop is told; its steps may each have an agent of their own."""
    return LoopOrder(
        max_retries=policy.limits.max_retries,
        verify_all=policy.gates.verify == "all",
        verify_minutes=policy.limits.verify_minutes,
        resume=start.resume,
        wishes=start.wishes,
        agents={str(step): policy.agent.for_step(step, start.stage) for step in sorted(AGENT_STEPS)},
    )


def _spec(policy: Policy, start: StartRun, run_id: str) -> RunSpec:
    header = start.header
    return RunSpec(
        run_id=run_id,
        prompt=start.prompt,
        task_id=header["TASK_ID"],
        stage=header["STAGE"],
        attempt=start.attempt,
        title=header["TITLE"],
        description=header["DESCRIPTION"],
        scope=header["SCOPE"],
        dependencies=[name for name in header["DEPENDENCIES"].split(", ") if name != "none"],
        parent_ticket=header["PARENT_TICKET"] if header["PARENT_TICKET"] != "none" else "",
        variables=dict(start.variables),
        **policy.agent.for_step(start.prompt, start.stage),
        minutes=policy.limits.run_minutes,
        budget_usd=policy.budget.run_usd,
        max_turns=policy.limits.max_turns,
        command=list(policy.agent.command),
    )
