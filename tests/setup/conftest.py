"""A newcomer: a simulated Linear with a team that has nothing of ours, a simulated GitHub, and an empty folder."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from bot.setup.door import Door
from bot.setup.page import SetupPage
from bot.simulator.github import GitHubWorld, github_app
from bot.simulator.linear import LinearWorld, linear_app
from bot.simulator.serving import serve


@dataclass
class Newcomer:
    """Somebody at a browser. `process` is the environment of the service."""

    linear: LinearWorld
    github: GitHubWorld
    process: dict[str, str]
    home: Path
    url: str = ""
    tokens: list[str] = field(default_factory=list)
    page: SetupPage = field(init=False)
    browser: httpx2.AsyncClient = field(init=False)

    def form_token(self, text: str) -> str:
        return text.partition('name="csrf" value="')[2].partition('"')[0]

    async def enter(self) -> str:
        """Open the address from the log; returns the page."""
        answer = await self.browser.get(f"{self.url}/setup?token={self.tokens[-1]}")
        assert answer.status_code == 200
        self.csrf = self.form_token(answer.text)
        return answer.text

    async def post(
        self, act: str, *, origin: str | None = None, csrf: str | None = None, **fields: str
    ) -> httpx2.Response:
        """Send a form of the page."""
        form = {"csrf": self.csrf if csrf is None else csrf, **fields}
        return await self.browser.post(
            f"{self.url}/setup/{act}", data=form, headers={"origin": self.url if origin is None else origin}
        )


@pytest.fixture
async def newcomer(tmp_path: Path) -> AsyncIterator[Newcomer]:
    linear, github = LinearWorld.small(), GitHubWorld(tmp_path / "github")
    async with AsyncExitStack() as stack:
        linear_url = await stack.enter_async_context(serve(linear_app(linear)))
        github_url = await stack.enter_async_context(serve(github_app(github)))
        stack.push_async_callback(linear.close)
        stack.push_async_callback(github.post_office.close)
        github.base_url = github_url
        await github.create_repository("acme/youlab", {"README.md": "# YouLab\n"})
        process = {
            "CALLBOARD_HOME": str(tmp_path / "home"),
            "LINEAR_API_URL": f"{linear_url}/graphql",
            "GITHUB_API_URL": f"{github_url}/api/v3",
        }
        who = Newcomer(linear, github, process, tmp_path / "home")
        who.page = SetupPage(process, Door(who.tokens.append), "http://127.0.0.1:8080")
        who.url = await stack.enter_async_context(serve(who.page.app()))
        who.browser = await stack.enter_async_context(
            httpx2.AsyncClient(follow_redirects=True, trust_env=False, verify=False)
        )
        yield who
