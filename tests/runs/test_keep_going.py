"""A run may keep on: the same prompt in a fresh context, until its outcome says that everything is done."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.runs import runner
from bot.runs.contract import Ending, RunResult, RunSpec
from bot.runs.keep_going import Policy, Stop, again, keep_going
from bot.runs.runner import House, Place, run_agent
from bot.runs.sandbox import Bubblewrap
from bot.runs.supervisor import Command, Exit, Limits, supervise
from bot.simulator.model import Answer, Asked, concludes

Make = Callable[..., Any]
DONE = {"promise": "ALL_DONE"}


def came_to(kind: str, **outcome: Any) -> RunResult:
    return RunResult(kind=Ending(kind), outcome=outcome or None)


@pytest.mark.parametrize(
    ("policy", "iteration", "result", "why"),
    [
        (Policy(), 1, came_to("success"), Stop.COMPLETED),
        (Policy(), 1, came_to("work_failed"), Stop.BLOCKED),
        (Policy(), 1, came_to("needs_input"), Stop.NEEDS_INPUT),
        (Policy(3), 1, came_to("success"), Stop.COMPLETED),
        (Policy(3), 2, came_to("work_failed"), None),
        (Policy(3), 3, came_to("work_failed"), Stop.BLOCKED),
        (Policy(3, "ALL_DONE"), 1, came_to("success", promise="ALL_DONE"), Stop.COMPLETED),
        (Policy(3, "ALL_DONE"), 1, came_to("success", promise=" ALL_DONE\n"), Stop.COMPLETED),
        (Policy(3, "ALL_DONE"), 2, came_to("success", promise=""), None),
        (Policy(3, "ALL_DONE"), 2, came_to("success", promise="I am not ALL_DONE"), None),
        (Policy(3, "ALL_DONE"), 2, came_to("success", promise="all_done"), None),
        (Policy(3, "ALL_DONE"), 2, came_to("success"), None),
        (Policy(3, "ALL_DONE"), 3, came_to("success", promise=""), Stop.OUT_OF_ITERATIONS),
        (Policy(1, "ALL_DONE"), 1, came_to("success"), Stop.OUT_OF_ITERATIONS),
        (Policy(3, "ALL_DONE"), 1, came_to("work_failed", promise="ALL_DONE"), None),
        (Policy(3, "ALL_DONE"), 1, came_to("needs_input", promise="ALL_DONE"), Stop.NEEDS_INPUT),
        *((Policy(3, "ALL_DONE"), 1, came_to(kind), Stop.BLOCKED)
          for kind in ("transport_failed", "usage_limit", "stopped")),
    ],
)  # fmt: skip
def test_there_is_one_reason_to_stop_or_none(policy: Policy, iteration: int, result: RunResult, why: Stop) -> None:
    assert again(policy, iteration, result) is why


def many(**more: Any) -> RunSpec:
    fields = {"run_id": "r", "prompt": "implement", "task_id": "YOU-1", "stage": "dev", "title": "T", "minutes": 10}
    return RunSpec.model_validate(fields | {"max_iterations": 5, "completion_promise": "ALL_DONE"} | more)


async def played(spec: RunSpec, *results: RunResult) -> tuple[RunResult, list[RunSpec]]:
    """What it comes to when the iterations come to these; and what each was told."""
    told: list[RunSpec] = []

    async def once(left: RunSpec, iteration: int) -> RunResult:
        told.append(left)
        assert iteration == len(told)
        return results[iteration - 1]

    return await keep_going(spec, once), told


def costs(kind: str = "success", **more: Any) -> RunResult:
    figures = {"cost_usd": 2.0, "input_tokens": 10, "output_tokens": 3, "seconds": 60.0, "turns": 4}
    return RunResult.model_validate({"kind": kind, "outcome": {"promise": ""}} | figures | more)


async def test_money_and_minutes_are_those_of_the_whole_run() -> None:
    result, told = await played(many(budget_usd=9), costs(), costs("work_failed"), costs(outcome=DONE))
    assert [(spec.minutes, spec.budget_usd) for spec in told] == [(10, 9), (9, 7), (8, 5)]
    assert (result.cost_usd, result.input_tokens, result.output_tokens) == (6.0, 30, 9)
    assert (result.seconds, result.turns, result.iterations) == (180.0, 12, 3)
    assert (result.kind, result.stopped_because, result.error) == (Ending.SUCCESS, "completed", "")


async def test_without_a_budget_none_is_made_up() -> None:
    _, told = await played(many(), costs(), costs(outcome=DONE))
    assert told[1].budget_usd is None


async def test_when_the_money_is_spent_a_person_is_asked() -> None:
    result, told = await played(many(budget_usd=4), costs(), costs())
    assert len(told) == 2
    assert (result.kind, result.stopped_because) == (Ending.NEEDS_INPUT, "needs input")
    assert "$4.00" in result.error
    assert "budget $N" in result.error


async def test_when_the_time_is_over_the_run_is_blocked() -> None:
    result, told = await played(many(minutes=2), costs(), costs())
    assert len(told) == 2
    assert (result.kind, result.stopped_because) == (Ending.WORK_FAILED, "blocked")
    assert "not done after 2 minutes" in result.error


async def test_what_was_done_in_time_and_for_the_money_counts_although_nothing_is_left() -> None:
    result, _ = await played(many(minutes=1, budget_usd=2), costs(outcome=DONE))
    assert (result.kind, result.stopped_because) == (Ending.SUCCESS, "completed")


async def test_out_of_iterations_is_a_failure_that_says_so() -> None:
    result, told = await played(many(max_iterations=2), costs(summary="half"), costs(summary="more"))
    assert len(told) == 2
    assert (result.kind, result.stopped_because, result.iterations) == (Ending.WORK_FAILED, "out of iterations", 2)
    assert "out of iterations: the agent ended 2 times" in result.error
    assert result.summary == result.error


@pytest.mark.parametrize("kind", ["transport_failed", "usage_limit", "stopped"])
async def test_what_no_iteration_can_change_ends_it_at_once_as_it_is(kind: str) -> None:
    result, told = await played(many(), costs(), costs(kind, error="why"))
    assert len(told) == 2
    assert (result.kind, result.error, result.stopped_because) == (kind, "why", "blocked")


def test_zero_iterations_are_no_run() -> None:
    with pytest.raises(ValueError, match="max_iterations"):
        many(max_iterations=0)


@pytest.mark.parametrize("promise", ["two words", "a`b", "line\n"])
def test_a_promise_is_one_word_that_the_prompt_can_show(promise: str) -> None:
    with pytest.raises(ValueError, match="completion_promise"):
        many(completion_promise=promise)


def outcome(**fields: Any) -> str:
    said = json.dumps({"status": "success", "summary": "s"} | fields)
    return f"mkdir -p .callboard; echo '{said}' > \"$CALLBOARD_OUTCOME\""


COUNT = "echo x >> counted; n=$(wc -l < counted); ls -A ~ > home-$n; touch ~/left; cat > prompt-$n; echo turn $n; "
"""Each iteration sees the files of the one before, and a home of its own."""


async def run(spec: Make, place: Place, script: str, **more: Any) -> Any:
    fields = {"max_iterations": 4, "completion_promise": "ALL_DONE"} | more
    order = spec("implement", runtime="command", command=["sh", "-c", script], **fields)
    return await run_agent(order, place, House(Bubblewrap()))


async def test_each_iteration_is_the_same_prompt_in_the_same_checkout_with_a_fresh_home(
    place: Place, spec: Make, git: Make
) -> None:
    script = f"{COUNT} if [ $n -eq 3 ]; then {outcome(promise='ALL_DONE')}; else {outcome()}; fi"
    handover = await run(spec, place, script)
    result = handover.result
    assert (result.kind, result.stopped_because, result.iterations) == (Ending.SUCCESS, "completed", 3)
    assert len({(place.checkout / f"prompt-{n}").read_text() for n in (1, 2, 3)}) == 1
    assert "ALL_DONE" in (place.checkout / "prompt-3").read_text()
    assert {(place.checkout / f"home-{n}").read_text() for n in (1, 2, 3)} == {".config\ntmp\n"}
    assert handover.bundle is not None
    assert git("show", "HEAD:counted", cwd=place.checkout).split() == ["x", "x", "x"]
    names = ("transcript.jsonl", "transcript-2.jsonl", "transcript-3.jsonl")
    assert [(place.folder / name).read_text() for name in names] == ["turn 1\n", "turn 2\n", "turn 3\n"]


async def test_a_failure_is_tried_again_and_the_last_one_blocks(place: Place, spec: Make) -> None:
    handover = await run(spec, place, f"{COUNT} echo 'no luck' >&2; exit 1", max_iterations=3)
    result = handover.result
    assert (result.kind, result.stopped_because, result.iterations) == (Ending.WORK_FAILED, "blocked", 3)
    assert "no luck" in result.error
    assert handover.bundle is not None


async def test_a_question_ends_it(place: Place, spec: Make) -> None:
    asks = outcome(status="needs_input", question="Which?", promise="ALL_DONE")
    result = (await run(spec, place, f"{COUNT} {asks}")).result
    assert (result.kind, result.stopped_because, result.iterations) == (Ending.NEEDS_INPUT, "needs input", 1)
    assert result.outcome["question"] == "Which?"


async def test_no_file_ends_it_only_the_outcome_of_this_very_iteration(place: Place, spec: Make) -> None:
    script = (
        f"{COUNT} echo ALL_DONE | tee ALL_DONE promise .callboard-done; echo ALL_DONE; "
        f"if [ $n -eq 1 ]; then {outcome(status='failure', promise='ALL_DONE')}; fi"
    )
    result = (await run(spec, place, script, max_iterations=3)).result
    assert (result.kind, result.iterations) == (Ending.WORK_FAILED, 3)
    assert "without handing back an outcome" in result.error


async def test_an_outcome_that_is_not_valid_does_not_end_it_whatever_it_promises(place: Place, spec: Make) -> None:
    result = (await run(spec, place, outcome(status="great", promise="ALL_DONE"), max_iterations=2)).result
    assert (result.kind, result.iterations) == (Ending.WORK_FAILED, 2)


async def test_with_one_iteration_and_no_promise_a_run_is_what_it_was(place: Place, spec: Make) -> None:
    result = (await run(spec, place, f"{COUNT} {outcome()}", max_iterations=1, completion_promise="")).result
    assert (result.kind, result.iterations, result.stopped_because) == (Ending.SUCCESS, 1, "completed")


async def test_the_minutes_are_not_begun_anew(place: Place, spec: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    walls: list[float] = []

    async def recording(command: Command, limits: Limits, **more: Any) -> Exit:
        walls.append(limits.wall)
        return await supervise(command, limits, **more)

    monkeypatch.setattr(runner, "supervise", recording)
    script = f"{COUNT} sleep 0.2; if [ $n -eq 3 ]; then sleep 60; fi; {outcome()}"
    result = (await run(spec, place, script, max_iterations=50, minutes=0.025)).result
    assert (result.kind, result.stopped_because) == (Ending.WORK_FAILED, "blocked")
    assert "not done after 0.025 minutes" in result.error
    assert result.iterations <= 3
    assert walls[0] == 1.5
    assert walls[1] < 1.3
    assert result.seconds < 5


async def test_to_stop_ends_it_in_whichever_iteration(place: Place, spec: Make) -> None:
    stop = asyncio.Event()
    script = f"{COUNT} if [ $n -eq 2 ]; then echo waiting; sleep 60; fi; {outcome()}"
    order = spec("implement", runtime="command", command=["sh", "-c", script], max_iterations=9, completion_promise="X")
    handover = await run_agent(
        order, place, House(Bubblewrap()), stop=stop, on_progress=lambda text: stop.set() if text == "waiting" else None
    )
    result = handover.result
    assert (result.kind, result.stopped_because, result.iterations) == (Ending.STOPPED, "blocked", 2)
    assert handover.bundle is None


@pytest.mark.slow
async def test_the_contexts_of_a_real_agent_are_fresh_and_its_costs_add_up(
    place: Place, bench: Make, spec: Make
) -> None:
    begun: list[str] = []

    def script(asked: Asked) -> list[Answer] | None:
        if asked.header and asked.answers == 0:
            begun.append(asked.text)
        promise = "ALL_DONE" if len(begun) == 2 else ""
        return [concludes({"status": "success", "summary": "s", "promise": promise})] if asked.header else None

    async with bench(script) as bench_:
        order = spec("implement", max_iterations=4, completion_promise="ALL_DONE", budget_usd=5)
        result = (await bench_.run(order, place)).result
    assert (result.kind, result.stopped_because, result.iterations) == (Ending.SUCCESS, "completed", 2)
    assert begun[0] == begun[1]
    assert (result.input_tokens, result.output_tokens, result.cost_usd) == (4_000, 600, 0.035)
    assert result.turns == 4
