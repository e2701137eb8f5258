"""A loop whose time jumps to the next timer: hours pass in milliseconds, nothing sleeps, no socket is opened."""

import asyncio
import heapq
import itertools
from asyncio import base_events
from collections import deque
from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVarTuple

_Given = TypeVarTuple("_Given")
BEGINNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


STANDS_STILL = 20_000
"""Turns of the loop in which no time passed: somebody goes in circles."""


class Forever(RuntimeError):  # noqa: N818
    """Everybody waits and nothing will ever happen, or time stands still."""


class _Handle(asyncio.TimerHandle):
    """A callback, with or without a time, made without what asyncio notes for debugging only."""

    __slots__ = ()

    _cancelled: bool

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> None:
        self._callback, self._args, self._cancelled = callback, args, False
        self._context = copy_context() if context is None else context

    def cancel(self) -> None:
        """It will not be called."""
        self._cancelled = True


class Pause:
    """To be awaited: so many virtual seconds. The timer wakes the task itself, with no future between them."""

    _asyncio_future_blocking = False
    """By this name a task knows what it can wait for."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds, self._cancelled = seconds, False

    def __await__(self) -> "Generator[Pause, None, None]":
        self._asyncio_future_blocking = True
        yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Asked by the task that waits."""
        return self._loop

    def add_done_callback(self, wake: "Callable[[Pause], object]", *, context: Context) -> None:
        """Called once, by the task that waits."""
        self._wake, self._context = wake, context
        self._timer = self._loop.call_later(self._seconds, wake, self, context=context)

    def cancel(self, msg: object = None) -> bool:
        """The task is cancelled; False when it knows already."""
        if self._cancelled:
            return False
        self._cancelled = True
        self._timer.cancel()
        self._loop.call_soon(self._wake, self, context=self._context)
        return True

    def result(self) -> None:
        """What the task finds when it was woken."""
        if self._cancelled:
            raise asyncio.CancelledError


class VirtualLoop(base_events.BaseEventLoop):
    """An event loop on virtual time, in seconds from the beginning of the story.

    Timers are kept by (time, order in which they were set): what comes due at once comes in that order.
    """

    _ready: deque[_Handle]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self.moment = 0.0
        self.beginning = self._date = BEGINNING
        self._idle = 0
        self._timers: list[tuple[float, int, _Handle]] = []
        self._order = itertools.count()

    def time(self) -> float:
        """Virtual seconds."""
        return self.moment

    def now(self) -> datetime:
        """The same as a date."""
        return self._date

    def begins_at(self, date: datetime) -> None:
        """The story begins at another date."""
        self.beginning = self._date = date

    def call_soon(
        self, callback: Callable[[*_Given], object], *args: *_Given, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it in the next turn."""
        handle = _Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*_Given], object], *args: *_Given, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it after so many virtual seconds."""
        return self.call_at(self.moment + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*_Given], object], *args: *_Given, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it at this virtual second."""
        handle = _Handle(callback, args, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def _run_once(self) -> None:
        """Turns until somebody says stop; asyncio asks for one at a time, and looks in between."""
        ready, timers, pop = self._ready, self._timers, heapq.heappop
        while True:
            if not ready and not self._stopping:
                self._passes()
            self._idle += 1
            if self._idle > STANDS_STILL:
                raise Forever("time stands still")
            while timers and timers[0][0] <= self.moment:
                ready.append(pop(timers)[2])
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    try:
                        handle._context.run(handle._callback, *handle._args)
                    except Exception as error:
                        self.call_exception_handler({"message": f"Exception in {handle._callback}", "exception": error})
            if self._stopping:
                return

    def _passes(self) -> None:
        """Time goes on to the next timer, since nothing else is left to do."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Forever("nothing is left that could happen")
        if timers[0][0] > self.moment:
            self.moment, self._idle = timers[0][0], 0
            self._date = self.beginning + timedelta(seconds=self.moment)

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody must be woken."""


def now() -> datetime:
    """The date in the story that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.now()
