"""The walls around a run: what an agent can see, write and reach.

`Bubblewrap` gives it namespaces of its own: no network, no other process, no file but the system's programs
(read-only), its checkout and its home. bubblewrap itself is started with the agent's clean environment, because a
process inside could read that of the outermost one (security S-31). What bubblewrap leaves open, `inside.py` closes;
resource limits are the warden's, and those of a control group (`bounds.py`).
`Off` is no wall at all and is only taken when it is asked for by name.
"""

import asyncio
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.runs import inside
from bot.runs.egress.proxy import PORT_INSIDE

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Programs and libraries; a distribution that merged them has links here, which are kept as links."""
ETC = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs"),
    *("group", "hosts", "host.conf", "nsswitch.conf", "passwd", "protocols", "services"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "mime.types"),
)
"""The parts of /etc that programs need; nothing here is secret. The rest is not there."""
KERNEL = ("sys", "sysrq-trigger", "irq", "bus", "fs")
"""Parts of /proc by which the machine itself is changed. Their files ask for root of the machine and no capability, and
when the service is root, so is everybody behind its walls, whatever number they see: only a mount keeps them out."""
SECRETIVE = ("kcore", "keys", "timer_list", "sched_debug", "acpi", "scsi", "asound", "kpageflags", "kpagecount")
"""Parts of /proc that tell of others; the same that container runtimes hide."""
_PATH = "/usr/local/bin:/usr/bin:/bin"
_USUALLY = (
    "The system must allow user namespaces, and a container must allow a fresh /proc:"
    " `docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
    " --security-opt systempaths=unconfined`."
)
_CURES = {
    "No permissions to create": "Allow user namespaces: `sysctl kernel.unprivileged_userns_clone=1`"
    " `user.max_user_namespaces=10000` `kernel.apparmor_restrict_unprivileged_userns=0` (whichever exists); in a"
    " container also `--security-opt seccomp=unconfined`.",
    "setting up uid map": "Allow user namespaces to plain users:"
    " `sysctl kernel.apparmor_restrict_unprivileged_userns=0`.",
    "Can't mount proc": "This container hides parts of /proc, so no fresh one may be mounted: start it with"
    " `--security-opt systempaths=unconfined` (Kubernetes: `procMount: Unmasked`).",
    "loopback": "The box may not set up its own loopback: allow user namespaces to plain users"
    " (`sysctl kernel.apparmor_restrict_unprivileged_userns=0`).",
    "walls could not be closed": "The kernel takes no seccomp filter here, or this processor is not known: x86_64 and"
    " aarch64 are.",
}
"""What bubblewrap says, and what to do then."""


@dataclass(frozen=True)
class Box:
    """What one run may see. Paths are the same inside and outside.

    `checkout`, `home` and `handover` (when given) can be written. `read_only` are files, folders and sockets besides
    the system's. `hidden` are folders or files under a visible path that must look empty. `env` is the whole
    environment. `door` is the socket of the way out, which is shown as a port on the box's loopback.
    """

    checkout: Path
    home: Path
    handover: Path | None = None
    read_only: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    door: Path | None = None


class Sandbox(Protocol):
    """A way of putting walls around a program."""

    name: str

    def wrap(self, argv: Sequence[str], box: Box) -> list[str]:
        """Return the argument list that runs `argv` inside `box`, in the checkout. Start it with `box.env` only."""
        ...


class Off:
    """No walls: the agent can read and write what the service can. Its environment is still its own."""

    name = "off"

    def wrap(self, argv: Sequence[str], box: Box) -> list[str]:  # noqa: ARG002  # there is no box
        """Return `argv` as it is."""
        return list(argv)


class Bubblewrap:
    """Walls made by bubblewrap: fresh namespaces, no network, user 1000, no capability."""

    name = "bwrap"

    def wrap(self, argv: Sequence[str], box: Box) -> list[str]:
        """Return `argv` behind bubblewrap."""
        seen = (*toolchain(), *box.read_only, Path(inside.__file__), *((box.door,) if box.door else ()))
        return [
            *("bwrap", "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--hostname", "agent"),
            *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
            *_system(),
            *(*_proc(), "--dev", "/dev", *_tmpfs("/dev/shm", 256), "--remount-ro", "/dev"),  # noqa: S108
            *(*_tmpfs("/tmp", 512), *_tmpfs("/run", 16)),  # noqa: S108  # the agent's own
            *_mounts(box, seen),
            *("--remount-ro", "/", "--chdir", str(box.checkout), "--"),
            *(interpreter(), "-I", "-S", inside.__file__),
            *(str(box.door or "-"), str(PORT_INSIDE), *argv),
        ]

    async def missing(self) -> str:
        """Start a program behind the walls; the sentence quotes bubblewrap when that fails."""
        here = Path(sys.prefix)
        if shutil.which("bwrap", path=_PATH) is None:
            return "bubblewrap is not installed (Debian, Ubuntu and Fedora call the package `bubblewrap`)."
        process = await asyncio.create_subprocess_exec(
            *self.wrap(["/bin/sh", "-c", "test $$ -gt 1"], Box(here, here)),
            env={"PATH": _PATH},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, stderr = await process.communicate()
        return advice(stderr.decode(errors="replace")) if process.returncode else ""


def advice(said: str) -> str:
    """Say why the walls can't be made, by what bubblewrap said, and what to do about it."""
    reason = (said.strip().splitlines() or ["no reason given"])[-1]
    found = [cure for words, cure in _CURES.items() if words in reason]
    return f"bubblewrap cannot make its walls here ({reason}). {found[0] if found else _USUALLY}"


def named(name: str) -> Sandbox:
    """Return the sandbox called `name`: `bwrap` or `off`.

    Raises:
        KeyError: there is none of that name.
    """
    known: dict[str, Sandbox] = {"bwrap": Bubblewrap(), "off": Off()}
    return known[name]


def interpreter() -> str:
    """Return the Python of the toolchain; it can be started inside, too."""
    return str(Path(sys.executable).resolve())


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


def _proc() -> list[str]:
    """A /proc of its own, in which nothing of the machine can be changed."""
    words = ["--proc", "/proc"]
    for name in KERNEL:
        words += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    for name in SECRETIVE:
        words += _cover(Path("/proc", name))
    return words


def _tmpfs(path: str, megabytes: int) -> list[str]:
    """An empty folder in memory, of bounded size."""
    return ["--size", str(megabytes << 20), "--tmpfs", path]


def _mounts(box: Box, seen: Sequence[Path]) -> list[str]:
    """The box's own mounts, outermost first: an inner one that came earlier would be covered by the outer one."""
    mounts = {path: ["--ro-bind", str(path), str(path)] for path in seen}
    mounts |= {path: _cover(path) for path in box.hidden}
    mounts |= {path: ["--bind", str(path), str(path)] for path in (box.home, box.checkout, box.handover) if path}
    return [word for path in sorted(mounts, key=lambda path: len(path.parts)) for word in mounts[path]]


def _cover(path: Path) -> list[str]:
    if path.is_dir():
        return _tmpfs(str(path), 1)
    return ["--ro-bind", "/dev/null", str(path)] if path.exists() else []
