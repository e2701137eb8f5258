"""Logging in with Linear: who somebody is, and whether they are a member of the workspace that the service works in.

The person's own token is used once, to see who they are, and forgotten. Everything later is asked with the service's.
"""

from urllib.parse import urljoin, urlsplit

from bot.linear.client import AccessToken, LinearClient
from bot.linear.errors import NotFound
from bot.machine.errors import Refused

SCOPE = "read"


class Login:
    """Linear as a door. `client_id` and `client_secret` are those of an OAuth application."""

    name = "linear"
    title = "Linear"
    scope = SCOPE

    def __init__(self, linear: LinearClient, client_id: str, client_secret: str) -> None:
        self._linear = linear
        self.client_id, self.client_secret = client_id, client_secret
        self.token_url = urljoin(linear.url, "/oauth/token")
        self.authorize_url = urljoin(_pages(linear.url), "/oauth/authorize")

    async def identify(self, token: str) -> tuple[str, str]:
        """Id and name of the person whose token it is.

        Raises:
            Refused: they belong to another workspace, or are no active member of this one.
            Transient: Linear doesn't answer.
        """
        async with LinearClient(AccessToken(token), self._linear.url) as theirs:
            answer = await theirs.execute("visitor")
        person, workspace = answer["viewer"], answer["organization"]["id"]
        if not await self.may(person["id"]) or workspace != await self._workspace():
            raise Refused("you are no active member of the Linear workspace that this service works in")
        return str(person["id"]), str(person["displayName"])

    async def may(self, person: str) -> bool:
        """Whether this id is an active member of our workspace now, neither guest nor app.

        Raises:
            Transient: Linear doesn't answer; that is never taken for a yes.
        """
        try:
            found = (await self._linear.execute("member", {"id": person}))["user"]
        except NotFound:
            return False
        return bool(found["id"] == person and found["active"] and not found["guest"] and not found["app"])

    async def _workspace(self) -> str:
        return str((await self._linear.execute("viewer"))["organization"]["id"])


def _pages(api: str) -> str:
    """Where Linear's pages are: for its API at api.linear.app they are at linear.app."""
    parts = urlsplit(api)
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
