"""Logging in with GitHub: who somebody is, and whether they may write to a repository that the service works on.

Membership in an organisation says less than the permission on the repository, which alone decides everywhere else, and
a person's own repository has no organisation. People are known by their number: a login may be given to somebody else.
The person's own token is used once, to see who they are, and forgotten.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from bot.github.client import GitHub, NotFound, TokenLogin
from bot.github.people import WRITERS
from bot.machine.errors import Refused


class Login:
    """GitHub as a door. `client_id` and `client_secret` are those of an OAuth application, or of the GitHub App."""

    name = "github"
    title = "GitHub"
    scope = ""
    """Who somebody is needs no scope."""

    def __init__(
        self,
        github: GitHub,
        api_url: str,
        client_id: str,
        client_secret: str,
        repositories: Callable[[], Iterable[str]],
    ) -> None:
        self._github, self._api_url, self._repositories = github, api_url, repositories
        self.client_id, self.client_secret = client_id, client_secret
        pages = _pages(api_url)
        self.authorize_url = f"{pages}/login/oauth/authorize"
        self.token_url = f"{pages}/login/oauth/access_token"

    async def identify(self, token: str) -> tuple[str, str]:
        """Number and login of the person whose token it is.

        Raises:
            Refused: they may write to none of the repositories.
            Transient: GitHub doesn't answer.
        """
        theirs = GitHub(self._api_url, TokenLogin(token))
        found = await theirs.call(None, lambda api: api.requester.requestJsonAndCheck("GET", "/user")[1])
        person = str(found["id"])
        if not await self.may(person):
            raise Refused("you may not write to any repository that this service works on")
        return person, str(found["login"])

    async def may(self, person: str) -> bool:
        """Whether this number may write to one of the repositories now.

        Raises:
            Transient: GitHub doesn't answer; that is never taken for a yes.
        """
        for repository in self._repositories():
            if await self._may_write(repository, person):
                return True
        return False

    async def _may_write(self, repository: str, person: str) -> bool:
        try:
            known = await self._get(repository, f"/user/{quote(person, safe='')}")
            login = quote(str(known["login"]), safe="")
            found = await self._get(repository, f"/repos/{repository}/collaborators/{login}/permission")
        except NotFound:
            return False
        return str(found["user"]["id"]) == person and found["permission"] in WRITERS

    async def _get(self, repository: str, path: str) -> dict[str, Any]:
        return await self._github.call(repository, lambda api: dict(api.requester.requestJsonAndCheck("GET", path)[1]))


def _pages(api: str) -> str:
    """Where GitHub's pages are: api.github.com has them at github.com, a server of one's own beside its API."""
    parts = urlsplit(api)
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
