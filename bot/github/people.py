"""Who somebody on GitHub is: their login as REST spells it, whether it is us, and whether they may write.

Only the collaborator permission says who may (facts on GitHub, section 6); `author_association` says nothing of it. It
is asked for by login, and a login can be given up and taken by somebody else: people are known by their number, which
the answer bears too (S-10).
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from bot.github.client import GitHub, Identity, NotFound

KEPT = 300.0
"""Seconds that an answer about a permission is believed. Whoever loses it is heard for no longer than this."""
WRITERS = frozenset({"admin", "write"})
"""GitHub's words for who may push; `maintain` and custom roles above are told as one of them."""
Actor = Mapping[str, Any]


class Permissions:
    """Asks what people may do in a repository, and keeps the answers for some minutes."""

    def __init__(self, github: GitHub, clock: Callable[[], float] = time.monotonic) -> None:
        self._github = github
        self._clock = clock
        self._kept: dict[tuple[str, int], tuple[str, float]] = {}

    async def permission(self, repository: str, person: int, login: str) -> str:
        """`admin`, `write`, `read`, or `none`; also `none` when the login is another person's by now.

        Raises:
            Transient, Refused: GitHub doesn't say; that is never taken for a yes.
        """
        word, until = self._kept.get((repository, person), ("", 0.0))
        if self._clock() < until:
            return word
        path = f"/repos/{repository}/collaborators/{quote(login, safe='')}/permission"
        try:
            found = await self._github.call(repository, lambda api: api.requester.requestJsonAndCheck("GET", path)[1])
            word = str(found["permission"]) if found["user"]["id"] == person else "none"
        except NotFound:
            word = "none"
        now = self._clock()
        self._kept = {key: kept for key, kept in self._kept.items() if now < kept[1]}
        self._kept[repository, person] = (word, now + KEPT)
        return word

    async def writers(self, repository: str, people: Mapping[int, str]) -> frozenset[int]:
        """Those of the people, given as login by number, who may write."""
        words = await asyncio.gather(*(self.permission(repository, *person) for person in people.items()))
        return frozenset(person for person, word in zip(people, words, strict=True) if word in WRITERS)


def number_of(actor: Actor | None) -> int | None:
    """The number of a person's or a bot's account, which stays theirs; None where GitHub tells none."""
    return actor.get("databaseId") if actor else None


def login_of(actor: Actor | None) -> str:
    """An author as REST spells it (`x[bot]`); GraphQL leaves the ending away. `ghost` is GitHub's word for nobody."""
    if actor is None:
        return "ghost"
    login = str(actor["login"])
    return f"{login}[bot]" if actor["__typename"] == "Bot" and not login.endswith("[bot]") else login


def is_person(actor: Actor | None) -> bool:
    """Whether it is a human's account: no App, no organisation, no placeholder for somebody from elsewhere."""
    return actor is not None and actor["__typename"] == "User"


def is_us(actor: Actor | None, identity: Identity) -> bool:
    """Whether it is the account that we act as, which with a token is a person's own."""
    return number_of(actor) == identity.id
