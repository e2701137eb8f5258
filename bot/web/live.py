"""Live output: the end of running transcripts as server-sent events, for a page or a run.

Every stream ends by itself after a minute; the browser comes back, through the walls again, so nobody whose session was
revoked goes on reading. A transcript that was begun anew (the next step of a run) is read from its start.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.responses import Response, StreamingResponse

from bot.logs import Redactor
from bot.runs.transcript import Piece, pieces

EVERY = 0.5
"""Seconds between two looks."""
LASTS = 60.0
CHUNK = 256 * 1024
HEAD = 4096
TAIL = 24 * 1024
"""Bytes before the end where a page begins to show a run that is under way."""
MOST_AT_FIRST = 30
"""Pieces of each run that a page holds from the start."""
MOST_STREAMS = 100
"""At once; whoever comes later is asked to try again."""


@dataclass
class Tail:
    """Reads a growing file by whole lines. `at` is the place in bytes where the next line begins."""

    path: Path
    at: int = 0
    _begins: bytes = field(default=b"", repr=False)
    """How the file began: an inode is given out again, but no two transcripts begin alike."""

    def skip_to_end(self, leave: int = TAIL) -> None:
        """Begin near the end, at the start of a line."""
        try:
            size = self.path.stat().st_size
            if size > leave:
                with self.path.open("rb") as file:
                    file.seek(size - leave)
                    self.at = size - leave + len(file.readline())
        except FileNotFoundError:
            self.at = 0

    def read(self) -> list[bytes]:
        """The whole lines that came since; a file that is another one, or shorter, is read from its start."""
        try:
            with self.path.open("rb") as file:
                return self._lines(file)
        except FileNotFoundError:
            self.at, self._begins = 0, b""
            return []

    def _lines(self, file: Any) -> list[bytes]:
        begins = file.read(HEAD)
        if not begins.startswith(self._begins) or os.fstat(file.fileno()).st_size < self.at:
            self.at = 0
        self._begins = begins
        file.seek(self.at)
        whole, newline, _ = file.read(CHUNK).rpartition(b"\n")
        self.at += len(whole) + len(newline)
        return whole.split(b"\n") if newline else []


@dataclass(frozen=True)
class Watched:
    """A run that is under way: its id, and what is said above its output."""

    id: str
    ticket: str
    doing: str


class Streams:
    """Serves live output, to a limited number at once."""

    def __init__(self, folder: Path, redactor: Redactor, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._redactor, self._clock = folder, redactor, clock
        self._open = 0

    def answer(self, running: Callable[[], Awaitable[tuple[Watched, ...]]]) -> Response:
        """A stream of what `running` says is under way, and what those write."""
        if self._open >= MOST_STREAMS:
            return Response("too many watch", 503, {"retry-after": "10"})
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(self._stream(running), media_type="text/event-stream", headers=headers)

    def transcript(self, run: str) -> Path:
        """Where a run writes. `run` is an id from the database, never what somebody typed."""
        return self._folder / run / "transcript.jsonl"

    def shown(self, piece: Piece) -> dict[str, Any]:
        """A piece as pages get it: without secrets; escaping is up to who shows it."""
        return {
            "kind": piece.kind,
            "name": self._redactor.text(piece.name),
            "text": self._redactor.text(piece.text),
            "inner": piece.inner,
        }

    async def now(self, running: tuple[Watched, ...]) -> list[tuple[Watched, list[Piece]]]:
        """What is under way, with the last of what each wrote: where a page begins, and all of it without scripts."""
        return [(one, await asyncio.to_thread(self._last, one.id)) for one in running]

    def _last(self, run: str) -> list[Piece]:
        return [piece for line in self._begun(run).read() for piece in pieces(line)][-MOST_AT_FIRST:]

    async def _stream(self, running: Callable[[], Awaitable[tuple[Watched, ...]]]) -> AsyncIterator[str]:
        self._open += 1
        try:
            end = self._clock() + LASTS
            tails: dict[str, Tail] = {}
            known: tuple[Watched, ...] | None = None
            looks = 0
            yield f"retry: 1000\n{_event('begin', {})}"
            while self._clock() < end:
                now = await running() if looks % 4 == 0 else known or ()
                looks += 1
                if now != known:
                    known = now
                    tails = {one.id: tails.get(one.id) or self._begun(one.id) for one in now}
                    yield _event("runs", [vars(one) for one in now])
                for run, tail in tails.items():
                    for line in await asyncio.to_thread(tail.read):
                        for piece in pieces(line):
                            yield _event("piece", {"run": run, **self.shown(piece)})
                await asyncio.sleep(EVERY)
        finally:
            self._open -= 1

    def _begun(self, run: str) -> Tail:
        tail = Tail(self.transcript(run))
        tail.skip_to_end()
        return tail


def _event(name: str, data: Mapping[str, Any] | list[Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
