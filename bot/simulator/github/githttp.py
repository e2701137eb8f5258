"""Git over HTTP: the real `git http-backend`, with our own doorman in front of it."""

import asyncio
import gzip
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.simulator.github import auth
from bot.simulator.github.auth import Caller
from bot.simulator.github.errors import ApiError
from bot.simulator.github.model import Repository
from bot.simulator.github.refs import changing

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

_ASK = {"WWW-Authenticate": 'Basic realm="GitHub"'}


async def answer(world: "GitHubWorld", request: Request, owner: str, name: str, rest: str) -> Response:
    """Serve one request of a git client for `/owner/name.git/rest`."""
    pushing = "git-receive-pack" in {rest, request.query_params.get("service")}
    try:
        caller = auth.identify(world, request.headers.get("authorization"))
        repo = world.repository(f"{owner}/{name}")
        auth.require(caller, repo, "contents:write" if pushing else "contents:read", "write" if pushing else "read")
    except ApiError as refused:
        return _refuse(refused, request)
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = await asyncio.to_thread(gzip.decompress, body)
    if rest != "git-receive-pack":
        return await _backend(world, request, repo, caller, rest, body)
    async with changing(world, repo, caller.actor()):
        return await _backend(world, request, repo, caller, rest, body)


def _refuse(refused: ApiError, request: Request) -> Response:
    if "authorization" not in request.headers:  # a repository that one may not see looks like one to log in for
        return PlainTextResponse("Repository not found.", 401, _ASK)
    if refused.status == 401:
        return PlainTextResponse("remote: Invalid username or token.", 401, _ASK)
    if refused.status == 403:
        return PlainTextResponse("Write access to repository not granted.", 403)
    return PlainTextResponse("Repository not found.", 404)


async def _backend(
    world: "GitHubWorld", request: Request, repo: Repository, caller: Caller, rest: str, body: bytes
) -> Response:
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **world.git.environment,
            "GIT_PROJECT_ROOT": str(repo.path.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "REQUEST_METHOD": request.method,
            "PATH_INFO": f"/{repo.path.name}/{rest}",
            "QUERY_STRING": request.url.query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": caller.user.login if caller.user else "",
            "REMOTE_ADDR": "127.0.0.1",
            "SIMULATED_PROTECTED": _protected(repo),
            "SIMULATED_WORKFLOWS": _workflows(caller),
        },
    )
    out, err = await process.communicate(body)
    if process.returncode:
        return PlainTextResponse(err.decode(errors="replace"), 500)
    return _response(out)


def _response(out: bytes) -> Response:
    head, _, content = out.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split(" ", 1)[0])
    return Response(content, status, headers)


def _protected(repo: Repository) -> str:
    return "\n".join(
        f"refs/heads/{name}"
        for name, rules in repo.protection.items()
        if rules.checks or rules.approvals or rules.queue
    )


def _workflows(caller: Caller) -> str:
    token = caller.token
    refused = token and token.installation and token.permissions.get("workflows") != "write"
    return "refused" if refused else ""
