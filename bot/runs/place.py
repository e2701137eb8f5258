"""Where a run happens, and the walls that an agent and a verification share.

Everything a program of a run can see is made from nothing: its environment, its home, and the list of paths in its
box. So no secret of the service can be in it.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.git.checkout import AGENT, EXCLUDED, remove
from bot.runs.bounds import Bounds
from bot.runs.egress import Door, Network, open_door
from bot.runs.gateway import Upstream
from bot.runs.meter import Account
from bot.runs.prices import PRICES, Price
from bot.runs.runtimes import REGISTRY
from bot.runs.runtimes.base import Runtime
from bot.runs.sandbox import Box, Off, Sandbox, toolchain
from bot.runs.supervisor import Command


@dataclass(frozen=True)
class Place:
    """Where a run happens.

    `checkout` is a repository of its own at `base_commit`. `folder` is the run's own folder outside of it; an agent's
    run empties it first and leaves `prompt.md`, `transcript.jsonl` and the bundle there; a verification adds its logs.
    `read_only` and `hidden` are as in `Box`; the objects that the checkout borrows belong to `read_only`.
    """

    checkout: Path
    folder: Path
    base_commit: str
    read_only: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()

    @property
    def home(self) -> Path:
        """The home of the programs that run here; it goes when they end."""
        return self.folder / "home"


@dataclass(frozen=True)
class House:
    """What all runs of a service share. `silent` is how many seconds without a sign of life mean that a run hangs."""

    sandbox: Sandbox
    upstream: Upstream | None = None
    """None: runs get no model."""
    runtimes: Mapping[str, Runtime] = field(default_factory=lambda: REGISTRY)
    prices: Mapping[str, Price] = field(default_factory=lambda: PRICES)
    account: Callable[[str], Account] | None = None
    """What a run, by its id, shares with others; None: nothing."""
    silent: float = 900.0
    env: Mapping[str, str] = field(default_factory=dict)
    """Goes before what a run would have in its environment otherwise; nothing secret."""
    network: Network | None = None
    """None: runs reach nothing but their model."""
    bounds: Callable[[], Bounds] = Bounds
    """How much of the machine each run may use."""


async def make_home(place: Place) -> None:
    """Give the place a fresh, empty home; what an earlier program left in the old one is gone.

    Raises:
        OSError: the folder can't be written.
    """
    await remove(place.home)
    (place.home / "tmp").mkdir(parents=True)
    place.folder.chmod(0o700)
    ignored = place.home / ".config/git/ignore"  # where git looks by itself
    ignored.parent.mkdir(parents=True)
    ignored.write_text(f"/{EXCLUDED}\n")


@asynccontextmanager
async def way_out(house: House, run: str) -> AsyncIterator[Door | None]:
    """Keep the way out open for one run; None where there is none, or no wall to have a door in."""
    if house.network is None or isinstance(house.sandbox, Off):
        yield None
        return
    async with open_door(house.network, run) as door:
        yield door


def environment(place: Place, door: Door | None = None) -> dict[str, str]:
    """Return all that a program inherits. It is made from nothing, so no secret of ours can be in it."""
    programs = [*(str(path / "bin") for path in toolchain()), "/usr/local/bin", "/usr/bin", "/bin"]
    return {
        "PATH": ":".join(programs),
        "HOME": str(place.home),
        "TMPDIR": str(place.home / "tmp"),
        "CLAUDE_CODE_TMPDIR": str(place.home / "tmp"),
        "USER": "agent",
        "LOGNAME": "agent",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": AGENT.name,
        "GIT_AUTHOR_EMAIL": AGENT.email,
        "GIT_COMMITTER_NAME": AGENT.name,
        "GIT_COMMITTER_EMAIL": AGENT.email,
        "PYTHONDONTWRITEBYTECODE": "1",
        **(door.environment() if door else {}),
    }


def behind_walls(
    argv: tuple[str, ...],
    place: Place,
    sandbox: Sandbox,
    env: Mapping[str, str],
    *,
    visible: tuple[Path, ...] = (),
    handover: Path | None = None,
    stdin: bytes = b"",
    door: Door | None = None,
) -> Command:
    """Return `argv` as a command that works in the checkout and sees nothing else but what is named here.

    `env` is the whole environment; `visible` can be read besides what the place shows; `handover` can be written;
    `door` is the way out.
    """
    shown = (*toolchain(), *place.read_only, *visible)
    out = door.socket if door else None
    box = Box(place.checkout, place.home, handover, shown, place.hidden, env, out)
    folders = (place.checkout, place.home, *((handover,) if handover else ()))
    return Command(tuple(sandbox.wrap(argv, box)), env, place.checkout, stdin, folders)
