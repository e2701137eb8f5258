import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import github
import pytest
import pytest_asyncio
from github import Auth, Github
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.simulator.github import CI, App, GitHubWorld, Person, Pull, Repository, github_app
from bot.simulator.serving import serve

FILES = {
    "README.md": "# Lab\n",
    "app.py": "".join(f"line {number}\n" for number in range(1, 21)),
    ".github/workflows/ci.yml": "on: push\n",
}


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Stage:
    """One world, served, with a repository and its cast."""

    world: GitHubWorld
    repo: Repository
    app: App
    clock: Clock
    alice: Person
    bob: Person
    ci: CI
    heard: list[Any]
    folder: Path

    def client(self, login: str = "alice", **options: Any) -> Github:
        """A PyGithub that is logged in with a personal token."""
        return self.with_token(self.world.token_for(login), **options)

    def with_token(self, token: str, **options: Any) -> Github:
        return Github(
            auth=Auth.Token(token),
            base_url=f"{self.world.base_url}/api/v3",
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            **{"lazy": True, **options},
        )

    def app_token(self, **narrowed: Any) -> str:
        """A token of the App's installation, minted without the detour over its JWT."""
        return self.world.installation_token(self.app.installations[0], **narrowed).value

    def bot(self) -> Any:
        """The repository, as the App's installation sees it through PyGithub."""
        return self.with_token(self.app_token()).get_repo("acme/youlab")

    def hub(self, login: str = "alice") -> Any:
        """The repository, as a person sees it through PyGithub."""
        return self.client(login).get_repo("acme/youlab")

    async def rest(self, method: str, path: str, token: str | None = None, body: Any = None) -> Any:
        """One raw REST request; its JSON, or the exception that PyGithub makes of the refusal."""
        client = self.with_token(token) if token else self.client()
        return await asyncio.to_thread(lambda: client.requester.requestJsonAndCheck(method, path, input=body)[1])

    async def graphql(self, query: str, token: str | None = None, **variables: Any) -> Any:
        """The whole answer, errors and all."""
        client = self.with_token(token) if token else self.client()
        url = f"{self.world.base_url}/api/graphql"
        body = {"query": query, "variables": variables}
        status, _, text = await asyncio.to_thread(lambda: client.requester.requestJson("POST", url, input=body))
        assert status == 200, text
        import json

        return json.loads(text)

    async def opened(self, branch: str = "topic", base: str = "main", **files: str) -> Pull:
        """A pull request by Alice that changes line 10 of app.py, or `files`."""
        await self.alice.pushes(self.repo, branch, files or {"app.py": changed(10)}, f"Change {branch}")
        return await self.alice.opens(self.repo, branch, base, f"The {branch}")

    async def git(self, *arguments: str, token: str | None = None, cwd: Path | None = None) -> tuple[int, str]:
        """The real git client, with a token for http if one is given."""
        login = f"x-access-token:{token}@" if token else ""
        address = self.world.base_url.replace("http://", f"http://{login}")
        process = await asyncio.create_subprocess_exec(
            "git",
            *(argument.replace("REMOTE", f"{address}/acme/youlab.git") for argument in arguments),
            cwd=cwd or self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**self.world.git.environment, "PATH": os.environ["PATH"]},
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def events(self) -> list[tuple[str, str | None]]:
        """What the App's webhook has been told so far, in order, once all letters have arrived."""
        await self.world.post_office.quiet()
        return [(one.event, one.action) for one in self.world.deliveries]

    async def payload(self, event: str, action: str | None = None) -> Any:
        """The newest payload of an event that the webhook received."""
        import json

        await self.world.post_office.quiet()
        for headers, raw in reversed(self.heard):
            body = json.loads(raw)
            if headers["x-github-event"] == event and body.get("action") == action:
                return body
        raise AssertionError(f"no {event} {action} was delivered")


def changed(*lines: int, by: str = "changed") -> str:
    return "".join(f"{by if number in lines else 'line'} {number}\n" for number in range(1, 21))


async def refused(call: Callable[[], Any]) -> github.GithubException:
    with pytest.raises(github.GithubException) as caught:
        await asyncio.to_thread(call)
    return caught.value


class House:
    """One server for all tests of a module; each test puts its own world behind it."""

    def __init__(self) -> None:
        self.url = ""
        self.github: ASGIApp | None = None
        self.heard: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/hook":
            assert self.github is not None
            return await self.github(scope, receive, send)
        request = Request(scope, receive)
        self.heard.append((dict(request.headers), await request.body()))
        return await Response(status_code=202)(scope, receive, send)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[House]:
    house = House()
    async with serve(house) as house.url:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def stage(house: House, tmp_path: Path) -> AsyncIterator[Stage]:
    clock = Clock()
    world = GitHubWorld(tmp_path / "github", now=clock, base_url=house.url)
    house.github, house.heard = github_app(world), []
    repo = await world.create_repository("acme/youlab", FILES)
    app = world.app("callboard", webhook_url=f"{house.url}/hook", webhook_secret="s3cret")
    world.grant(repo, "alice", "write")
    world.grant(repo, "bob", "write")
    alice, bob = Person(world, "alice"), Person(world, "bob")
    yield Stage(world, repo, app, clock, alice, bob, CI(world), house.heard, tmp_path)
    await world.post_office.close()
