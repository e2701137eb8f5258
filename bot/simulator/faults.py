"""Request faults that both simulated services share: what can go wrong before and after a request was applied."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum


class When(StrEnum):
    """Whether the service had applied the request when it failed."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Fault:
    """One failing answer.

    `status` 0 means the connection is cut without an answer. `seconds` is how long the service thinks first
    (a slow answer is a fault with status 200 and a body of None: the real answer follows late).
    """

    status: int
    when: When = When.BEFORE
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0


@dataclass
class Faults:
    """Faults waiting to happen, matched in order against the name of an operation.

    The name is the service's own: `commentCreate`, `query issue` for Linear; `PUT /repos/…/merge` for GitHub. An
    empty `match` fits every request. Each planted fault happens once; `happened` keeps what did, for tests.
    """

    planted: deque[tuple[str, Fault]] = field(default_factory=deque)
    happened: list[tuple[str, Fault]] = field(default_factory=list)

    def plant(self, fault: Fault, *, match: str = "", times: int = 1) -> None:
        """Let the next `times` requests whose operation contains `match` fail with `fault`."""
        self.planted.extend([(match, fault)] * times)

    def pick(self, operation: str) -> Fault | None:
        """Take the first planted fault that fits `operation`, or None."""
        for index, (match, fault) in enumerate(self.planted):
            if match in operation:
                del self.planted[index]
                self.happened.append((operation, fault))
                return fault
        return None
