"""A loop whose time jumps to the next timer: hours pass in milliseconds, nothing sleeps, no socket is opened."""

import asyncio
from asyncio import base_events
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


STANDS_STILL = 20_000
"""Turns of the loop in which no time passed: somebody goes in circles."""


class Forever(RuntimeError):  # noqa: N818
    """Everybody waits and nothing will ever happen, or time stands still."""


class _Jump:
    """Stands where the loop would ask the system for events."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop
        self._idle = 0

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise Forever("nothing is left that could happen")
        self._idle = 0 if timeout else self._idle + 1
        if self._idle > STANDS_STILL:
            raise Forever("time stands still")
        self._loop.moment += timeout
        return []


class VirtualLoop(base_events.BaseEventLoop):
    """An event loop on virtual time, in seconds from the beginning of the story."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = 0.0
        self._selector = _Jump(self)

    def time(self) -> float:
        """Virtual seconds."""
        return self.moment

    def now(self) -> datetime:
        """The same as a date."""
        return BEGINNING + timedelta(seconds=self.moment)

    def _process_events(self, _events: object) -> None:
        """None ever come."""

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody must be woken."""


def now() -> datetime:
    """The date in the story that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.now()
