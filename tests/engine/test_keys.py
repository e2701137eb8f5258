"""Deliveries and hints: nothing is lost, and nothing is done twice for nothing. Both engines."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bot.engine.port import Accepted
from tests.engine.conftest import Bench, Busy


async def test_a_delivery_causes_one_round_on_its_subject(bench: Bench) -> None:
    await bench.start()
    assert await bench.engine.accept(bench.delivery("issue-1")) is Accepted.NEW
    await bench.until(lambda: bench.calls.rounds)
    await bench.quiet()
    assert bench.calls.rounds == ["issue-1"]
    assert (await bench.settled()).open_deliveries == 0


async def test_a_delivery_goes_to_the_key_its_subject_is_routed_to(bench: Bench) -> None:
    await bench.start()
    await bench.engine.route("issue-1", "epic-1")
    await bench.engine.accept(bench.delivery("issue-1"))
    await bench.until(lambda: bench.calls.rounds)
    assert bench.calls.rounds == ["epic-1"]


async def test_a_round_may_pass_its_subject_on_to_the_real_key(bench: Bench) -> None:
    await bench.start()

    async def pass_on() -> None:
        await bench.engine.route("issue-1", "epic-1")
        await bench.engine.hint("epic-1")

    bench.calls.during["issue-1"] = pass_on
    await bench.engine.accept(bench.delivery("issue-1"))
    await bench.until(lambda: len(bench.calls.rounds) == 2)
    assert sorted(bench.calls.rounds) == ["epic-1", "issue-1"]
    assert (await bench.settled()).open_deliveries == 0


async def test_hints_before_a_round_are_one_round(bench: Bench) -> None:
    await bench.open()
    for _ in range(10):
        await bench.engine.hint("epic-1")
    bench.work()
    await bench.until(lambda: bench.calls.rounds)
    await bench.quiet()
    assert bench.calls.rounds == ["epic-1"]


async def test_hints_during_a_round_cause_exactly_one_more_and_soon(bench: Bench) -> None:
    await bench.start(poll=600.0, tick=600.0)  # so that only being told can make it soon
    bench.calls.hold_keys.add("epic-1")
    await bench.engine.hint("epic-1")
    await bench.until(lambda: bench.calls.inside["epic-1"])
    for _ in range(10):
        await bench.engine.hint("epic-1")
    await bench.engine.accept(bench.delivery("epic-1"))
    await bench.quiet(0.07)
    bench.calls.held["epic-1"].set()
    await bench.until(lambda: len(bench.calls.rounds) == 2)
    await bench.quiet()
    assert bench.calls.rounds == ["epic-1", "epic-1"]
    assert bench.calls.most_inside["epic-1"] == 1
    assert (await bench.settled()).open_deliveries == 0


async def test_a_hint_that_a_round_gives_its_own_key_causes_one_more(bench: Bench) -> None:
    await bench.start()

    async def hint_once() -> None:
        if len(bench.calls.rounds) == 0:
            await bench.engine.hint("epic-1")

    bench.calls.during["epic-1"] = hint_once
    await bench.engine.hint("epic-1")
    await bench.until(lambda: len(bench.calls.rounds) == 2)
    await bench.quiet()
    assert len(bench.calls.rounds) == 2


async def test_different_keys_are_worked_on_at_the_same_time(bench: Bench) -> None:
    await bench.start()
    bench.calls.hold_keys |= {"epic-1", "epic-2"}
    await bench.engine.hint("epic-1")
    await bench.engine.hint("epic-2")
    await bench.until(lambda: bench.calls.inside["epic-1"] and bench.calls.inside["epic-2"])
    bench.calls.held["epic-1"].set()
    bench.calls.held["epic-2"].set()


async def test_a_delivery_that_was_finished_is_known_and_wakes_nobody(bench: Bench) -> None:
    await bench.start()
    delivery = bench.delivery("issue-1")
    await bench.engine.accept(delivery)
    await bench.until(lambda: bench.calls.rounds)
    await bench.settled()
    assert await bench.engine.accept(delivery) is Accepted.KNOWN
    await bench.quiet()
    assert bench.calls.rounds == ["issue-1"]


async def test_a_delivery_that_is_unfinished_wakes_its_key_again(bench: Bench) -> None:
    await bench.open()
    delivery = bench.delivery("issue-1")
    assert await bench.engine.accept(delivery) is Accepted.NEW
    assert await bench.engine.accept(delivery) is Accepted.REQUEUED
    bench.work()
    await bench.until(lambda: bench.calls.rounds)
    await bench.quiet()
    assert bench.calls.rounds == ["issue-1"]


@pytest.mark.attack("S-04")
async def test_the_same_delivery_sent_twice_at_once_is_new_once(bench: Bench) -> None:
    await bench.open()
    delivery = bench.delivery("issue-1")
    found = await asyncio.gather(*(bench.engine.accept(delivery) for _ in range(5)))
    assert sorted(found) == [Accepted.NEW] + [Accepted.REQUEUED] * 4


async def test_ignored_and_parked_deliveries_are_kept_with_their_reason_and_wake_nobody(bench: Bench) -> None:
    await bench.start()
    await bench.engine.accept(bench.delivery("issue-1", ignored="our own write"))
    parked = bench.delivery("issue-1", "strange", parked="cannot be read")
    await bench.engine.accept(parked)
    await bench.engine.accept(bench.delivery(None))
    assert await bench.engine.accept(parked) is Accepted.KNOWN
    await bench.quiet()
    assert bench.calls.rounds == []
    status = await bench.engine.status()
    assert status.ignored_deliveries == {"our own write": 1, "speaks of nothing": 1}
    assert status.parked_deliveries == {"cannot be read": 1}
    assert status.last_delivery["linear"] >= parked.received_at
    (shown,) = (await bench.engine.parked()).deliveries
    assert (shown.delivery, shown.reason) == ("strange", "cannot be read")


async def test_a_delayed_hint_comes_when_it_is_due_and_not_before(bench: Bench) -> None:
    await bench.start()
    clock = asyncio.get_running_loop().time
    begun = clock()
    await bench.engine.hint("epic-1", delay=0.25)
    await bench.until(lambda: bench.calls.rounds)
    assert 0.24 <= clock() - begun < 30


async def test_of_several_delayed_hints_the_earliest_counts_and_they_are_one(bench: Bench) -> None:
    await bench.start()
    await bench.engine.hint("epic-1", delay=30)
    await bench.engine.hint("epic-1", delay=0.1)
    await bench.engine.hint("epic-1", delay=20)
    await bench.until(lambda: bench.calls.rounds)
    await bench.quiet()
    assert bench.calls.rounds == ["epic-1"]


async def test_a_round_may_ask_to_look_again_later(bench: Bench) -> None:
    await bench.start()
    bench.calls.again["epic-1"] = 0.1
    await bench.engine.hint("epic-1")
    await bench.until(lambda: len(bench.calls.rounds) == 2)
    await bench.quiet()
    assert len(bench.calls.rounds) == 2


async def test_a_delay_survives_a_restart(bench: Bench) -> None:
    await bench.start()
    await bench.engine.hint("epic-1", delay=0.2)
    await bench.stop()
    await bench.quiet(0.25)
    assert bench.calls.rounds == []
    if bench.kind == "postgres":
        await bench.open()
    bench.work()
    await bench.until(lambda: bench.calls.rounds)


async def test_a_failed_round_is_tried_again_and_its_deliveries_stay_open(bench: Bench) -> None:
    await bench.start(tries=50)
    bench.calls.fail["epic-1"] = RuntimeError("Linear said no")
    await bench.engine.accept(bench.delivery("epic-1"))
    await bench.until(lambda: len(bench.calls.rounds) >= 3)
    status = await bench.engine.status()
    assert status.open_deliveries == 1
    (waiting,) = status.waiting
    assert (waiting.key, waiting.error) == ("epic-1", "RuntimeError: Linear said no")
    assert waiting.attempts >= 2
    bench.calls.fail.clear()
    await bench.until(lambda: bench.calls.rounds.count("epic-1") >= 4)
    status = await bench.settled()
    assert (status.open_deliveries, status.waiting) == (0, ())


async def test_retries_wait_longer_and_longer(bench: Bench) -> None:
    waits = [sum(bench.pace.retry_delay(tries) for _ in range(200)) / 200 for tries in (1, 2, 3)]
    assert waits[0] < waits[1]
    assert waits[2] <= bench.pace.last_retry * 1.25


async def test_a_hint_does_not_shorten_the_wait_for_a_retry(bench: Bench) -> None:
    await bench.start(first_retry=30.0, last_retry=30.0)
    bench.calls.fail["epic-1"] = RuntimeError("no")
    await bench.engine.hint("epic-1")
    await bench.until(lambda: bench.calls.rounds)
    await bench.engine.hint("epic-1")
    await bench.quiet()
    assert bench.calls.rounds == ["epic-1"]


async def test_a_key_that_fails_too_often_is_parked_while_others_go_on(bench: Bench) -> None:
    await bench.start()
    bench.calls.fail["poison"] = RuntimeError("always")
    await bench.engine.accept(bench.delivery("poison"))
    await bench.until(lambda: len(bench.calls.rounds) == 3)
    await bench.quiet()
    assert bench.calls.rounds == ["poison"] * 3
    (parked,) = await bench.until_parked(1)
    assert (parked.key, parked.attempts, parked.error) == ("poison", 3, "RuntimeError: always")
    await bench.engine.accept(bench.delivery("epic-2"))
    await bench.until(lambda: "epic-2" in bench.calls.rounds)
    assert bench.calls.rounds.count("poison") == 3


async def test_a_database_whose_disk_is_full_parks_nothing(postgres: Bench) -> None:
    bench = postgres
    await bench.start()
    bench.calls.fail["epic-1"] = psycopg.errors.DiskFull("could not extend file")
    await bench.engine.accept(bench.delivery("epic-1"))
    await bench.until(lambda: len(bench.calls.rounds) > 3)
    assert (await bench.engine.parked()).keys == ()
    del bench.calls.fail["epic-1"]
    before = len(bench.calls.rounds)
    await bench.until(lambda: len(bench.calls.rounds) > before)


async def test_a_parked_key_is_tried_once_for_each_new_hint(bench: Bench) -> None:
    await bench.start()
    bench.calls.fail["poison"] = RuntimeError("always")
    await bench.engine.hint("poison")
    await bench.until(lambda: len(bench.calls.rounds) == 3)
    await bench.until_parked(1)
    await bench.engine.hint("poison")
    await bench.until(lambda: len(bench.calls.rounds) == 4)
    await bench.quiet()
    assert len(bench.calls.rounds) == 4
    bench.calls.fail.clear()
    await bench.engine.accept(bench.delivery("poison"))
    await bench.until(lambda: len(bench.calls.rounds) == 5)
    await bench.until_parked(0)


async def test_a_parked_key_is_tried_by_the_resync_only_now_and_then(bench: Bench) -> None:
    bench.calls.live_keys = ["poison"]
    bench.calls.fail["poison"] = RuntimeError("always")
    await bench.start(resync=0.05, parked_retry=0.5)
    await bench.until(lambda: len(bench.calls.rounds) == 3)
    await bench.quiet(0.3)
    assert len(bench.calls.rounds) == 3
    await bench.until(lambda: len(bench.calls.rounds) == 4)


async def test_a_parked_key_is_tried_again_though_nothing_live_bears_it_any_more(bench: Bench) -> None:
    """What was archived while its rounds failed is not among what lives; its deliveries stayed open for ever."""
    bench.calls.fail["poison"] = RuntimeError("always")
    await bench.start(resync=0.05, parked_retry=0.2)
    await bench.engine.accept(bench.delivery("poison"))
    await bench.until(lambda: len(bench.calls.rounds) == 3)
    bench.calls.fail.clear()
    await bench.until(lambda: len(bench.calls.rounds) == 4)
    await bench.until_parked(0)


async def test_an_error_that_says_when_to_come_back_never_parks(bench: Bench) -> None:
    await bench.start()
    bench.calls.fail["epic-1"] = Busy(retry_after=0.05)
    await bench.engine.hint("epic-1")
    await bench.until(lambda: len(bench.calls.rounds) == 5)
    assert (await bench.engine.parked()).keys == ()


async def test_a_round_that_hangs_is_cut_off_and_counts_as_failed(bench: Bench) -> None:
    await bench.start(reconcile_limit=0.05)
    bench.calls.hold_keys.add("epic-1")
    await bench.engine.hint("epic-1")
    await bench.until(lambda: len(bench.calls.rounds) >= 2)
    assert (await bench.engine.status()).waiting[0].error == "TimeoutError: "


@pytest.mark.proves("S-07")
async def test_all_live_keys_are_hinted_at_start_and_again_and_again(bench: Bench) -> None:
    bench.calls.live_keys = ["epic-1", "epic-2"]
    await bench.start(resync=0.1)
    await bench.until(lambda: bench.calls.rounds.count("epic-1") >= 3 and bench.calls.rounds.count("epic-2") >= 3)


async def test_a_round_cut_short_by_the_end_of_the_service_is_done_again(bench: Bench) -> None:
    await bench.start()
    bench.calls.hold_keys.add("epic-1")
    await bench.engine.accept(bench.delivery("epic-1"))
    await bench.until(lambda: bench.calls.inside["epic-1"])
    await bench.stop()
    assert (await bench.engine.status()).open_deliveries == 1
    bench.calls.hold_keys.clear()
    bench.work()
    await bench.until(lambda: len(bench.calls.rounds) == 2)


async def test_the_last_refusal_of_a_source_is_kept_and_no_other(bench: Bench) -> None:
    await bench.open()
    assert (await bench.engine.status()).last_refusal == {}
    begun = datetime.now(UTC) - timedelta(seconds=1)
    await bench.engine.refuse("linear")
    first = (await bench.engine.status()).last_refusal["linear"]
    await bench.engine.refuse("linear")
    status = await bench.engine.status()
    assert list(status.last_refusal) == ["linear"]
    assert begun <= first <= status.last_refusal["linear"]
