"""A disk that is full or read-only: said in one clear sentence, and over when it is mended."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import app
from bot.engine.port import EngineStatus
from bot.git.command import failure
from bot.machine.errors import Transient, UserError
from bot.machine.watchdog import Memory
from bot.storage import trouble
from bot.watchdog import Watchdog


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount program here")
    if done.returncode:
        pytest.skip(f"this machine lets us mount nothing: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_trouble_until_there_is_space_again(small_disk: Path) -> None:
    assert trouble(small_disk / "home") == ""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * ((4 << 20) - 4096))
    assert trouble(small_disk / "home") == "No space left on device"
    ballast.unlink()
    assert trouble(small_disk / "home") == ""


def test_a_read_only_disk_is_trouble_until_it_can_be_written_again(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert trouble(small_disk / "home") == "Read-only file system"
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert trouble(small_disk / "home") == ""


async def test_the_service_does_not_start_there_and_says_why(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    class Settings:
        home = small_disk / "home"

    nothing: Any = None
    with pytest.raises(UserError, match=r"can't be written \(Read-only file system\): free some space, or make it"):
        async with app.open_engine(Settings, nothing):  # type: ignore[arg-type]
            pass
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


async def test_a_running_service_says_it_until_it_is_mended_also_while_its_database_is_away(small_disk: Path) -> None:
    async def away() -> EngineStatus:
        raise ConnectionError("the database is away")

    async def hint(_key: str) -> None:
        raise AssertionError

    dog = Watchdog(Memory(), away, hint, lambda: None, small_disk)  # type: ignore[arg-type, return-value]
    (small_disk / "ballast").write_bytes(b"\0" * ((4 << 20) - 4096))
    with pytest.raises(ConnectionError):
        await dog.look()
    [said] = dog.told
    assert "can't be written (No space left on device)" in said
    (small_disk / "ballast").unlink()
    with pytest.raises(ConnectionError):
        await dog.look()
    assert dog.told == ()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_git_on_such_a_disk_has_failed_for_now_not_for_good(number: int) -> None:
    said = f"fatal: cannot create 'x': {os.strerror(number)}\nfatal: refused\n"
    assert isinstance(failure(("fetch",), 128, said), Transient)


def test_git_does_not_always_say_that_it_was_the_disk() -> None:
    said = "fatal: update_ref failed for ref 'x': cannot update ref 'x': couldn't write '/m/refs/x.lock'\n"
    assert isinstance(failure(("update-ref",), 128, said), Transient)
