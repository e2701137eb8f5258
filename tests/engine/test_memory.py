"""What only the engine in memory does: its processes are objects, and one that slept is buried by hand."""

import asyncio
from collections.abc import AsyncIterator

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
