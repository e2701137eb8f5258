"""How long heads have been seen without a check: whether some will still appear, only time can tell."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.machine.pull_request import Checks, PullRequest


@dataclass
class Unchecked:
    """Watches pull requests by a clock that never jumps. May be lost: then they are watched anew."""

    clock: Callable[[], float] = time.monotonic
    _since: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By issue id: a head without a check, and when it was first seen so."""

    def watch(self, issue: str, pull: PullRequest | None) -> float:
        """For how many seconds the head of an issue's pull request has been seen without a check; 0: it has some."""
        if pull is None or not pull.open or pull.checks is not Checks.NONE:
            self._since.pop(issue, None)
            return 0.0
        now = self.clock()
        head, since = self._since.get(issue, ("", now))
        if head != pull.head:
            self._since[issue] = pull.head, (since := now)
        return now - since
