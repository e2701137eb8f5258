"""A repository on the other side: real git behind HTTP with a token, as GitHub serves it."""

import asyncio
import base64
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.git.bundle import bundle_command
from bot.git.commit import Author, commit_file, squash
from bot.git.mirror import Mirror, Pushed
from bot.runs.contract import Ending, RunResult, RunSpec
from bot.runs.runner import Handover
from bot.runs.worker import Access, Worker, WorkOrder
from bot.simulator.serving import serve

TOKEN = "ghs_12345_" + "t0k3n" * 40
PERSON = Author("Alice", "alice@example.org")
BOT = Author("callboard[bot]", "1+callboard[bot]@users.noreply.github.com")
YESTERDAY = datetime(2026, 11, 20, tzinfo=UTC)


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

    def add(self, files: dict[str, str | None], branch: str = "main", message: str = "change") -> str:
        """A person's push on top of what stands at `branch` (or `main`) now; None deletes a file."""
        self.check_out(branch if self.has(branch) else "main", branch)
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if content is None else path.write_text(content)
        commit = commit_all(self.work, message)
        sh("git", "push", "-q", str(self.bare), branch, cwd=self.work)
        return commit

    def land(self, branch: str, how: str) -> str:
        """A person merges `branch` into `main`, as GitHub's three buttons do."""
        self.check_out(branch, "landing")
        if how == "rebase":
            sh("git", "rebase", "-q", "--force-rebase", "origin/main", cwd=self.work)
        self.check_out("main", "main")
        match how:
            case "merge":
                sh("git", "merge", "-q", "--no-ff", "-m", f"Merge pull request of {branch}", "landing", cwd=self.work)
            case "squash":
                sh("git", "merge", "-q", "--squash", "landing", cwd=self.work)
                commit_all(self.work, f"All of {branch}")
            case "rebase":
                sh("git", "merge", "-q", "--ff-only", "landing", cwd=self.work)
        sh("git", "push", "-q", str(self.bare), "main", cwd=self.work)
        return self.git("rev-parse", "main")

    def check_out(self, branch: str, name: str) -> None:
        sh("git", "fetch", "-q", "--prune", str(self.bare), "+refs/heads/*:refs/remotes/origin/*", cwd=self.work)
        sh("git", "checkout", "-q", "-B", name, f"refs/remotes/origin/{branch}", cwd=self.work)

    def has(self, branch: str) -> bool:
        return bool(self.git("for-each-ref", f"refs/heads/{branch}"))

    def files(self, commit: str) -> dict[str, str]:
        """Every file of a commit with its content."""
        names = self.git("ls-tree", "-r", "--name-only", commit).splitlines()
        return {name: self.git("show", f"{commit}:{name}") for name in names}

    def subjects(self, since: str, until: str) -> list[str]:
        """What `until` has and `since` has not, oldest first."""
        return self.git("log", "--reverse", "--topo-order", "--format=%s", f"{since}..{until}").splitlines()

    def contains(self, branch: str, commit: str) -> bool:
        return branch in self.git("branch", "--format=%(refname:short)", "--contains", commit).splitlines()

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


class Lease:
    """The right to a run; `asked` is called right before an agent begins, and right before a push."""

    def __init__(self, mine: bool = True, asked: Callable[[], object] = lambda: None) -> None:
        self.mine, self.asked = mine, asked

    async def still_mine(self) -> bool:
        self.asked()
        return self.mine


class Agent:
    """Writes files, does whatever a test wants in its checkout (`then`), commits or not, and says what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, str] = {}
        self.then: Callable[[Path], object] = lambda _tree: None
        self.commits = True
        self.result = RunResult(
            kind=Ending.SUCCESS, outcome={"status": "success", "summary": "did it"}, summary="did it", cost_usd=1.0
        )
        self.specs: list[RunSpec] = []
        self.trees: list[list[str]] = []

    async def run(self, spec: RunSpec, *, tree: Path, mirror: Path, base_commit: str) -> Handover:
        self.specs.append(spec)
        self.trees.append(sorted(path.name for path in tree.iterdir()))
        for name, content in self.files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(content)
        self.then(tree)
        bundle = self.folder / f"{spec.run_id}.bundle"
        bundle.unlink(missing_ok=True)
        if self.commits:
            sh("git", "add", "-A", cwd=tree)
            if sh("git", "status", "--porcelain", cwd=tree) or (tree / ".git/MERGE_HEAD").exists():
                sh("git", "commit", "-q", "-m", "agent's own words", cwd=tree)
        if sh("git", "rev-parse", "HEAD", cwd=tree) != base_commit:
            sh(*bundle_command(base_commit, str(bundle)), cwd=tree)
        return Handover(self.result, bundle if bundle.exists() else None)

    async def verify(self, *_arguments: object, **_named: object) -> tuple[()]:
        raise AssertionError("nothing is to be verified here")


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


@pytest.fixture
def lease() -> Callable[..., Lease]:
    return Lease


@pytest.fixture
def worker(remote: Remote, agent: Agent, tmp_path: Path) -> Worker:
    """A worker whose agent is `agent`."""

    async def access(_name: str) -> Access:
        return Access(remote.url, "https://github/acme/youlab", TOKEN, BOT)

    return Worker(tmp_path / "repositories", access=access, runner=agent)


@pytest.fixture
def order() -> Callable[..., WorkOrder]:
    """What a worker is asked; what a test names is otherwise."""

    def order(prompt: str = "documentation", run: str = "run-1", **more: Any) -> WorkOrder:
        spec = RunSpec(run_id=run, prompt=prompt, task_id="YOU-2", stage="dev", title="Store settings")
        usual = {"repository": "acme/youlab", "branch": "agent/YOU-2", "base": "main"}
        return WorkOrder(run=spec, ordered_at=datetime(2026, 11, 21, tzinfo=UTC), **{**usual, **more})

    return order


@pytest.fixture
def pushed(mirror: Mirror, remote: Remote) -> Callable[..., Awaitable[str]]:
    """A push of the service's: commits (subject, files), each with a trailer, on a branch that may begin at another."""

    async def pushed(branch: str, commits: Sequence[tuple[str, dict[str, str]]], base: str = "main") -> str:
        await mirror.fetch(TOKEN)
        old = await mirror.tip(branch)
        head = old or await mirror.tip(base)
        assert head is not None
        for subject, files in commits:
            put = {path: content.encode() for path, content in files.items()}
            trailers = {"Callboard-Ticket": branch.removeprefix("agent/"), "Callboard-Phase": "1"}
            head = await squash(
                mirror, head, head, message=subject, author=BOT, trailers=trailers, put=put, always=True, at=YESTERDAY
            )
        assert await mirror.push(branch, head, old, TOKEN) is Pushed.PUSHED
        return head

    return pushed


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
