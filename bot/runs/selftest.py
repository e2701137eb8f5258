"""The walls are tried before anybody is put behind them: one start of the sandbox, all probes inside.

Nobody gets a sandbox by any other way than `sandbox`, which refuses one that a single probe got through.
"""

import asyncio
import json
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.machine.errors import UserError
from bot.runs import probes
from bot.runs.bounds import Bounds
from bot.runs.egress import Network, open_door
from bot.runs.egress.proxy import PORT_INSIDE
from bot.runs.probes import PROBES, Probe, World
from bot.runs.sandbox import Box, Bubblewrap, Sandbox, advice, interpreter, named
from bot.runs.supervisor import Command, Limits, supervise

_ALLOWED = "allowed.example"


@dataclass(frozen=True)
class Tried:
    """What came of one probe. `got` is empty when the wall held."""

    probe: Probe
    got: str


@dataclass(frozen=True)
class Examination:
    """What came of all of them. `missing` is why they could not be tried at all, and what to do."""

    tried: tuple[Tried, ...] = ()
    missing: str = ""
    seconds: float = 0.0

    @property
    def through(self) -> tuple[Tried, ...]:
        """The probes that got through."""
        return tuple(one for one in self.tried if one.got)

    @property
    def reason(self) -> str:
        """Why nobody may be put behind these walls, in a sentence; empty when they hold."""
        if self.missing:
            return self.missing
        found = "; ".join(f"a probe that {one.probe.tries} got through ({one.got})" for one in self.through)
        return f"The walls do not hold here: {found}." if found else ""


async def sandbox(name: str) -> Sandbox:
    """Return the sandbox called `name` (`bwrap` or `off`) after seeing that it holds.

    Raises:
        UserError: there is none of that name, or it does not hold here. Workers must then not be started.
    """
    try:
        found = named(name)
    except KeyError:
        raise UserError(f"CALLBOARD_SANDBOX is `{name}`; it must be `bwrap` or `off`.") from None
    if not isinstance(found, Bubblewrap):
        return found
    if reason := (await examine(found)).reason:
        raise UserError(
            f"{reason} Without walls no agent is started; CALLBOARD_SANDBOX=off runs them without, at your own risk."
        )
    return found


async def examine(walls: Bubblewrap) -> Examination:
    """Try all probes inside one box."""
    started = time.monotonic()
    if missing := await walls.missing():
        return Examination(missing=missing)
    async with _planted() as (box, world):
        argv = tuple(walls.wrap([interpreter(), "-I", "-S", probes.__file__], box))
        command = Command(argv, box.env, box.checkout, json.dumps(world).encode(), (box.checkout, box.home))
        lines: list[bytes] = []
        ended = await supervise(
            command, Limits(wall=20, bounds=Bounds()), transcript=box.home.parent / "said", on_line=lines.append
        )
    if ended.code or not lines:
        return Examination(missing=advice(ended.stderr or f"the probes ended with code {ended.code}"))
    got: dict[str, str] = json.loads(lines[-1])
    tried = tuple(Tried(one, got.get(one.name, "it was not tried")) for one in PROBES)
    return Examination(tried, seconds=round(time.monotonic() - started, 3))


@asynccontextmanager
async def _planted() -> AsyncIterator[tuple[Box, World]]:
    """A box, and around it what must not be found from inside."""
    canary = f"canary-{secrets.token_hex(8)}"
    shm = Path("/dev/shm")  # noqa: S108
    with (
        tempfile.TemporaryDirectory(prefix="callboard-") as name,
        tempfile.NamedTemporaryFile(prefix="callboard-") as tmp_file,
        tempfile.NamedTemporaryFile(prefix="callboard-", dir=shm if os.access(shm, os.W_OK) else None) as shm_file,
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind(f"\0{canary}")
        abstract.listen()
        folder = Path(name)
        for part in ("checkout", "home", "service"):
            (folder / part).mkdir()
        (folder / "service/key").write_text(canary)
        bystander = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", "read nothing", canary), env={"KEY": canary}, stdin=asyncio.subprocess.PIPE
        )
        try:
            async with open_door(Network(lambda: frozenset({_ALLOWED}))) as door:
                world: World = {
                    "canary": canary,
                    "secret_file": str(folder / "service/key"),
                    "tmp_file": tmp_file.name,
                    "shm_file": shm_file.name,
                    "port": str(listener.getsockname()[1]),
                    "abstract": canary,
                    "system": sys.base_prefix,
                    "pid": str(bystander.pid),
                    "proxy": f"127.0.0.1:{PORT_INSIDE} run:{door.token}",
                    "allowed": _ALLOWED,
                    "host": socket.gethostname(),
                }
                env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder / "home"), "LANG": "C.UTF-8"}
                shown = (Path(probes.__file__),)
                yield Box(folder / "checkout", folder / "home", None, shown, env=env, door=door.socket), world
        finally:
            bystander.kill()
            await bystander.wait()
