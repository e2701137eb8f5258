"""A repository on the other side: real git behind HTTP with a token, as GitHub serves it."""

import asyncio
import base64
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.git.commit import Author, commit_file
from bot.git.mirror import Mirror
from bot.simulator.serving import serve

TOKEN = "ghs_12345_" + "t0k3n" * 40
PERSON = Author("Alice", "alice@example.org")


def sh(*command: str, cwd: Path, **variables: str) -> str:
    """A person's git (or any program), with nothing of the machine's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Alice",
        "GIT_AUTHOR_EMAIL": "alice@example.org",
        "GIT_COMMITTER_NAME": "Alice",
        "GIT_COMMITTER_EMAIL": "alice@example.org",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "init.defaultBranch",
        "GIT_CONFIG_VALUE_0": "main",
        **variables,
    }
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit_all(folder: Path, message: str) -> str:
    sh("git", "add", "-A", cwd=folder)
    sh("git", "commit", "-q", "--allow-empty", "-m", message, cwd=folder)
    return sh("git", "rev-parse", "HEAD", cwd=folder)


@dataclass
class Remote:
    """The other side. `answers` are (status, body) that the next requests get instead of git's answer."""

    bare: Path
    work: Path
    url: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def commit(self, files: dict[str, str], branch: str = "main", message: str = "change") -> str:
        """A person's push of `files` to `branch`."""
        if branch != sh("git", "branch", "--show-current", cwd=self.work):
            sh("git", "checkout", "-q", "-B", branch, cwd=self.work)
        for name, content in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(content)
        commit = commit_all(self.work, message)
        sh("git", "push", "-q", "-f", str(self.bare), branch, cwd=self.work)
        return commit

    def git(self, *arguments: str) -> str:
        return sh("git", *arguments, cwd=self.bare)

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        if self.answers:
            status, body = self.answers.pop(0)
            return PlainTextResponse(body, status)
        wanted = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != wanted:
            return PlainTextResponse("", 401, {"WWW-Authenticate": "Basic realm=git"})
        return await self._backend(request)

    async def _backend(self, request: Request) -> Response:
        variables = {
            "GIT_PROJECT_ROOT": str(self.bare.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "x-access-token",
            "PATH_INFO": request.url.path,
            "QUERY_STRING": request.url.query,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "HTTP_GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "PATH": os.environ["PATH"],
            "HOME": "/dev/null",
        }
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", stdin=-1, stdout=-1, stderr=-3, env=variables
        )
        out, _ = await process.communicate(await request.body())
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return Response(body, int(headers.pop("Status", "200").split(" ")[0]), headers)


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the repository as every test finds it: `youlab.git`, a person's `work`, our `mirror.git`."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "work").mkdir()
    sh("git", "init", "-q", "--bare", "--template=", "youlab.git", cwd=folder)
    (folder / "youlab.git" / "hooks").mkdir()
    sh("git", "init", "-q", "--template=", cwd=folder / "work")
    one = Remote(folder / "youlab.git", folder / "work")
    one.commit({"README.md": "# Youlab\n", "src/app.py": "print('hello')\n"}, message="Begin")
    sh("git", "clone", "-q", "--bare", "--template=", "youlab.git", "mirror.git", cwd=folder)
    return folder


@pytest.fixture
async def remote(begun: Path, tmp_path: Path, mirror: Mirror) -> AsyncIterator[Remote]:
    """The other side, reachable for `mirror`."""
    for name in ("youlab.git", "work"):
        shutil.copytree(begun / name, tmp_path / "far" / name)
    one = Remote(tmp_path / "far" / "youlab.git", tmp_path / "far" / "work")

    async def answer(request: Request) -> Response:
        return await one.answer(request)  # looked up now: a test may have put another in its place

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    async with serve(app) as url:
        one.url = mirror.url = f"{url}/youlab.git"
        yield one


@pytest.fixture
def mirror(begun: Path, tmp_path: Path) -> Mirror:
    """A mirror of what the tests begin with; without `remote` there is nobody on the other side."""
    shutil.copytree(begun / "mirror.git", tmp_path / "mirrors" / "youlab.git")
    return Mirror(tmp_path / "mirrors" / "youlab.git", "http://127.0.0.1:9/youlab.git")


@pytest.fixture
async def main(mirror: Mirror) -> str:
    """The commit at the tip of the base branch."""
    tip = await mirror.tip("main")
    assert tip is not None
    return tip


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def person() -> Author:
    return PERSON


@pytest.fixture
def shell() -> Callable[..., str]:
    return sh


@pytest.fixture
def write(mirror: Mirror) -> Callable[[str, str, str], Awaitable[str]]:
    """A commit on top of another, with one file."""

    async def write(base: str, path: str, content: str) -> str:
        return await commit_file(mirror, base, path, content.encode(), message=f"Write {path}", author=PERSON)

    return write
