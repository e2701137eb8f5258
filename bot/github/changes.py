"""Which files a pull request changes, known by its head: asked once for each."""

import structlog
from github import Github

from bot.github.client import GitHub, Unprocessable

log = structlog.get_logger()

MOST = 3_000
"""Files that GitHub lists of a pull request at most."""
_KEPT = 2_000


class Changes:
    """Asks GitHub for the files of pull requests, and keeps the answers: a head does not change what it is."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._kept: dict[tuple[str, int, str, str], tuple[str, ...] | None] = {}

    async def of(self, repository: str, number: int, head: str, base: str) -> tuple[str, ...] | None:
        """The paths that this head changes against its base branch, with the old names of moved files.

        None when there are more than GitHub lists, when it has no list of them ("this diff is taking too long to
        generate"), and when the head moved while it was asked: nobody knows then, and the last two are asked again.

        Raises:
            Transient, Refused: as `bot.github.errors` says.
        """
        key = (repository, number, head, base)
        if key not in self._kept:

            def job(api: Github) -> tuple[tuple[str, ...] | None, str]:
                place = api.get_repo(repository)
                files = list(place.get_pull(number).get_files())
                names = (name for one in files for name in (one.filename, one.previous_filename) if name)
                return tuple(dict.fromkeys(names)) if len(files) < MOST else None, place.get_pull(number).head.sha

            try:
                found, seen = await self._github.call(repository, job)
            except Unprocessable as error:
                log.warning("no list of changed files", repository=repository, number=number, reason=str(error))
                return None
            if seen != head:
                return None
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = found
        return self._kept[key]
