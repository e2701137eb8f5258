"""Runs of this service: the house they share, and a folder of its own for each, where its transcript stays."""

from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from bot.runs.contract import RunSpec
from bot.runs.runner import Handover, House, Place, run_agent

log = structlog.get_logger()


class Agents:
    """Runs agents below `folder`. `visible` are the paths that the policy lets agents read besides the system's."""

    def __init__(self, folder: Path, house: House, visible: Callable[[], Iterable[str]]) -> None:
        self._folder = folder
        self._house = house
        self._visible = visible

    async def __call__(self, spec: RunSpec, *, tree: Path, mirror: Path, base_commit: str) -> Handover:
        """Run an agent in a checkout that borrows its objects from a mirror."""
        shown = (mirror / "objects", *(Path(path) for path in self._visible()))
        place = Place(tree, self._folder / spec.run_id, base_commit, read_only=shown)
        return await run_agent(spec, place, self._house, on_progress=_tell)


def _tell(text: str) -> None:
    log.debug("progress", text=text)
