"""How a pull request gets into its base: a merge of exactly one head, GitHub's merge queue, or its auto-merge.

Only the merge is bound to a head for good. GitHub takes a pull request out of its queue when somebody pushes; but
auto-merge stays on when somebody with write permission pushes, and would then merge what nobody approved. Whoever
enables it must look at every round whether the head is still the approved one, and disable it at once when not.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from bot.github.client import HeadMoved, NotFound, NotMergeable, Unprocessable
from bot.github.errors import Conflicting, NotAllowed, QueueRequired
from bot.github.operations import operation
from bot.github.verbs import Verbs
from bot.machine.errors import Refused, Transient

METHODS = ("merge", "squash", "rebase")
"""Tried in this order, as far as the repository allows them."""
_ANOTHER_METHOD = re.compile("are not allowed on this repository|must not contain merge commits")
"""By settings of the repository, or since the base branch shall have a linear history, which they don't tell."""
SOON = 4.0
"""Seconds after which GitHub has usually settled a base branch that moved."""


class Landing(Verbs):
    """Merges."""

    async def merge(
        self, repository: str, number: int, head: str, title: str, methods: Sequence[str] = METHODS
    ) -> None:
        """The pull request is merged at exactly `head`, by the first of `methods` that the repository allows.

        Raises:
            HeadMoved: it has another head now. NotMergeable: GitHub's rules ask for something; the reason says what.
            QueueRequired: the base branch takes merges only through its merge queue.
            Refused: we may not merge there. Transient: try again, or the answer got lost and it is not merged yet.
        """
        wanted = {"sha": head, "commit_title": title}
        for method in methods:
            try:
                body = wanted | {"merge_method": method} | ({"commit_message": ""} if method == "merge" else {})
                await self._rest("PUT", repository, f"/pulls/{number}/merge", body)  # the body would repeat the title
            except NotAllowed as error:
                if method != methods[-1] and _ANOTHER_METHOD.search(str(error)):
                    continue
                await self._look(repository, number, head, error)
            except (Conflicting, Transient, NotFound, Unprocessable) as error:
                await self._look(repository, number, head, error)
            return

    async def enqueue(self, repository: str, number: int, head: str) -> None:
        """The pull request is in the merge queue at exactly `head`, or merged already.

        Raises:
            HeadMoved: it has another head now. NotMergeable: GitHub won't take it; the reason says why.
        """
        pull = await self._at(repository, number, head)
        if pull["merged"] or pull["isInMergeQueue"]:
            return
        try:
            await self._github.graphql(repository, operation("enqueue"), {"pull": pull["id"], "head": head})
        except Unprocessable as error:
            again = await self._at(repository, number, head)
            if not (again["merged"] or again["isInMergeQueue"]):
                raise NotMergeable(str(error)) from error

    async def dequeue(self, repository: str, number: int) -> None:
        """The pull request is in no merge queue."""
        pull = await self._at(repository, number)
        if pull["isInMergeQueue"]:
            await self._github.graphql(repository, operation("dequeue"), {"pull": pull["id"]})

    async def enable_auto_merge(self, repository: str, number: int, head: str, method: str = METHODS[0]) -> bool:
        """GitHub merges the pull request by itself as soon as its rules are met; see the top of this file first.

        False: there is nothing to wait for, so GitHub doesn't offer it. Merge it directly then.

        Raises:
            HeadMoved: it has another head now. NotMergeable: GitHub won't; the reason says why.
        """
        pull = await self._at(repository, number, head)
        if pull["merged"] or pull["autoMergeRequest"]:
            return True
        wanted = {"pull": pull["id"], "head": head, "method": method.upper()}
        try:
            await self._github.graphql(repository, operation("enable_auto_merge"), wanted)
        except Unprocessable as error:
            if "clean status" in str(error):
                return False
            again = await self._at(repository, number, head)
            if not (again["merged"] or again["autoMergeRequest"]):
                raise NotMergeable(str(error)) from error
        return True

    async def disable_auto_merge(self, repository: str, number: int) -> None:
        """GitHub does not merge the pull request by itself."""
        pull = await self._at(repository, number)
        if pull["autoMergeRequest"]:
            await self._github.graphql(repository, operation("disable_auto_merge"), {"pull": pull["id"]})

    async def _at(self, repository: str, number: int, head: str | None = None) -> Mapping[str, Any]:
        """The pull request, when its head is this one or it doesn't matter."""
        owner, _, name = repository.partition("/")
        variables = {"owner": owner, "name": name, "number": number}
        data = await self._github.graphql(repository, operation("landing"), variables)
        pull = (data.get("repository") or {}).get("pullRequest")
        if not pull:
            raise NotFound(f"GitHub has no pull request #{number} in {repository}, or our App or token can't reach it.")
        if head is not None and pull["headRefOid"] != head:
            raise HeadMoved(f"#{number} is at {pull['headRefOid'][:12]} now, not at {head[:12]}")
        found: Mapping[str, Any] = pull
        return found

    async def _look(self, repository: str, number: int, head: str, error: Exception) -> None:
        """After a merge that did not say yes: returns when it is merged all the same, else raises what is the case."""
        pull = await self._rest("GET", repository, f"/pulls/{number}")
        if pull["head"]["sha"] != head:
            raise HeadMoved(f"#{number} is at {pull['head']['sha'][:12]} now, not at {head[:12]}") from error
        if not pull["merged"]:
            _explain(error)


def _explain(error: Exception) -> NoReturn:
    """What a refused merge means, by GitHub's sentence (facts on GitHub, section 7)."""
    said = str(error)
    if isinstance(error, Conflicting):
        raise HeadMoved(said) from error
    if "Base branch was modified" in said:
        raise Transient(said, retry_after=SOON) from error
    if "merge queue" in said.lower():
        raise QueueRequired(said) from error
    if "not authorized" in said or "are not allowed on this repository" in said:
        raise Refused(f"GitHub won't let us merge: {said}") from error
    if isinstance(error, NotAllowed | Unprocessable):
        raise NotMergeable(said) from error
    raise error
