"""Which runs were ordered."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.engine.memory_database import MemoryDatabase
    from bot.engine.port import RunOrder


@dataclass
class Runs:
    """Every run that somebody can know of."""

    known: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Issue and generation of each."""
    ordered_in: "dict[str, MemoryDatabase]" = field(default_factory=dict)
    """Where each of them was ordered."""
    late: set[str] = field(default_factory=set)
    """Those that a process ordered which was taken for dead by then: only that database knows of them, as the record
    that told of one was overtaken."""
    newest: dict[str, int] = field(default_factory=dict)
    """The newest generation of each issue."""

    def ordered(self, order: "RunOrder", database: "MemoryDatabase", *, late: bool) -> None:
        """A run is ordered; `late`, by a process that was taken for dead."""
        if late:
            self.late.add(order.run_id)
        self.known[order.run_id] = (order.issue, order.generation)
        self.ordered_in[order.run_id] = database
        self.newest[order.issue] = max(self.newest.get(order.issue, 0), order.generation)

    def forget(self, database: "MemoryDatabase", issue: str, generation: int) -> None:
        """Nobody can know a run above that generation whose record and database are both gone."""
        gone = [
            run for run, (of, number) in self.known.items()
            if of == issue and number > generation and self.ordered_in[run] is not database
        ]  # fmt: skip
        for run in gone:
            del self.known[run]
        self.newest[issue] = max((number for of, number in self.known.values() if of == issue), default=0)
