"""The people of the kill rounds: they write epics, approve what is shown, and say `retry` to what is blocked."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bot.simulator.linear.model import Issue
from bot.simulator.theatre import Theatre

TURNS = {"Plan in Review": "**Turn 1.**", "Code Review": "**Turns 2 and 3.**", "Ready to Merge": "**Turns 2 and 3.**"}
PARTS = ("one", "two", "three")
STUCK = frozenset({"blocked", "needs input"})


@dataclass
class People:
    """Alice, who looks at Linear a few times a second."""

    theatre: Theatre
    lone: bool = False
    """Single tickets, each working alone, in place of epics."""
    epics: list[Issue] = field(default_factory=list)
    _approved: Counter[tuple[str, str]] = field(default_factory=Counter)
    _retried: Counter[str] = field(default_factory=Counter)

    def write_epic(self) -> Issue:
        """A new epic, labelled."""
        alice, number = self.theatre.person("alice"), len(self.epics) + 1
        title = f"Write m{number}.py" if self.lone else f"Modules m{number}"
        epic = alice.creates("YOU", title, "Write what the title says.")
        alice.labels(epic, "worker" if self.lone else "orchestrate")
        self.epics.append(epic)
        return epic

    def unfinished(self) -> list[Issue]:
        """Epics that are not done yet."""
        return [one for one in self.epics if one.state.name != "Done"]

    def wanted(self) -> set[str]:
        """The files that are on the base branch when everything is done."""
        if self.lone:
            return {f"m{number}.py" for number in range(1, len(self.epics) + 1)}
        modules = {f"m{number}_{part}.py" for number in range(1, len(self.epics) + 1) for part in PARTS}
        return modules | {f"{epic.identifier}.md" for epic in self.epics}

    async def answer(self) -> None:
        """Answer until cancelled."""
        while True:
            for epic in self.unfinished():
                self._approve(epic)
                for issue in (epic, *self.theatre.linear.children(epic)):
                    self._retry(issue)
            await asyncio.sleep(0.2)

    def _approve(self, epic: Issue) -> None:
        turn = TURNS.get(epic.state.name)
        if turn is None:
            return
        shown = sum(turn in one.body for one in self._said(epic))
        if shown > self._approved[epic.id, turn]:
            self._approved[epic.id, turn] = shown
            self.theatre.person("alice").comments(epic, "approve")

    def _retry(self, issue: Issue) -> None:
        """Agents that were killed count as failed; after some of that somebody has to say so."""
        if not STUCK & set(issue.label_names):
            return
        asked = sum("**Blocked**" in one.body or "**A question" in one.body for one in self._said(issue))
        if asked > self._retried[issue.id]:
            self._retried[issue.id] = asked
            self.theatre.person("alice").comments(issue, "retry")

    def _said(self, issue: Issue) -> list[Any]:
        return [one for one in self.theatre.person("alice").reads(issue) if one.user and one.user.app]
