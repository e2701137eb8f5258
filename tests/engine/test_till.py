"""Money that runs of several processes share, and the pause: nobody spends what another has taken off."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.engine.port import RunState, Till
from bot.engine.postgres import PostgresEngine

MUCH = 1e9


async def _running(bench: Any, *names: str, key: str = "epic-1", budget: float = 1.0) -> Till:
    """The engine's till, with these runs under way."""
    assert isinstance(bench.engine, PostgresEngine)
    await bench.engine.allow(key, budget, 0.0)
    for name in names:
        await bench.engine.start_run(bench.order(name, key=key))
    await bench.until(lambda: set(names) <= set(bench.calls.running))
    return bench.engine.till


@pytest.mark.attack("S-60")
async def test_runs_of_one_epic_pass_its_budget_by_no_more_than_one_call(postgres: Any) -> None:
    """Four runs ask for ten calls each at once; a call costs 0.15 at most, and 0.1 in the end."""
    await postgres.start()
    till = await _running(postgres, "a", "b", "c", "d")
    paid = 0

    async def call(run: str) -> None:
        nonlocal paid
        while (word := (await till.reserve(run, 0.15, MUCH)).word) == "wait":
            await asyncio.sleep(0.005)
        if word == "granted":
            await asyncio.sleep(0.005)
            await till.settle(run, 0.15, 0.1, 10, 5)
            paid += 1

    await asyncio.gather(*(call(run) for run in "abcd" for _ in range(10)))
    assert 10 <= paid <= 11
    assert (await till.reserve("a", 0.15, MUCH)).word == "epic"
    spent = await postgres.engine.till.spent("epic-1")
    assert sum(one.usd for one in spent) == pytest.approx(paid * 0.1)
    assert sum(one.calls for one in spent) == paid
    assert {one.stage for one in spent} == {"plan"}
    rows = await postgres.engine.runs("epic-1")
    assert sum(row.spent_usd for row in rows) == pytest.approx(paid * 0.1)


async def test_a_call_waits_while_others_hold_what_is_left(postgres: Any) -> None:
    await postgres.start()
    till = await _running(postgres, "a", "b")
    assert (await till.reserve("a", 5.0, MUCH)).word == "granted"
    assert (await till.reserve("b", 0.01, MUCH)).word == "wait"
    await till.settle("a", 5.0, 0.2, 1, 1)
    assert (await till.reserve("b", 0.01, MUCH)).word == "granted"


@pytest.mark.attack("S-60")
async def test_the_day_has_a_cap_over_all_epics(postgres: Any) -> None:
    await postgres.start()
    till = await _running(postgres, "a", budget=100)
    await _running(postgres, "b", key="epic-2", budget=100)
    assert (await till.reserve("a", 1.0, 2.0)).word == "granted"
    await till.settle("a", 1.0, 2.5, 1, 1)
    refused = await till.reserve("b", 0.01, 2.0)
    assert (refused.word, refused.spent) == ("day", 2.5)
    assert (await till.reserve("b", 0.01, 3.0)).word == "granted"
    assert (await postgres.engine.service()).today_usd == 2.5


@pytest.mark.attack("S-60")
async def test_nobody_calls_without_a_run_that_is_under_way_or_a_budget_that_is_known(postgres: Any) -> None:
    await postgres.start()
    till = await _running(postgres, "a")
    assert (await till.reserve("of-nobody", 0.01, MUCH)).word == "unknown"
    await postgres.engine.start_run(postgres.order("b", key="epic-3"))
    await postgres.until(lambda: "b" in postgres.calls.running)
    assert (await till.reserve("b", 0.01, MUCH)).word == "wait"
    await postgres.engine.cancel_run("a", "stop")
    await postgres.until(lambda: "a" not in postgres.calls.running)
    await postgres.until_runs("epic-1", lambda rows: rows[0].state is RunState.CANCELED)
    assert (await till.reserve("a", 0.01, MUCH)).word == "unknown"


async def test_a_budget_is_raised_under_way_and_what_the_records_know_counts(postgres: Any) -> None:
    await postgres.start()
    till = await _running(postgres, "a", budget=10)
    await postgres.engine.allow("epic-1", 10, 12)  # a database that was lost: Linear's records know of 12 dollars
    assert (await till.reserve("a", 0.01, MUCH)).word == "epic"
    await postgres.engine.allow("epic-1", 50, 12)
    assert (await till.reserve("a", 0.01, MUCH)).word == "granted"
    await till.settle("a", 0.01, 5.0, 1, 1)
    await postgres.engine.allow("epic-1", 17, 17)  # what is on record by now is no further cost
    assert (await till.reserve("a", 0.01, MUCH)).spent == 17


async def test_what_counts_against_a_budget_can_be_asked_for(postgres: Any) -> None:
    await postgres.start()
    assert await postgres.engine.spent("epic-1") == 0.0
    till = await _running(postgres, "a", "b")
    await postgres.engine.allow("epic-1", 20, 12)
    assert (await till.reserve("a", 3.0, MUCH)).word == "granted"
    assert await postgres.engine.spent("epic-1") == 12.0
    await till.settle("a", 3.0, 2.5, 1, 1)
    assert await postgres.engine.spent("epic-1") == (await till.reserve("b", 1.0, MUCH)).spent == 14.5
    await postgres.engine.cancel_run("b", "stop")
    await postgres.until_runs("epic-1", lambda rows: RunState.CANCELED in {one.state for one in rows})
    assert await postgres.engine.spent("epic-1") == 15.5, "what a call costs that was under way is known to nobody"
    assert await postgres.engine.spent("epic-2") == 0.0


async def test_what_counts_against_the_day_is_what_runs_are_held_back_by(postgres: Any) -> None:
    """Else they began, were turned away, and began again every thirty seconds until midnight."""
    await postgres.start()
    till = await _running(postgres, "a", budget=100)
    await _running(postgres, "b", key="epic-2", budget=100)
    assert (await till.reserve("a", 3.0, MUCH)).word == "granted"
    assert (await postgres.engine.service()).today_usd == 0.0
    await postgres.engine.cancel_run("a", "stop")
    await postgres.until_runs("epic-1", lambda rows: rows[0].state is RunState.CANCELED)
    refused = await till.reserve("b", 0.01, 2.0)
    assert (refused.word, refused.spent) == ("day", 3.0)
    assert (await postgres.engine.service()).today_usd == 3.0


async def test_what_a_killed_process_had_taken_off_is_spent(postgres: Any) -> None:
    await postgres.start()
    till = await _running(postgres, "a", "b")
    assert (await till.reserve("a", 0.6, MUCH)).word == "granted"
    await till.open("a")  # it begins again
    assert (await till.reserve("b", 0.6, MUCH)).word == "granted"
    assert (await till.reserve("a", 0.1, MUCH)).word == "wait"
    await till.settle("b", 0.6, 0.5, 1, 1)
    assert (await till.reserve("a", 0.1, MUCH)).word == "epic"


async def test_a_pause_admits_nobody_refuses_calls_and_lifts_itself(postgres: Any) -> None:
    await postgres.start()
    till = await _running(postgres, "a")
    until = datetime.now(UTC) + timedelta(seconds=1.5)
    await till.pause(until, "the account is at its limit")
    verdict = await till.reserve("a", 0.1, MUCH)
    assert (verdict.word, verdict.why) == ("paused", "the account is at its limit")
    await postgres.engine.start_run(postgres.order("b"))
    assert (await postgres.engine.status()).service.paused_until == until
    await postgres.stop()
    await postgres.start()  # a new process: the pause stands in the database
    assert (await postgres.engine.service()).paused_until == until
    if datetime.now(UTC) < until - timedelta(seconds=0.2):
        assert "b" not in postgres.calls.started
    await postgres.until(lambda: "b" in postgres.calls.running)
    assert datetime.now(UTC) >= until
    assert (await postgres.engine.service()).paused_until is None


async def test_the_longest_of_several_pauses_counts(postgres: Any) -> None:
    await postgres.start()
    till = await _running(postgres)
    far = datetime.now(UTC) + timedelta(hours=2)
    await till.pause(far, "first")
    await till.pause(far - timedelta(hours=1), "second")
    assert (await postgres.engine.service()).paused_until == far
