"""What every kind of invariant has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass
class Part:
    """The invariants of one kind: the world that they hold in, and whom to tell which of them was violated, and how."""

    world: "World"
    violated: Callable[[str, str], None]
