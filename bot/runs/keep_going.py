"""Keeping on: the same prompt again and again, each time in a fresh context and the same checkout, until it is done.

The pattern is known as the "ralph loop". What it knows of earlier iterations is only what they left in the checkout.
Done is an outcome that is valid, says success, and carries the completion promise. No file can end the loop.

    what an iteration came to                       the loop
    success with the promise (or none is asked)     ends: completed
    success without the promise                     goes on; after the last iteration ends: out of iterations
    needs input                                     ends: needs input
    work failed                                     goes on: the next one sees the files; after the last ends: blocked
    transport failed, usage limit, stopped          ends: blocked, by something that no iteration can change

Time and money are those of the whole run. When the time is over the loop ends as blocked, when the money is, as needs
input: a person may allow more.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from bot.runs.contract import Ending, RunResult, RunSpec


class Stop(StrEnum):
    """Why a run was not run once more."""

    COMPLETED = "completed"
    BLOCKED = "blocked"
    NEEDS_INPUT = "needs input"
    OUT_OF_ITERATIONS = "out of iterations"


@dataclass(frozen=True)
class Policy:
    """How long to keep on. `promise` empty: success is enough."""

    max_iterations: int = 1
    promise: str = ""


def again(policy: Policy, iteration: int, result: RunResult) -> Stop | None:
    """Say why to stop after `iteration` (the first is 1), or None to run once more."""
    last = iteration >= policy.max_iterations
    match result.kind:
        case Ending.SUCCESS:
            promised = str((result.outcome or {}).get("promise", "")).strip() == policy.promise
            if promised or not policy.promise:
                return Stop.COMPLETED
            return Stop.OUT_OF_ITERATIONS if last else None
        case Ending.WORK_FAILED:
            return Stop.BLOCKED if last else None
        case Ending.NEEDS_INPUT:
            return Stop.NEEDS_INPUT
    return Stop.BLOCKED


async def keep_going(spec: RunSpec, once: Callable[[RunSpec, int], Awaitable[RunResult]]) -> RunResult:
    """Run `once` until there is a reason to stop, and return what all the iterations together came to.

    `once` gets the spec with the minutes and the money that are left, and the number of the iteration. The result is
    that of the last one; cost, tokens, seconds and turns are the sum.
    """
    policy = Policy(spec.max_iterations, spec.completion_promise)
    so_far = RunResult(kind=Ending.STOPPED, iterations=0)
    left = spec
    while True:
        so_far = _added(so_far, await once(left, so_far.iterations + 1))
        match again(policy, so_far.iterations, so_far):
            case None:
                left = _left(spec, so_far)
            case Stop.OUT_OF_ITERATIONS as why:
                return _stopped(so_far, why, Ending.WORK_FAILED, _out_of_iterations(spec))
            case why:
                return _stopped(so_far, why)
        if left.minutes <= 0:
            return _stopped(so_far, Stop.BLOCKED, Ending.WORK_FAILED, out_of_time(spec))
        if left.budget_usd is not None and left.budget_usd <= 0:
            return _stopped(so_far, Stop.NEEDS_INPUT, Ending.NEEDS_INPUT, out_of_money(spec))


def out_of_time(spec: RunSpec) -> str:
    """Say that the run used its minutes up."""
    return f"The agent was not done after {spec.minutes:g} minutes and was ended."


def out_of_money(spec: RunSpec) -> str:
    """Say that the run used its money up, and what to do."""
    return (
        f"The run spent its budget of ${spec.budget_usd or 0:.2f} before it was done. Reply with `budget $N` to allow"
        " more, or `cancel`."
    )


def _out_of_iterations(spec: RunSpec) -> str:
    times = "once" if spec.max_iterations == 1 else f"{spec.max_iterations} times"
    return f"The run is out of iterations: the agent ended {times} without the promise that everything is done."


def _added(so_far: RunResult, result: RunResult) -> RunResult:
    """The newest result with the figures of all iterations."""
    return result.model_copy(
        update={
            "cost_usd": round(so_far.cost_usd + result.cost_usd, 6),
            "input_tokens": so_far.input_tokens + result.input_tokens,
            "output_tokens": so_far.output_tokens + result.output_tokens,
            "seconds": round(so_far.seconds + result.seconds, 3),
            "turns": so_far.turns + result.turns,
            "refused": [*so_far.refused, *(line for line in result.refused if line not in so_far.refused)],
            "iterations": so_far.iterations + 1,
        }
    )


def _left(spec: RunSpec, so_far: RunResult) -> RunSpec:
    budget = None if spec.budget_usd is None else spec.budget_usd - so_far.cost_usd
    return spec.model_copy(update={"minutes": spec.minutes - so_far.seconds / 60, "budget_usd": budget})


def _stopped(result: RunResult, why: Stop, kind: Ending | None = None, error: str = "") -> RunResult:
    """The result with the reason; `kind` and `error` when it is no longer what the last iteration came to.

    What the agent itself said last is still in the outcome.
    """
    changed = {"kind": kind, "error": error, "summary": error} if kind else {}
    return result.model_copy(update={"stopped_because": str(why), **changed})
