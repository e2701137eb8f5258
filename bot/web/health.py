"""Alive, ready, and the numbers: `/healthz`, `/readyz`, `/metrics`."""

from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Probe = Callable[[], Awaitable[None]]
"""Returns when the thing answers, raises with the reason when it doesn't."""


def routes(probes: Mapping[str, Probe]) -> list[Route]:
    """The three endpoints; `/readyz` asks every probe and says which one failed."""

    async def alive(_request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def ready(_request: Request) -> Response:
        answers: dict[str, str] = {}
        for name, probe in probes.items():
            try:
                await probe()
                answers[name] = "ok"
            except Exception as error:  # whatever it is, it is the answer
                answers[name] = f"{type(error).__name__}: {error}"
        good = all(answer == "ok" for answer in answers.values())
        return JSONResponse(answers, 200 if good else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
