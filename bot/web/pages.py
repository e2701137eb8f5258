"""The pages to look at: epics, one epic, one ticket, one run, and the health of the service. They only show.

They read the engine's tables and the last picture of each epic; nothing is asked of Linear or GitHub for a page.
Addresses hold identifiers of issues and ids of runs, by pattern; a transcript is found by an id that the database
knows, never by a path that somebody wrote.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.engine.port import EngineStatus, Parked, RunRow, RunState
from bot.logs import Redactor
from bot.machine import facts
from bot.machine.facts import Run
from bot.machine.picture import PastRun, Picture, TicketPicture, past_run
from bot.runs.transcript import Piece, pieces
from bot.web.gallery import Gallery
from bot.web.graph import draw
from bot.web.live import Streams, Tail, Watched
from bot.web.looks import missing, page

SHOWN = 512 * 1024
"""Bytes of the end of a transcript that its page shows."""
MOST_PIECES = 800


class _Text(Convertor[str]):
    """A part of an address that fits a pattern, or there is no such page."""

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Issue(_Text):
    regex = "[A-Z][A-Z0-9]{0,9}-[0-9]{1,9}"


class _RunId(_Text):
    regex = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


register_url_convertor("issue", _Issue())
register_url_convertor("run", _RunId())


class Tables(Protocol):
    """What pages ask of the engine."""

    async def runs(self, key: str) -> tuple[RunRow, ...]:
        """The runs of a key."""

    async def status(self) -> EngineStatus:
        """Counts, and the keys that wait."""

    async def parked(self) -> Parked:
        """What waits for people."""

    async def key_of_run(self, run_id: str) -> str | None:
        """The key that a run belongs to."""


@dataclass(frozen=True)
class Busy:
    """A run that is under way or in the queue."""

    row: RunRow
    ticket: str
    title: str

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self.row.state is RunState.RUNNING


@dataclass(frozen=True)
class House:
    """What pages know besides the engine's tables.

    `facts` are lines for the health page, `wrong` what the watchdog found, as sentences; transcripts are below `runs`.
    """

    facts: Callable[[], Mapping[str, str]]
    wrong: Callable[[], Iterable[str]]
    runs: Path


class Pages:
    """The routes."""

    def __init__(self, gallery: Gallery, tables: Tables, house: House, redactor: Redactor) -> None:
        self._gallery, self._tables, self._house, self._redactor = gallery, tables, house, redactor
        self._streams = Streams(house.runs, redactor)

    def routes(self) -> list[Route]:
        """For visitors only."""
        return [
            Route("/", self._epics),
            Route("/epics/{name:issue}", self._epic),
            Route("/epics/{name:issue}/live", self._epic_live),
            Route("/tickets/{name:issue}", self._ticket),
            Route("/tickets/{name:issue}/live", self._ticket_live),
            Route("/runs/{run:run}", self._run),
            Route("/runs/{run:run}/live", self._run_live),
            Route("/health", self._health),
        ]

    async def _epics(self, request: Request) -> Response:
        epics = await self._gallery.epics()
        status = await self._tables.status()
        busy = [one for picture in epics if not picture.over for one in await self._busy(picture)]
        return self._page(
            request, "epics.html", ([_at_minute(one) for one in epics], busy), epics=epics, busy=busy, status=status
        )

    async def _epic(self, request: Request) -> Response:
        picture = await self._gallery.with_issue(request.path_params["name"])
        if picture is None:
            return missing(request.state.visitor)
        busy = await self._busy(picture)
        running = frozenset(one.ticket for one in busy if one.running)
        graph = draw(picture.tickets, running)
        return self._page(
            request,
            "epic.html",
            (_at_minute(picture), busy),
            picture=picture,
            busy=busy,
            graph=graph,
            running=running,
            now=await self._now(request, busy),
        )

    async def _ticket(self, request: Request) -> Response:
        name = request.path_params["name"]
        picture = await self._gallery.with_issue(name)
        ticket = _find(picture, name)
        if picture is None or ticket is None:
            return missing(request.state.visitor)
        rows = [row for row in await self._tables.runs(picture.key) if row.order.issue == ticket.id]
        ticket = replace(ticket, runs=_together(rows, ticket.runs))
        busy = [Busy(row, name, ticket.title) for row in rows if row.state in (RunState.QUEUED, RunState.RUNNING)]
        now = await self._now(request, busy)
        return self._page(request, "ticket.html", (ticket, busy), picture=picture, ticket=ticket, busy=busy, now=now)

    async def _run(self, request: Request) -> Response:
        id_ = request.path_params["run"]
        found = await self._find_run(id_)
        if found is None:
            return missing(request.state.visitor)
        picture, ticket, run = found
        lives = run.state == RunState.RUNNING
        said = () if lives else await asyncio.to_thread(self._said, id_)
        watched = (Watched(id_, f"{ticket.identifier} {ticket.title}", run.stage),) if lives else ()
        now = await self._streams.now(watched)
        return self._page(
            request, "run.html", (run,), picture=picture, ticket=ticket, run=run, lives=lives, said=said, now=now
        )

    async def _health(self, request: Request) -> Response:
        status, parked = await self._tables.status(), await self._tables.parked()
        told, wrong = self._house.facts(), tuple(self._house.wrong())
        seen = (status, parked, told, wrong)
        return self._page(request, "health.html", seen, status=status, parked=parked, house=told, wrong=wrong)

    async def _epic_live(self, request: Request) -> Response:
        return await self._live(request, lambda _one: True)

    async def _ticket_live(self, request: Request) -> Response:
        name = request.path_params["name"]
        return await self._live(request, lambda one: one.ticket == name)

    async def _live(self, request: Request, wanted: Callable[[Busy], bool]) -> Response:
        picture = await self._gallery.with_issue(request.path_params["name"])
        if picture is None:
            return missing(request.state.visitor)
        return self._streams.answer(lambda: self._watched(picture, wanted))

    async def _run_live(self, request: Request) -> Response:
        id_ = request.path_params["run"]
        found = await self._find_run(id_)
        if found is None:
            return missing(request.state.visitor)
        return self._streams.answer(lambda: self._watched(found[0], lambda one: one.row.order.run_id == id_))

    async def _now(self, request: Request, busy: Iterable[Busy]) -> list[tuple[Watched, list[Piece]]]:
        """The live output that a page begins with; one that is only looked at again has it already."""
        running = () if "v" in request.query_params else tuple(self._watch(one) for one in busy if one.running)
        return await self._streams.now(running)

    def _watch(self, one: Busy) -> Watched:
        return Watched(one.row.order.run_id, self._redactor.text(f"{one.ticket} {one.title}"), one.row.order.stage)

    async def _watched(self, picture: Picture, wanted: Callable[[Busy], bool]) -> tuple[Watched, ...]:
        return tuple(self._watch(one) for one in await self._busy(picture) if one.running and wanted(one))

    async def _busy(self, picture: Picture) -> list[Busy]:
        """What is under way of an epic, and what waits for a worker: now, by the engine."""
        names = {one.id: one for one in (picture.epic, *picture.tickets)}
        rows = [row for row in await self._tables.runs(picture.key) if row.order.issue in names]
        live = [row for row in rows if row.state in (RunState.RUNNING, RunState.QUEUED)]
        found = [Busy(row, names[row.order.issue].identifier, names[row.order.issue].title) for row in live]
        return sorted(found, key=lambda one: (not one.running, one.row.ahead, one.row.queued_at))

    async def _find_run(self, id_: str) -> tuple[Picture, TicketPicture, PastRun] | None:
        key = await self._tables.key_of_run(id_)
        picture = await (self._gallery.of(key) if key else self._gallery.with_run(id_))
        if picture is None:
            return None
        rows = await self._tables.runs(picture.key)
        for ticket in (*picture.tickets, picture.epic):
            own = _together([row for row in rows if row.order.issue == ticket.id], ticket.runs)
            for run in own:
                if run.id == id_:
                    return picture, ticket, run
        return None

    def _said(self, id_: str) -> tuple[Piece, ...]:
        """What the transcripts of a run hold, their ends."""
        found: list[Piece] = []
        for path in sorted((self._house.runs / id_).glob("transcript*.jsonl")):
            tail = Tail(path)
            tail.skip_to_end(SHOWN)
            while lines := tail.read():
                found += [piece for line in lines for piece in pieces(line)]
        return tuple(found[-MOST_PIECES:])

    def _page(self, request: Request, name: str, seen: Iterable[Any], **values: Any) -> Response:
        """The page, or nothing when the one who asks has this version already; secrets are cut out of all of it."""
        version = hashlib.sha256(repr(tuple(seen)).encode()).hexdigest()[:16]
        if request.query_params.get("v") == version:
            return Response(status_code=204)
        clean = self._redactor.text
        return page(name, request.state.visitor, clean=clean, version=version, path=request.url.path, **values)


def _at_minute(picture: Picture) -> Picture:
    """The picture as if it had been seen at the same moment as another: what counts when two are compared."""
    return replace(picture, seen_at=picture.seen_at.replace(second=0, microsecond=0))


def _find(picture: Picture | None, name: str) -> TicketPicture | None:
    if picture is None:
        return None
    return next((one for one in (*picture.tickets, picture.epic) if one.identifier == name), None)


def _together(rows: Iterable[RunRow], past: Iterable[PastRun]) -> tuple[PastRun, ...]:
    """The runs that the engine knows, as they are now, and those that only the picture remembers; newest first."""
    now = [_past(row) for row in rows]
    known = {one.id for one in now}
    return tuple(sorted((*now, *(one for one in past if one.id not in known)), key=lambda one: -one.generation))


def _past(row: RunRow) -> PastRun:
    order = row.order
    run = Run(order.run_id, order.issue, order.stage, order.generation, facts.RunState(row.state.value), row.ahead)
    shown = past_run(replace(run, started_at=row.started_at, result=row.result))
    return replace(shown, error=shown.error or row.stop_reason or "")
