"""A run's share in what belongs to all: its epic's budget, the day's, and the model's account, kept by the engine."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from bot.engine.port import Till
from bot.runs.meter import Denial
from bot.runs.prices import Usage

_LOOK = 0.2
"""Seconds between two looks whether calls of other runs have ended."""
_PATIENCE = 900.0
"""Seconds after which a call that was never let through is refused; no call under way lasts longer."""
UNSAID = timedelta(minutes=15)
"""How long everything waits when the account is at its limit and nobody said until when."""


class RunAccount:
    """See `bot.runs.meter.Account`. `day_usd` is what the service may spend on one day."""

    def __init__(self, till: Till, run_id: str, day_usd: float) -> None:
        self._till, self._run, self._day_usd = till, run_id, day_usd

    async def reserve(self, usd: float) -> Denial | None:
        """Take off what a call costs at most; waits while others hold too much."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            verdict = await self._till.reserve(self._run, usd, self._day_usd)
            match verdict.word:
                case "granted":
                    return None
                case "wait":
                    await asyncio.sleep(_LOOK)
                    continue
                case "paused":
                    return Denial(verdict.why, limited=True, until=verdict.until)
                case "epic" | "day":
                    whose = "This epic" if verdict.word == "epic" else "The service"
                    today = " today" if verdict.word == "day" else ""
                    return Denial(f"{whose} has spent ${verdict.spent:.2f} of ${verdict.budget:.2f}{today}.")
            return Denial("This run is not under way.")
        return Denial("Other runs of this epic hold what is left of its budget.")

    async def settle(self, reserved: float, usd: float, usage: Usage) -> None:
        """Put back what was reserved, and charge what was used."""
        await self._till.settle(self._run, reserved, usd, usage.read, usage.output)

    async def limited(self, until: datetime | None, why: str) -> None:
        """The model's account is at its limit: the whole service pauses."""
        await self._till.pause(until or datetime.now(UTC) + UNSAID, why)
