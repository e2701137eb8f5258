"""How often the engine looks, how long it waits, when it gives up: one table for both implementations."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """All times in seconds. The defaults are for service; tests make them short."""

    poll: float = 0.5  # look for jobs when no notification came
    tick: float = 1.0  # look for due wishes and lost wake-ups
    sweep: float = 5.0  # look for the dead
    beat: float = 5.0  # sign of life of a worker and of its runs
    dead_after: float = 30.0  # no sign of life for so long: dead (well above the worst stall of the event loop)
    resync: float = 60.0  # hint every live key
    reconcile_limit: float = 900.0  # a round that takes longer has failed
    reconcile_grace: float = 10.0  # what a round may still take when the service ends
    first_retry: float = 1.0
    last_retry: float = 60.0
    tries: int = 8  # then the key is parked
    parked_retry: float = 600.0  # a parked key is tried again no more often than this
    lag: float = 25.0  # a read of Linear may be as old as this; what was just written may be missing from it
    keep: float = 3 * 86400.0  # finished deliveries; senders redeliver for up to 8 hours, so never below that

    def retry_delay(self, attempts: int, retry_after: float | None = None) -> float:
        """Seconds to wait after the given number of failures (1 or more): doubling, with jitter."""
        backoff = min(self.last_retry, self.first_retry * 2.0 ** min(attempts - 1, 30))
        return max(backoff * random.uniform(0.75, 1.25), retry_after or 0.0)  # noqa: S311 - jitter is no secret

    def jittered(self, interval: float) -> float:
        """An interval that keeps several processes from working in step."""
        return interval * random.uniform(0.8, 1.2)  # noqa: S311


def retry_after_of(error: BaseException) -> float | None:
    """What an error says about when to come back, in seconds."""
    value = getattr(error, "retry_after", None)
    return float(value) if isinstance(value, int | float) else None
