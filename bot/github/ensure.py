"""Make it so on GitHub: idempotent verbs. Doing one twice is doing it once, also when the first answer got lost.

No write is sent again because its answer was bad: it may have been applied. The verb looks, or the next round does.
"""

from functools import partial
from typing import NoReturn
from urllib.parse import quote

from github import Github

from bot.git.names import identifier_of
from bot.github.client import GitHub, HeadMoved, NoCommits, NotFound, NotMergeable, Unprocessable, operation
from bot.github.errors import Conflicting, NotAllowed
from bot.github.observe import login_of
from bot.machine.errors import Refused, Transient

METHODS = ("merge", "squash", "rebase")
"""Tried in this order, as far as the repository allows them."""
SOON = 4.0
"""Seconds after which GitHub has usually settled a base branch that moved."""


class Ensure:
    """The verbs on one GitHub."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def ensure_pull(self, repository: str, branch: str, base: str, title: str, body: str) -> int:
        """The branch has an open pull request into `base`; returns its number.

        Raises:
            NoCommits: the branch has nothing that `base` lacks.
        """

        found = await self._open_pull(repository, branch)
        if found is None:
            try:
                return await self._github.call(repository, partial(_create, repository, branch, base, title, body))
            except Unprocessable as error:
                if "No commits between" in str(error):
                    raise NoCommits(str(error)) from error
                if "already exists" not in str(error):
                    raise
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

    async def merge(self, repository: str, number: int, head: str, title: str) -> None:
        """The pull request is merged at exactly `head`, by the first of `METHODS` that the repository allows.

        Raises:
            HeadMoved: it has another head now. NotMergeable: GitHub's rules ask for something; the reason says what.
            Refused: we may not merge there. Transient: try again, or the answer got lost and it is not merged yet.
        """
        for method in METHODS:
            try:
                await self._merge(repository, number, head, title, method)
            except NotAllowed as error:
                if "are not allowed on this repository" in str(error) and method != METHODS[-1]:
                    continue
                await self._look(repository, number, head, error)
            except (Conflicting, Transient, NotFound, Unprocessable) as error:
                await self._look(repository, number, head, error)
            return

    async def delete_branch(self, repository: str, branch: str) -> None:
        """The branch, one of ours, is gone.

        Raises:
            ValueError: it is none of ours.
        """
        if identifier_of(branch) is None:
            raise ValueError(f"{branch!r} is not a branch of ours")
        path = f"/repos/{repository}/git/refs/heads/{quote(branch)}"
        try:
            await self._github.call(repository, lambda api: api.requester.requestJsonAndCheck("DELETE", path))
        except Unprocessable as error:
            if "does not exist" not in str(error):
                raise

    async def reply_thread(self, repository: str, thread: str, body: str, topic: str) -> None:
        """The review thread has one reply of ours about `topic`.

        Raises:
            NotFound: there is no such thread.
        """
        found = await self._github.graphql(repository, operation("thread"), {"id": thread})
        if not found.get("node"):
            raise NotFound(f"GitHub has no review thread {thread}.")
        own = (await self._github.identity()).login
        comments = found["node"]["comments"]["nodes"]
        if any(marker(topic) in one["body"] and login_of(one["author"]) == own for one in comments):
            return
        variables = {"thread": thread, "body": _marked(body, topic)}
        await self._github.graphql(repository, operation("reply_thread"), variables)

    async def resolve_thread(self, repository: str, thread: str) -> None:
        """The review thread is resolved."""
        await self._github.graphql(repository, operation("resolve_thread"), {"thread": thread})

    async def comment_once(self, repository: str, number: int, topic: str, body: str) -> int:
        """The pull request has one comment of ours about `topic`, with this text; returns its id."""
        own = (await self._github.identity()).login
        wanted = _marked(body, topic)

        def job(api: Github) -> int:
            conversation = api.get_repo(repository).get_issue(number)
            for comment in conversation.get_comments():
                if comment.user.login == own and marker(topic) in (comment.body or ""):
                    if comment.body != wanted:
                        comment.edit(wanted)
                    return comment.id
            return conversation.create_comment(wanted).id

        return await self._github.call(repository, job)

    async def _edit(self, repository: str, number: int, **values: str) -> None:
        path = f"/repos/{repository}/pulls/{number}"
        await self._github.call(repository, lambda api: api.requester.requestJsonAndCheck("PATCH", path, input=values))

    async def _open_pull(self, repository: str, branch: str) -> tuple[int, str] | None:
        """Number and base of the branch's open pull request."""
        owner = repository.partition("/")[0]

        def job(api: Github) -> tuple[int, str] | None:
            pulls = api.get_repo(repository).get_pulls(state="open", head=f"{owner}:{branch}")
            return next(((pull.number, pull.base.ref) for pull in pulls if pull.head.ref == branch), None)

        return await self._github.call(repository, job)

    async def _merge(self, repository: str, number: int, head: str, title: str, method: str) -> None:
        path = f"/repos/{repository}/pulls/{number}/merge"
        wanted = {"sha": head, "commit_title": title, "merge_method": method}
        await self._github.call(repository, lambda api: api.requester.requestJsonAndCheck("PUT", path, input=wanted))

    async def _look(self, repository: str, number: int, head: str, error: Exception) -> None:
        """After a merge that did not say yes: returns when it is merged all the same, else raises what is the case."""
        path = f"/repos/{repository}/pulls/{number}"
        pull = await self._github.call(repository, lambda api: api.requester.requestJsonAndCheck("GET", path)[1])
        if pull["head"]["sha"] != head:
            raise HeadMoved(f"#{number} is at {pull['head']['sha'][:12]} now, not at {head[:12]}") from error
        if not pull["merged"]:
            _explain(error)


def _create(repository: str, branch: str, base: str, title: str, body: str, api: Github) -> int:
    return api.get_repo(repository).create_pull(base=base, head=branch, title=title, body=body).number


def marker(topic: str) -> str:
    """What our comments about a topic end with, hidden. It proves nothing alone: the author must be us as well."""
    return f"<!-- callboard: {topic} -->"


def _marked(body: str, topic: str) -> str:
    return f"{body}\n\n{marker(topic)}"


def _explain(error: Exception) -> NoReturn:
    """What a refused merge means, by GitHub's sentence (facts on GitHub, section 7)."""
    said = str(error)
    if isinstance(error, Conflicting):
        raise HeadMoved(said) from error
    if "Base branch was modified" in said:
        raise Transient(said, retry_after=SOON) from error
    if "not authorized" in said or "are not allowed on this repository" in said:
        raise Refused(f"GitHub won't let us merge: {said}") from error
    if isinstance(error, NotAllowed | Unprocessable):
        raise NotMergeable(said) from error
    raise error
