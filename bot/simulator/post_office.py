"""How both simulated services deliver webhooks: signed by them, then carried by a post office with bad habits."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random

import httpx2

_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Letters stay on loopback, without TLS. Reading the machine's certificates would cost 50 ms a letter."""


@dataclass(frozen=True)
class Letter:
    """One webhook request, ready to send: the bytes that were signed, never re-serialised."""

    url: str
    delivery: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass
class Attempt:
    """What became of one sending: `status` is None when nobody answered in time."""

    letter: Letter
    status: int | None
    answer: str = ""


@dataclass
class Habits:
    """The knobs. Probabilities are 0 to 1; `delay` is the longest wait in seconds before a letter leaves."""

    drop: float = 0.0
    double: float = 0.0
    delay: float = 0.0
    reorder: bool = False
    lost: Callable[[Letter], bool] = lambda _letter: False


@dataclass
class PostOffice:
    """Carries letters in the background.

    `timeout` and `retries` are the service's own (Linear: 5 s, and again after 1 min, 1 h, 6 h; GitHub: 10 s, never
    again), in seconds. A letter is delivered when the answer is accepted by `delivered` (Linear wants exactly 200).
    """

    timeout: float
    retries: tuple[float, ...] = ()
    delivered: Callable[[int], bool] = lambda status: 200 <= status < 300
    habits: Habits = field(default_factory=Habits)
    chance: Random = field(default_factory=lambda: Random(0))  # noqa: S311  # a seed, not a secret
    attempts: list[Attempt] = field(default_factory=list)
    dropped: list[Letter] = field(default_factory=list)
    _held: list[Letter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def send(self, letter: Letter) -> None:
        """Hand a letter over; returns at once. Must be called inside a running event loop."""
        if self.chance.random() < self.habits.drop or self.habits.lost(letter):
            self.dropped.append(letter)
            return
        copies = 2 if self.chance.random() < self.habits.double else 1
        for _ in range(copies):
            if self.habits.reorder and not self._held:
                self._held.append(letter)
                self._spawn(self._release_later(letter))
            else:
                self._spawn(self._carry(letter))
                self._release()

    def resend(self, delivery: str) -> None:
        """Send a letter that was sent before once more: same bytes, same delivery id (a redelivery by hand)."""
        letter = next(attempt.letter for attempt in self.attempts if attempt.letter.delivery == delivery)
        self._spawn(self._carry(letter))

    async def quiet(self) -> None:
        """Wait until no letter is on its way (letters that wait for a retry count as on their way)."""
        while self._tasks:
            await asyncio.gather(*tuple(self._tasks), return_exceptions=True)

    async def close(self) -> None:
        """Stop carrying; what is still on its way is lost, as when a service is switched off."""
        for task in tuple(self._tasks):
            task.cancel()
        await self.quiet()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _release(self) -> None:
        while self._held:
            self._spawn(self._carry(self._held.pop()))

    async def _release_later(self, letter: Letter) -> None:
        await asyncio.sleep(0.2)  # the last letter of a burst has nobody behind it to change places with
        if letter in self._held:
            self._held.remove(letter)
            await self._carry(letter)

    async def _carry(self, letter: Letter) -> None:
        await asyncio.sleep(self.chance.uniform(0, self.habits.delay))
        for wait in (*self.retries, None):
            if await self._attempt(letter) or wait is None:
                return
            await asyncio.sleep(wait)

    async def _attempt(self, letter: Letter) -> bool:
        try:
            async with httpx2.AsyncClient(timeout=self.timeout, trust_env=False, verify=_NOBODY) as client:
                response = await client.post(letter.url, content=letter.body, headers=dict(letter.headers))
        except httpx2.HTTPError as error:
            self.attempts.append(Attempt(letter, None, str(error)))
            return False
        self.attempts.append(Attempt(letter, response.status_code, response.text[:1000]))
        return self.delivered(response.status_code)
