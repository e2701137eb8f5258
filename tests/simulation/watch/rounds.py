"""Rounds: a key is looked at when that was wished for, and a round that fails loses nothing."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.watch.part import Part

if TYPE_CHECKING:
    from tests.simulation.process import Process

WISH_SECONDS = 15.0
"""How much later than wished for a round may begin, when nothing is in its way but the round before."""


@dataclass
class Rounds(Part):
    """See the top of this file."""

    wishes: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    """When each key is to be looked at again, as its rounds asked for, and whether nothing was broken: of what is to
    come the first stands."""

    def begins(self, key: str) -> None:
        """A key is looked at: no wish to look at it may be much older."""
        now, wishes = self.world.loop.time(), self.wishes.pop(key, [])
        late = now - min((due for due, sound in wishes if sound), default=now)
        if late > WISH_SECONDS:
            self.violated("a wish to look again is forgotten", f"{key}: {late:.0f} seconds late")
        self.wishes[key] = [one for one in wishes if one[0] > now + 0.01]  # dates have microseconds, the loop has more

    def ends(self, key: str, again: float | None) -> None:
        """A round went well, and asks for another one in so many seconds."""
        if again is None:
            return
        now, wishes = self.world.loop.time(), self.wishes.get(key, [])
        to_come = min([(now + again, self.world.sound), *(one for one in wishes if one[0] > now)])
        self.wishes[key] = [*(one for one in wishes if one[0] <= now), to_come]

    def failed(self, process: "Process", key: str) -> None:
        """A round failed: what it was about is not done, and is tried again at another time."""
        inbox = process.database.inbox
        before = {name for name, (done, of) in inbox.stored().items() if of == key and not done}
        self.wishes[key] = [(due, False) for due, _ in self.wishes.get(key, [])]

        def after() -> None:
            stored = inbox.stored()
            if lost := sorted(name for name in before if stored[name][0]):
                self.violated("an accepted delivery is not processed", f"{lost[0]}: its round failed")

        self.world.loop.call_soon(after)
