"""A short sample of `make kill`, and the harness's own eyes: what it must see, it sees."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.simulator.kill.command import play
from bot.simulator.kill.processes import belonging
from bot.simulator.kill.rebuild import rebuild
from bot.simulator.kill.watch import Watch

pytestmark = pytest.mark.slow


async def test_a_service_that_is_killed_thrice_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    verdict = await play(tmp_path / "world", rounds=3, epics=1, cap=2, seed=7, lone=True)
    assert str(verdict) == "3 kills, 0 lost, 0 doubled", (verdict.lost, verdict.doubled)
    assert verdict.good, verdict.broken


def asleep(home: Path, script: Path, ticket: str) -> subprocess.Popen[bytes]:
    tree = home / "repositories" / ".trees" / ticket
    tree.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen([sys.executable, str(script)], cwd=tree)


def test_the_watch_sees_two_agents_for_one_ticket_and_more_than_the_cap(tmp_path: Path) -> None:
    home, script = tmp_path / "home", tmp_path / "agent.py"
    script.write_text("import time; time.sleep(60)")
    me = os.getpid()
    watch = Watch(home, script, cap=1, service=lambda: me)
    agents = [asleep(home, script, "agent/YOU-1") for _ in range(2)]
    try:
        watch.look()
        assert watch.broken == ["2 agents at once, 1 allowed", "two agents at once for agent/YOU-1"]
        assert watch.orphans() == []
        watch.service = lambda: 0
        assert {one.pid for one in watch.orphans()} == {one.pid for one in agents}
    finally:
        for one in agents:
            one.kill()
            one.wait()
    watch.look()
    assert belonging(home) == watch.live == []


def test_an_orphan_is_given_some_time_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, script = tmp_path / "home", tmp_path / "agent.py"
    script.write_text("import time; time.sleep(60)")
    watch = Watch(home, script, cap=1, service=lambda: 0)
    agent = asleep(home, script, "agent/YOU-1")
    now = time.monotonic()
    try:
        watch.look()
        assert watch.broken == []
        monkeypatch.setattr("bot.simulator.kill.watch.time.monotonic", lambda: now + 60)
        watch.look()
        assert len(watch.broken) == 1
        assert "outlived its service" in watch.broken[0]
    finally:
        agent.kill()
        agent.wait()


async def test_thirty_tickets_are_known_again_with_two_reads_of_an_epic_and_nothing_said_twice(tmp_path: Path) -> None:
    cost = await rebuild(tmp_path / "world", 30)
    assert cost.said == 0
    # Three epics, each read twice: a database that was made anew waits once, until no read of Linear can be too old.
    assert cost.operations["query viewer+issue"] == 6
    assert cost.linear <= 11, cost.operations
    assert not [name for name in cost.operations if name.startswith("mutation")]
