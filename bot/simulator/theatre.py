"""A whole theatre on one machine: simulated Linear, GitHub and model, a repository, and the real service among them.

The demo plays on it, and so do the story tests. Everything speaks over real sockets on loopback; only the three
outside services are simulated.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp

from bot import app
from bot.config import PolicyFile, Settings, read_settings
from bot.engine.pace import Pace
from bot.simulator.github import GitHubWorld, github_app
from bot.simulator.linear import LinearWorld, Person, linear_app
from bot.simulator.serving import free_port, serve

REPOSITORY = "acme/youlab"
POLICY = """\
[[repositories]]
name = "acme/youlab"
teams = ["YOU"]
base = "main"

[gates]
checks_appear_seconds = 5
"""
LIVELY = Pace(tick=0.2, poll=0.2, resync=20.0, lag=1.0)  # the simulators show at once what was written


@dataclass
class Plan:
    """How a theatre is set up. `model` is the base URL of the model; `pace` is the engine's."""

    home: Path
    model: ASGIApp
    files: Mapping[str, str]
    policy: str = POLICY
    sandbox: str = "bwrap"
    webhooks: bool = True
    pace: Pace = LIVELY
    port: int = 0
    database_url: str | None = None
    model_url: str | None = None
    """A real model instead of the scripted one, with `model_key`."""
    model_key: str = field(default_factory=lambda: f"sk-ant-api03-{secrets.token_hex(24)}")
    stages: bool = True
    """Whether the team has the workflow states of all stages."""
    login: bool = False
    """Whether people log in, with the simulated Linear or GitHub, before they see the pages."""
    serves: Callable[[Settings], AbstractAsyncContextManager[None]] | None = None
    """Runs the service, where it is not to run in this process."""


@dataclass
class Theatre:
    """Everything, open and running."""

    linear: LinearWorld
    github: GitHubWorld
    environment: Mapping[str, str]
    """What the service is told; `settings` is the same, read."""
    settings: Settings
    plan: Plan
    linear_url: str
    github_url: str
    url: str
    service: app.Service = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        """Start the service (again)."""
        stack = AsyncExitStack()
        self._stack = stack
        if self.plan.serves is not None:
            await stack.enter_async_context(self.plan.serves(self.settings))
            return
        self.service = await stack.enter_async_context(
            app.open_service(self.settings, PolicyFile(self.settings.config), pace=self.plan.pace)
        )
        await stack.enter_async_context(serve(self.service.web, port=self.settings.port))
        loop = asyncio.create_task(self.service.engine.run(self.service.callbacks))
        stack.push_async_callback(_end, loop)

    async def stop(self) -> None:
        """Stop the service; the simulated services go on."""
        await self._stack.aclose()

    def person(self, name: str) -> Person:
        """A person of the simulated Linear."""
        return Person(self.linear, self.linear.user(name))


@asynccontextmanager
async def open_theatre(plan: Plan) -> AsyncIterator[Theatre]:
    """Open the simulated services and the real one; all of it is gone when the block ends."""
    async with open_outside(plan) as theatre:
        await theatre.start()
        try:
            yield theatre
        finally:
            await theatre.stop()


@asynccontextmanager
async def open_outside(plan: Plan) -> AsyncIterator[Theatre]:
    """Open the simulated services and the settings for the real one, which is not started."""
    async with AsyncExitStack() as stack:
        linear_world = LinearWorld.small(with_stages=plan.stages)
        github_world = GitHubWorld(plan.home / "github")
        linear_url = await stack.enter_async_context(serve(linear_app(linear_world)))
        github_url = await stack.enter_async_context(serve(github_app(github_world)))
        stack.push_async_callback(linear_world.close)
        stack.push_async_callback(github_world.post_office.close)
        linear_world.base_url, github_world.base_url = linear_url, github_url
        model_url = plan.model_url
        if model_url is None:
            model_url = await stack.enter_async_context(serve(plan.model))
        await github_world.create_repository(REPOSITORY, plan.files)
        for name in ("alice", "bob"):
            github_world.grant(REPOSITORY, name, "write")
        environment = _environment(plan, linear_url, github_url, model_url)
        settings = read_settings(environment)
        settings.config.parent.mkdir(parents=True, exist_ok=True)
        settings.config.write_text(plan.policy)
        linear_secret, github_secret = settings.linear_webhook_secrets[0], settings.github_webhook_secrets[0]
        hook = f"{settings.base_url}/webhooks/github" if plan.webhooks else None
        bot = github_world.app("callboard", webhook_url=hook, webhook_secret=github_secret)
        if plan.webhooks:
            linear_world.add_webhook(f"{settings.base_url}/webhooks/linear", linear_secret)
        environment |= {"GITHUB_APP_ID": str(bot.id), "GITHUB_APP_PRIVATE_KEY": bot.private_key}
        if plan.login:
            back = f"{settings.base_url}/login"
            linear_world.credentials.applications["callboard"].redirect_uris = (f"{back}/linear/callback",)
            bot.callback_urls = (f"{back}/github/callback",)
            environment |= {
                "CALLBOARD_LOGIN": "linear,github",
                "CALLBOARD_LOGIN_GITHUB_CLIENT_ID": bot.client_id,
                "CALLBOARD_LOGIN_GITHUB_CLIENT_SECRET": bot.client_secret,
            }
        settings, url = read_settings(environment), settings.base_url
        yield Theatre(linear_world, github_world, environment, settings, plan, linear_url, github_url, url)


def _environment(plan: Plan, linear_url: str, github_url: str, model_url: str) -> dict[str, str]:
    port = plan.port or free_port()
    environment = {
        "CALLBOARD_HOME": str(plan.home / "callboard"),
        "CALLBOARD_SECRET_KEY": secrets.token_hex(32),
        "CALLBOARD_BASE_URL": f"http://127.0.0.1:{port}",
        "CALLBOARD_SANDBOX": plan.sandbox,
        "PORT": str(port),
        "LINEAR_API_URL": f"{linear_url}/graphql",
        "LINEAR_CLIENT_ID": "callboard",
        "LINEAR_CLIENT_SECRET": "callboard-secret",
        "LINEAR_WEBHOOK_SECRET": secrets.token_hex(16),
        "GITHUB_API_URL": f"{github_url}/api/v3",
        "GITHUB_WEBHOOK_SECRET": secrets.token_hex(16),
        "ANTHROPIC_API_KEY": plan.model_key,
        "ANTHROPIC_BASE_URL": model_url,
    }
    if plan.database_url:
        environment["DATABASE_URL"] = plan.database_url
    return environment


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
