"""Run git: arguments as a list, an environment and a configuration of our own, errors of three kinds (S-41, S-44).

Nothing that a repository, a user or a system configures can start a program here: no hooks, no credential helpers, no
transport but HTTP. A token travels in the environment of the one process that needs it, never in arguments or files.
"""

import asyncio
import base64
import os
import re
import signal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.machine.errors import Refused, Transient

SAFE: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "gc.auto": "0",
    "http.followRedirects": "false",  # a token must not follow to another host
    "http.lowSpeedLimit": "1",  # with the next: a git that outlives its service leaves a dead connection
    "http.lowSpeedTime": "300",
    "init.defaultBranch": "main",
    "init.templateDir": "",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
    "push.gpgSign": "false",
    "commit.gpgSign": "false",
    "safe.bareRepository": "explicit",
    "submodule.recurse": "false",
    "transfer.fsckObjects": "true",
}
"""Configuration of every call. It comes from the environment, so it wins over any file."""

_KEPT = (
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
)
"""What git may know of the service's own environment: how to find programs, and how to reach the network."""

_NETWORK = re.compile(
    r"could not resolve host|failed to connect|couldn't connect|connection (refused|reset|timed out)|timed out|"
    r"returned error: (408|429|5\d\d)|http (408|429|5\d\d)|early eof|unexpected disconnect|empty reply|"
    r"hung up unexpectedly|the remote end hung up|recv failure|send failure|gnutls_|ssl_|rpc failed|transfer closed",
    re.IGNORECASE,
)
_DISK = re.compile(
    r"No space left on device|Disk quota exceeded|Read-only file system|"
    r"couldn't write '|unable to write |write error|failed to write",  # where git doesn't say why it could not
    re.IGNORECASE,
)
_AUTHORITY = re.compile(
    r"authentication failed|could not read (username|password)|returned error: (401|403|404)|http (401|403|404)|"
    r"repository not found|permission to .* denied|repository '.*' not found",
    re.IGNORECASE,
)


class GitError(Exception):
    """Git failed for a reason that is neither the network nor authority: a bug, or a damaged repository."""

    def __init__(self, arguments: tuple[str, ...], code: int, message: str) -> None:
        super().__init__(f"git {' '.join(arguments)} ended with {code}: {message.strip()}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Result:
    """What a git process said."""

    code: int
    out: bytes
    message: str

    @property
    def text(self) -> str:
        """Standard output as text; names that are not UTF-8 survive as surrogates."""
        return self.out.decode("utf-8", "surrogateescape")

    @property
    def line(self) -> str:
        """The only line of the output."""
        return self.text.strip()

    @property
    def fields(self) -> list[str]:
        """The NUL-separated fields of the output."""
        return self.text.split("\0")[:-1]


async def git(
    *arguments: str,
    repository: Path | None = None,
    input: bytes | int | None = None,  # noqa: A002  # the name that subprocess has for it
    config: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    token: str | None = None,
    accept: Collection[int] = (0,),
    seconds: float = 600.0,
    inherits: Collection[int] = (),
) -> Result:
    """Run `git` on the git directory `repository` and return what it said, if its exit code is in `accept`.

    `input` is bytes for standard input, or a file descriptor. `config` is added to `SAFE`; `environment` to the
    clean one. `token` is sent as HTTP basic authentication of `x-access-token`. After `seconds` it is killed. While it
    lives it keeps the open files `inherits` open.

    Raises:
        Transient: the network or the other side failed, or it took too long.
        Refused: the other side knows no such repository, or not for this token.
        GitError: anything else.
    """
    command = ("git", *(("--git-dir", str(repository)) if repository else ()), *arguments)
    clean = _environment(config or {}, environment or {}, token)
    return await run(command, clean, input, token, accept, seconds, inherits=inherits)


async def run(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    input: bytes | int | None = None,  # noqa: A002
    secret: str | None = None,
    accept: Collection[int] = (0,),
    seconds: float = 600.0,
    cwd: Path | None = None,
    inherits: Collection[int] = (),
) -> Result:
    """Run one git command in exactly this environment; `secret` is blotted out of what it says. Raises as `git`."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=input if isinstance(input, int) else asyncio.subprocess.PIPE if input else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        cwd=cwd,
        start_new_session=True,
        pass_fds=tuple(inherits),
    )
    try:
        async with asyncio.timeout(seconds):
            out, errors = await process.communicate(input if isinstance(input, bytes) and input else None)
    except TimeoutError:
        raise Transient(f"git took longer than {seconds:.0f} s") from None
    finally:
        if process.returncode is None:  # timed out or cancelled: its helpers (git-remote-http) die with it
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    message = errors.decode("utf-8", "replace")
    if secret:
        message = message.replace(secret, "***")
    code = process.returncode or 0
    if code not in accept:
        raise failure(command[1:], code, message)
    return Result(code, out, message)


def failure(arguments: tuple[str, ...], code: int, message: str) -> Exception:
    """The error that a failed git command is, read from what it said."""
    summary = _sentence(message)
    if _DISK.search(message):
        return Transient(f"git could not write: {summary}")
    if _AUTHORITY.search(message):
        return Refused(f"git was refused: {summary}")
    if _NETWORK.search(message):
        return Transient(f"git could not reach the repository: {summary}")
    return GitError(arguments, code, message)


def _sentence(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
    return " ".join(telling)[:500]


def _environment(config: Mapping[str, str], extra: Mapping[str, str], token: str | None) -> dict[str, str]:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "HOME": "/dev/null",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ADVICE": "0",
    }
    settings = {**SAFE, **config}
    if token:
        settings["http.extraHeader"] = f"Authorization: Basic {_basic(token)}"
    environment["GIT_CONFIG_COUNT"] = str(len(settings))
    for index, (key, value) in enumerate(settings.items()):
        environment[f"GIT_CONFIG_KEY_{index}"] = key
        environment[f"GIT_CONFIG_VALUE_{index}"] = value
    return {**environment, **extra}


def _basic(token: str) -> str:
    return base64.b64encode(f"x-access-token:{token}".encode()).decode()
