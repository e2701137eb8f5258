"""What happens without being asked: wishes that come due, wake-ups that were lost, the dead, and the regular look.

Every process with a role runs this, with jitter; nothing here minds being done twice. Only the resync is claimed by one
process per interval, because it costs requests.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.engine.inbox import Inbox
from bot.engine.jobs import Jobs
from bot.engine.ledger import Ledger
from bot.engine.pace import Pace
from bot.engine.port import Callbacks
from bot.engine.runs import Aftermath, Runs

log = structlog.get_logger(__name__)

PRUNE_EVERY = 600.0  # seconds


class Sweeper:
    """The loops; each ends only by being cancelled."""

    def __init__(
        self,
        inbox: Inbox,
        runs: Runs,
        ledger: Ledger,
        jobs: Jobs,
        pace: Pace,
        settle: Callable[[Aftermath], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._inbox = inbox
        self._runs = runs
        self._jobs = jobs
        self._pace = pace
        self._settle = settle
        self._sooner = asyncio.Event()

    def look_again(self) -> None:
        """Something may come due before the next tick."""
        self._sooner.set()

    async def tick(self) -> None:
        """Wake the keys that are due, as exactly as their times ask."""
        while True:
            self._sooner.clear()
            wait = self._pace.jittered(self._pace.tick)
            try:
                self._jobs.wake(await self._inbox.due())
                due = await self._inbox.next_due()
                wait = wait if due is None else max(0.005, min(wait, due + 0.001))
            except Exception:
                log.exception("tick_failed", then="trying again")
            try:
                async with asyncio.timeout(wait):  # wait_for can swallow a cancellation before Python 3.12
                    await self._sooner.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> None:
        """Look for the dead."""
        await forever("sweep", self._pace.sweep, self._pace, lambda: self.sweep_once(self._pace.dead_after))

    async def sweep_once(self, dead_after: float) -> None:
        """Bury the jobs, and queue again the runs, of processes silent for `dead_after` seconds; admit."""
        for whom in await self._jobs.bury(dead_after):
            log.warning("job_of_dead_worker", whom=whom)
        after = await self._runs.revive(dead_after)
        for run_id in after.revived:
            log.warning("run_of_dead_process", run=run_id)
        await self._settle(after)

    async def resync(self, callbacks: Callbacks) -> None:
        """Hint every live key: at start, and then by one process per interval."""
        at_start = 0.0

        async def once() -> None:
            nonlocal at_start
            if not await self._inbox.claim_resync(at_start):
                return
            keys = list(await callbacks.resync())
            woken = await self._inbox.resync(keys)
            at_start = self._pace.resync * 0.9
            log.debug("resynced", keys=len(keys), woken=len(woken))
            self._jobs.wake(woken)

        await forever("resync", self._pace.resync, self._pace, once)

    async def prune(self) -> None:
        """Delete what is finished and old."""

        async def once() -> None:
            await self._inbox.prune()
            await self._runs.prune(self._pace.keep)
            await self._ledger.prune()

        await forever("prune", PRUNE_EVERY, self._pace, once)


async def forever(name: str, interval: float, pace: Pace, step: Callable[[], Awaitable[None]]) -> None:
    """Repeat a step every `interval` seconds (with jitter), at once the first time; an error is logged, not fatal."""
    while True:
        try:
            await step()
        except Exception:
            log.exception("step_failed", step=name, then="trying again")
        await asyncio.sleep(pace.jittered(interval))
