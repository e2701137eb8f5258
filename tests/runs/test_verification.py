"""Commands of a plan are run behind walls, and whatever one does comes to a receipt."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from bot.runs import verification
from bot.runs.gateway import Meter, Upstream, gateway
from bot.runs.place import House, Place
from bot.runs.sandbox import Bubblewrap, Off
from bot.runs.verification import Receipt, verify

CANARY = "canary-9b2e71"
WALLS = House(Bubblewrap())


async def one(command: str, place: Place, *, minutes: float = 0.25, house: House = WALLS) -> Receipt:
    (receipt,) = await verify([command], place, house, minutes=minutes)
    assert len(receipt.output) <= 4_000
    assert all(letter in "\n\t" or letter.isprintable() for letter in receipt.output)
    return receipt


def alive(words: str) -> bool:
    return words in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout


async def test_all_commands_run_in_one_checkout_in_order_also_after_a_failure(place: Place) -> None:
    told: list[str] = []
    commands = ["echo one > made; echo out; echo err >&2; echo out again", "exit 3", "cat made; kill -9 $$"]
    receipts = await verify(commands, place, WALLS, minutes=1, on_progress=told.append)
    assert [receipt.command for receipt in receipts] == commands
    assert [(receipt.code, receipt.end, receipt.passed) for receipt in receipts] == [
        (0, "exited", True),
        (3, "exited", False),
        (137, "exited", False),
    ]
    assert [receipt.output for receipt in receipts] == ["out\nerr\nout again", "", "one"]
    assert told[0] == f"Verifying, 1 of 3: {commands[0]}"
    assert Path(receipts[0].log) == place.folder / "verify-1.log"
    assert Path(receipts[0].log).read_text() == "out\nerr\nout again\n"
    assert not place.home.exists()


async def test_a_receipt_survives_json(place: Place) -> None:
    receipt = await one("echo é; exit 4", place)
    assert Receipt.from_json(json.loads(json.dumps(receipt.to_json()))) == receipt


async def test_a_line_of_bash_may_be_written(place: Place) -> None:
    assert (await one('set -o pipefail; [[ a == a* ]] && words=(x y) && echo "${words[1]}"', place)).output == "y"


async def test_without_bash_the_plain_shell_does_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification.shutil, "which", lambda *_, **__: None)
    assert (await one('echo "${BASH_VERSION:-plain}"', place)).output == "plain"


@pytest.mark.parametrize("command", ["sleep 71.0071", "trap '' TERM HUP INT; while :; do sleep 71.0071; done"])
async def test_a_command_that_hangs_is_ended_at_its_limit_and_the_next_one_runs(
    place: Place, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_GRACE", 0.2)
    first, second = await verify([f"echo begun; {command}", "echo next"], place, WALLS, minutes=0.01)
    assert (first.end, first.passed) == ("timed out", False)
    assert first.output == "begun\n[It was not done after 0.01 minutes and was ended.]"
    assert first.seconds < 5
    assert (second.passed, second.output) == (True, "next")
    assert not alive("sleep 71.0071")


@pytest.mark.parametrize(
    "command", ["yes", r"tr '\0' x </dev/zero", "trap 'exit 0' TERM PIPE; while echo xxxxxxx; do :; done"]
)
async def test_a_command_that_never_stops_printing_is_ended(
    place: Place, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_FLOOD", 1 << 20)
    monkeypatch.setattr(verification, "_GRACE", 0.2)
    receipt = await one(command, place)
    assert (receipt.end, receipt.code, receipt.passed) == ("exited", 153, False)
    assert receipt.output.endswith("\n[It printed more than 1 MB and was ended.]")
    assert "bytes left out …]" in receipt.output
    assert Path(receipt.log).stat().st_size < 300 << 20


async def test_a_full_log_of_an_earlier_verification_does_not_end_this_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_FLOOD", 1_000)
    place.folder.mkdir()
    (place.folder / "verify-1.log").write_text("x" * 2_000)
    assert (await one("sleep 0.1; echo fine", place)).output == "fine"
