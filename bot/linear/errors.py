"""What Linear's errors mean for us. Source: facts on Linear, section 2.1; `errors` is read first on every status."""

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.machine.errors import Refused, Transient, UserError

_ENOUGH = {"requests": 20.0, "complexity": 20_000.0}
"""What must be in a bucket again before it is worth asking: a few requests, and two of the dearest (10,000 points)."""
CONFLICT = re.compile(r"conflict on insert of (\w+)")


class Rejected(UserError):  # noqa: N818
    """Linear does not accept what one operation asks for. `alias` names that one, when Linear told which it was."""

    alias = ""


class NotFound(Rejected):
    """Linear has no such thing, or no longer."""


class Forbidden(Refused):
    """We may not do what one operation asks for, though perhaps the others. `alias` names it, as in `Rejected`."""

    alias = ""


class InvalidDocument(Exception):  # noqa: N818
    """Linear doesn't accept our GraphQL document: a bug of ours, or Linear's schema has changed."""


@dataclass(frozen=True)
class Conflict:
    """A create whose id Linear knows already. `text` is what Linear says; it names the id."""

    entity: str
    text: str


class LinearConflict(Exception):  # noqa: N818
    """Creates that were repeated. Only `bot/linear/ensure.py` can tell whether they were ours."""

    alias = ""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__("; ".join(f"conflict on insert of {one.entity}: {one.text}" for one in conflicts))
        self.conflicts = tuple(conflicts)


def classify(errors: Sequence[Mapping[str, Any]], status: int, headers: Mapping[str, str]) -> Exception:
    """The one exception that a list of GraphQL errors stands for: a conflict only when there is nothing worse."""
    meanings = [_placed(_meaning(error, status, headers), error) for error in errors]
    worse = next((one for one in meanings if not isinstance(one, LinearConflict)), None)
    if worse is not None:
        return worse
    conflicts = [one for one in meanings if isinstance(one, LinearConflict)]
    whole = LinearConflict([one for conflict in conflicts for one in conflict.conflicts])
    whole.alias = next((one.alias for one in conflicts), "")
    return whole


def by_status(status: int, what: str, headers: Mapping[str, str]) -> Exception:
    """The exception for an answer that says nothing but its HTTP status."""
    if status == 429 or status >= 500 or status < 300:
        return Transient(what, retry_after=wait_of(headers) if status == 429 else None)
    if status in (401, 403):
        return Refused(f"{what}: check LINEAR_API_KEY, or LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET")
    return Refused(f"{what}: check LINEAR_API_URL")


def wait_of(headers: Mapping[str, str], now: float | None = None) -> float:
    """Seconds until a rate limit allows the next request: `retry-after`, or until enough has flowed into the bucket.

    The limits are leaky buckets that fill evenly within an hour. The reset of a header (epoch milliseconds) is when the
    bucket is full again, most of an hour away; one request is possible long before. 60 when no header says anything.
    """
    moment = time.time() if now is None else now
    after = _number(headers.get("retry-after"))
    if after is not None:
        return max(1.0, after)
    resets = {
        name: _number(headers.get(f"x-ratelimit-{name}-reset"))
        for name in ("requests", "complexity", "endpoint-requests")
    }
    empty = [
        reset
        for name, reset in resets.items()
        if reset is not None and (_number(headers.get(f"x-ratelimit-{name}-remaining")) or 0) < 1
    ]
    known = empty or [reset for reset in resets.values() if reset is not None]
    if not known:
        return 60.0
    refilled = [wait for name, need in _ENOUGH.items() if (wait := _refill(headers, name, need)) is not None]
    return max(1.0, min(max(known) / 1000 - moment, max(refilled, default=math.inf)))


def _refill(headers: Mapping[str, str], name: str, need: float) -> float | None:
    """Seconds until so much is in a bucket again; None when Linear doesn't tell its size."""
    size, left = (_number(headers.get(f"x-ratelimit-{name}-{what}")) for what in ("limit", "remaining"))
    return None if not size or left is None else max(0.0, need - left) * 3600.0 / size


def _meaning(error: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> Exception:
    extensions = error.get("extensions") or {}
    message = str(error.get("message", ""))
    kind = str(extensions.get("type", "")).lower()
    code = str(extensions.get("code", "")).upper()
    text = str(extensions.get("userPresentableMessage") or message)
    stated = extensions.get("statusCode")
    number = int(stated) if isinstance(stated, int | float) else status
    if conflict := CONFLICT.match(message):
        return LinearConflict([Conflict(conflict[1], text)])
    if kind == "ratelimited" or code == "RATELIMITED" or status == 429:
        return Transient(message or "Linear's rate limit is reached", retry_after=wait_of(headers))
    if kind == "forbidden" or code == "FORBIDDEN":
        return Forbidden(f"Linear: {text}")
    if kind in _REFUSED or code in _REFUSED_CODES:
        return Refused(f"Linear: {text}")
    if message.startswith("Entity not found") or "could not be found" in text.lower():
        return NotFound(f"Linear: {text}")
    if kind == "graphql error" or code.startswith("GRAPHQL_"):
        return InvalidDocument(message)
    if kind in ("invalid input", "user error") or code in ("INVALID_INPUT", "INPUT_ERROR"):
        return Rejected(f"Linear: {text}")
    if kind in _TRANSIENT:
        return Transient(f"Linear: {message}")
    if extensions.get("userError") is True:
        return Rejected(f"Linear: {text}")
    return by_status(number, f"Linear: {text}", headers)


def _placed(meaning: Exception, error: Mapping[str, Any]) -> Exception:
    """The meaning of an error, which knows the operation that it is about."""
    path = error.get("path") or ()
    if isinstance(meaning, Rejected | Forbidden | LinearConflict) and path:
        meaning.alias = str(path[0])
    return meaning


_REFUSED = frozenset({"authentication error", "feature not accessible", "usage limit exceeded"})
_REFUSED_CODES = frozenset({"AUTHENTICATION_ERROR", "USAGE_LIMIT_EXCEEDED", "FEATURE_NOT_ACCESSIBLE"})
_TRANSIENT = frozenset({"network error", "internal error", "bootstrap error", "lock timeout"})


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
