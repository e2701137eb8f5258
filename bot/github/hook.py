"""The webhook of our GitHub App: how it is set, what became of what it sent, and asking again for what failed.

GitHub never sends a webhook again by itself; for three days it can be asked to (facts on GitHub, section 2). A
redelivery keeps its GUID, so one that had arrived after all is known and causes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog
from github import Github

from bot.github.client import GitHub, NotFound
from bot.machine.errors import Refused, Transient, UserError

log = structlog.get_logger()

LOOK_BACK = timedelta(hours=3)
"""How old a failure may be that is asked for again; what is older was seen by the timer long ago."""
EVERY = timedelta(minutes=2)
"""From one look to the next."""
MOST_PAGES = 5
"""Of 100 deliveries each: the most that one look reads."""
MOST_AT_ONCE = 20
"""Redeliveries that one look asks for; the next look goes on."""
MOST_TRIES = 3
"""Sendings of one GUID, the first included, after which it is left alone."""


@dataclass(frozen=True)
class Hook:
    """Where the App's webhooks go. An empty `url`: nowhere."""

    url: str
    content_type: str = "json"
    verified: bool = True
    """GitHub checks the certificate of an https address."""


@dataclass(frozen=True)
class Sending:
    """One sending of one webhook; `status` is GitHub's word, `OK` when it was taken."""

    id: int
    guid: str
    at: datetime
    status: str
    code: int

    @property
    def taken(self) -> bool:
        """Whether we answered that we have it."""
        return self.status == "OK"

    @property
    def underway(self) -> bool:
        """Nobody knows yet."""
        return self.status == "pending"


async def read_hook(github: GitHub) -> Hook:
    """How the App's webhook is set. Only with the App's own login.

    Raises:
        Refused, Transient: as `GitHub.call`.
    """
    try:
        _, config = await _ask(github, "GET", "/app/hook/config")
    except NotFound:
        return Hook("")
    return Hook(config.get("url") or "", config.get("content_type") or "form", config.get("insecure_ssl") in ("0", 0))


async def read_sendings(github: GitHub, since: datetime, *, pages: int = MOST_PAGES) -> tuple[Sending, ...]:
    """What the App sent since then, newest first, at most `pages` times 100. Only with the App's own login."""
    found: list[Sending] = []
    cursor = ""
    for _ in range(pages):
        headers, rows = await _ask(github, "GET", f"/app/hook/deliveries?per_page=100{cursor}")
        found += [_sending(row) for row in rows]
        cursor = _next(headers.get("link", ""))
        if not cursor or found[-1].at < since:
            break
    return tuple(one for one in found if one.at >= since)


def to_repeat(sendings: Iterable[Sending], now: datetime) -> tuple[Sending, ...]:
    """The latest failed sending of everything that should be asked for again now, the oldest first.

    What was taken once, is under way, was tried often enough, or is too old is left alone. From one try to the next
    the pause grows: 1 minute, then 5.
    """
    by_guid: dict[str, list[Sending]] = defaultdict(list)
    for one in sendings:
        by_guid[one.guid].append(one)
    wanted = []
    for tries in by_guid.values():
        latest = max(tries, key=lambda one: (one.at, one.id))
        pause = timedelta(minutes=5 if len(tries) > 1 else 1)
        ended = any(one.taken or one.underway for one in tries) or len(tries) >= MOST_TRIES
        if not ended and now - LOOK_BACK <= latest.at <= now - pause:
            wanted.append(latest)
    return tuple(sorted(wanted, key=lambda one: (one.at, one.id))[:MOST_AT_ONCE])


async def repeat_failed(github: GitHub, now: datetime) -> int:
    """Ask GitHub to send again what failed lately; returns how many.

    Raises:
        Refused, Transient: as `GitHub.call`; what was asked for before stays asked for.
    """
    again = to_repeat(await read_sendings(github, now - LOOK_BACK), now)
    for one in again:
        await _ask(github, "POST", f"/app/hook/deliveries/{one.id}/attempts")
    return len(again)


class Repair:
    """Asks for what failed again, now and then. Called often, it looks every `EVERY`, at once the first time."""

    def __init__(self, github: GitHub, clock: Callable[[], datetime]) -> None:
        self._github, self._clock = github, clock
        self._looked: datetime | None = None

    async def look(self) -> None:
        """Look when it is time. That GitHub doesn't answer is no reason to stop anything else: it is only logged."""
        now = self._clock()
        if self._looked is not None and now - self._looked < EVERY:
            return
        self._looked = now
        try:
            repeated = await repeat_failed(self._github, now)
        except (Refused, Transient, UserError) as error:
            log.warning("failed webhooks of github could not be asked for", error=str(error))
            return
        if repeated:
            log.info("failed webhooks of github asked for again", webhooks=repeated)


async def _ask(github: GitHub, verb: str, path: str) -> tuple[dict[str, Any], Any]:
    def job(api: Github) -> tuple[dict[str, Any], Any]:
        return api.requester.requestJsonAndCheck(verb, path)

    return await github.call(None, job)


def _next(link: str) -> str:
    """The cursor of the next page, as a part of a query; empty on the last page."""
    for part in link.split(","):
        address, _, relation = part.partition(";")
        if 'rel="next"' in relation:
            cursor = parse_qs(urlsplit(address.strip().strip("<>")).query).get("cursor", [""])[0]
            return f"&cursor={cursor}" if cursor else ""
    return ""


def _sending(row: dict[str, Any]) -> Sending:
    at = datetime.fromisoformat(row["delivered_at"].replace("Z", "+00:00"))
    return Sending(int(row["id"]), row["guid"], at, str(row["status"]), int(row["status_code"] or 0))
