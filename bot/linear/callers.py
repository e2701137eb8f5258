"""Who put a label on an issue: one request, and one more for every fifty changes since.

What happens in an issue's first three minutes has no entry in its history (facts on Linear, section 3): a label that
no entry names came with the issue, and is its creator's.
"""

from typing import Any

from bot.linear import wire
from bot.linear.client import LinearClient
from bot.linear.reading import labels_of
from bot.machine.facts import Author, Call


async def caller(client: LinearClient, issue: str, label: str, viewer: str) -> Call:
    """Who put `label` on the issue last. `viewer` is the id of the user we are.

    Raises:
        NotFound: there is no such issue, or we may not see it.
    """
    after: str | None = None
    while True:
        answer: Any = await client.execute("called", {"id": issue, "after": after})
        found = wire.Called.model_validate(answer["issue"])
        additions = [one for one in found.history.nodes if label in labels_of(one.addedLabels or ())]
        last = max(additions, key=lambda one: one.createdAt, default=None)
        if last is not None:
            return call_of(label, last.actor, last.botActor, viewer)
        page = found.history.pageInfo
        if not page.hasNextPage:
            return call_of(label, found.creator, found.botActor or found.externalUserCreator, viewer)
        after = page.endCursor


def call_of(label: str, user: wire.User | None, stranger: wire.Reference | wire.Bot | None, viewer: str) -> Call:
    """The label, and who put it there: what acted for a user, or instead of one, is no person."""
    if stranger is not None:
        return Call(label, Author(stranger.id or "", stranger.name or "an automation", person=False, app=True))
    if user is None:
        return Call(label)
    if user.id == viewer:
        return Call(label, ours=True)
    person = user.active and not user.guest and not user.app
    author = Author(user.id, user.name, person=person, active=user.active, guest=user.guest, app=user.app)
    return Call(label, author)
