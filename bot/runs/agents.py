"""Runs of this service: the house they share, and a folder of its own for each, where its transcript stays."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import structlog

from bot.machine.progress import AFTER, Receipt
from bot.runs import verification
from bot.runs.contract import RunSpec
from bot.runs.models import Models
from bot.runs.runner import Handover, House, Place, run_agent

log = structlog.get_logger()


def _without(place: Place, output: str) -> str:
    """The output without the paths of this machine: people read it in Linear, and workers elsewhere."""
    return output.replace(f"{place.checkout}/", "").replace(str(place.checkout), ".").replace(str(place.home), "~")


def _log(text: str) -> None:
    log.debug("progress", text=text)


class Agents:
    """Runs programs below `folder`, each run in a folder of its own.

    `visible` are the paths that the policy lets them read besides the system's. `tell` hears of their progress.
    `models` is what the policy says of models now; without it the house's own table holds.
    """

    def __init__(
        self,
        folder: Path,
        house: House,
        visible: Callable[[], Iterable[str]],
        tell: Callable[[str], None] = _log,
        *,
        models: Callable[[], Models] | None = None,
    ) -> None:
        self._folder = folder
        self._models = models
        self._house = house
        self._visible = visible
        self._tell = tell

    async def run(self, spec: RunSpec, *, tree: Path, mirror: Path, base_commit: str) -> Handover:
        """Run an agent in a checkout that borrows its objects from a mirror."""
        place = self._place(spec.run_id, tree, mirror, base_commit)
        return await run_agent(spec, place, self._now(), on_progress=self._tell)

    def _now(self) -> House:
        """The house with what the policy says by now: it may change without a restart."""
        if self._models is None:
            return self._house
        models, upstream = self._models(), self._house.upstream
        upstream = replace(upstream, server_tools=models.server_tools) if upstream else None
        return replace(self._house, prices=models.prices, upstream=upstream)

    async def verify(
        self, commands: tuple[str, ...], folder: str, /, *, tree: Path, mirror: Path, minutes: float
    ) -> tuple[Receipt, ...]:
        """Run commands in such a checkout, with a receipt for each."""
        place = self._place(folder, tree, mirror, "")
        receipts = await verification.verify(commands, place, self._house, minutes=minutes, on_progress=self._tell)
        return tuple(
            Receipt(AFTER, one.command, one.code, one.seconds, one.end, _without(place, one.output)) for one in receipts
        )

    def _place(self, folder: str, tree: Path, mirror: Path, base_commit: str) -> Place:
        shown = (mirror / "objects", *(Path(path) for path in self._visible()))
        return Place(tree, self._folder / folder, base_commit, read_only=shown)
