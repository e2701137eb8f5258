"""Those who act by themselves when something happens in the simulated GitHub."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

import structlog

from bot.simulator.github.hooks import Event
from bot.simulator.github.world import GitHubWorld

log = structlog.get_logger()


class Follower:
    """Hears every event at once, as an async context manager, and works in the background.

    A subclass says in `heard` what it makes of an event; it must not wait there, but `start` its work.
    """

    def __init__(self, world: GitHubWorld) -> None:
        self.world = world
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: list[BaseException] = []

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self.world.listeners.append(self.heard)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, and stop what runs; what broke meanwhile is raised."""
        self.world.listeners.remove(self.heard)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._complain()

    def heard(self, event: Event) -> None:
        """Something happened."""
        raise NotImplementedError

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Work in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def quiet(self) -> None:
        """Wait until nothing runs.

        Raises:
            Exception: what broke in the background.
        """
        while self._tasks:
            await asyncio.gather(*tuple(self._tasks), return_exceptions=True)
            await asyncio.sleep(0)
        self._complain()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._broken.append(error)
            log.error("an actor broke", actor=type(self).__name__, exc_info=error)  # its end may be far away

    def _complain(self) -> None:
        if self._broken:
            raise self._broken.pop(0)
