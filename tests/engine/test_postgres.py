"""What only a database can do wrong: commits out of order, processes that die, freeze or come back."""

import asyncio
from typing import Any

import pytest

from bot.engine.port import RunState
from bot.engine.postgres import PostgresEngine
from tests.engine.conftest import PATIENCE, Bench


async def sql(bench: Bench, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    assert bench.database
    async with bench.database.pool.connection() as connection:
        cursor = await connection.execute(statement, values)
        return await cursor.fetchall() if cursor.description else []


async def until(bench: Bench, statement: str, wanted: list[tuple[Any, ...]]) -> None:
    """Wait until the database says so, however busy the machine is."""
    async with asyncio.timeout(PATIENCE):
        while await sql(bench, statement) != wanted:
            await asyncio.sleep(0.005)


JOBS = "SELECT queueing_lock FROM procrastinate_jobs ORDER BY 1"
OPEN = "SELECT delivery FROM deliveries WHERE done_at IS NULL"


async def test_a_delivery_committed_after_a_later_one_was_served_is_served_too(postgres: Bench) -> None:
    """Serial ids do not commit in order: the first takes its id, the second overtakes it and is served."""
    bench = await postgres.start()
    assert bench.database
    async with bench.database.pool.connection() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO deliveries (source, delivery, event, subject, key, body, received_at, late)"
            " VALUES ('linear', 'slow', 'Issue', 'epic-1', 'epic-1', '', now(), false)"
        )
        await bench.engine.accept(bench.delivery("epic-1", "fast"))
        await bench.until(lambda: len(bench.calls.rounds) == 1)
        await until(bench, OPEN, [])
        await connection.execute("UPDATE keys SET wanted = wanted + 1 WHERE key = 'epic-1'")
    ids = dict(await sql(bench, "SELECT delivery, id FROM deliveries"))
    assert ids["slow"] < ids["fast"]
    await bench.until(lambda: len(bench.calls.rounds) == 2)
    await until(bench, OPEN, [])


async def test_a_delivery_that_comes_while_its_round_reads_is_not_closed_by_that_round(postgres: Bench) -> None:
    bench = await postgres.start()
    bench.calls.hold_keys.add("epic-1")
    await bench.engine.accept(bench.delivery("epic-1", "one"))
    await bench.until(lambda: bench.calls.inside["epic-1"])
    await bench.engine.accept(bench.delivery("epic-1", "two"))
    bench.calls.during["epic-1"] = bench.calls.held["never"].wait  # the next round stops here
    bench.calls.held["epic-1"].set()
    await bench.until(lambda: len(bench.calls.rounds) == 1 and bench.calls.inside["epic-1"])
    assert await sql(bench, OPEN) == [("two",)]


@pytest.mark.proves("S-07")
async def test_a_lost_wake_up_is_found(postgres: Bench) -> None:
    bench = await postgres.start()
    await sql(bench, "INSERT INTO keys (key, wanted) VALUES ('epic-1', 1)")
    await bench.until(lambda: bench.calls.rounds == ["epic-1"])


async def test_a_run_whose_job_was_lost_is_begun(postgres: Bench) -> None:
    bench = await postgres.open()
    await bench.engine.start_run(bench.order("a"))
    await until(bench, JOBS, [("epic-1",), ("run a",)])
    await sql(bench, "DELETE FROM procrastinate_jobs")
    bench.work()
    await bench.until(lambda: "a" in bench.calls.running)


async def test_a_job_that_came_twice_begins_its_run_once(postgres: Bench) -> None:
    bench = await postgres.start()
    await bench.engine.start_run(bench.order("a"))
    await bench.until(lambda: "a" in bench.calls.running)
    await sql(
        bench,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " VALUES ('agents', 'execute', '{\"run_id\": \"a\"}')",
    )
    await bench.quiet()
    assert bench.calls.started == ["a"]


async def test_a_key_whose_worker_died_goes_on_elsewhere(postgres: Bench) -> None:
    bench = await postgres.open()
    await bench.engine.accept(bench.delivery("epic-1"))
    await until(bench, JOBS, [("epic-1",)])
    (worker,) = await sql(bench, "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    await sql(bench, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", worker[0])
    bench.work()
    await bench.quiet(0.15)
    assert bench.calls.rounds == []  # that worker may be alive
    await bench.until(lambda: bench.calls.rounds == ["epic-1"])


async def test_a_run_whose_process_died_is_started_again_with_a_higher_fence(postgres: Bench) -> None:
    bench = await postgres.open()
    await bench.engine.start_run(bench.order("a"))
    await until(bench, JOBS, [("epic-1",), ("run a",)])
    await sql(bench, "UPDATE runs SET owner = 'a dead process', beat_at = now()")
    bench.work()
    await bench.quiet(0.15)
    assert bench.calls.started == []
    await bench.until(lambda: "a" in bench.calls.running)
    assert bench.calls.fences["a"] == 2


async def test_a_stopped_run_whose_process_died_ends_canceled(postgres: Bench) -> None:
    bench = await postgres.open()
    await bench.engine.start_run(bench.order("a"))
    await sql(bench, "UPDATE runs SET owner = 'a dead process', beat_at = now()")
    await bench.engine.cancel_run("a", "said stop")
    bench.work()
    await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.CANCELED)
    assert bench.calls.started == []


@pytest.mark.attack("S-36", "S-73")
async def test_what_a_zombie_reports_is_discarded(postgres: Bench) -> None:
    """It was frozen, its run was given to another, and it wakes with its result before any beat told it."""
    bench = await postgres.start(beat=30.0, dead_after=60.0)
    await bench.engine.start_run(bench.order("a"))
    await bench.until(lambda: "a" in bench.calls.running)
    lease = bench.calls.leases["a"]
    await sql(bench, "UPDATE runs SET fence = fence + 1, owner = 'another process'")
    assert not await lease.still_mine()
    bench.calls.release["a"].set()
    await bench.quiet()
    (row,) = await bench.engine.runs("epic-1")
    assert (row.state, row.result, row.attempt_of_start) == (RunState.RUNNING, None, 2)


@pytest.mark.proves("S-73")
async def test_a_process_that_lost_its_run_kills_it(postgres: Bench) -> None:
    bench = await postgres.start()
    await bench.engine.start_run(bench.order("a"))
    await bench.until(lambda: "a" in bench.calls.running)
    await sql(bench, "UPDATE runs SET fence = fence + 1, owner = 'another process', beat_at = now() + interval '1 day'")
    await bench.until(lambda: bench.calls.killed == ["a"])
    (row,) = await bench.engine.runs("epic-1")
    assert row.state is RunState.RUNNING


async def test_a_process_that_is_given_its_own_run_again_ends_the_first_start_before_it_begins(postgres: Bench) -> None:
    """A machine slept: its own sweeper finds the run silent before its own beat says otherwise."""
    bench = await postgres.start(beat=30.0, dead_after=60.0)
    await bench.engine.start_run(bench.order("a"))
    await bench.until(lambda: "a" in bench.calls.running)
    bench.calls.dies_slowly["a"] = asyncio.Event()
    await sql(bench, "UPDATE runs SET state = 'queued', owner = NULL")
    await bench.until(lambda: bench.calls.killed == ["a"])
    await bench.until_runs("epic-1", lambda rows: rows[0].attempt_of_start == 2 and rows[0].started_at)
    assert bench.calls.started == ["a"]
    bench.calls.dies_slowly["a"].set()
    await bench.until(lambda: bench.calls.started == ["a", "a"])
    bench.calls.release["a"].set()
    (row,) = await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.FINISHED)
    assert row.result == {"fence": 2}


async def test_a_process_that_lost_a_run_begins_nothing_before_that_one_s_agent_is_dead(postgres: Bench) -> None:
    """A machine slept: another one has ended its run meanwhile. Its own agent does not know, and lives."""
    bench = await postgres.start(beat=30.0, dead_after=60.0)
    await bench.engine.start_run(bench.order("a", caps=(("service", 1),)))
    await bench.until(lambda: "a" in bench.calls.running)
    bench.calls.dies_slowly["a"] = asyncio.Event()
    await sql(bench, "UPDATE runs SET state = 'finished', fence = fence + 1, owner = NULL")
    await bench.engine.start_run(bench.order("b", caps=(("service", 1),)))
    await bench.until(lambda: bench.calls.killed == ["a"])
    await bench.quiet()
    assert bench.calls.started == ["a"]
    bench.calls.dies_slowly["a"].set()
    await bench.until(lambda: bench.calls.started == ["a", "b"])


async def test_a_stop_that_was_not_heard_is_told_by_the_next_beat(postgres: Bench) -> None:
    bench = await postgres.start()
    await bench.engine.start_run(bench.order("a"))
    await bench.until(lambda: "a" in bench.calls.running)
    await sql(bench, "UPDATE runs SET stop_reason = 'said stop'")
    await bench.until(lambda: bench.calls.killed == ["a"])
    await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.CANCELED)


async def test_a_worker_that_has_to_start_again_does_not_kill_its_runs(postgres: Bench) -> None:
    bench = await postgres.start()
    await bench.engine.start_run(bench.order("a"))
    await bench.until(lambda: "a" in bench.calls.running)
    await sql(bench, "DELETE FROM procrastinate_workers")  # its next fetch names a worker that is gone
    await bench.engine.start_run(bench.order("b"))
    await bench.until(lambda: "b" in bench.calls.running)
    assert bench.calls.killed == []
    bench.calls.release["a"].set()
    await bench.until_runs("epic-1", lambda rows: rows[-1].state is RunState.FINISHED)


async def test_a_worker_taken_for_dead_says_so_and_harms_nobody(postgres: Bench) -> None:
    bench = postgres
    lost: list[str] = []
    assert bench.database
    async with PostgresEngine.open(bench.database, pace=bench.pace, on_lost=lost.append) as engine:
        working = asyncio.create_task(engine.run(bench.calls))
        bench.calls.hold_keys.add("epic-1")
        await engine.hint("epic-1")
        await bench.until(lambda: bench.calls.inside["epic-1"])
        await sql(bench, "DELETE FROM procrastinate_jobs")  # as a sweeper elsewhere does
        await sql(bench, "UPDATE keys SET wanted = wanted + 1")
        bench.calls.hold_keys.clear()
        bench.calls.held["epic-1"].set()
        await bench.until(lambda: lost == ["epic-1"] and len(bench.calls.rounds) >= 2)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working


@pytest.mark.proves("S-73")
async def test_two_processes_share_the_work_and_the_caps(postgres: Bench) -> None:
    bench = await postgres.start()
    assert bench.database
    caps = (("service", 4), ("epic:1", 3))
    async with PostgresEngine.open(bench.database, pace=bench.pace) as other:
        second = asyncio.create_task(other.run(bench.calls))
        for number in range(12):
            engine = bench.engine if number % 2 else other
            await engine.start_run(bench.order(f"run-{number}", caps=caps))
            bench.calls.release[f"run-{number}"].set()
            await engine.hint("epic-1")
        await bench.until_runs("epic-1", lambda rows: all(row.state is RunState.FINISHED for row in rows))
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
    assert len(bench.calls.started) == 12
    assert bench.calls.broken_caps == []
    assert bench.calls.most_inside["epic-1"] == 1


async def test_after_the_server_itself_was_started_nobody_is_waited_for(postgres: Bench) -> None:
    bench = await postgres.open(dead_after=3600.0)
    await bench.engine.start_run(bench.order("a"))
    await bench.engine.hint("epic-2")
    await until(bench, JOBS, [("epic-1",), ("epic-2",), ("run a",)])
    (worker,) = await sql(bench, "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    await sql(bench, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", worker[0])
    await sql(bench, "UPDATE runs SET owner = 'a dead process'")
    assert bench.database
    bench.database.fresh = True
    bench.work()
    await bench.until(lambda: "a" in bench.calls.running and "epic-2" in bench.calls.rounds)


async def test_only_one_process_resyncs_in_an_interval(postgres: Bench) -> None:
    bench = await postgres.start(resync=60.0)
    bench.calls.live_keys = ["epic-1"]
    assert bench.database
    await bench.quiet(0.07)
    async with PostgresEngine.open(bench.database, pace=bench.pace) as other:
        inbox = other._inbox
        assert await inbox.claim_resync(0.0)
        assert not await inbox.claim_resync(50.0)


async def test_a_delivery_is_known_for_days_and_then_deleted(postgres: Bench) -> None:
    bench = await postgres.start()
    await bench.engine.accept(bench.delivery("epic-1", "old"))
    await until(bench, OPEN, [])
    await bench.stop()
    await sql(bench, "UPDATE deliveries SET done_at = now() - interval '8 hours'")
    bench.work()
    await bench.quiet(0.07)
    await bench.stop()
    assert len(await sql(bench, "SELECT 1 FROM deliveries")) == 1
    await sql(bench, "UPDATE deliveries SET done_at = now() - interval '4 days'")
    bench.work()
    await until(bench, "SELECT 1 FROM deliveries", [])


async def test_finished_jobs_leave_nothing_behind(postgres: Bench) -> None:
    bench = await postgres.start()
    await bench.engine.start_run(bench.order("a"))
    bench.calls.release["a"].set()
    await bench.until_runs("epic-1", lambda rows: rows[0].state is RunState.FINISHED)
    await until(bench, JOBS, [])
    await until(bench, "SELECT 1 FROM procrastinate_events", [])
