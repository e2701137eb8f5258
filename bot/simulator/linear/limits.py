"""Rate limits: leaky buckets per user for requests and for complexity, reported in headers on every answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.simulator.linear.auth import Caller
from bot.simulator.linear.errors import rate_limited

HOUR = 3600.0


@dataclass
class Bucket:
    """Holds `capacity` units and refills evenly within one hour."""

    capacity: int
    left: float
    seen: datetime

    def refill(self, now: datetime) -> None:
        """Let the time since the last look flow in."""
        gained = (now - self.seen).total_seconds() * self.capacity / HOUR
        self.left, self.seen = min(float(self.capacity), self.left + gained), now

    @property
    def reset(self) -> int:
        """When it is full again, in epoch milliseconds."""
        full = self.seen + timedelta(seconds=(self.capacity - self.left) * HOUR / self.capacity)
        return int(full.timestamp() * 1000)


@dataclass
class Limits:
    """Requests and complexity points per hour by kind of credential; all keys of one user share a bucket."""

    now: Callable[[], datetime]
    requests: dict[str, int] = field(default_factory=lambda: {"key": 2500, "app": 5000, "none": 600})
    complexity: dict[str, int] = field(default_factory=lambda: {"key": 3_000_000, "app": 2_000_000, "none": 100_000})
    most_per_query: int = 10_000
    _buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)

    def spend_request(self, caller: Caller) -> None:
        """Count one request.

        Raises:
            LinearError: RATELIMITED, and the request must not be executed.
        """
        bucket = self.bucket("requests", caller)
        if bucket.left < 1:
            raise rate_limited(bucket.capacity, "requests")
        bucket.left -= 1

    def spend_complexity(self, caller: Caller, points: int) -> None:
        """Count the points of one query.

        Raises:
            LinearError: RATELIMITED, and the query must not be executed.
        """
        bucket = self.bucket("complexity", caller)
        if bucket.left < points:
            raise rate_limited(bucket.capacity, "complexity points")
        bucket.left -= points

    def headers(self, caller: Caller, points: int) -> dict[str, str]:
        """The headers that tell a caller what is left."""
        headers = {"X-Complexity": str(points)}
        for kind in ("requests", "complexity"):
            bucket, name = self.bucket(kind, caller), kind.capitalize()
            headers |= {
                f"X-RateLimit-{name}-Limit": str(bucket.capacity),
                f"X-RateLimit-{name}-Remaining": str(int(bucket.left)),
                f"X-RateLimit-{name}-Reset": str(bucket.reset),
            }
        return headers

    def bucket(self, kind: str, caller: Caller) -> Bucket:
        """The bucket of a caller for `requests` or `complexity`, filled up to this moment."""
        capacity = (self.requests if kind == "requests" else self.complexity)[caller.kind]
        now = self.now()
        who = caller.user.id if caller.user else "nobody"
        bucket = self._buckets.setdefault((kind, who), Bucket(capacity, float(capacity), now))
        if bucket.capacity != capacity:
            bucket.capacity, bucket.left = capacity, min(bucket.left, float(capacity))
        bucket.refill(now)
        return bucket
