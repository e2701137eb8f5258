"""The disk is full, or read-only, while the whole service works on it: nothing is lost, nothing is said twice."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

SIZE = 700
"""Megabytes: room for a database, four checkouts and their transcripts."""
LEAVES = 0.2
"""Of a megabyte: what the filled disk has left, less than the service needs."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The data folder of the story, a disk of its own."""
    place = tmp_path / "theatre" / "callboard"
    place.mkdir(parents=True)
    try:
        done = _mount("-t", "tmpfs", "-o", f"size={SIZE}m,mode=755", "none", str(place))
    except FileNotFoundError:
        pytest.skip("there is no mount program here")
    if done.returncode:
        pytest.skip(f"this machine lets us mount nothing: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mount(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)


def _fill(disk: Path) -> Callable[[], None]:
    """Leave no room; what comes back makes room again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * (1 << 16)):
                pass
        except OSError:
            file.truncate(max(0, file.tell() - int(LEAVES * (1 << 20))))
    return ballast.unlink


async def _lock(disk: Path) -> Callable[[], None]:
    """Make it read-only, at a moment when nobody has a file open to write; what comes back makes it writable again."""
    async with asyncio.timeout(60):
        while _mount("-o", "remount,bind,ro", str(disk)).returncode:
            await asyncio.sleep(0.02)
    return lambda: _mount("-o", "remount,bind,rw", str(disk)).check_returncode()


async def _writable(world: Any) -> bool:
    async with httpx2.AsyncClient() as client:
        text = (await client.get(f"{world.theatre.url}/metrics")).text
    return "callboard_data_folder_writable 1.0" in text


@pytest.mark.slow
async def test_a_disk_that_fills_up_in_the_middle_costs_time_and_nothing_else(disk, opens):
    world = await opens(database_url=None)
    epic = await _in_dev(world)
    await _goes_on_when_it_may_write_again(world, epic, _fill(disk))


@pytest.mark.slow
async def test_a_disk_that_turns_read_only_in_the_middle_costs_time_and_nothing_else(disk, opens):
    """The database is elsewhere: it has its files open, and such a disk can't be made read-only for a test."""
    world = await opens()
    epic = await _in_dev(world)
    await _goes_on_when_it_may_write_again(world, epic, await _lock(disk))


async def _in_dev(world: Any) -> Any:
    epic = world.epic()
    world.alice.labels(epic, "orchestrate")
    await world.approved(epic)
    await world.until(lambda: any(one.state.name == "In Dev" for one in world.linear.children(epic)), "a ticket in dev")
    return epic


async def _goes_on_when_it_may_write_again(world: Any, epic: Any, mends: Callable[[], None]) -> None:
    async with asyncio.timeout(300):
        while await _writable(world):
            await world.quiet(0.5)
        await world.quiet(6)
        assert not await _writable(world)
        mends()
        while not await _writable(world):
            await world.quiet(0.5)
    await world.asked(epic)
    await world.is_in(epic, "Done")
    await world.has_merged_all(epic)
