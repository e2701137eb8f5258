"""Webhooks: read within limits, verify over the raw bytes, store, answer. Nothing in them is believed.

The answer is 200 once the delivery is committed; everything else (a second look at the key, a run) follows from the
inbox. Answers have fixed bodies: Linear keeps the first 1,000 characters of ours, and a stranger learns nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

import structlog
from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.engine.port import Accepted, Delivery

log = structlog.get_logger()

DELIVERIES = Counter(
    "callboard_deliveries_total", "Webhook deliveries by source and what became of them", ["source", "end"]
)
MEGABYTE = 1024 * 1024
READ_SECONDS = 5.0
REFUSALS_EVERY = 2.0
"""Seconds between two notes of a bad signature: strangers may not keep the database busy."""


class Reception(Protocol):
    """What a source makes of a request: the HTTP status, and the delivery to store, if there is one."""

    @property
    def verdict(self) -> int:
        """200, 400 or 401."""

    @property
    def delivery(self) -> Delivery | None:
        """What to store; with 200 and no delivery the request is dropped politely."""

    @property
    def reason(self) -> str:
        """Why there is nothing to store."""


Receive = Callable[[Headers, bytes, datetime], Reception]
"""Judge a request of one source, the signature before anything else."""


@dataclass(frozen=True)
class Source:
    """A service that sends webhooks. `limit` is the largest body in bytes (Linear 5 MiB, GitHub 25 MiB)."""

    name: str
    limit: int
    receive: Receive


async def _forget(_source: str) -> None:
    """The default for `refuse`."""


def route(
    source: Source,
    accept: Callable[[Delivery], Awaitable[Accepted]],
    refuse: Callable[[str], Awaitable[None]] = _forget,
) -> Route:
    """The endpoint `POST /webhooks/<source>`. `refuse` is told now and then that nobody of ours signed a request."""
    told = -REFUSALS_EVERY

    async def endpoint(request: Request) -> Response:
        body = await _read(request, source.limit)
        if isinstance(body, HTTPStatus):
            return _answer(source, body, body.phrase)
        nonlocal told
        reception = source.receive(request.headers, body, datetime.now(UTC))
        if reception.verdict == HTTPStatus.UNAUTHORIZED and time.monotonic() - told >= REFUSALS_EVERY:
            told = time.monotonic()
            await refuse(source.name)
        delivery = reception.delivery
        if reception.verdict != HTTPStatus.OK or delivery is None:
            return _answer(source, HTTPStatus(reception.verdict), reception.reason)
        accepted = await accept(delivery)
        log.info(
            "delivery",
            source=source.name,
            webhook=delivery.event,
            subject=delivery.subject,
            delivery=delivery.delivery,
            became=delivery.parked or delivery.ignored or str(accepted),
        )
        end = "parked" if delivery.parked else f"ignored: {delivery.ignored}" if delivery.ignored else str(accepted)
        return _answer(source, HTTPStatus.OK, end)

    return Route(f"/webhooks/{source.name}", endpoint, methods=["POST"])


def _answer(source: Source, status: HTTPStatus, end: str) -> Response:
    DELIVERIES.labels(source.name, end if status is HTTPStatus.OK else f"refused: {status.value}").inc()
    if status is not HTTPStatus.OK:
        log.warning("delivery refused", source=source.name, status=status.value, reason=end)
    return PlainTextResponse(status.phrase, status)


async def _read(request: Request, limit: int) -> bytes | HTTPStatus:
    """The raw body, or why it can't be taken: too large (413), too slow (408), gone (400)."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > limit:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if announced.isdigit() else HTTPStatus.BAD_REQUEST
    if request.headers.get("content-encoding", "identity") != "identity":
        return HTTPStatus.BAD_REQUEST
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT
    except ClientDisconnect:
        return HTTPStatus.BAD_REQUEST
    return bytes(body)
