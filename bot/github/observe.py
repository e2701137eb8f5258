"""Read GitHub into facts: pull requests with what their checks and reviewers say, repositories, permissions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from github import Github

from bot.github.checks import read_checks
from bot.github.client import GitHub, NotFound, operation
from bot.machine.facts import Mergeable, PullRequest

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


@dataclass(frozen=True)
class Said:
    """One comment in a review thread. `bot` is what GitHub says of its author's kind."""

    author: str
    bot: bool
    body: str
    at: datetime
    url: str


@dataclass(frozen=True)
class Thread:
    """A review thread. `line` is None when the code it was about has changed."""

    id: str
    path: str
    line: int | None
    resolved: bool
    outdated: bool
    comments: tuple[Said, ...]


class Observe:
    """Reads from one GitHub. Keeps the head branches of pull requests, which never change."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._branches: dict[tuple[str, int], str | None] = {}

    async def observe_pulls(self, repository: str, numbers: Iterable[int]) -> dict[int, PullRequest]:
        """Pull requests as they are now, in one request (per 25 of them); those that don't exist are left out.

        Raises:
            Transient, Refused, NotFound: as `bot.github.errors` says.
        """
        wanted = sorted(set(numbers))
        identity = await self._github.identity() if wanted else None
        found: dict[int, PullRequest] = {}
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            owner, _, name = repository.partition("/")
            variables = {"owner": owner, "name": name, **{f"n{index}": number for index, number in enumerate(some)}}
            data = await self._github.graphql(repository, pulls_document(len(some)), variables, partial=True)
            if data.get("repository") is None:
                raise NotFound(f"GitHub has no repository {repository}, or our App or token doesn't reach it.")
            nodes = (node for node in data["repository"].values() if node)
            found |= {node["number"]: _pull(node, identity.slug if identity else None) for node in nodes}
        return found

    async def find_pull(self, repository: str, branch: str) -> int | None:
        """The newest pull request of a branch, open or not."""
        owner = repository.partition("/")[0]

        def job(api: Github) -> int | None:
            pulls = api.get_repo(repository).get_pulls(
                state="all", head=f"{owner}:{branch}", sort="created", direction="desc"
            )
            return next((pull.number for pull in pulls if pull.head.ref == branch), None)

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

    async def permission(self, repository: str, login: str) -> str:
        """What somebody may do there: `admin`, `write`, `read`, or `none` (never asked of `author_association`)."""
        path = f"/repos/{repository}/collaborators/{quote(login, safe='')}/permission"
        try:
            found = await self._github.call(repository, lambda api: api.requester.requestJsonAndCheck("GET", path)[1])
        except NotFound:
            return "none"
        return str(found["permission"])

    async def review_threads(self, repository: str, number: int) -> tuple[Thread, ...]:
        """The review threads of a pull request, oldest first. Whose text agents may see is the caller's to decide."""
        owner, _, name = repository.partition("/")
        variables = {"owner": owner, "name": name, "number": number}
        data = await self._github.graphql(repository, operation("review_threads"), variables)
        return tuple(_thread(node) for node in data["repository"]["pullRequest"]["reviewThreads"]["nodes"])


def pulls_document(count: int) -> str:
    """The GraphQL document that reads `count` pull requests: the marked part of the operation, once for each."""
    before, _, rest = operation("pull_requests").partition("    # begin\n")
    one, _, after = rest.partition("    # end\n")
    variables = ", ".join(f"$n{index}: Int!" for index in range(count))
    every = "".join(one.replace("p0:", f"p{index}:").replace("$n0", f"$n{index}") for index in range(count))
    return before.replace("$n0: Int!", variables) + every + after


def login_of(actor: Mapping[str, Any] | None) -> str:
    """An author as REST spells it (`x[bot]`); GraphQL leaves the ending away. `ghost` is GitHub's word for nobody."""
    if actor is None:
        return "ghost"
    login = str(actor["login"])
    return f"{login}[bot]" if actor["__typename"] == "Bot" and not login.endswith("[bot]") else login


def _pull(node: Mapping[str, Any], own: str | None) -> PullRequest:
    head = node["headRefOid"]
    reviews = list(_nodes(node["latestOpinionatedReviews"]))
    commit = next(_nodes(node["commits"]), {"commit": {"oid": "", "statusCheckRollup": None}})["commit"]
    verdict = read_checks(commit, head, own)
    return PullRequest(
        number=node["number"],
        url=node["url"],
        node=node["id"],
        open=node["state"] == "OPEN",
        merged=node["state"] == "MERGED",
        head=head,
        head_branch=node["headRefName"],
        base_branch=node["baseRefName"],
        draft=node["isDraft"],
        merge_commit=(node["mergeCommit"] or {}).get("oid", ""),
        mergeable=_MERGEABLE.get(node["mergeable"], Mergeable.UNKNOWN),
        checks=verdict.checks,
        failing=verdict.failing,
        waiting=verdict.waiting,
        changes_requested_by=tuple(
            login_of(review["author"]) for review in reviews if review["state"] == "CHANGES_REQUESTED"
        ),
        approved_by=tuple(
            login_of(review["author"])
            for review in reviews
            if review["state"] == "APPROVED" and (review["commit"] or {}).get("oid") == head
        ),
        review_required=node["reviewDecision"] == "REVIEW_REQUIRED",
        open_threads=sum(map(_is_open, _nodes(node["reviewThreads"]))),
    )


_MERGEABLE = {"MERGEABLE": Mergeable.YES, "CONFLICTING": Mergeable.CONFLICT}


def _is_open(thread: Mapping[str, Any]) -> bool:
    """A person's thread stays open until somebody resolves it; a bot's also ends when its code has changed."""
    if thread["isResolved"]:
        return False
    first = next(_nodes(thread["comments"]), {"author": None})
    by_bot = (first["author"] or {}).get("__typename") == "Bot"
    return not (by_bot and thread["isOutdated"])


def _thread(node: Mapping[str, Any]) -> Thread:
    return Thread(
        id=node["id"],
        path=node["path"],
        line=node["line"],
        resolved=node["isResolved"],
        outdated=node["isOutdated"],
        comments=tuple(
            Said(
                author=login_of(comment["author"]),
                bot=(comment["author"] or {}).get("__typename") == "Bot",
                body=comment["body"],
                at=datetime.fromisoformat(comment["createdAt"]),
                url=comment["url"],
            )
            for comment in _nodes(node["comments"])
        ),
    )


def _nodes(connection: Mapping[str, Any] | None) -> Iterator[Any]:
    return (node for node in (connection or {}).get("nodes") or () if node)
