"""Deliveries of webhooks: stored before they are answered, and never about what the service did itself."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.engine.port import Delivery
from tests.simulation.watch.part import Part

if TYPE_CHECKING:
    from bot.engine.memory_database import MemoryDatabase
    from tests.simulation.process import Process

LATE_SECONDS = 8 * 3600 + 15 * 60


@dataclass
class Deliveries(Part):
    """See the top of this file."""

    taken: "dict[tuple[str, str], MemoryDatabase]" = field(default_factory=dict)
    """In which database each of them was stored."""

    def accepted(self, delivery: Delivery) -> None:
        """A delivery is committed."""
        self.taken[delivery.source, delivery.delivery] = self.world.database
        talks = delivery.event.startswith(("issue_comment", "pull_request_review"))
        if talks and b'"login":"callboard[bot]"' in delivery.body and not delivery.ignored and not delivery.parked:
            self.violated("the service is triggered by itself", delivery.event)

    def answered(self, process: "Process", source: str, delivery: str, status: int) -> None:
        """A sender got its answer."""
        if status == 200 and self.taken.get((source, delivery)) is None and process.alive:
            if source == "linear" and self.world.loop.time() > LATE_SECONDS:
                return  # dropped politely: too old
            self.violated("answered before it was stored", f"{source} {delivery}")

    def undone(self) -> list[str]:
        """Deliveries that were accepted, and neither processed nor parked."""
        stored = self.world.database.inbox.stored()
        return [f"{source} {name}" for (source, name), (done, _) in stored.items() if not done]
