"""Make it so on GitHub: idempotent verbs. Doing one twice is doing it once, also when the first answer got lost.

No write is sent again because its answer was bad: it may have been applied. The verb looks, or the next round does.
"""

from functools import partial
from urllib.parse import quote

import structlog
from github import Github

from bot.git.names import identifier_of
from bot.github.checking import Checking
from bot.github.client import NoCommits, NotFound, NotMergeable, Unprocessable
from bot.github.errors import Forbidden
from bot.github.landing import SOON, Landing
from bot.github.talking import Talking
from bot.machine.errors import Transient

log = structlog.get_logger()


class Ensure(Talking, Landing, Checking):
    """The verbs on one GitHub: pull requests and branches here, talking, landing and checking by their names."""

    async def ensure_pull(self, repository: str, branch: str, base: str, title: str, body: str) -> int:
        """The branch has an open pull request into `base`; returns its number.

        Raises:
            NoCommits: the branch has nothing that `base` lacks. NotMergeable: one of them is gone, or GitHub won't for
                another reason.
        """

        found = await self._open_pull(repository, branch)
        if found is None:
            try:
                return await self._github.call(repository, partial(_create, repository, branch, base, title, body))
            except Unprocessable as error:
                if "No commits between" in str(error):
                    raise NoCommits(str(error)) from error
                if "already exists" not in str(error):
                    raise NotMergeable(str(error)) from error
            found = await self._open_pull(repository, branch)
        if found is None:
            raise Transient(f"GitHub says that {branch} has a pull request, and doesn't list it yet", retry_after=SOON)
        number, its_base = found
        if its_base != base:  # GitHub would allow a second one for the same branch into another base
            await self.retarget(repository, number, base)
        return number

    async def retarget(self, repository: str, number: int, base: str) -> None:
        """The pull request goes into `base`.

        Raises:
            NoCommits: it has nothing that `base` lacks. NotMergeable: it is closed, or GitHub won't for another reason.
        """
        try:
            await self._edit(repository, number, base=base)
        except Unprocessable as error:
            if "no new commits" in str(error).lower() or "No commits between" in str(error):
                raise NoCommits(str(error)) from error
            raise NotMergeable(str(error)) from error

    async def update_body(self, repository: str, number: int, body: str) -> None:
        """The pull request has this description."""
        await self._edit(repository, number, body=body)

    async def close_pull(self, repository: str, number: int) -> None:
        """The pull request is closed; one that is merged stays merged."""
        await self._edit(repository, number, state="closed")

    async def delete_branch(self, repository: str, branch: str, merged: str) -> None:
        """The branch, one of ours, is gone; or it is left to people, who work on with it.

        `merged` is the commit that it must have; empty: whatever it has. Deleting it would lose what was pushed after
        the merge, and close an older pull request that somebody reopened, though its work is merged with a newer one,
        and what somebody stacked on it. A rule of the repository may also forbid that anybody deletes it.

        Raises:
            ValueError: it is none of ours.
        """
        if identifier_of(branch) is None:
            raise ValueError(f"{branch!r} is not a branch of ours")
        tip = await self._tip(repository, branch)
        if tip is None:
            return
        pushed_to = bool(merged) and tip != merged
        stacked_on = await self._is_base(repository, branch)
        if pushed_to or stacked_on or await self._open_pull(repository, branch) is not None:
            log.info("branch left to people", repository=repository, branch=branch, tip=tip, merged=merged)
            return
        try:
            await self._rest("DELETE", repository, f"/git/refs/heads/{quote(branch)}")
        except (Forbidden, Unprocessable) as error:
            if "does not exist" not in str(error):
                log.warning("branch can't be deleted", repository=repository, branch=branch, reason=str(error))

    async def _tip(self, repository: str, branch: str) -> str | None:
        try:
            ref = await self._rest("GET", repository, f"/git/ref/heads/{quote(branch)}")
        except NotFound:
            return None
        return str(ref["object"]["sha"])

    async def _edit(self, repository: str, number: int, **values: str) -> None:
        await self._rest("PATCH", repository, f"/pulls/{number}", values)

    async def _open_pull(self, repository: str, branch: str) -> tuple[int, str] | None:
        """Number and base of the branch's open pull request."""
        owner = repository.partition("/")[0]

        def job(api: Github) -> tuple[int, str] | None:
            pulls = api.get_repo(repository).get_pulls(state="open", head=f"{owner}:{branch}")
            return next(((pull.number, pull.base.ref) for pull in pulls if pull.head.ref == branch), None)

        return await self._github.call(repository, job)

    async def _is_base(self, repository: str, branch: str) -> bool:
        """Whether an open pull request, anybody's, goes into the branch."""

        def job(api: Github) -> bool:
            return any(True for _ in api.get_repo(repository).get_pulls(state="open", base=branch))

        return await self._github.call(repository, job)


def _create(repository: str, branch: str, base: str, title: str, body: str, api: Github) -> int:
    return api.get_repo(repository).create_pull(base=base, head=branch, title=title, body=body).number
