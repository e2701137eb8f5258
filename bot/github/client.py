"""The wire to GitHub: PyGithub, one fresh client per job in a worker thread, and tokens for one repository each.

A PyGithub client shared between threads hands one request's answer to another (facts on GitHub, item 1), so nothing
here is shared but text. Only reads are sent again by themselves; a write that failed may have been applied, and is
repaired by looking. Nobody sleeps in a thread because of a rate limit: it becomes `Transient` with its `retry_after`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from github import Auth, Github, GithubException
from urllib3.util import Retry

from bot import metrics
from bot.github.errors import (
    MOVED,
    HeadMoved,
    NoCommits,
    NotFound,
    NotMergeable,
    Unprocessable,
    classify,
    classify_graphql,
)
from bot.machine.errors import Refused, Transient

__all__ = [
    "AppLogin", "GitHub", "HeadMoved", "Identity", "NoCommits", "NotFound", "NotMergeable", "TokenLogin",
    "Unprocessable",
]  # fmt: skip

API_VERSION = "2022-11-28"
TIMEOUT = 20
"""Seconds for one answer."""
SPARE = timedelta(minutes=5)
"""A token that expires sooner is not handed out any more."""
RETRY = Retry(
    total=2,
    allowed_methods={"GET", "HEAD"},
    status_forcelist=(500, 502, 503, 504),
    backoff_factor=0.2,
    respect_retry_after_header=False,
    raise_on_status=False,
)

Answer = TypeVar("Answer")
Job = Callable[[Github], Answer]


@dataclass(frozen=True)
class TokenLogin:
    """A personal access token."""

    token: str


@dataclass(frozen=True)
class AppLogin:
    """A GitHub App: its id and its private key (PEM)."""

    app_id: str
    private_key: str


@dataclass(frozen=True)
class Identity:
    """Who we are on GitHub. `login` as REST spells it (`callboard[bot]`); `slug` is the App's, None with a token."""

    login: str
    id: int
    slug: str | None = None

    @property
    def email(self) -> str:
        """The address under which GitHub shows our commits as ours."""
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(frozen=True)
class _Minted:
    token: str
    expires_at: datetime


class GitHub:
    """A connection to one GitHub, by the URL of its API (`https://api.github.com`, or `https://…/api/v3`)."""

    def __init__(self, api_url: str, login: TokenLogin | AppLogin) -> None:
        self._url = api_url.rstrip("/")
        self._login = login
        self._throttled = urlsplit(self._url).hostname == "api.github.com"
        self._minted: dict[tuple[str, str], _Minted] = {}
        self._installations: dict[str, int] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._identity: Identity | None = None
        self.remaining: dict[str, int] = {}
        """Requests left in this hour, as the last answers said: `rest` and `graphql`."""

    async def call(self, repository: str | None, job: Job[Answer]) -> Answer:
        """Do a job with a client that may touch `repository` (`owner/name`); None: the App itself, or the token's user.

        A token that GitHub no longer takes is replaced, and the job done once more: nothing of it was applied.

        Raises:
            Transient, Refused, NotFound, Unprocessable, NotAllowed, Conflicting: as `bot.github.errors` says.
        """
        if isinstance(self._login, TokenLogin):
            return await asyncio.to_thread(self._do, Auth.Token(self._login.token), job)
        if repository is None:
            return await asyncio.to_thread(self._do, Auth.AppAuth(self._login.app_id, self._login.private_key), job)
        token = await self._token(repository)
        try:
            return await asyncio.to_thread(self._do, Auth.Token(token), job)
        except Refused as error:
            if not (isinstance(error.__cause__, GithubException) and error.__cause__.status == 401):
                raise
        self._minted = {key: kept for key, kept in self._minted.items() if kept.token != token}
        return await asyncio.to_thread(self._do, Auth.Token(await self._token(repository)), job)

    async def graphql(
        self, repository: str | None, document: str, variables: Mapping[str, Any], *, partial: bool = False
    ) -> dict[str, Any]:
        """Send a GraphQL document and return its `data`.

        With `partial`, parts that GitHub did not find are None in the answer; otherwise that is an error.

        Raises:
            Transient, Refused, NotFound, Unprocessable: as `bot.github.errors` says.
        """

        def job(api: Github) -> dict[str, Any]:
            requester = api.requester
            headers, answer = requester.requestJsonAndCheck(
                "POST", requester.graphql_url, input={"query": document, "variables": dict(variables)}
            )
            errors = list(answer.get("errors") or [])
            if partial and answer.get("data"):
                errors = [error for error in errors if error.get("type") != "NOT_FOUND"]
            if errors:
                raise classify_graphql(errors, headers)
            data = answer.get("data")
            if not isinstance(data, dict):
                raise Transient("GitHub answered a GraphQL request without data")
            return data

        return await self.call(repository, job)

    async def git_token(self, repository: str) -> str:
        """A token to fetch from and push to this repository now; from an App one that can do nothing else.

        Raises:
            NotFound: the App is not installed there. Refused: it lacks the permission `contents: write`.
        """
        if isinstance(self._login, TokenLogin):
            return self._login.token
        return await self._token(repository, "contents")

    async def identity(self) -> Identity:
        """Who we are; asked once."""
        if self._identity is None:
            read = _read_user if isinstance(self._login, TokenLogin) else _read_app
            found = await self.call(None, read)
            if found.slug is not None:  # the App's bot has a user id of its own, which anybody may ask for
                login = found.login
                found = Identity(login, await self._as_any_installation(lambda api: api.get_user(login).id), found.slug)
            self._identity = found
        return self._identity

    async def _as_any_installation(self, job: Job[Answer]) -> Answer:
        """For what every token may read and the App's own login may not."""
        installation = await self.call(None, _first_installation)
        minted = await self.call(None, lambda api: _mint(api, installation, {}))
        return await asyncio.to_thread(self._do, Auth.Token(minted.token), job)

    async def _token(self, repository: str, permission: str = "") -> str:
        async with self._turns[repository]:
            kept = self._minted.get((repository, permission))
            if kept is None or kept.expires_at - SPARE <= datetime.now(UTC):
                kept = await self._mint_for(repository, permission)
                self._minted[repository, permission] = kept
            return kept.token

    async def _mint_for(self, repository: str, permission: str) -> _Minted:
        narrowed: dict[str, Any] = {"repositories": [repository.partition("/")[2]]}
        if permission:
            narrowed["permissions"] = {permission: "write"}
        if repository not in self._installations:
            path = f"/repos/{repository}/installation"
            found = await self.call(None, lambda api: api.requester.requestJsonAndCheck("GET", path)[1])
            self._installations[repository] = int(found["id"])
        installation = self._installations[repository]
        try:
            return await self.call(None, lambda api: _mint(api, installation, narrowed))
        except NotFound:
            del self._installations[repository]  # it was uninstalled, perhaps installed anew: ask again next time
            raise
        except Unprocessable as error:
            raise Refused(f"GitHub gives no token for {repository}: {error}") from error

    def _do(self, auth: Auth.Auth, job: Job[Answer]) -> Answer:
        """Runs in a worker thread."""
        pauses: dict[str, Any] = (
            {} if self._throttled else {"seconds_between_requests": None, "seconds_between_writes": None}
        )
        api = Github(
            auth=auth, base_url=self._url, timeout=TIMEOUT, retry=RETRY, lazy=True, api_version=API_VERSION, **pauses
        )
        api.requester.requestJson = _at_its_place(api.requester.requestJson)  # type: ignore[method-assign]
        try:
            return job(api)
        except GithubException as error:
            raise classify(error) from error
        except requests.RequestException as error:
            raise Transient(f"GitHub can't be reached: {type(error).__name__}") from error
        finally:
            self.remaining["rest"] = left = api.requester.rate_limiting[0]
            metrics.calls_left("github", rest=left if left >= 0 else None)
            api.close()


def _at_its_place(send: Callable[..., tuple[int, dict[str, Any], str]]) -> Callable[..., Any]:
    """What PyGithub asks with, so that a write to a repository that was renamed or moved is none that was done.

    GitHub answers it with 307, and a read with 301. PyGithub follows the latter; the former it takes for a yes.
    """

    def asked(verb: str, url: str, *rest: Any, **more: Any) -> tuple[int, dict[str, Any], str]:
        status, headers, output = send(verb, url, *rest, **more)
        if status in MOVED:
            raise GithubException(status, {"message": f"{verb} {url} was not done"}, headers)
        return status, headers, output

    return asked


def _mint(api: Github, installation: int, narrowed: Mapping[str, Any]) -> _Minted:
    """PyGithub's own call can't narrow a token to repositories (PyGithub#2807)."""
    _, made = api.requester.requestJsonAndCheck(
        "POST", f"/app/installations/{installation}/access_tokens", input=dict(narrowed)
    )
    return _Minted(made["token"], datetime.fromisoformat(made["expires_at"]))


def _first_installation(api: Github) -> int:
    _, found = api.requester.requestJsonAndCheck("GET", "/app/installations")
    if not found:
        raise Refused("The GitHub App is installed nowhere: install it on the repositories it shall work on.")
    return int(found[0]["id"])


def _read_app(api: Github) -> Identity:
    _, app = api.requester.requestJsonAndCheck("GET", "/app")
    return Identity(f"{app['slug']}[bot]", 0, app["slug"])


def _read_user(api: Github) -> Identity:
    _, user = api.requester.requestJsonAndCheck("GET", "/user")
    return Identity(user["login"], user["id"])
