"""The doors between a process of the service and the world: where requests take time, fail, lie, and processes die.

Every request passes `Door`: a wait, perhaps a fault before anything happened, the act, perhaps a fault after it was
done. A process that died, or is frozen, comes through no door.
"""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from github import GithubException

from bot.github.errors import classify as classify_github
from bot.linear.errors import by_status, classify
from bot.machine.errors import Transient
from tests.simulation.clock import Pause, now

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

Node = dict[str, Any]
Told = TypeVar("Told")
STALE_SECONDS = 20.0

_COMMON = ("crash before", "freeze")
LINEAR_READ = (
    *_COMMON, "linear 400 ratelimited", "linear 429", "linear 401", "linear 500 before", "linear timeout before",
    "linear 200 with errors", "linear stale read",
)  # fmt: skip
LINEAR_WRITE = (
    *_COMMON, "crash after", "linear 400 ratelimited", "linear 429", "linear 401", "linear 500 before",
    "linear timeout before", "linear 200 with errors", "linear 500 after", "linear timeout after", "linear half done",
)  # fmt: skip
GITHUB_READ = (*_COMMON, "github 403 limit", "github 429", "github 401", "github 502 before", "github stale read")
GITHUB_ACT = (
    *_COMMON, "crash after", "github 403 limit", "github 429", "github 401", "github 502 before",
    "github timeout after", "github 502 after",
)  # fmt: skip
DATABASE = ("crash before", "crash after")
WEBHOOK = ("webhook dropped", "webhook doubled", "webhook delayed", "webhook reordered", "webhook malformed")
GREAT = ("restart", "database lost", "second process", "clock jump", "all down")
CRASH_AFTER_PUSH = "crash after push"
KINDS = tuple(dict.fromkeys((*LINEAR_READ, *LINEAR_WRITE, *GITHUB_READ, *GITHUB_ACT, *DATABASE, *WEBHOOK, *GREAT)))


class Chaos:
    """Which faults happen in this story, and how often. Each kind is there in about every third story.

    `pushes` says when a process dies right after it had pushed; it stands apart so that it changes nothing elsewhere.
    """

    def __init__(self, chance: random.Random, pushes: random.Random, rates: Mapping[str, float] | None = None) -> None:
        self.calm = False
        self.chance = chance
        wild = chance.choice((0.0, 0.3, 0.3, 0.5))
        self.rates = {kind: chance.choice((0.005, 0.02, 0.06)) for kind in KINDS if chance.random() < wild}
        for kind in ("crash before", "crash after", "freeze"):
            if kind in self.rates:
                self.rates[kind] /= 4  # there are many doors
        if rates is not None:
            self.rates = dict(rates)
        self.pushes = pushes
        self.deadly = pushes.choice((0.0, 0.1, 0.5)) if rates is None else 0.0
        self.fired: dict[str, int] = {}

    @property
    def harmless(self) -> bool:
        """Whether nothing breaks in this story."""
        return not (self.rates or self.deadly)

    def strikes(self, kinds: Sequence[str]) -> str:
        """One of these faults now, or nothing."""
        if self.calm or not self.rates:
            return ""
        roll = self.chance.random()
        for kind in kinds:
            roll -= self.rates.get(kind, 0.0)
            if roll < 0:
                self.fired[kind] = self.fired.get(kind, 0) + 1
                return kind
        return ""

    def kills_after_push(self) -> bool:
        """Whether a process dies now that has just pushed."""
        kills = not self.calm and self.pushes.random() < self.deadly
        self.fired[CRASH_AFTER_PUSH] = self.fired.get(CRASH_AFTER_PUSH, 0) + kills
        return kills


class Door:
    """The doors of one process."""

    def __init__(self, world: "World", process: "Process") -> None:
        self.world, self.process = world, process

    async def reads_linear(self, name: str, wanted: Mapping[str, Any], read: Callable[[], Node]) -> Node:
        """A read from Linear; the picture of an epic is noted as what the process knows."""
        fault = await self._comes(LINEAR_READ)
        if fault not in ("", "linear stale read"):
            raise _linear(fault)
        if name == "epic":
            return self.world.picture(self.process, str(wanted["id"]), read, stale=fault == "linear stale read")
        return copy.copy(read())

    async def writes_linear(self, parts: Sequence[tuple[str, Mapping[str, Any]]], write: Callable[[int], Node]) -> Node:
        """A document of writes to Linear."""
        fault = await self._comes(LINEAR_WRITE)
        if fault in ("", "crash after", "linear 500 after", "linear timeout after"):
            self.world.writes += not self._is_said_already(parts)
            answer = write(len(parts))
        elif fault == "linear half done":
            write(self.world.chaos.chance.randrange(len(parts)))
            raise classify([{"message": "Internal error", "extensions": {"type": "internal error"}}], 200, {})
        else:
            raise _linear(fault)
        await self._leaves(fault)
        if fault:
            raise _linear(fault)
        return answer

    def _is_said_already(self, parts: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
        """Whether all of it is one comment that a person deleted: Linear takes it for said, and nobody reads anything.

        The panel is asked for with every look; its id is all that the service could know of it.
        """
        ids = [wanted["input"]["id"] if name == "commentCreate" else "" for name, wanted in parts]
        return len(ids) == 1 and ids[0] in self.world.linear.gone_words

    async def looks_at_pulls(self, numbers: tuple[int, ...], act: Callable[[], Node]) -> Node:
        """A look at pull requests, noted as what the process knows."""
        fault = await self._comes(GITHUB_READ)
        if fault not in ("", "github stale read"):
            raise _github(fault)
        return self.world.pulls_picture(self.process, numbers, act, stale=fault == "github stale read")

    async def asks_github(self, act: Callable[[], Told], writes: Callable[[], bool]) -> Told:
        """Anything else on GitHub."""
        fault = await self._comes(GITHUB_ACT)
        after = ("", "crash after", "github timeout after", "github 502 after")
        if fault not in after:
            raise _github(fault)
        answer = act()
        if writes():
            self.world.github_writes += 1
            await self._leaves(fault)
        if fault:
            raise _github(fault)
        return answer

    async def asks_database(self) -> None:
        """Something is to be stored."""
        if await self._comes(DATABASE) == "crash after":
            await self.process.dies("crash after")

    async def stored(self) -> None:
        """It is stored; the process may die before it knows."""
        await self._leaves(self.world.chaos.strikes(("crash after",)))

    async def pushed(self) -> None:
        """A branch is on GitHub; the process may die before anybody knows."""
        if self.world.chaos.kills_after_push():
            await self.process.dies(CRASH_AFTER_PUSH)

    async def _comes(self, kinds: Sequence[str]) -> str:
        await Pause(self.world.chaos.chance.uniform(0.02, 0.4))
        await self.process.may_pass()
        fault = self.world.chaos.strikes(kinds)
        if fault == "crash before":
            await self.process.dies(fault)
        if fault == "freeze":
            self.process.freezes()
            await self.process.may_pass()
            return ""
        if fault:
            self.world.tell(self.process.name, "suffers", fault)
        return fault

    async def _leaves(self, fault: str) -> None:
        if fault == "crash after":
            await self.process.dies(fault)
        if self.world.chaos.chance.random() < 0.2:
            await Pause(0.1)
            await self.process.may_pass()


def _linear(fault: str) -> Exception:
    words = {"retry-after": "30"}
    match fault:
        case "linear 400 ratelimited":
            return classify([{"message": "Rate limit exceeded", "extensions": {"code": "RATELIMITED"}}], 400, words)
        case "linear 429":
            return by_status(429, "Linear answered 429 with something that is not GraphQL", words)
        case "linear 401":
            told = {"message": "Authentication required", "extensions": {"code": "AUTHENTICATION_ERROR"}}
            return classify([told], 401, {})
        case "linear 200 with errors":
            return classify([{"message": "Internal error", "extensions": {"type": "internal error"}}], 200, {})
        case "linear 500 before" | "linear 500 after":
            return by_status(500, "Linear answered 500 with something that is not GraphQL", {})
    return Transient("Linear did not answer within 30 seconds")


def _github(fault: str) -> Exception:
    match fault:
        case "github 403 limit":
            told = {"message": "You have exceeded a secondary rate limit"}
            return classify_github(GithubException(403, told, {"retry-after": "60"}))
        case "github 429":
            return classify_github(GithubException(429, {"message": "Too many requests"}, {"retry-after": "20"}))
        case "github 401":
            return classify_github(GithubException(401, {"message": "Bad credentials"}, {}))
        case "github 502 before" | "github 502 after":
            return classify_github(GithubException(502, {"message": "Bad gateway"}, {}))
    return Transient("GitHub can't be reached: ReadTimeout")


__all__ = ["KINDS", "Chaos", "Door", "now"]
