"""What the way out refused: each refusal is counted and shown with the run, in words that can't be forged."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

import structlog
from prometheus_client import Counter as Metric

log = structlog.get_logger()

_REFUSED = Metric("callboard_egress_refusals", "Attempts of runs to reach out that were refused", ["reason"])
_DISTINCT = 200
_LONGEST = 120


class Reason(StrEnum):
    """Why something was refused; few and fixed, because each is a time series."""

    MALFORMED = "malformed"
    METHOD = "method"
    TOKEN = "token"  # noqa: S105  # a word
    NAME = "name"
    ADDRESS = "address"
    PORT = "port"
    UNLISTED = "unlisted"
    INSIDE = "inside"
    SERVER_NAME = "server name"
    LIMIT = "limit"
    UNREACHABLE = "unreachable"


class NotAllowedError(Exception):
    """A request that is refused. `says` is the sentence for the agent and for people."""

    def __init__(self, reason: Reason, says: str) -> None:
        super().__init__(says)
        self.reason = reason
        self.says = says


@dataclass
class Refusals:
    """What was refused on one run. A flood is counted, and costs neither memory nor pages of log.

    Without the name of a run (our own test of the walls) nothing is logged or counted for all.
    """

    run: str = ""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    more: int = 0
    """Refusals that are not in `counts`, because there were too many different ones."""

    def note(self, target: str, error: NotAllowedError) -> None:
        """Take one down; the first of its kind is logged."""
        if self.run:
            _REFUSED.labels(error.reason).inc()
        key = (shown(target), error.says)
        if key not in self.counts and len(self.counts) >= _DISTINCT:
            self.more += 1
            return
        self.counts[key] += 1
        if self.run and self.counts[key] == 1:
            log.warning("refused on the way out", run=self.run, target=key[0], reason=error.reason, says=error.says)

    def lines(self) -> list[str]:
        """One line for each kind, for people."""
        found = [
            f"{target or 'a request'}: {says}{f' ({count} times)' if count > 1 else ''}"
            for (target, says), count in self.counts.items()
        ]
        return [*found, f"and {self.more} more"] if self.more else found


def shown(target: str) -> str:
    """A text by an agent, with everything invisible spelled out, and not long."""
    flat = target.encode("unicode_escape").decode("ascii")
    return flat if len(flat) <= _LONGEST else f"{flat[:_LONGEST]}..."
