"""The supervisor: starts a program under a warden, reads it line by line, knows whether it is alive, and ends it.

What must hold: when `supervise` returns or raises, nothing of the program is left. Whoever cancels it, even twice,
waits until the tree is dead. When the service itself dies, the kernel tells the warden; that it is frozen, the warden
learns by hearing no sign of life from here (see `warden.py`).
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bot.runs import bounds as control
from bot.runs import warden
from bot.runs.watching import End, Limits, Pulse, Watcher

__all__ = ["Command", "End", "Exit", "Limits", "Pulse", "supervise"]

_CHUNK = 1 << 16
_LINE = 32 << 20
_TRANSCRIPT = 256 << 20
_STDERR = 1 << 16


@dataclass(frozen=True)
class Command:
    """A program to run. `env` is its whole environment; nothing is inherited.

    `folders` are all that it can write on the disk, where that is known.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    stdin: bytes = b""
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Exit:
    """How the program ended. `code` is 128 + the signal when a signal did; `stderr` is its last 64 kB.

    `why` says in a sentence which of the bounds it passed.
    """

    code: int
    end: End
    stderr: str
    seconds: float
    why: str = ""


async def supervise(
    command: Command,
    limits: Limits,
    *,
    transcript: Path,
    on_line: Callable[[bytes], None] = lambda _line: None,
    stop: asyncio.Event | None = None,
    pulse: Pulse | None = None,
) -> Exit:
    """Run `command` to its end, whoever brings that about, and leave nothing of it behind.

    Each line of its output, without the line end, goes to `on_line` and (up to 256 MB in all) into `transcript`. A
    line over 32 MB is dropped. Setting `stop` ends it; `pulse` may be given by somebody who sees other signs of life.

    Raises:
        OSError: the working folder or the interpreter is missing. A missing program is exit code 127 instead.
    """
    async with control.held_to(limits.bounds) as groups:
        return await _supervise(command, limits, groups, transcript, on_line, stop or asyncio.Event(), pulse or Pulse())


async def _supervise(
    command: Command,
    limits: Limits,
    groups: tuple[Path, ...],
    transcript: Path,
    on_line: Callable[[bytes], None],
    stop: asyncio.Event,
    pulse: Pulse,
) -> Exit:
    started = time.monotonic()
    stderr = bytearray()
    process = await _start(command, limits, groups)
    watcher = Watcher(process.pid, command.folders, limits, held=bool(groups))
    try:
        with transcript.open("wb") as file:
            pumps: asyncio.Future[Any] = asyncio.gather(
                _feed(process, command.stdin), _read_lines(process, file, on_line, pulse), _tail(process, stderr)
            )
            watch = asyncio.create_task(watcher.watch(pulse, stop))
            signs = asyncio.create_task(_give_signs(process, limits.unattended / 5))
            try:
                end = await _first_end(process, watch, pumps)
                if end is not End.EXITED:
                    await _end(process, signal.SIGTERM, limits.grace)
                await pumps
            finally:
                watch.cancel()
                signs.cancel()
                pumps.cancel()
    finally:
        await _insist(_end(process, signal.SIGHUP, limits.grace))
    code = process.returncode if process.returncode is not None else 128 + signal.SIGKILL
    return Exit(code, end, stderr.decode(errors="replace"), time.monotonic() - started, watcher.why)


async def _start(command: Command, limits: Limits, groups: tuple[Path, ...]) -> asyncio.subprocess.Process:
    cpu = max(60, int(limits.wall * (os.cpu_count() or 1)))
    creation = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", warden.__file__),
            *(str(os.getpid()), str(limits.grace), str(limits.unattended), str(cpu)),
            ":".join(map(str, groups)) or "-",
            *command.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(command.env),
            cwd=command.cwd,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(creation)
    except asyncio.CancelledError:
        await _insist(_end(await creation, signal.SIGHUP, limits.grace))
        raise


async def _give_signs(process: asyncio.subprocess.Process, every: float) -> None:
    """Tell the warden every so many seconds that we are alive, until it has ended."""
    while process.returncode is None:
        # Not `process.send_signal`: that looks whether it ended, and may take the exit code away from who waits for it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, warden.ALIVE)
        await asyncio.sleep(every)


async def _first_end(process: asyncio.subprocess.Process, watch: asyncio.Task[End], pumps: asyncio.Future[Any]) -> End:
    exited = asyncio.ensure_future(process.wait())
    first: set[asyncio.Future[Any]] = {exited, watch, pumps}
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if pumps.done():
            pumps.result()  # a callback that raised ends the run
            await asyncio.wait({exited, watch}, return_when=asyncio.FIRST_COMPLETED)
        return End.EXITED if exited.done() else watch.result()
    finally:
        exited.cancel()


async def _end(process: asyncio.subprocess.Process, how: signal.Signals, grace: float) -> None:
    """End the warden and with it the tree; when the warden itself does not answer, kill everything below it."""
    if process.returncode is not None:
        return
    tree = await asyncio.to_thread(warden.descendants, process.pid)
    process.send_signal(how)
    try:
        await asyncio.wait_for(process.wait(), grace + 15)
    except TimeoutError:
        tree += await asyncio.to_thread(warden.descendants, process.pid)
        warden.send(signal.SIGKILL, tree)
        process.kill()
        await process.wait()


async def _insist(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` even when we are cancelled meanwhile; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled


async def _feed(process: asyncio.subprocess.Process, stdin: bytes) -> None:
    assert process.stdin
    try:
        process.stdin.write(stdin)
        await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        return  # it ended, or does not care to read; the exit code tells


async def _read_lines(
    process: asyncio.subprocess.Process, transcript: BinaryIO, on_line: Callable[[bytes], None], pulse: Pulse
) -> None:
    assert process.stdout
    line = bytearray()
    overlong = False
    written = 0
    while chunk := await process.stdout.read(_CHUNK):
        pulse.beat()
        if written < _TRANSCRIPT:
            written += transcript.write(chunk)
            transcript.flush()
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            if not overlong:
                on_line(bytes(line + part))
            line.clear()
            overlong = False
        line += rest
        if len(line) > _LINE:
            line.clear()
            overlong = True
    if line and not overlong:
        on_line(bytes(line))


async def _tail(process: asyncio.subprocess.Process, kept: bytearray) -> None:
    assert process.stderr
    while chunk := await process.stderr.read(_CHUNK):
        kept += chunk
        del kept[:-_STDERR]
