"""A plan's commands that misbehave: the receipt says so, and the loop goes on as with any failure."""

import os
from typing import Any

import pytest

from bot.runs import verification
from bot.simulator.model import runs, writes

pytestmark = pytest.mark.slow
Lab = Any


async def test_commands_that_hang_flood_and_fork(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_FLOOD", 1 << 20)
    monkeypatch.setattr(verification, "_GRACE", 0.2)
    lab.rules["verify_minutes"] = 0.03
    mine = f"stays-{os.getpid()}"
    lab.plan(lexer=["sh hangs.sh", "sh floods.sh", "sh forks.sh", "test -f lexer.py"])
    forks = f"for n in $(seq 50); do setsid nohup sh -c 'while :; do sleep 9; done' {mine} & done; exit 7\n"
    lab.agent(
        "implement 1",
        writes("lexer.py", "1\n"),
        writes("hangs.sh", "echo begun; trap '' TERM; tail -f /dev/null\n"),
        writes("floods.sh", "yes noise\n"),
        writes("forks.sh", forks),
    )
    lab.agent("fix 1", runs("for name in hangs floods forks; do echo echo fine > $name.sh; done"))
    result = await lab.goes_on()
    assert lab.model.steps == ["implement 1", "fix 1"]
    assert not lab.alive(mine)
    hung, flooded, forked, fine = result["completed"]["receipts"][:4]
    assert hung["ended"] == "timed out"
    assert hung["output"] == "begun\n[It was not done after 0.03 minutes and was ended.]"
    assert (flooded["ended"], flooded["code"]) == ("exited", 153)
    assert flooded["output"].endswith("[It printed more than 1 MB and was ended.]")
    assert (forked["ended"], forked["code"]) == ("exited", 7)
    assert (fine["ended"], fine["code"]) == ("exited", 0)
    told = lab.model.asked[1].text
    assert "The command `sh hangs.sh` failed (timed out) after " in told
    assert "The command `sh floods.sh` failed (exit code 153) after " in told
    assert "The command `sh forks.sh` failed (exit code 7) after " in told
    assert len(told) < 30_000, "no flood reaches a prompt"
    assert lab.passed() == ["test -f lexer.py", "sh hangs.sh", "sh floods.sh", "sh forks.sh"]
    assert [one["attempts"] for one in result["loop"]["phases"]] == [2]


async def test_commands_that_change_files_change_nothing(lab: Lab) -> None:
    lab.plan(lexer=["echo 2 > lexer.py; rm -rf thoughts .git", "test -f lexer.py"])
    lab.agent("implement 1", writes("lexer.py", "1\n"))
    result = await lab.goes_on()
    assert [one["code"] for one in result["completed"]["receipts"]] == [0, 0]
    assert lab.remote.show("lexer.py") == "1"
    assert not lab.read_plan().phase(1).unticked
