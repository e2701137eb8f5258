"""The merge queue of the simulated GitHub."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.clock import now
from tests.simulation.pull_request import OWN, Pull, Refusal

if TYPE_CHECKING:
    from tests.simulation.hub import Hub

QUEUE_SECONDS = 240.0
"""How long it takes: long enough that people think better of it meanwhile."""
ITSELF = "github-merge-queue[bot]"


class MergeQueue:
    """Merges what waits in it, one by one, unless something is against it then."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self.merges: Callable[[Pull, str], None] = lambda _pull, _head: None
        """Told of what it is about to merge."""

    def takes(self, pull: Pull, head: str | None) -> None:
        """Into the queue.

        Raises:
            Refusal: as GitHub does.
        """
        if not (self._hub.house.queue and pull.base == "main"):
            raise Refusal(422, "UNPROCESSABLE: Merge queue is not enabled for this branch")
        if head is not None and head != self._hub.head(pull):
            raise Refusal(422, "UNPROCESSABLE: expected head oid does not match")
        if not pull.open or self._hub.obstacle(pull) not in ("", "Head branch is out of date"):
            raise Refusal(422, "UNPROCESSABLE: the pull request is not in the correct state")
        pull.queued = self._hub.head(pull)
        self._hub.tell("pull_request", pull, "enqueued", OWN)
        asyncio.get_running_loop().call_later(QUEUE_SECONDS, self._ends, pull, pull.queued)

    def ejects(self, pull: Pull, reason: str) -> None:
        """Out of it."""
        pull.ejected = (reason, now().replace(microsecond=0), pull.queued)
        pull.queued = ""
        self._hub.tell("pull_request", pull, "dequeued", ITSELF)

    def _ends(self, pull: Pull, head: str) -> None:
        if not pull.open or pull.queued != head:
            return
        if self._hub.clashes(pull) or (not self._hub.calm and self._hub.chance.random() < 0.2):
            self.ejects(pull, "CI_FAILURE")
        else:
            pull.queued = ""
            self.merges(pull, head)
            self._hub.lands(pull, self._hub.method(pull.base), ITSELF)
