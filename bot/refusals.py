"""What GitHub said when it refused a merge although nothing that it shows spoke against it: a reason for people."""

from dataclasses import dataclass, field

from bot.machine.decision import Enqueue, Merge
from bot.machine.pull_request import PullRequest

_KEPT = 1_000


@dataclass
class Refusals:
    """Remembers GitHub's own sentence for each head. May be lost: then GitHub is asked, and says it, once more."""

    _said: dict[tuple[int, str], str] = field(default_factory=dict)

    def note(self, asked: Merge | Enqueue, said: str) -> bool:
        """Whether GitHub said the same before; an empty sentence: there is nothing any more that it refuses."""
        before = self._said.pop((asked.number, asked.head), "")
        if said:
            if len(self._said) >= _KEPT:
                self._said.clear()
            self._said[asked.number, asked.head] = said
        return bool(said) and before == said

    def of(self, pull: PullRequest | None) -> str:
        """What it said of this head of a pull request; empty: nothing."""
        return self._said.get((pull.number, pull.head), "") if pull is not None and pull.open else ""
