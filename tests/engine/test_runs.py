"""Runs: every cap at every instant, a fair order, and one end for each. Both engines."""

import asyncio
from typing import Any, cast

import psycopg
import pytest

from bot.engine.executions import RowLease
from bot.engine.port import RunState
from tests.engine.conftest import FAST, Bench


async def states(bench: Bench, key: str = "epic-1") -> dict[str, RunState]:
    return {row.order.run_id: row.state for row in await bench.engine.runs(key)}


async def test_a_run_is_executed_and_its_result_wakes_its_key(bench: Bench) -> None:
    await bench.start()
    await bench.engine.start_run(bench.order("run-1"))
    await bench.until(lambda: bench.calls.running)
    await bench.quiet(0.07)
    rounds = len(bench.calls.rounds)
    bench.calls.release["run-1"].set()
    (row,) = await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.FINISHED)
    assert row.result == {"fence": 1}
    assert row.order == bench.order("run-1")
    assert row.queued_at <= row.started_at <= row.finished_at
    await bench.until(lambda: len(bench.calls.rounds) > rounds)


async def test_a_run_is_started_once_however_often_it_is_ordered(bench: Bench) -> None:
    await bench.start()
    await asyncio.gather(*(bench.engine.start_run(bench.order("run-1")) for _ in range(3)))
    await bench.until(lambda: bench.calls.running)
    bench.calls.release["run-1"].set()
    await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.FINISHED)
    await bench.engine.start_run(bench.order("run-1"))
    await bench.quiet()
    assert bench.calls.started == ["run-1"]


async def test_every_cap_holds_at_every_instant_and_everybody_gets_a_turn(bench: Bench) -> None:
    await bench.start()
    names = []
    for number in range(24):
        epic, repository = f"epic:{number % 4}", f"repository:{number % 2}"
        caps = (("service", 5), (repository, 3), (epic, 1 + number % 2))
        names.append(f"run-{number}")
        await bench.engine.start_run(bench.order(names[-1], caps=caps))
    for done in range(24):
        await bench.until(lambda: bench.calls.running)
        await asyncio.sleep(0.01)
        assert 1 <= len(bench.calls.running) <= 5
        bench.calls.release[next(iter(bench.calls.running))].set()
        await bench.until(lambda: len(bench.calls.started) - len(bench.calls.running) > done)  # noqa: B023
    assert sorted(bench.calls.started) == sorted(names)
    assert bench.calls.broken_caps == []


async def test_a_smaller_priority_goes_first_then_the_older_order(bench: Bench) -> None:
    await bench.start()
    one = (("service", 1),)
    await bench.engine.start_run(bench.order("first", caps=one))
    await bench.until(lambda: bench.calls.running)
    for name, priority in (("late", 5), ("later", 5), ("urgent", 1)):
        await bench.engine.start_run(bench.order(name, caps=one, priority=priority))
    rows = {row.order.run_id: row for row in await bench.engine.runs("epic-1")}
    assert {name: row.ahead for name, row in rows.items()} == {"first": 0, "urgent": 0, "late": 1, "later": 2}
    for name in ("first", "urgent", "late", "later"):
        await bench.until(lambda: name in bench.calls.running)  # noqa: B023
        bench.calls.release[name].set()
    assert bench.calls.started == ["first", "urgent", "late", "later"]


async def test_one_that_waits_does_not_hold_up_one_that_needs_other_slots(bench: Bench) -> None:
    await bench.start()
    await bench.engine.start_run(bench.order("a", caps=(("epic:1", 1),)))
    await bench.engine.start_run(bench.order("b", caps=(("epic:1", 1),)))
    await bench.engine.start_run(bench.order("c", caps=(("epic:2", 1),)))
    await bench.until(lambda: len(bench.calls.running) == 2)
    assert sorted(bench.calls.running) == ["a", "c"]


async def test_the_key_of_a_run_that_gets_its_turn_is_woken(bench: Bench) -> None:
    await bench.start()
    one = (("service", 1),)
    await bench.engine.start_run(bench.order("a", caps=one, key="epic-1"))
    await bench.engine.start_run(bench.order("b", caps=one, key="epic-2"))
    await bench.quiet(0.07)
    assert "epic-2" not in bench.calls.rounds
    bench.calls.release["a"].set()
    await bench.until(lambda: "epic-2" in bench.calls.rounds)
    assert (await states(bench, "epic-2"))["b"] is RunState.RUNNING


async def test_a_queued_run_is_canceled_at_once(bench: Bench) -> None:
    await bench.start()
    one = (("service", 1),)
    await bench.engine.start_run(bench.order("a", caps=one))
    await bench.engine.start_run(bench.order("b", caps=one))
    await bench.until(lambda: bench.calls.running)
    await bench.engine.cancel_run("b", "said stop")
    (b,) = [row for row in await bench.engine.runs("epic-1") if row.order.run_id == "b"]
    assert (b.state, b.stop_reason) == (RunState.CANCELED, "said stop")
    bench.calls.release["a"].set()
    await bench.quiet()
    assert bench.calls.started == ["a"]


async def test_a_running_run_is_killed_then_canceled_and_its_slot_goes_on(bench: Bench) -> None:
    await bench.start(beat=600.0, dead_after=3600.0)  # so that only being told can make it soon
    one = (("service", 1),)
    await bench.engine.start_run(bench.order("a", caps=one))
    await bench.engine.start_run(bench.order("b", caps=one))
    await bench.until(lambda: "a" in bench.calls.running)
    lease = bench.calls.leases["a"]
    assert await lease.still_mine()
    await bench.engine.cancel_run("a", "said stop")
    await bench.until(lambda: bench.calls.killed == ["a"])
    assert not await lease.still_mine()
    rows = await bench.until_runs("epic-1", lambda rows: rows[-1].state is RunState.CANCELED)
    assert rows[-1].stop_reason == "said stop"
    await bench.until(lambda: "b" in bench.calls.running)
    assert bench.calls.broken_caps == []


async def test_canceling_a_finished_or_unknown_run_changes_nothing(bench: Bench) -> None:
    await bench.start()
    await bench.engine.start_run(bench.order("a"))
    bench.calls.release["a"].set()
    await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.FINISHED)
    await bench.engine.cancel_run("a", "too late")
    await bench.engine.cancel_run("nobody", "who")
    (row,) = await bench.engine.runs("epic-1")
    assert (row.state, row.stop_reason) == (RunState.FINISHED, None)


async def test_a_newer_generation_stops_the_older_and_starts_when_that_is_dead(bench: Bench) -> None:
    await bench.start()
    await bench.engine.start_run(bench.order("old", issue="i", generation=1))
    await bench.until(lambda: "old" in bench.calls.running)
    await bench.engine.start_run(bench.order("new", issue="i", generation=2))
    await bench.until(lambda: "new" in bench.calls.running)
    assert bench.calls.killed == ["old"]
    new, old = await bench.engine.runs("epic-1")
    assert (new.order.run_id, new.state) == ("new", RunState.RUNNING)
    assert (old.state, old.stop_reason) == (RunState.CANCELED, "replaced by generation 2")


@pytest.mark.attack("S-36")
async def test_an_order_that_comes_after_a_newer_generation_is_not_started(bench: Bench) -> None:
    await bench.start()
    await bench.engine.start_run(bench.order("new", issue="i", generation=2))
    await bench.engine.start_run(bench.order("old", issue="i", generation=1))
    await bench.quiet()
    assert await states(bench) == {"new": RunState.RUNNING, "old": RunState.CANCELED}
    assert bench.calls.started == ["new"]


async def test_one_issue_has_one_running_run(bench: Bench) -> None:
    await bench.start()
    await bench.engine.start_run(bench.order("a", issue="i"))
    await bench.engine.start_run(bench.order("b", issue="i"))
    await bench.quiet(0.07)
    assert bench.calls.started == ["a"]
    bench.calls.release["a"].set()
    await bench.until(lambda: "b" in bench.calls.running)


async def test_an_exception_becomes_the_result(bench: Bench) -> None:
    await bench.start()
    bench.calls.raises["a"] = ValueError("no such prompt")
    bench.calls.release["a"].set()
    await bench.engine.start_run(bench.order("a"))
    (row,) = await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.FINISHED)
    assert row.result == {"error": {"type": "ValueError", "message": "no such prompt"}}


async def test_a_database_that_is_away_for_a_run_is_an_outside_failure(bench: Bench) -> None:
    await bench.start()
    bench.calls.raises["a"] = psycopg.OperationalError("server closed the connection unexpectedly")
    bench.calls.release["a"].set()
    await bench.engine.start_run(bench.order("a"))
    (row,) = await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.FINISHED)
    assert row.result is not None
    assert row.result["error"]["type"] == "Transient"


async def test_a_run_that_asks_whether_it_still_may_waits_for_a_database_that_is_away() -> None:
    away = [psycopg.OperationalError("the database system is starting up")] * 2

    class Runs:
        async def still_mine(self, _run: str, _fence: int) -> bool:
            if away:
                raise away.pop()
            return True

    assert await RowLease("a", 1, cast("Any", Runs()), FAST).still_mine()
    away = [psycopg.OperationalError("gone")] * (FAST.tries + 1)
    with pytest.raises(psycopg.OperationalError):
        await RowLease("a", 1, cast("Any", Runs()), FAST).still_mine()


async def test_the_end_of_the_service_kills_a_run_and_queues_it_again(bench: Bench) -> None:
    await bench.start()
    await bench.engine.start_run(bench.order("a"))
    await bench.until(lambda: "a" in bench.calls.running)
    await bench.stop()
    assert bench.calls.killed == ["a"]
    (row,) = await bench.engine.runs("epic-1")
    assert (row.state, row.stop_reason) == (RunState.QUEUED, None)
    bench.work()
    await bench.until(lambda: bench.calls.started == ["a", "a"])
    bench.calls.release["a"].set()
    (row,) = await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.FINISHED)
    assert row.result == {"fence": 2}


async def test_status_counts_runs_by_state(bench: Bench) -> None:
    await bench.start()
    one = (("service", 1),)
    await bench.engine.start_run(bench.order("a", caps=one))
    await bench.engine.start_run(bench.order("b", caps=one))
    status = await bench.engine.status()
    assert status.runs == {RunState.RUNNING: 1, RunState.QUEUED: 1}
