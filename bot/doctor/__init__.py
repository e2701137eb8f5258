"""What disagrees between the settings, this machine, Linear and GitHub: what it is, why it matters, what mends it.

Each check is small: something is read into a frozen value, and a pure function judges it. A new check is a function in
`linear`, `github` or `machine`, and its words in `bot/words/findings.toml`.
"""

from collections.abc import AsyncIterator, Mapping

from bot.board import open_board
from bot.config import PolicyFile, Settings, read_policy, read_settings, require_for_serving
from bot.doctor import github, linear, machine
from bot.doctor.finding import Finding, Level, found
from bot.engine.port import EngineStatus
from bot.machine.errors import UserError
from bot.policy import Policy

__all__ = ["Finding", "Level", "examine"]


async def examine(environment: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Everything that can be found out with these settings; nothing is changed anywhere."""
    try:
        settings = read_settings(environment)
        require_for_serving(settings)
    except UserError as error:
        path = environment.get("CALLBOARD_HOME") or "~/.callboard"
        yield found("settings", "configuration", error=error, path=f"{path}/environment")
        return
    policy = None
    try:
        policy = read_policy(settings.config)
        if not policy.repositories:
            yield found("no_repository", "configuration", path=settings.config)
    except UserError as error:
        yield found("policy", "configuration", error=error, path=settings.config)
    for finding in machine.configuration(settings, environment, policy_read=policy is not None):
        yield finding
    async for finding in _machine(settings, policy or Policy()):
        yield finding
    if policy is None:
        return
    async with open_board(settings, PolicyFile(settings.config)) as board:
        async for finding in linear.examine(board):
            yield finding
        async for finding in github.examine(board):
            yield finding


async def _machine(settings: Settings, policy: Policy) -> AsyncIterator[Finding]:
    async for finding in machine.walls(settings):
        yield finding
    async for finding in machine.runtimes(policy):
        yield finding
    yield machine.disk(settings.home)
    yield await machine.clock(settings)
    async for seen in machine.database(settings):
        if not isinstance(seen, EngineStatus):
            yield seen
            continue
        unasked = ("linear",) if settings.github_app else tuple(machine.SOURCES)  # GitHub tells an App what it refused
        for finding in machine.arrivals(seen, settings.base_url, unasked=unasked):
            yield finding
