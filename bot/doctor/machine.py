"""This machine as the doctor sees it: files and addresses, the database with what arrived in it, walls, programs, disk
and clock.
"""

import asyncio
import shutil
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
import psycopg

from bot.config import SECRETS, Settings
from bot.doctor.finding import Finding, found
from bot.engine.database import DatabaseUnavailable, open_database
from bot.engine.overview import Overview
from bot.engine.port import EngineStatus
from bot.github.manifest import is_local
from bot.machine.errors import UserError
from bot.policy import Policy
from bot.runs import bounds, selftest
from bot.runs.runtimes import claude
from bot.runs.sandbox import Bubblewrap

GIGABYTE = 1 << 30
FULL, LOW = 1 * GIGABYTE, 5 * GIGABYTE
SKEW = 30.0
"""Seconds that a clock may be off: GitHub takes a login from 60 seconds ahead no more, and Linear's webhooks look
as if they came from the future at 60 behind."""
_PROGRAM_SECONDS = 20.0


def configuration(
    settings: Settings, environment: Mapping[str, str], *, policy_read: bool, at: str = "configuration"
) -> Iterator[Finding]:
    """Addresses, keys and files."""
    mended = policy_read
    public = not all(is_local(url) for url in (settings.linear_api_url, settings.github_api_url))
    if is_local(settings.base_url) and public:
        mended = False
        yield found("address_local", at, url=settings.base_url)
    elif settings.base_url.startswith("http:") and not is_local(settings.base_url):
        mended = False
        yield found("address_plain", at, url=settings.base_url)
    if not (settings.anthropic_api_key or settings.claude_code_oauth_token or settings.openai_api_key):
        mended = False
        yield found("model_key", at)
    for path, mode in _open_to_others(environment):
        mended = False
        yield found("readable", at, path=path, mode=f"{mode:o}")
    if mended:
        yield found("configuration", at)


def _open_to_others(environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Files that hold a secret and can be read by all; a group may, as container platforms mount them so."""
    for path in filter(None, dict.fromkeys(environment.get(f"{name}_FILE", "") for name in SECRETS)):
        try:
            mode = stat.S_IMODE(Path(path).stat().st_mode)
        except OSError:
            continue  # that it can't be read was said when the settings were
        if mode & stat.S_IROTH:
            yield path, mode


async def database(settings: Settings) -> AsyncIterator[Finding | EngineStatus]:
    """Whether the database answers, and what stands in it."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with open_database(settings.database_url, settings.home / "database") as opened:
            status = await Overview(opened.pool).status()
    except (DatabaseUnavailable, UserError, psycopg.Error, OSError) as error:
        yield found("database", "database", error=str(error).strip() or type(error).__name__)
        return
    yield found("database_answers", "database")
    yield status


SOURCES: Mapping[str, Mapping[str, str]] = {
    "linear": {
        "whose": "Linear",
        "setting": "LINEAR_WEBHOOK_SECRET",
        "place": "Linear → Settings → API → the application or the webhook",
        "try_it": "comment on any issue",
    },
    "github": {
        "whose": "GitHub",
        "setting": "GITHUB_WEBHOOK_SECRET",
        "place": "GitHub → the App's settings → Webhook",
        "try_it": "push a branch",
    },
}


def arrivals(status: EngineStatus, base_url: str, *, unasked: Collection[str] = SOURCES) -> Iterator[Finding]:
    """Whether webhooks arrive, and whether the secret fits, of those who don't tell themselves what became of them."""
    for source, words in SOURCES.items():
        about, last, refused = (
            f"{words['whose']}'s webhook",
            status.last_delivery.get(source),
            status.last_refusal.get(source),
        )
        bad = refused if source in unasked else None
        if bad and last is None:
            yield found("refused", about, at=_moment(bad), **words)
        elif bad and last and bad > last:
            yield found("refused_lately", about, at=_moment(bad), before=_moment(last), **words)
        elif last is None:
            yield found("silent", about, url=f"{base_url}/webhooks/{source}", **words)
        else:
            yield found("arrived", about, at=_moment(last))


async def walls(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the walls around agents stand: every probe that gets through is a finding."""
    if settings.sandbox == "off":
        yield found("sandbox_off", "sandbox")
        return
    seen = await selftest.examine(Bubblewrap())
    if seen.missing:
        yield found("sandbox", "sandbox", error=seen.missing)
    for one in seen.through:
        yield found("sandbox_open", "sandbox", tries=one.probe.tries, must=one.probe.must, got=one.got)
    if not seen.missing and not seen.through:
        yield found("sandbox_works", "sandbox", probes=len(seen.tried), seconds=seen.seconds)
    if bounds.groups() is None:
        yield found("sandbox_watched", "sandbox")


async def runtimes(policy: Policy) -> AsyncIterator[Finding]:
    """Whether the programs that the policy names are there and run."""
    stages: dict[str, list[str]] = {policy.agent.runtime: []}
    for stage, own in policy.agent.stages.items():
        stages.setdefault(own.runtime or policy.agent.runtime, []).append(stage)
    for runtime, named in stages.items():
        values = {"runtime": runtime, "stages": ", ".join(named) or "of every kind"}
        try:
            version = await _version(runtime, policy)
        except (OSError, subprocess.SubprocessError, TimeoutError, UserError) as error:
            cure = "install the pinned packages: `pip install -r requirements.lock`"
            if runtime == "command":
                cure = "correct `command` under [agent] in callboard.toml, or install the program"
            yield found("runtime", "runtime", error=str(error) or type(error).__name__, cure=cure, **values)
            continue
        if runtime == "claude" and not version.startswith(claude.TRIED):
            yield found("runtime_version", "runtime", found=version, wanted=claude.TRIED)
        else:
            yield found("runtime_works", "runtime", runtime=runtime, found=version)


async def _version(runtime: str, policy: Policy) -> str:
    if runtime == "command":
        program = policy.agent.command[0] if policy.agent.command else ""
        path = shutil.which(program) if program else None
        if path is None:
            raise UserError(f"there is no program {program!r}" if program else "`command` under [agent] is empty")
        return path
    if runtime != "claude":
        raise UserError("there is no such runtime")
    process = await asyncio.create_subprocess_exec(
        str(claude.program()),
        "--version",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DISABLE_AUTOUPDATER": "1", "HOME": "/nonexistent"},
    )
    try:
        async with asyncio.timeout(_PROGRAM_SECONDS):
            stdout, stderr = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise UserError(f"it says nothing for {_PROGRAM_SECONDS:g} seconds") from None
    if process.returncode != 0:
        raise UserError(f"it ended with code {process.returncode}: {stderr.decode(errors='replace').strip()[-200:]}")
    return stdout.decode(errors="replace").split()[0]


def disk(folder: Path, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> Finding:
    """Whether there is room where everything lies; `free` tells the bytes that are left."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    left = free(there)
    code = "disk" if left < FULL else "disk_low" if left < LOW else "disk_free"
    return found(code, "disk", free=f"{left / GIGABYTE:.1f} GB", path=folder)


async def clock(settings: Settings, now: Callable[[], float] = time.time) -> Finding:
    """Whether this machine's clock agrees with the `Date` of both APIs, to 30 seconds."""
    agreed = []
    for whose, url in (("Linear's", settings.linear_api_url), ("GitHub's", settings.github_api_url)):
        date = await _date(url)
        if date is None:
            continue  # that it can't be reached is said elsewhere
        ahead = now() - date.timestamp()
        if abs(ahead) > SKEW:
            direction = "ahead of" if ahead > 0 else "behind"
            return found("clock", "clock", seconds=round(abs(ahead)), direction=direction, whose=whose)
        agreed.append(whose)
    return found("clock_right", "clock", whose=" and ".join(agreed) or "nobody: no API answered")


async def _date(url: str) -> datetime | None:
    """What an API says the time is, in the header that every answer has, also a refusal."""
    try:
        async with httpx2.AsyncClient(timeout=10, trust_env=not is_local(url), verify=not is_local(url)) as client:
            answer = await client.get(url)
    except httpx2.HTTPError:
        return None
    header = answer.headers.get("date")
    return parsedate_to_datetime(header) if header else None


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
