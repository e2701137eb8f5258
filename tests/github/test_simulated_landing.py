"""Merge queue and auto-merge of the simulated GitHub, seen and used through our client."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot.github.client import HeadMoved, NotMergeable
from bot.github.errors import QueueRequired
from bot.machine.pull_request import Checks, Merging
from bot.simulator.github.actors import CI, Person
from bot.simulator.github.model import Protection, QueueRule

PLACE = "acme/youlab"


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture
def queue(stage):
    stage.world.protect(PLACE, "main", Protection(checks=("test",), queue=QueueRule("squash")))


async def green(stage) -> tuple[int, str]:
    number, head = await stage.open()
    await CI(stage.world).passes(stage.pull(number))
    return number, head


@pytest.mark.usefixtures("queue")
async def test_a_pull_request_goes_through_the_merge_queue(stage):
    number, head = await green(stage)
    one = await stage.see(number)
    assert (one.merging.queue, one.queue) == (True, None)
    with pytest.raises(QueueRequired, match="merge queue"):
        await stage.ensure.merge(PLACE, number, head, "YOU-1")
    for _ in range(2):
        await stage.ensure.enqueue(PLACE, number, head)
    pull = stage.pull(number)
    await until(lambda: pull.queued and pull.queued.group)
    one = await stage.see(number)
    assert (one.queue.position, one.queue.state) == (1, "awaiting_checks")
    await CI(stage.world).passes(pull, sha=pull.queued.group)
    await until(lambda: pull.merged)
    one = await stage.see(number)
    assert (one.merged, one.queue, one.ejected, one.head) == (True, None, None, head)
    assert one.merge_commit == await stage.world.git.branch(stage.place.path, "main")
    await stage.ensure.enqueue(PLACE, number, head)


@pytest.mark.usefixtures("queue")
async def test_what_is_not_green_is_not_taken_by_the_queue(stage):
    number, head = await stage.open()
    with pytest.raises(NotMergeable, match="test"):
        await stage.ensure.enqueue(PLACE, number, head)


@pytest.mark.usefixtures("queue")
async def test_a_head_that_moved_is_not_queued_and_one_that_moves_there_leaves_the_queue(stage):
    number, head = await green(stage)
    await stage.ensure.enqueue(PLACE, number, head)
    await stage.push("b.txt")
    await until(lambda: stage.pull(number).queued is None)
    with pytest.raises(HeadMoved):
        await stage.ensure.enqueue(PLACE, number, head)
    assert (await stage.see(number)).queue is None


@pytest.mark.usefixtures("queue")
async def test_why_the_queue_put_a_pull_request_out_is_read_and_it_may_go_in_again(stage):
    number, head = await green(stage)
    pull = stage.pull(number)
    assert (await stage.see(number)).ejected is None
    await stage.ensure.enqueue(PLACE, number, head)
    await until(lambda: pull.queued and pull.queued.group)
    await CI(stage.world).fails(pull, sha=pull.queued.group)
    await until(lambda: pull.queued is None)
    one = await stage.see(number)
    assert (one.open, one.queue, one.ejected.head) == (True, None, head)
    assert one.ejected.reason == "ci_failure"
    await stage.ensure.enqueue(PLACE, number, head)
    assert (await stage.see(number)).queue


@pytest.mark.usefixtures("queue")
async def test_a_pull_request_leaves_the_queue_when_we_say_so(stage):
    number, head = await green(stage)
    await stage.ensure.enqueue(PLACE, number, head)
    for _ in range(2):
        await stage.ensure.dequeue(PLACE, number)
    assert (await stage.see(number)).queue is None


async def test_auto_merge_waits_for_the_check_and_merges(stage):
    stage.place.auto_merge = True
    stage.world.protect(PLACE, "main", Protection(checks=("test",)))
    number, head = await stage.open()
    assert (await stage.see(number)).merging == Merging(auto_merge_allowed=True)
    for _ in range(2):
        assert await stage.ensure.enable_auto_merge(PLACE, number, head)
    assert (await stage.see(number)).auto_merge
    await CI(stage.world).passes(stage.pull(number))
    await until(lambda: stage.pull(number).merged)


async def test_auto_merge_is_disabled_and_then_nothing_is_merged(stage):
    stage.place.auto_merge = True
    stage.world.protect(PLACE, "main", Protection(checks=("test",)))
    number, head = await stage.open()
    assert await stage.ensure.enable_auto_merge(PLACE, number, head)
    for _ in range(2):
        await stage.ensure.disable_auto_merge(PLACE, number)
    await CI(stage.world).passes(stage.pull(number))
    one = await stage.see(number)
    assert (one.open, one.checks, one.auto_merge) == (True, Checks.GREEN, False)


async def test_where_nothing_is_to_be_waited_for_auto_merge_is_not_offered(stage):
    stage.place.auto_merge = True
    stage.world.protect(PLACE, "main", Protection(checks=("test",)))
    number, head = await green(stage)
    await stage.see(number)
    await stage.see(number)
    assert await stage.ensure.enable_auto_merge(PLACE, number, head) is False


async def test_a_repository_without_auto_merge_says_so(stage):
    number, head = await stage.open()
    with pytest.raises(NotMergeable, match=r"[Aa]uto.?merge"):
        await stage.ensure.enable_auto_merge(PLACE, number, head)


async def test_a_branch_that_must_be_up_to_date_is_behind(stage):
    stage.world.protect(PLACE, "main", Protection(checks=("test",), strict=True))
    number, _ = await green(stage)
    await Person(stage.world, "alice").pushes(stage.place, "main", {"c.txt": "c"}, "Meanwhile")
    await stage.see(number)
    one = await stage.see(number)
    assert (one.behind, one.blocked_by_rules) == (True, "")


async def test_a_rule_that_is_not_met_is_seen_before_anything_is_tried(stage):
    stage.world.protect(PLACE, "main", Protection(approvals=1))
    number, _ = await stage.open()
    await stage.see(number)
    one = await stage.see(number)
    assert (one.review_required, one.behind) == (True, False)
    assert one.blocked_by_rules.startswith("GitHub's rules for main")


async def test_a_review_is_asked_for_and_the_author_can_not_be(stage):
    stage.world.grant(PLACE, "alice", "write")
    number, _ = await stage.open()
    for _ in range(2):
        assert await stage.ensure.request_review(PLACE, number, ["alice", "callboard[bot]"]) == ("callboard[bot]",)
    assert [who.login for who in stage.pull(number).requested] == ["alice"]
