"""What we do about checks: ask for a failed one to run again, and show our own, which never gates anything."""

from typing import Any
from urllib.parse import quote

import structlog

from bot.github.client import GitHub, NotFound, Unprocessable
from bot.github.errors import StillRunning
from bot.github.failures import runs_of
from bot.github.verbs import Verbs
from bot.machine.errors import Refused
from bot.machine.pull_request import Failure

log = structlog.get_logger()

NAME = "Callboard"
"""The name of our own check."""
TITLE, SUMMARY = 255, 65_000
"""Characters that GitHub takes."""
_KEPT = 1_000


class Checking(Verbs):
    """Runs checks again and reports our own."""

    def __init__(self, github: GitHub) -> None:
        super().__init__(github)
        self._shown: dict[tuple[str, str], dict[str, Any]] = {}
        self._mute: set[str] = set()

    async def rerun(self, repository: str, failure: Failure) -> bool:
        """The failed check has been asked to run again. False: it can't be, and the log says why.

        With GitHub Actions all failed jobs of the same run go along. A check that ran again already, on our wish or
        somebody's, is left alone: doing it twice is doing it once.

        Raises:
            StillRunning: GitHub does it only when the rest of the run has ended. Transient: GitHub can't be asked now.
        """
        if not failure.actions_run and not failure.suite:
            return False
        try:
            if any(run > failure.id for run in await runs_of(self._github, repository, failure)):
                return True
            if failure.actions_run:
                await self._rest("POST", repository, f"/actions/runs/{failure.actions_run}/rerun-failed-jobs")
            else:
                await self._rest("POST", repository, f"/check-suites/{failure.suite}/rerequest")
        except (NotFound, Refused, Unprocessable) as error:
            if "already running" in str(error):
                raise StillRunning(str(error)) from error
            log.warning("a check can't run again", check=failure.name, repository=repository, reason=str(error))
            return False
        return True

    async def our_check(
        self, repository: str, head: str, status: str, conclusion: str, title: str, summary: str, url: str = ""
    ) -> None:
        """The commit has our check, which says this. `conclusion` is empty until `status` is `completed`.

        Only an App can have one, and only with `checks: write`; without, it is said once in the log. It informs people
        and gates nothing, so nothing but an outage of GitHub is an error here.

        Raises:
            Transient: GitHub can't be asked now.
        """
        wanted: dict[str, Any] = {"status": status, "output": {"title": title[:TITLE], "summary": summary[:SUMMARY]}}
        wanted |= {"conclusion": conclusion} if status == "completed" else {}
        wanted |= {"details_url": url} if url else {}
        if repository in self._mute or self._shown.get((repository, head)) == wanted:
            return
        slug = (await self._github.identity()).slug
        if slug is None:
            self._hush(repository, "only a GitHub App can report checks, and we use a person's token")
            return
        try:
            await self._show(repository, head, slug, wanted)
        except Refused as error:
            self._hush(repository, str(error))
        except (NotFound, Unprocessable) as error:  # the commit went away with its branch, for instance
            log.warning("our check can't be shown", head=head, reason=str(error))

    async def _show(self, repository: str, head: str, slug: str, wanted: dict[str, Any]) -> None:
        path = f"/commits/{head}/check-runs?check_name={quote(NAME)}&filter=latest"
        there = [run for run in (await self._rest("GET", repository, path))["check_runs"] if run["app"]["slug"] == slug]
        last = max(there, key=lambda run: int(run["id"]), default=None)
        if last is None or (last["status"] == "completed" and wanted["status"] != "completed"):  # it can't go back
            await self._rest("POST", repository, "/check-runs", {"name": NAME, "head_sha": head, **wanted})
        elif not _says(last, wanted):
            await self._rest("PATCH", repository, f"/check-runs/{last['id']}", wanted)
        if len(self._shown) >= _KEPT:
            self._shown.clear()
        self._shown[repository, head] = wanted

    def _hush(self, repository: str, reason: str) -> None:
        self._mute.add(repository)
        log.warning("our check is not shown", repository=repository, reason=reason)


def _says(run: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether the check run says what is wanted already."""
    output = run.get("output") or {}
    same = all(output.get(part) == text for part, text in wanted["output"].items())
    return same and all(run.get(part) == value for part, value in wanted.items() if part != "output")
