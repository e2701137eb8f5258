"""A loop whose time jumps to the next timer: hours pass in milliseconds, nothing sleeps, no socket is opened."""

import asyncio
import heapq
import itertools
from asyncio import base_events
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

BEGINNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


STANDS_STILL = 20_000
"""Turns of the loop in which no time passed: somebody goes in circles."""


class Forever(RuntimeError):  # noqa: N818
    """Everybody waits and nothing will ever happen, or time stands still."""


class _Handle(asyncio.TimerHandle):
    """A callback, with or without a time, made without what asyncio notes for debugging only."""

    __slots__ = ()

    _cancelled: bool

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
        when: float = 0.0,
    ) -> None:
        self._callback, self._args, self._loop, self._when = callback, args, loop, when
        self._context = copy_context() if context is None else context
        self._cancelled = self._scheduled = False
        self._repr = self._source_traceback = None

    def cancel(self) -> None:
        """It will not be called."""
        self._cancelled = True


class VirtualLoop(base_events.BaseEventLoop):
    """An event loop on virtual time, in seconds from the beginning of the story.

    Timers are kept by (time, order in which they were set): what comes due at once comes in that order.
    """

    _ready: deque[asyncio.Handle]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self.moment = 0.0
        self._date = BEGINNING
        self._idle = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = itertools.count()

    def time(self) -> float:
        """Virtual seconds."""
        return self.moment

    def now(self) -> datetime:
        """The same as a date."""
        return self._date

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Call it in the next turn."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it after so many virtual seconds."""
        return self.call_at(self.moment + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it at this virtual second."""
        handle = _Handle(callback, args, self, context, when)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def _run_once(self) -> None:
        """One turn: time goes on only when nothing else is left to do."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        self._idle += 1
        if not ready and not self._stopping:
            if not timers:
                raise Forever("nothing is left that could happen")
            if timers[0][0] > self.moment:
                self.moment, self._idle = timers[0][0], 0
                self._date = BEGINNING + timedelta(seconds=self.moment)
        if self._idle > STANDS_STILL:
            raise Forever("time stands still")
        while timers and timers[0][0] <= self.moment:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody must be woken."""


def now() -> datetime:
    """The date in the story that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.now()
