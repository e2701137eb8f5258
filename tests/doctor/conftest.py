"""A patient: a workspace, a repository and a service's doors, in which everything is as it should be."""

import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette

from bot import doctor
from bot.doctor import Finding
from bot.engine.database import open_database
from bot.engine.embedded import embedded_server
from bot.engine.postgres import PostgresEngine
from bot.github import webhook as github_webhook
from bot.linear import webhook as linear_webhook
from bot.machine.stages import LABELS
from bot.simulator.github import GitHubWorld, github_app
from bot.simulator.linear import LinearWorld, Person, linear_app
from bot.simulator.serving import serve
from bot.web import intake

POLICY = """\
[[repositories]]
name = "acme/youlab"
teams = ["YOU"]

[agent]
runtime = "command"
command = ["true"]
"""


@dataclass
class Patient:
    """What the doctor looks at."""

    linear: LinearWorld
    github: GitHubWorld
    environment: dict[str, str]
    policy: Path

    async def examined(self) -> list[Finding]:
        return [one async for one in doctor.examine(self.environment)]

    async def complaints(self) -> list[Finding]:
        return [one for one in await self.examined() if not one.well]

    async def codes(self) -> list[str]:
        return [one.code for one in await self.complaints()]

    async def hears_of_linear(self) -> None:
        """Somebody does something in Linear, and the webhook arrives."""
        Person(self.linear, self.linear.user("alice")).creates("YOU", "Anything")
        await self.linear.post_office.quiet()

    async def hears_of_github(self) -> None:
        """The App is installed somewhere else, and the webhook arrives."""
        self.github.install(self.github.apps["callboard"], "elsewhere")
        await self.github.post_office.quiet()

    def rewrite(self, before: str, after: str) -> None:
        """Change the policy."""
        text = self.policy.read_text()
        assert before in text
        self.policy.write_text(text.replace(before, after))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server_url() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="callboard-tests-") as folder:
        async with embedded_server(Path(folder)) as server:
            async with await psycopg.AsyncConnection.connect(server.url, autocommit=True) as connection:
                await connection.execute("ALTER SYSTEM SET fsync = off")
                await connection.execute("SELECT pg_reload_conf()")
            yield server.url


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
async def patient(tmp_path: Path, server_url: str, private_key: rsa.RSAPrivateKey) -> AsyncIterator[Patient]:
    policy = tmp_path / "callboard.toml"
    policy.write_text(POLICY)
    linear, github = LinearWorld.small(with_stages=True, retries=()), GitHubWorld(tmp_path / "github")
    async with AsyncExitStack() as stack:
        linear_url = await stack.enter_async_context(serve(linear_app(linear)))
        github_url = await stack.enter_async_context(serve(github_app(github)))
        service_url = await stack.enter_async_context(_doors(server_url))
        stack.push_async_callback(linear.close)
        stack.push_async_callback(github.post_office.close)
        github.base_url = github_url
        await github.create_repository("acme/youlab", {"README.md": "# YouLab\n"})
        app = github.app("callboard", webhook_url=f"{service_url}/webhooks/github", webhook_secret="github")
        for name in LABELS:
            if name not in ("orchestrate", "worker"):  # those are there already
                linear.add_label(name)
        app.__dict__["_key"] = private_key  # one for all patients: making one takes a while
        linear.add_webhook(
            f"{service_url}/webhooks/linear", "linear", types=("Issue", "Comment", "Document", "Attachment")
        )
        secret = tmp_path / "linear-webhook-secret"
        secret.write_text("linear")
        secret.chmod(stat.S_IRUSR)
        environment = {
            "CALLBOARD_HOME": str(tmp_path),
            "CALLBOARD_SECRET_KEY": "k" * 32,
            "CALLBOARD_BASE_URL": service_url,
            "DATABASE_URL": server_url,
            "LINEAR_API_URL": f"{linear_url}/graphql",
            "LINEAR_CLIENT_ID": "callboard",
            "LINEAR_CLIENT_SECRET": "callboard-secret",
            "LINEAR_WEBHOOK_SECRET_FILE": str(secret),
            "GITHUB_API_URL": f"{github_url}/api/v3",
            "GITHUB_APP_ID": str(app.id),
            "GITHUB_APP_PRIVATE_KEY": app.private_key,
            "GITHUB_WEBHOOK_SECRET": "github",
            "ANTHROPIC_API_KEY": "sk-ant-none",
        }
        whole = Patient(linear, github, environment, policy)
        await whole.hears_of_linear()
        await github.post_office.quiet()
        yield whole


@asynccontextmanager
async def _doors(server_url: str) -> AsyncIterator[str]:
    """The webhook addresses of a service, on a database with nothing in it yet."""

    def linear(headers, body, now):
        return linear_webhook.receive(headers, body, ("linear",), now)

    def github(headers, body, now):
        return github_webhook.receive(headers, body, ("github",), now)

    async with open_database(server_url, Path()) as database, PostgresEngine.open(database) as engine:
        async with database.pool.connection() as connection:
            await connection.execute("DELETE FROM deliveries; DELETE FROM refusals")
        sources = (intake.Source("linear", intake.MEGABYTE, linear), intake.Source("github", intake.MEGABYTE, github))
        routes = [intake.route(one, engine.accept, engine.refuse) for one in sources]
        async with serve(Starlette(routes=routes)) as url:
            yield url
