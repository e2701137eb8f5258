"""The service is killed in the middle of the loop; another one, that has nothing of it, goes on where it stood."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.git.mirror import Mirror
from bot.simulator.model import Block, runs, writes

pytestmark = pytest.mark.slow
Lab = Any
BEGUN = f"hangs-{os.getpid()}"


def hangs(*first: Block) -> tuple[Block, ...]:
    """The agent does some of the work and then runs something that never ends."""
    return (*first, runs(f"touch {BEGUN}; tail -f {BEGUN}"))


def begun(lab: Lab) -> bool:
    return bool((lab.checkout / BEGUN).exists())


async def test_while_an_agent_runs(lab: Lab) -> None:
    lab.has_real_reviews()
    lab.plan(lexer=["test -f lexer.py", "test -f tests.py"])
    lab.agent("implement 1", *hangs(writes("garbage.py", "x\n")))
    lab.agent("implement 1", writes("lexer.py", "1\n"))
    lab.agent("fix 1", *hangs(writes("garbage.py", "x\n")))
    lab.agent("fix 1", writes("tests.py", "1\n"))
    lab.agent("review 1", *hangs())
    lab.agent("review 1", verdict="approved")
    await lab.is_killed(when=lambda: begun(lab))
    assert lab.remote.git("for-each-ref", "refs/callboard") == ""
    await lab.once()
    assert lab.ran == ["test -f lexer.py", "test -f tests.py"]
    await lab.is_killed(when=lambda: begun(lab))
    await lab.once()
    assert lab.ran[2:] == ["test -f tests.py"], "no ticked command is run again"
    await lab.is_killed(when=lambda: begun(lab))
    result = await lab.goes_on()
    assert lab.model.steps == ["implement 1"] * 2 + ["fix 1"] * 2 + ["review 1"] * 2
    assert [asked.attempt for asked in lab.model.asked] == [1, 1, 2, 2, 2, 2], "attempts are remembered"
    assert [one["attempts"] for one in result["loop"]["phases"]] == [2]
    assert lab.remote.log() == ["YOU-2: plan", "Phase 1: Add the lexer"]
    assert lab.remote.files() == ["lexer.py", "tests.py"], "nothing of the killed ones is left"
    assert lab.passed() == ["test -f lexer.py", "test -f tests.py"]
    assert lab.services == 4


async def test_while_a_verification_runs(lab: Lab) -> None:
    lab.plan(lexer=["test -f lexer.py", "sh check.sh"])
    check = f"touch {BEGUN}; test $SERVICE = second || tail -f /dev/null\n"
    lab.agent("implement 1", writes("lexer.py", "1\n"), writes("check.sh", check), lab.ticks("test -f lexer.py"))
    lab.env["SERVICE"] = "first"
    await lab.is_killed(when=lambda: begun(lab))
    lab.env["SERVICE"] = "second"
    result = await lab.goes_on()
    assert lab.model.steps == ["implement 1"], "what the agent made was kept before anything was verified"
    assert lab.ran == ["sh check.sh"] * 2
    assert lab.passed() == ["sh check.sh"]
    assert result["completed"]["by_worker"] == ["test -f lexer.py"]
    assert [one["attempts"] for one in result["loop"]["phases"]] == [1], "to be killed is not to fail"
    assert lab.remote.files() == ["check.sh", "lexer.py"]


async def test_by_a_signal_that_nobody_can_catch(lab: Lab) -> None:
    lab.plan(lexer=["test -f lexer.py"])
    lab.agent("implement 1", *hangs(writes("garbage.py", "x\n")))
    lab.agent("implement 1", writes("lexer.py", "1\n"))
    service = Path(__file__).with_name("service.py")
    told = (str(lab.service), str(lab.remote.path), lab.upstream, lab.order().model_dump_json())
    process = await asyncio.create_subprocess_exec(sys.executable, str(service), *told)
    async with asyncio.timeout(60):
        while not begun(lab):
            assert process.returncode is None
            await asyncio.sleep(0.01)
        assert lab.alive(f"tail -f {BEGUN}")
        process.kill()
        await process.wait()
        while lab.alive(f"tail -f {BEGUN}"):  # the kernel tells the agent's warden, which needs a moment
            await asyncio.sleep(0.01)
    lab.starts_anew()
    await lab.goes_on()
    assert lab.model.steps == ["implement 1", "implement 1"]
    assert lab.remote.log() == ["YOU-2: plan", "Phase 1: Add the lexer"]
    assert lab.remote.files() == ["lexer.py"]


def dies_at_each_push(when: str, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when the service dies: at every push, of the branch as of the work in hand, once before or once after it."""
    dead, through, died = asyncio.Event(), list[str](), set[int]()

    async def dies() -> None:
        dead.set()
        await asyncio.Event().wait()

    def deadly(name: str) -> None:
        push = getattr(Mirror, name)

        async def pushes(mirror: Mirror, *arguments: Any) -> Any:
            if when == "before" and len(through) not in died:
                died.add(len(through))
                await dies()
            pushed = await push(mirror, *arguments)
            through.append(name)
            if when == "after":
                await dies()
            return pushed

        monkeypatch.setattr(Mirror, name, pushes)

    deadly("push")
    deadly("push_work")
    return dead


@pytest.mark.parametrize("when", ["before", "after"])
async def test_right_at_each_push(lab: Lab, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.plan(lexer=["test -f lexer.py", "test -f tests.py"], parser=["test -f parser.py"])
    lab.agent("implement 1", runs("echo 1 >> lexer.py"))
    lab.agent("fix 1", runs("echo 1 >> tests.py"))
    lab.agent("implement 2", runs("echo 2 >> parser.py"))
    dead = dies_at_each_push(when, monkeypatch)
    result = None
    while result is None and lab.services < 30:
        result = await lab.goes_on_until(dead)
    if when == "before":
        assert lab.model.steps == ["implement 1", "implement 1", "fix 1", "fix 1", "implement 2"], "one step is lost"
    else:
        assert lab.model.steps == ["implement 1", "fix 1", "implement 2"], "nothing that was pushed is done again"
        assert lab.ran == ["test -f lexer.py", "test -f tests.py", "test -f tests.py", "test -f parser.py"]
    assert lab.remote.log() == ["YOU-2: plan", "Phase 1: Add the lexer", "Phase 2: Add the parser"]
    assert {name: lab.remote.show(name) for name in lab.remote.files()} == {
        "lexer.py": "1", "parser.py": "2", "tests.py": "1"
    }  # fmt: skip
    assert [one["attempts"] for one in result["loop"]["phases"]] == [2, 1]
    assert lab.passed() == ["test -f lexer.py", "test -f tests.py", "test -f parser.py"], "each passed once"
    receipts = [one for one in result["completed"]["receipts"] if one["code"] == 0]
    first, second = lab.remote.log("%H")[1:]
    assert [one["commit"] for one in receipts] == [first, first, second]
    assert lab.services > 10, "it did die at each of them"
