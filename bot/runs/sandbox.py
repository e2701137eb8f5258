"""The walls around a run: what an agent can see, write and reach.

`Bubblewrap` gives it namespaces of its own: no network, no other process, no file but the system's programs
(read-only), its checkout and its home. bubblewrap itself is started with the agent's clean environment, because a
process inside could read that of the outermost one (security S-31). Resource limits are the warden's.
`Off` is no wall at all and is only taken when it is asked for by name.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.machine.errors import UserError

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Programs and libraries; a distribution that merged them has links here, which are kept as links."""
ETC = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs"),
    *("group", "hosts", "host.conf", "nsswitch.conf", "passwd", "protocols", "services"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "mime.types"),
)
"""The parts of /etc that programs need; nothing here is secret. The rest is not there."""


@dataclass(frozen=True)
class Box:
    """What one run may see. Paths are the same inside and outside.

    `checkout`, `home` and `handover` (when given) can be written. `read_only` are files, folders and sockets besides
    the system's. `hidden` are folders or files under a visible path that must look empty. `env` is the whole
    environment.
    """

    checkout: Path
    home: Path
    handover: Path | None = None
    read_only: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


class Sandbox(Protocol):
    """A way of putting walls around a program."""

    name: str

    def wrap(self, argv: Sequence[str], box: Box) -> list[str]:
        """Return the argument list that runs `argv` inside `box`, in the checkout. Start it with `box.env` only."""
        ...

    async def missing(self) -> str:
        """Try the walls for real; say in one sentence what is missing here, or nothing."""
        ...


class Off:
    """No walls: the agent can read and write what the service can. Its environment is still its own."""

    name = "off"

    def wrap(self, argv: Sequence[str], box: Box) -> list[str]:  # noqa: ARG002  # there is no box
        """Return `argv` as it is."""
        return list(argv)

    async def missing(self) -> str:
        """Nothing can be missing."""
        return ""


class Bubblewrap:
    """Walls made by bubblewrap: fresh namespaces, no network, user 1000, no capability."""

    name = "bwrap"

    def wrap(self, argv: Sequence[str], box: Box) -> list[str]:
        """Return `argv` behind bubblewrap."""
        return [
            *("bwrap", "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--hostname", "agent"),
            *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
            *_system(),
            *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"),  # noqa: S108  # the agent's
            *_mounts(box),
            *("--chdir", str(box.checkout), "--", *argv),
        ]

    async def missing(self) -> str:
        """Run a program behind the same walls; the sentence quotes bubblewrap when that fails."""
        here = Path(sys.prefix)
        argv = self.wrap(["/bin/sh", "-c", "test $$ -gt 1"], Box(here, here))
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError:
            return "bubblewrap is not installed (Debian, Ubuntu and Fedora call the package `bubblewrap`)."
        _, stderr = await process.communicate()
        if process.returncode == 0:
            return ""
        reason = stderr.decode(errors="replace").strip().splitlines()
        return (
            f"bubblewrap cannot make its walls here ({reason[-1] if reason else 'no reason given'}); the system must"
            " allow user namespaces and, inside a container, a fresh /proc."
        )


async def sandbox(name: str) -> Sandbox:
    """Return the sandbox called `name` (`bwrap` or `off`) after seeing that it works.

    Raises:
        UserError: there is none of that name, or it does not work here. Workers must then not be started.
    """
    known: dict[str, Sandbox] = {"bwrap": Bubblewrap(), "off": Off()}
    if name not in known:
        raise UserError(f"CALLBOARD_SANDBOX is `{name}`; it must be `bwrap` or `off`.")
    if missing := await known[name].missing():
        raise UserError(
            f"{missing} Without walls no agent is started; CALLBOARD_SANDBOX=off runs them without, at your own risk."
        )
    return known[name]


def toolchain() -> tuple[Path, ...]:
    """Return where the Python that runs us lives, when that is not among the system's programs."""
    base = Path(sys.base_prefix).resolve()
    return () if base.is_relative_to("/usr") else (base,)


def _system() -> list[str]:
    words: list[str] = []
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            words += ["--ro-bind", name, name]
    for name in ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return words


def _mounts(box: Box) -> list[str]:
    """The box's own mounts, outermost first: an inner one that came earlier would be covered by the outer one."""
    mounts = {path: ["--ro-bind", str(path), str(path)] for path in box.read_only}
    mounts |= {path: _cover(path) for path in box.hidden}
    mounts |= {path: ["--bind", str(path), str(path)] for path in (box.home, box.checkout, box.handover) if path}
    return [word for path in sorted(mounts, key=lambda path: len(path.parts)) for word in mounts[path]]


def _cover(path: Path) -> list[str]:
    if path.is_dir():
        return ["--tmpfs", str(path)]
    return ["--ro-bind", "/dev/null", str(path)] if path.exists() else []
