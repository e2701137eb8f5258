"""The workspace's webhooks, where Linear shows them: to a human admin's key, never to an application's token.

Their signing secrets can be read too; nothing here asks for them.
"""

from dataclasses import dataclass

from bot.linear.client import LinearClient

RESOURCE_TYPES = ("Issue", "Comment", "Document", "Attachment")
"""What we want to hear of, in Linear's words."""


@dataclass(frozen=True)
class Webhook:
    """A webhook as it is set. `team` is the key of the only team it is for; None: of all public teams."""

    url: str
    enabled: bool
    types: frozenset[str]
    team: str | None = None

    def hears(self, team: str) -> bool:
        """Whether it tells what happens in this team, if the team is public."""
        return self.team in (None, team)


async def read_webhooks(linear: LinearClient) -> tuple[Webhook, ...]:
    """Every webhook whose address Linear tells; that of an OAuth application has none.

    Raises:
        Refused: we are no human admin. Transient: as `LinearClient.execute`.
    """
    nodes = (await linear.execute("webhooks"))["webhooks"]["nodes"]
    return tuple(
        Webhook(one["url"], one["enabled"], frozenset(one["resourceTypes"]), (one["team"] or {}).get("key"))
        for one in nodes
        if one["url"]
    )


async def create_webhook(linear: LinearClient, url: str, secret: str) -> None:
    """Make one for all public teams that signs with `secret`. Not idempotent: look first.

    Raises:
        Refused: we are no human admin. UserError: Linear does not take the address (it must be public https).
    """
    fields = {"url": url, "secret": secret, "resourceTypes": list(RESOURCE_TYPES), "label": "Callboard"}
    await linear.execute("webhookCreate", {"input": {**fields, "allPublicTeams": True, "enabled": True}})
