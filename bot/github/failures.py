"""Why a check failed: its annotations, how often it ran on this head, and its log.

GitHub answers the request for a log with an address elsewhere that is good for a minute; our token never goes there.
"""

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx2
import structlog

from bot.github.checks import ACTIONS
from bot.github.client import GitHub, NotFound
from bot.github.logs import LONGEST, plain, relevant
from bot.machine.errors import Refused, Transient
from bot.machine.pull_request import Annotation, Failure

log = structlog.get_logger()

ANNOTATIONS = 10
"""Annotations that are kept of a check."""
MESSAGE = 500
"""Characters that are kept of an annotation."""
END = 4_000_000
"""Bytes that are kept of the beginning of a log, and of its end."""
SECONDS = 60.0
"""For the whole log."""
_KEPT = 1_000
Details = tuple[int, tuple[Annotation, ...]]


class Failures:
    """Reads failed checks. What GitHub says of a check run that ended doesn't change, so it is asked once."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._kept: dict[tuple[str, int], Details] = {}

    async def detailed(self, repository: str, failure: Failure) -> Failure:
        """The failure with its annotations and its attempt; as it is where GitHub doesn't let us look.

        Raises:
            Transient: GitHub can't be asked now.
        """
        if failure.kind == "status" or not failure.id:
            return failure
        key = (repository, failure.id)
        if key not in self._kept:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            try:
                self._kept[key] = await self._details(repository, failure)
            except (NotFound, Refused) as error:
                log.warning("no details of a check", check=failure.name, reason=str(error))
                return failure
        attempt, annotations = self._kept[key]
        return replace(failure, attempt=attempt, annotations=annotations)

    async def log_of(self, repository: str, failure: Failure) -> str:
        """The part of its log that matters, or else all that the check says of itself; at most 12,000 characters."""
        if failure.kind == "check_run" and failure.by == f"{ACTIONS}[bot]":
            try:
                return relevant(await self._download(await self._address(repository, failure.id)))
            except (NotFound, Refused) as error:  # too old, still being written, or `actions: read` is not granted
                log.info("no log of a check", check=failure.name, reason=str(error))
        return await self._own_words(repository, failure)

    async def _details(self, repository: str, failure: Failure) -> Details:
        runs = await runs_of(self._github, repository, failure)
        path = f"/repos/{repository}/check-runs/{failure.id}/annotations?per_page={ANNOTATIONS}"
        found = await _get(self._github, repository, path)
        annotations = tuple(
            Annotation(one["path"], one["start_line"], plain(str(one["message"] or ""))[:MESSAGE])
            for one in found[:ANNOTATIONS]
        )
        return max(1, sum(run <= failure.id for run in runs)), annotations

    async def _address(self, repository: str, job: int) -> str:
        path = f"/repos/{repository}/actions/jobs/{job}/logs"
        headers, _ = await self._github.call(repository, lambda api: api.requester.requestJsonAndCheck("GET", path))
        address = headers.get("location", "")
        if not address:
            raise NotFound(f"GitHub has no log of the job {job}")
        return str(address)

    async def _download(self, address: str) -> str:
        """The log, without its middle where it is very long. The request carries nothing that is ours."""
        start, end = bytearray(), bytearray()
        cut = False
        try:
            async with (
                asyncio.timeout(SECONDS),
                httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False) as client,
                client.stream("GET", address) as answer,
            ):
                if answer.status_code in (404, 410):
                    raise NotFound("the log of the job is gone")
                if answer.status_code != 200:
                    raise Transient(f"GitHub's log store answered {answer.status_code}")
                async for part in answer.aiter_bytes():
                    room = END - len(start)
                    start += part[:room]
                    end += part[room:]
                    cut = cut or len(end) > END
                    del end[: max(0, len(end) - END)]
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Transient(f"GitHub's log store can't be reached: {type(error).__name__}") from error
        return (start + (b"\n[\xe2\x80\xa6]\n" if cut else b"") + end).decode(errors="replace")

    async def _own_words(self, repository: str, failure: Failure) -> str:
        texts = [failure.summary]
        if failure.kind == "check_run" and failure.id:
            try:
                run = await _get(self._github, repository, f"/repos/{repository}/check-runs/{failure.id}")
                output = run.get("output") or {}
                texts = [str(output.get(part) or "") for part in ("title", "summary", "text")]
            except (NotFound, Refused) as error:
                log.info("no output of a check", check=failure.name, reason=str(error))
        texts += [f"{one.path}:{one.line}: {one.message}" for one in failure.annotations]
        return plain("\n\n".join(text.strip() for text in texts if text.strip()))[:LONGEST]


async def runs_of(github: GitHub, repository: str, failure: Failure) -> tuple[int, ...]:
    """Numbers of all check runs of this name in this suite on this head, the failed one among them."""
    path = f"/repos/{repository}/commits/{failure.head}/check-runs"
    query = f"?check_name={quote(failure.name, safe='')}&filter=all&per_page=100"
    found = await _get(github, repository, path + query)
    return tuple(run["id"] for run in found["check_runs"] if run["check_suite"]["id"] == failure.suite)


async def _get(github: GitHub, repository: str, path: str) -> Any:
    return await github.call(repository, lambda api: api.requester.requestJsonAndCheck("GET", path)[1])
