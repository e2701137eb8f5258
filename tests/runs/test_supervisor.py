"""A program is started, heard, and ended with everything it started."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.engine.pace import Pace
from bot.runs import warden
from bot.runs.supervisor import Command, End, Limits, Pulse, supervise

ENV = {"PATH": os.environ["PATH"]}
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["setsid", "sleep", "{mark}"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.execvp("sleep", ["sleep", "{mark}"])
    os._exit(0)
print("ready", flush=True)
{then}
"""


def python(code: str, cwd: Path, stdin: bytes = b"") -> Command:
    return Command((sys.executable, "-I", "-c", code), ENV, cwd, stdin)


def sleepers(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes().split(b"\0")[1:2] == [mark.encode()]:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.02)


async def test_lines_of_any_length_reach_the_callback_and_the_transcript(tmp_path: Path) -> None:
    lines: list[bytes] = []
    code = "import sys; data = sys.stdin.read(); print(data); print('x' * 3_000_000); print('end', end='')"
    ended = await supervise(
        python(code, tmp_path, b"hello"), Limits(10), transcript=tmp_path / "t", on_line=lines.append
    )
    assert (ended.code, ended.end) == (0, End.EXITED)
    assert [len(line) for line in lines] == [5, 3_000_000, 3]
    assert (tmp_path / "t").read_bytes() == b"\n".join(lines)


async def test_the_exit_code_and_the_end_of_stderr_are_told(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('a' * 100_000 + 'why'); sys.exit(3)"
    ended = await supervise(python(code, tmp_path), Limits(10), transcript=tmp_path / "t")
    assert ended.code == 3
    assert len(ended.stderr) == 1 << 16
    assert ended.stderr.endswith("why")


async def test_a_missing_program_is_an_exit_code_with_a_reason(tmp_path: Path) -> None:
    ended = await supervise(Command(("no-such-program",), ENV, tmp_path), Limits(10), transcript=tmp_path / "t")
    assert ended.code == 127
    assert "no-such-program" in ended.stderr


async def test_a_program_that_does_not_read_its_input_is_no_error(tmp_path: Path) -> None:
    ended = await supervise(python("pass", tmp_path, b"x" * 2_000_000), Limits(10), transcript=tmp_path / "t")
    assert ended.code == 0


@pytest.mark.attack("S-36")
async def test_what_a_program_left_running_dies_with_it(tmp_path: Path) -> None:
    code = STUBBORN.format(mark="91.0001", then="")
    ended = await supervise(python(code, tmp_path), Limits(10), transcript=tmp_path / "t")
    assert ended.end is End.EXITED
    assert sleepers("91.0001") == []


@pytest.mark.attack("S-36")
async def test_the_wall_clock_limit_kills_what_ignores_being_asked(tmp_path: Path) -> None:
    code = STUBBORN.format(mark="91.0002", then="time.sleep(60)")
    ended = await supervise(python(code, tmp_path), Limits(wall=0.5, grace=0.1), transcript=tmp_path / "t")
    assert ended.end is End.WALL
    assert ended.code == 128 + signal.SIGKILL
    assert sleepers("91.0002") == []


async def test_silence_without_work_ends_a_run(tmp_path: Path) -> None:
    ended = await supervise(python("import time; time.sleep(60)", tmp_path), Limits(30, 0.3), transcript=tmp_path / "t")
    assert ended.end is End.SILENT
    assert ended.code == 128 + signal.SIGTERM


async def test_silence_at_work_is_life(tmp_path: Path) -> None:
    code = "import time; end = time.monotonic() + 2\nwhile time.monotonic() < end: pass"
    ended = await supervise(python(code, tmp_path), Limits(30, 1.2), transcript=tmp_path / "t")
    assert ended.end is End.EXITED


async def test_a_sign_of_life_from_elsewhere_is_life(tmp_path: Path) -> None:
    pulse = Pulse()

    async def beat() -> None:
        while True:
            pulse.beat()
            await asyncio.sleep(0.05)

    beating = asyncio.create_task(beat())
    code = "import time; time.sleep(2.5)"
    ended = await supervise(python(code, tmp_path), Limits(30, 1.0), transcript=tmp_path / "t", pulse=pulse)
    beating.cancel()
    assert ended.end is End.EXITED


async def test_a_stop_asks_first_and_lets_the_program_tidy_up(tmp_path: Path) -> None:
    stop = asyncio.Event()
    code = "import signal, sys, time; signal.signal(15, lambda *_: (print('bye'), sys.exit(7))); print('up', flush=True); time.sleep(60)"  # noqa: E501
    lines: list[bytes] = []

    def heard(line: bytes) -> None:
        lines.append(line)
        stop.set()

    ended = await supervise(python(code, tmp_path), Limits(30), transcript=tmp_path / "t", on_line=heard, stop=stop)
    assert (ended.end, ended.code) == (End.STOPPED, 7)
    assert lines == [b"up", b"bye"]


async def test_cancelling_even_twice_leaves_nothing(tmp_path: Path) -> None:
    up = asyncio.Event()
    code = STUBBORN.format(mark="91.0003", then="time.sleep(60)")
    run = asyncio.create_task(
        supervise(python(code, tmp_path), Limits(30), transcript=tmp_path / "t", on_line=lambda _line: up.set())
    )
    await up.wait()
    run.cancel()
    await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert sleepers("91.0003") == []


async def test_cancelling_at_the_very_start_leaves_nothing(tmp_path: Path) -> None:
    before = {process.pid for process in warden.descendants(os.getpid())}
    run = asyncio.create_task(
        supervise(python("import time; time.sleep(60)", tmp_path), Limits(30), transcript=tmp_path / "t")
    )
    await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert {process.pid for process in warden.descendants(os.getpid())} <= before


async def test_a_callback_that_raises_ends_the_run_and_is_heard(tmp_path: Path) -> None:
    def broken(line: bytes) -> None:
        raise ValueError("a bug")

    code = STUBBORN.format(mark="91.0004", then="time.sleep(60)")
    with pytest.raises(ValueError, match="a bug"):
        await supervise(python(code, tmp_path), Limits(30), transcript=tmp_path / "t", on_line=broken)
    assert sleepers("91.0004") == []


SERVICE = """
import asyncio, os, pathlib, sys
from bot.runs.supervisor import Command, Limits, supervise
command = Command((sys.executable, "-I", "-c", {code!r}), dict(os.environ), pathlib.Path("."))
limits = Limits(60, unattended={unattended})
asyncio.run(supervise(command, limits, transcript=pathlib.Path("t"), on_line=lambda _l: print("up", flush=True)))
"""


async def service(cwd: Path, mark: str, unattended: float) -> asyncio.subprocess.Process:
    code = SERVICE.format(code=STUBBORN.format(mark=mark, then="time.sleep(60)"), unattended=unattended)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=cwd, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    await process.stdout.readline()
    await until(lambda: len(sleepers(mark)) == 2)
    return process


async def test_the_tree_dies_when_the_service_is_killed(tmp_path: Path) -> None:
    process = await service(tmp_path, "91.0005", 60)
    process.kill()
    await process.wait()
    await until(lambda: sleepers("91.0005") == [])


async def test_the_tree_dies_when_the_service_is_frozen(tmp_path: Path) -> None:
    process = await service(tmp_path, "91.0006", 4)
    try:
        process.send_signal(signal.SIGSTOP)
        await until(lambda: sleepers("91.0006") == [], 60)
    finally:
        process.kill()
        await process.wait()


async def test_a_service_that_was_frozen_with_its_wardens_goes_on_with_its_programs(tmp_path: Path) -> None:
    process = await service(tmp_path, "91.0007", 4)
    frozen = [process.pid, *(one.pid for one in warden.descendants(process.pid) if one.parent == process.pid)]
    try:
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(6)
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(2)
        assert len(sleepers("91.0007")) == 2
    finally:
        process.kill()
        await process.wait()
    await until(lambda: sleepers("91.0007") == [])


async def test_a_service_that_lives_is_heard_by_the_warden_however_silent_the_program_is(tmp_path: Path) -> None:
    ended = await supervise(
        python("import time; time.sleep(6)", tmp_path), Limits(60, unattended=4), transcript=tmp_path / "t"
    )
    assert (ended.end, ended.code) == (End.EXITED, 0)


def test_a_frozen_service_s_program_is_gone_before_another_service_takes_its_run_over() -> None:
    pace = Pace()
    assert Limits(60).unattended + pace.beat <= pace.dead_after
