"""How often one address may ask without being logged in: a bucket that fills again evenly, for each address."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

MOST = 4096
"""Buckets that are kept; the one unused for longest goes first, so that no flood of addresses costs memory."""


class Buckets:
    """A bucket of `burst` requests for each address, which fills again by `per_minute`."""

    def __init__(self, per_minute: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_minute / 60, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def empty(self, who: str) -> bool:
        """Whether nothing is left to take."""
        return self._now(who) < 1

    def take(self, who: str) -> None:
        """Count one request."""
        self._left[who] = (max(0.0, self._now(who) - 1), self._clock())
        self._left.move_to_end(who)
        if len(self._left) > MOST:
            self._left.popitem(last=False)

    def _now(self, who: str) -> float:
        left, at = self._left.get(who, (self._burst, self._clock()))
        return min(self._burst, left + (self._clock() - at) * self._per_second)


def address(peer: str, headers: Mapping[str, str]) -> str:
    """Whom a request counts for: the socket's peer, or, when that is a proxy of ours, who the proxy says it is.

    Only the last entry of X-Forwarded-For is the proxy's own; those before it are the stranger's. Of an IPv6 address
    the network counts, because everybody there has as many addresses as they like.
    """
    claimed = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    found = _parsed(peer)
    if found is None:
        return peer
    if claimed and (found.is_private or found.is_loopback):
        found = _parsed(claimed) or found
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
