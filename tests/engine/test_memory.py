"""What only the engine in memory does: its processes are objects, and one that slept is buried by hand."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.engine.memory import MemoryEngine
from tests.engine.conftest import FAST, Bench, bench_on


@pytest.fixture
async def memory() -> AsyncIterator[Bench]:
    async with bench_on(None) as bench:
        yield bench


async def test_a_process_that_was_taken_for_dead_begins_nothing_before_what_it_lost_is_dead(memory: Bench) -> None:
    """A machine slept: its run is given away, and comes back to it. The first agent does not know, and lives."""
    bench = await memory.start()
    assert isinstance(bench.engine, MemoryEngine)
    await bench.engine.start_run(bench.order("a", caps=(("service", 2),)))
    await bench.until(lambda: "a" in bench.calls.running)
    bench.calls.dies_slowly["a"] = asyncio.Event()
    bench.engine._database.bury(bench.engine)
    await bench.engine.start_run(bench.order("b", caps=(("service", 2),)))
    await bench.until(lambda: bench.calls.killed == ["a"])
    await bench.quiet(5 * FAST.tick)
    assert bench.calls.started == ["a"]
    bench.calls.dies_slowly["a"].set()
    await bench.until(lambda: sorted(bench.calls.started) == ["a", "a", "b"])
    assert bench.calls.fences["a"] == 2


async def test_an_agent_calls_its_model_until_the_budget_of_its_epic_is_spent(memory: Bench) -> None:
    bench = await memory.start()
    engine = bench.engine
    assert isinstance(engine, MemoryEngine)
    assert engine.calls("a", 1.0) == "unknown"
    await engine.start_run(bench.order("a", key="epic-1"))
    await bench.until(lambda: "a" in bench.calls.running)
    assert engine.calls("a", 1.0) == "wait"
    await engine.allow("epic-1", 10.0, 7.5)
    assert [engine.calls("a", 2.0) for _ in range(3)] == ["granted", "granted", "epic"]
    assert await engine.spent("epic-1") == 11.5
    assert [row.spent_usd for row in await engine.runs("epic-1")] == [4.0]
    await engine.allow("epic-1", 20.0, 11.5)
    assert (engine.calls("a", 2.0), await engine.spent("epic-1")) == ("granted", 13.5)
    engine.pause(bench.engine._now() + timedelta(hours=1))
    assert engine.calls("a", 2.0) == "paused"
