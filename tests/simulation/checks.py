"""The checks that run on heads in the simulated GitHub."""

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.pull_request import Check

if TYPE_CHECKING:
    from tests.simulation.hub import Hub


class Checks:
    """All check runs, ours too."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self.of: dict[str, list[Check]] = {}
        """Those of each head, the oldest first."""
        self.red = 0.15
        """How many end badly."""

    def latest(self, head: str, app: str = "ci") -> list[Check]:
        """The newest check of each name on a head."""
        return list({one.name: one for one in self.of.get(head, ()) if one.app == app}.values())

    def green(self, head: str) -> bool:
        """Whether every check passed; having none is no red."""
        return all(one.status == "completed" and one.conclusion == "success" for one in self.latest(head))

    def come(self, head: str) -> None:
        """They begin by themselves, where there are any."""
        if not self._hub.house.ci or self.latest(head):
            return
        loop = asyncio.get_running_loop()
        loop.call_later(self._hub.chance.uniform(1, 20), self._begins, head, self._hub.number())

    def _begins(self, head: str, suite: int) -> None:
        if self.latest(head):
            return
        self.runs(head, suite)

    def runs(self, head: str, suite: int) -> None:
        """The check begins on a head, and ends after a while."""
        check = Check(self._hub.number(), "test", suite, "ci")
        self.of.setdefault(head, []).append(check)
        self._hub.tell_check("created", check, head)
        wait = self._hub.chance.choice((5.0, 30.0, 30.0, 120.0, 600.0))
        asyncio.get_running_loop().call_later(wait, self._ends, check, head)

    def _ends(self, check: Check, head: str) -> None:
        check.status = "completed"
        red = not self._hub.calm and self._hub.chance.random() < self.red
        check.conclusion, check.summary = ("failure", self._hub.chance.choice("ab")) if red else ("success", "")
        self._hub.tell_check("completed", check, head)
