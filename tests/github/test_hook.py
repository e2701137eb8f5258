"""What the App sent and nobody took is asked for again: lately, not for ever, and never what was taken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.github.client import AppLogin, GitHub
from bot.github.hook import (
    LOOK_BACK,
    MOST_AT_ONCE,
    MOST_TRIES,
    Repair,
    Sending,
    read_sendings,
    repeat_failed,
    to_repeat,
)
from bot.simulator.faults import Fault
from bot.simulator.github import GitHubWorld, github_app
from bot.simulator.serving import serve

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FAILED = Sending(1, "a", NOW - timedelta(minutes=10), "timed out", 0)
AGAIN = replace(FAILED, id=2, at=NOW - timedelta(minutes=6))


@pytest.mark.parametrize(
    ("sendings", "wanted"),
    [
        ([FAILED], [FAILED]),
        ([replace(FAILED, status="OK", code=200)], []),
        ([FAILED, replace(AGAIN, status="OK", code=200)], []),
        ([FAILED, replace(AGAIN, status="pending")], []),
        ([FAILED, AGAIN], [AGAIN]),
        ([FAILED, replace(AGAIN, at=NOW - timedelta(minutes=2))], []),
        ([replace(FAILED, at=NOW - timedelta(seconds=30))], []),
        ([replace(FAILED, at=NOW - LOOK_BACK - timedelta(seconds=1))], []),
        ([replace(FAILED, id=number) for number in range(MOST_TRIES)], []),
    ],
)
def test_what_is_asked_for_again(sendings, wanted):
    assert list(to_repeat(sendings, NOW)) == wanted


def test_no_more_is_asked_for_at_once_than_fits_and_the_oldest_goes_first():
    many = [
        replace(FAILED, id=number, guid=str(number), at=FAILED.at + timedelta(seconds=number)) for number in range(50)
    ]
    assert [one.id for one in to_repeat(reversed(many), NOW)] == list(range(MOST_AT_ONCE))


@pytest.fixture
async def place(tmp_path, key, monkeypatch):
    """A GitHub whose App's webhooks go nowhere, and a clock ten minutes later."""
    world = GitHubWorld(tmp_path)
    async with serve(github_app(world)) as url:
        world.base_url = url
        app = world.app("callboard", webhook_url="http://127.0.0.1:9/webhooks/github", webhook_secret="s")
        app.__dict__["_key"] = key
        await world.post_office.quiet()
        yield world, GitHub(f"{url}/api/v3", AppLogin(str(app.id), app.private_key))
        await world.post_office.close()


def later(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


async def test_what_failed_is_sent_again_until_it_was_tried_often_enough(place):
    world, github = place
    assert await repeat_failed(github, later(0)) == 0  # a minute is left to it
    assert await repeat_failed(github, later(10)) == 1
    await world.post_office.quiet()
    assert await repeat_failed(github, later(20)) == 1
    await world.post_office.quiet()
    assert await repeat_failed(github, later(30)) == 0
    assert [one.guid for one in world.deliveries] == [world.deliveries[0].guid] * MOST_TRIES


async def test_what_arrives_the_second_time_is_left_alone(place):
    world, github = place
    async with serve(_taking) as url:
        world.deliveries[0] = replace(world.deliveries[0], letter=replace(world.deliveries[0].letter, url=url))
        world.post_office.attempts[0].letter = world.deliveries[0].letter
        assert await repeat_failed(github, later(10)) == 1
        await world.post_office.quiet()
    assert await repeat_failed(github, later(20)) == 0


async def test_pages_are_read_to_their_end_or_as_far_as_allowed(place):
    world, github = place
    for _ in range(230):
        world.deliveries.append(replace(world.deliveries[0], id=world.id()))
    assert len(await read_sendings(github, later(-60))) == 231
    assert len(await read_sendings(github, later(-60), pages=2)) == 200
    assert await read_sendings(github, later(60)) == ()


async def test_the_timer_looks_now_and_then_and_outlives_github(place):
    world, github = place
    now = later(10)
    repair = Repair(github, lambda: now)
    world.faults.plant(Fault(500), match="GET /app/hook/deliveries", times=3)
    await repair.look()
    assert len(world.deliveries) == 1
    await repair.look()
    now += timedelta(minutes=3)
    world.faults.planted.clear()
    await repair.look()
    assert len(world.deliveries) == 2


async def _taking(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
