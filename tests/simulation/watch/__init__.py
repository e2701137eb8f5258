"""What must always hold, checked at the moment it could break: one file for each kind of invariant.

An act of the service is judged by what that process had read last (`sights`): nobody can act upon what happened after
the look. What it read is the world's truth at that moment, never the service's own conclusion. Whose word counts in it
is said in `voices`.
"""

import traceback
from typing import TYPE_CHECKING

from tests.simulation.watch.agents import Agents
from tests.simulation.watch.callers import Callers
from tests.simulation.watch.decisions import Decisions
from tests.simulation.watch.deliveries import Deliveries
from tests.simulation.watch.moves import Moves
from tests.simulation.watch.pulls import Pulls
from tests.simulation.watch.records import Records
from tests.simulation.watch.rounds import Rounds
from tests.simulation.watch.runs import Runs
from tests.simulation.watch.sights import Sights
from tests.simulation.watch.starts import Starts
from tests.simulation.watch.writes import Writes

if TYPE_CHECKING:
    from tests.simulation.world import World


class Watch:
    """Watches one world. `found` are the violations: which invariant, and what happened."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.found: list[tuple[str, str]] = []
        self.runs = Runs()
        self.sights = Sights(world)
        self.rounds = Rounds(world, self.violated)
        self.decisions = Decisions(world, self.violated)
        self.deliveries = Deliveries(world, self.violated)
        self.callers = Callers(world, self.violated, self.sights)
        self.records = Records(world, self.violated, self.sights, self.runs, self.callers)
        self.starts = Starts(world, self.violated, self.sights, self.runs, self.records, self.callers)
        self.agents = Agents(world, self.violated, self.sights, self.runs)
        self.moves = Moves(world, self.violated, self.sights)
        self.writes = Writes(world, self.violated, self.sights, self.records, self.moves)
        self.pulls = Pulls(world, self.violated, self.sights)

    def violated(self, invariant: str, what: str) -> None:
        """Something that must never be is so."""
        self.found.append((invariant, what))
        self.world.tell("VIOLATION", invariant, what)

    def broke(self, where: str, error: Exception) -> None:
        """An error that is a bug."""
        lines = traceback.format_exception(error)
        self.violated(f"{where} breaks", "".join(lines[-6:]))

    def database_lost(self) -> None:
        """What was in the database is nobody's any more."""
        self.rounds.wishes.clear()
        self.deliveries.taken.clear()
