"""Alive, ready, and the numbers: `/healthz` and `/readyz` for anybody, `/metrics` for this machine or with its token.

What anybody may ask says little and costs little: the probes are asked at most every ten seconds, and why one failed
stands in the log.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

log = structlog.get_logger()

Probe = Callable[[], Awaitable[None]]
"""Returns when the thing answers, raises with the reason when it doesn't."""
KEPT = 10.0
"""Seconds that an answer of the probes is told again."""


class _Ready:
    def __init__(self, probes: Mapping[str, Probe], clock: Callable[[], float]) -> None:
        self._probes, self._clock = probes, clock
        self._turn = asyncio.Lock()
        self._answers: dict[str, str] = {}
        self._until = float("-inf")

    async def answers(self) -> dict[str, str]:
        async with self._turn:  # ten who ask at once cost one round of probes
            if self._clock() >= self._until:
                self._answers = {name: await _ask(name, probe) for name, probe in self._probes.items()}
                self._until = self._clock() + KEPT
            return self._answers


async def _ask(name: str, probe: Probe) -> str:
    try:
        await probe()
    except Exception as error:  # whatever it is, it is the answer
        log.warning("not ready", probe=name, reason=f"{type(error).__name__}: {error}")
        return "no answer"
    return "ok"


def routes(
    probes: Mapping[str, Probe],
    *,
    metrics_token: str | None = None,
    is_here: Callable[[Request], bool] = lambda _request: False,
    clock: Callable[[], float] = time.monotonic,
) -> list[Route]:
    """The three endpoints; `/readyz` says which probe failed. `is_here`: the request comes from this machine."""
    state = _Ready(probes, clock)

    async def alive(_request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def ready(_request: Request) -> Response:
        answers = await state.answers()
        return JSONResponse(answers, 200 if all(answer == "ok" for answer in answers.values()) else 503)

    async def metrics(request: Request) -> Response:
        if not (is_here(request) or _bears(request, metrics_token)):
            return PlainTextResponse("Unauthorized", 401, {"www-authenticate": "Bearer"})
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]


def _bears(request: Request, token: str | None) -> bool:
    given = request.headers.get("authorization", "")
    return token is not None and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
