"""Pictures of epics: painted after every round, looked at by the pages. What can't be read any more is not there."""

from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from bot.engine.pictures import Pictures
from bot.machine.decision import Decision
from bot.machine.facts import Facts
from bot.machine.picture import Picture, paint, with_past

log = structlog.get_logger()

_PICTURE = TypeAdapter(Picture)


class Gallery:
    """All pictures."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    async def show(self, facts: Facts, decision: Decision) -> None:
        """Hang up what the round on a key saw and decided."""
        before = _read(await self._pictures.of(facts.key))
        painted = with_past(paint(facts, decision), before)
        await self._pictures.keep(facts.key, facts.now, _PICTURE.dump_python(painted, mode="json"))

    async def epics(self) -> list[Picture]:
        """All that are known: what is under way first, and of those the latest seen first."""
        found = [picture for one in await self._pictures.latest() if (picture := _read(one)) is not None]
        return sorted(found, key=lambda one: one.over)

    async def with_issue(self, identifier: str) -> Picture | None:
        """The picture in which an epic or ticket stands."""
        return _read(await self._pictures.with_issue(identifier))

    async def of(self, key: str) -> Picture | None:
        """The picture of a key."""
        return _read(await self._pictures.of(key))

    async def with_run(self, run_id: str) -> Picture | None:
        """The picture in which a run stands."""
        return _read(await self._pictures.with_run(run_id))


def _read(stored: Any) -> Picture | None:
    if stored is None:
        return None
    try:
        return _PICTURE.validate_python(stored)
    except ValidationError as error:  # an older version wrote it; the next round paints it anew
        log.info("picture not readable", reason=str(error.errors()[0]["msg"]))
        return None
