"""The real service in a process of its own, born in milliseconds and killed for good.

A nursery is a process that has imported everything and does nothing; each life is a fork of it. What runs there is
`bot.app.serve`, as `callboard serve` runs it.
"""

import asyncio
import base64
import contextlib
import ctypes
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from bot import app, logs
from bot.config import PolicyFile, Settings
from bot.engine.pace import Pace
from bot.runs.sandbox import Sandbox
from bot.simulator.crash.points import Point
from bot.simulator.crash.trap import Trap

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)
KILLED = "======== killed here ========"
"""The line between the logs of two lives."""


@dataclass(frozen=True)
class Birth:
    """What a life is told. `died` is made in the moment in which the trap kills it."""

    settings: Settings
    pace: Pace
    log: Path
    died: Path
    point: Point | None


class Nursery:
    """The process that all lives of a session are forks of; it and they die with this one, or by `close`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bot.simulator.crash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def bear(self, birth: Birth) -> int:
        """Begin a life; returns its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(pickle.dumps(birth)) + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the nursery."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@dataclass
class Life:
    """The lives of one service: it dies once at the point, then it lives again, and what is to be lost is lost."""

    nursery: Nursery
    point: Point | None
    pace: Pace
    lose: Callable[[], Awaitable[None]]
    folder: Path
    deaths: int = 0
    whole: bool = False
    """Whether it lives and nothing more is to happen to it: it died and came back, or is not to die."""
    lost: list[Path] = field(default_factory=list)
    """Data folders as they were when they got lost."""

    @asynccontextmanager
    async def serves(self, settings: Settings) -> AsyncIterator[None]:
        """The service for as long as the block lasts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        watch = asyncio.create_task(self._live(settings))
        try:
            await _answering(settings.port, watch)
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _live(self, settings: Settings) -> None:
        died = self.folder / "died"
        pid = await asyncio.to_thread(self._born, settings, self.point)
        try:
            while self.point is not None:
                await asyncio.sleep(0.01)
                if _alive(pid):
                    continue
                if not died.exists():
                    raise RuntimeError(f"the service ended by itself\n{self._last_words()}")
                self.deaths += 1
                await asyncio.to_thread(self._mark)
                if self.point.lost:
                    await self._lose(settings)
                pid = await asyncio.to_thread(self._born, settings, None)
                break
            self.whole = True
            await _end(pid)
            raise RuntimeError(f"the service ended by itself\n{self._last_words()}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            await _end(pid)

    def _born(self, settings: Settings, point: Point | None) -> int:
        return self.nursery.bear(Birth(settings, self.pace, self.log, self.folder / "died", point))

    def _mark(self) -> None:
        with self.log.open("a") as log:
            log.write(f"{KILLED}\n")

    async def _lose(self, settings: Settings) -> None:
        """Database and data folder are gone; what the operator wrote (policy, secrets) is not ours to lose."""
        gone, policy = self.folder / f"lost-{self.deaths}", settings.config.read_text()
        shutil.move(settings.home, gone)
        self.lost.append(gone)
        settings.config.parent.mkdir(parents=True)
        settings.config.write_text(policy)
        await self.lose()

    @property
    def log(self) -> Path:
        """What all lives logged."""
        return self.folder / "service.log"

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text().splitlines()[-40:])


async def _answering(port: int, watch: "asyncio.Task[None]") -> None:
    while not watch.done():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
    watch.result()


async def _end(pid: int) -> None:
    while _alive(pid):  # noqa: ASYNC110 - it is nobody's child here: nothing tells us
        await asyncio.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def live(birth: Birth, walls: Sandbox) -> NoReturn:
    """The life of a child of the nursery: serve until it is killed, behind walls that the nursery has tried."""

    async def tried(_name: str) -> Sandbox:
        return walls

    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with birth.log.open("ab") as log, Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    logs.configure()
    code = 1
    app.sandbox = tried  # type: ignore[assignment,attr-defined]
    try:
        if birth.point is not None:
            Trap(birth.point, birth.died).set()
        asyncio.run(app.serve(birth.settings, PolicyFile(birth.settings.config), pace=birth.pace))
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
