"""The other host, where logs lie: its addresses are short-lived and carry their own authority.

Like the real one it refuses a request that brings an `Authorization` header along.
"""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld


def answer(world: "GitHubWorld", request: Request) -> Response:
    """Serve `/blobs/SECRET`."""
    content, until = world.blobs.get(request.url.path.removeprefix("/blobs/"), (b"", None))
    if until is None:
        return _refuse(404, "BlobNotFound", "The specified blob does not exist.")
    if "authorization" in request.headers:
        return _refuse(400, "InvalidAuthenticationInfo", "Authentication information is not given in correct format.")
    if world.now() >= until:
        return _refuse(403, "AuthenticationFailed", "Signature not valid in the specified time frame.")
    return Response(content, media_type="text/plain; charset=utf-8")


def _refuse(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status, media_type="application/xml")
