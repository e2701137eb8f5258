"""Folders of doors: gone with their run, and with the next one where the service was killed."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bot.runs.doorway import doorway

_HOLDS = """
import os, signal, tempfile, sys
from bot.runs.doorway import doorway
tempfile.tempdir = sys.argv[1]
with doorway() as folder:
    (folder / "model.sock").touch()
    print(folder, flush=True)
    sys.stdin.read() if sys.argv[2] == "waits" else os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # pytest's own may be too long for a socket
        monkeypatch.setattr(tempfile, "tempdir", short)
        yield Path(short)


def _process(temporary, how):
    command = [sys.executable, "-c", _HOLDS, str(temporary), how]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _aged(folder):
    os.utime(folder, (time.time() - 3600,) * 2)


def test_it_is_private_short_and_gone_afterwards():
    with doorway() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(os.fsencode(folder / "egress.sock")) < 104
        (folder / "egress.sock").touch()
    assert not folder.exists()


def test_what_a_killed_service_left_goes_with_the_next_one(temporary):
    with _process(temporary, "dies") as process:
        left = Path(process.stdout.readline().strip())
    assert [one.name for one in left.iterdir()] == ["model.sock"]
    _aged(left)
    with doorway() as folder:
        assert list(temporary.iterdir()) == [folder]


def test_what_lives_stays_however_old_it_is(temporary):
    with _process(temporary, "waits") as process:
        other = Path(process.stdout.readline().strip())
        with doorway() as mine:
            _aged(other)
            _aged(mine)
            with doorway():
                assert other.is_dir()
                assert mine.is_dir()
        process.communicate()
    assert not list(temporary.iterdir())


def test_what_was_made_this_moment_stays(temporary):
    with _process(temporary, "dies") as process:
        left = Path(process.stdout.readline().strip())
    with doorway():
        assert left.is_dir()


def test_a_link_in_its_place_leads_nowhere(temporary, tmp_path):
    (tmp_path / "precious").touch()
    link = temporary / "callboard-door-link"
    link.symlink_to(tmp_path)
    os.utime(link, (time.time() - 3600,) * 2, follow_symlinks=False)
    _aged(tmp_path)
    with doorway():
        assert link.is_symlink()
    assert (tmp_path / "precious").exists()
