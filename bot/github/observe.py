"""Read GitHub into facts: pull requests with what their checks and reviewers say, repositories, permissions."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from github import Github

from bot.github.changes import Changes
from bot.github.client import GitHub, NotFound
from bot.github.conversation import Listener, Node, people_of
from bot.github.failures import Failures
from bot.github.operations import pulls_document
from bot.github.pages import complete
from bot.github.people import Permissions
from bot.github.pulls import read_pull
from bot.machine.pull_request import Failure, PullRequest

AT_ONCE = 25
"""Pull requests per GraphQL request, so that the answer stays well below GitHub's 500,000 nodes."""
_KEPT_BRANCHES = 10_000


@dataclass(frozen=True)
class Place:
    """A repository. `permissions` are the words GitHub has for what we may do there (`push`, `admin`, …)."""

    name: str
    default_branch: str
    clone_url: str
    html_url: str
    permissions: frozenset[str]


class Observe:
    """Reads from one GitHub. Keeps what does not change, and for some minutes who may write."""

    def __init__(self, github: GitHub, clock: Callable[[], float] = time.monotonic) -> None:
        self._github = github
        self._permissions = Permissions(github, clock)
        self._failures = Failures(github)
        self._changes = Changes(github)
        self._branches: dict[tuple[str, int], str | None] = {}

    async def observe_pulls(self, repository: str, numbers: Iterable[int]) -> dict[int, PullRequest]:
        """Pull requests as they are now, in one request (per 25 of them); those that don't exist are left out.

        More requests follow only for lists longer than a page, for people not heard of lately, and once for every
        check that fails.

        Raises:
            Transient, Refused, NotFound: as `bot.github.errors` says.
        """
        wanted = sorted(set(numbers))
        found: dict[int, PullRequest] = {}
        for start in range(0, len(wanted), AT_ONCE):
            found |= await self._observe_some(repository, wanted[start : start + AT_ONCE])
        return found

    async def _observe_some(self, repository: str, numbers: list[int]) -> dict[int, PullRequest]:
        identity = await self._github.identity()
        owner, _, name = repository.partition("/")
        variables = {"owner": owner, "name": name, **{f"n{index}": number for index, number in enumerate(numbers)}}
        data = await self._github.graphql(repository, pulls_document(len(numbers)), variables, partial=True)
        place: Node | None = data.get("repository")
        if place is None:
            raise NotFound(f"GitHub has no repository {repository}, or our App or token doesn't reach it.")
        nodes = [node for index in range(len(numbers)) if (node := place.get(f"p{index}"))]
        for node in nodes:
            await complete(self._github, repository, node)
        listener = Listener(identity, await self._permissions.writers(repository, people_of(nodes)))
        pulls = [read_pull(node, place, listener) for node in nodes]
        return {pull.number: await self._with_details(repository, pull) for pull in pulls}

    async def _with_details(self, repository: str, pull: PullRequest) -> PullRequest:
        if not pull.open or not pull.failing_details:
            return pull
        details = [await self._failures.detailed(repository, one) for one in pull.failing_details]
        return replace(pull, failing_details=tuple(details))

    async def changed_files(self, repository: str, pull: PullRequest) -> tuple[str, ...] | None:
        """The paths that its head changes, old names of moved files too; None when that can't be told.

        Two requests for each head, kept afterwards.

        Raises:
            Transient, Refused: as `bot.github.errors` says.
        """
        return await self._changes.of(repository, pull.number, pull.head, pull.base_branch)

    async def log_of(self, repository: str, failure: Failure) -> str:
        """The part of a failed check's log that matters, at most 12,000 characters; what a program printed, untrusted.

        Raises:
            Transient, Refused: as `bot.github.errors` says.
        """
        return await self._failures.log_of(repository, failure)

    async def find_pull(self, repository: str, branch: str) -> int | None:
        """The pull request of a branch: the open one (somebody may have reopened an older one), else the newest."""
        owner = repository.partition("/")[0]

        def job(api: Github) -> int | None:
            pulls = api.get_repo(repository).get_pulls(
                state="all", head=f"{owner}:{branch}", sort="created", direction="desc"
            )
            own = [pull for pull in pulls if pull.head.ref == branch]
            found = next((pull for pull in own if pull.state == "open"), next(iter(own), None))
            return found.number if found else None

        return await self._github.call(repository, job)

    async def branch_of_pull(self, repository: str, number: int) -> str | None:
        """The head branch of a pull request; None when there is none, or it is a fork's."""
        if (repository, number) not in self._branches:
            if len(self._branches) >= _KEPT_BRANCHES:
                self._branches.clear()
            self._branches[repository, number] = await self._branch_of_pull(repository, number)
        return self._branches[repository, number]

    async def _branch_of_pull(self, repository: str, number: int) -> str | None:
        path = f"/repos/{repository}/pulls/{number}"
        try:
            pull = await self._github.call(repository, lambda api: api.requester.requestJsonAndCheck("GET", path)[1])
        except NotFound:
            return None
        home = (pull["head"].get("repo") or {}).get("full_name", "")
        return str(pull["head"]["ref"]) if home.lower() == repository.lower() else None

    async def has_branch(self, repository: str, branch: str) -> bool:
        """Whether the repository has this branch."""
        path = f"/repos/{repository}/branches/{quote(branch)}"
        try:
            await self._github.call(repository, lambda api: api.requester.requestJsonAndCheck("GET", path))
        except NotFound:
            return False
        return True

    async def name_now(self, repository: str) -> str | None:
        """What a repository is called by now, since GitHub knows it by earlier names too; None when we see none."""
        try:
            return (await self.repository(repository)).name
        except NotFound:
            return None

    async def repository(self, name: str) -> Place:
        """A repository by `owner/name`.

        Raises:
            NotFound: it does not exist, or we may not see it.
        """
        path = f"/repos/{name}"
        found = await self._github.call(name, lambda api: api.requester.requestJsonAndCheck("GET", path)[1])
        granted: Mapping[str, bool] = found.get("permissions") or {}
        return Place(
            name=found["full_name"],
            default_branch=found["default_branch"],
            clone_url=found["clone_url"],
            html_url=found["html_url"],
            permissions=frozenset(word for word, have in granted.items() if have),
        )
