"""One process of the service: the real loop, observers and verbs, put together as `bot/app.py` does."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.requests import Request

from bot.app import Callbacks
from bot.engine.memory import MemoryEngine
from bot.engine.memory_database import MemoryDatabase
from bot.engine.port import Accepted, Delivery, RunOrder
from bot.github import webhook as github_webhook
from bot.github.ensure import Ensure
from bot.github.observe import Observe
from bot.linear import webhook as linear_webhook
from bot.linear.directory import Directory
from bot.linear.ensure import Writes
from bot.linear.observe import Observer as LinearObserver
from bot.machine.decision import Decision
from bot.machine.errors import Refused, Transient, UserError
from bot.machine.facts import Facts
from bot.observe import Observer
from bot.perform import Performer
from bot.policy import Policy
from bot.reconcile import Reconciler
from bot.telling import Telling
from bot.unchecked import Unchecked
from bot.watchdog import Watchdog
from bot.web import intake
from handlers import HANDLERS
from tests.simulation.doors import Door
from tests.simulation.hub_door import HubDoor
from tests.simulation.linear import TEAM
from tests.simulation.linear_door import LinearDoor
from tests.simulation.pull_request import OWN
from tests.simulation.worker import FakeWorker

if TYPE_CHECKING:
    from tests.simulation.world import World

KEY = "k" * 32
LINEAR_SECRET, GITHUB_SECRET = "linear-secret", "github-secret"
DEAD_AFTER = 30.0
"""Seconds after which the others notice that a process is gone."""
FROZEN_SECONDS = 45.0


class Engine(MemoryEngine):
    """The real engine; what it is asked for takes its way through the door to the database."""

    process: "Process"

    async def accept(self, delivery: Delivery) -> Accepted:
        """Store a delivery."""
        await self.process.door.asks_database()
        accepted = await super().accept(delivery)
        self.process.world.watch.deliveries.accepted(delivery)
        await self.process.door.stored()
        return accepted

    async def start_run(self, order: RunOrder) -> None:
        """Queue a run."""
        await self.process.door.asks_database()
        self.process.world.watch.starts.ordered(self.process, order)
        await super().start_run(order)
        await self.process.door.stored()

    async def intend(
        self, key: str, above: Mapping[str, int], known: Mapping[str, tuple[int, int]]
    ) -> Mapping[str, int]:
        """Numbers for records that are about to be written."""
        await self.process.door.asks_database()
        return await super().intend(key, above, known)

    async def wrote(self, key: str, seen: Mapping[str, tuple[int, str]]) -> None:
        """These records stand on Linear."""
        await self.process.door.asks_database()
        await super().wrote(key, seen)
        self.process.world.watch.records.noted(self.process, {issue: number for issue, (number, _) in seen.items()})

    async def cancel_run(self, run_id: str, reason: str) -> None:
        """Stop a run."""
        await self.process.door.asks_database()
        await super().cancel_run(run_id, reason)


class Till:
    """No model is called here, so no money is taken off."""

    async def open(self, _run: str) -> None:
        """A start of a run begins."""


async def _shown(_facts: Facts, _decision: Decision) -> None:
    """Nobody looks at pages."""


async def _nothing() -> None:
    """GitHub is not asked what became of its webhooks: what is dropped stays dropped."""


class Told(Callbacks):
    """The real callbacks; an error that is none of the kinds that may cross a module's edge is told at once."""

    process: "Process"

    async def reconcile(self, key: str) -> float | None:
        """One round."""
        watch = self.process.world.watch
        watch.rounds.begins(key)
        try:
            again = await super().reconcile(key)
        except Exception as error:
            watch.rounds.failed(self.process, key)
            if not isinstance(error, Transient | Refused | UserError | TimeoutError):
                watch.broke("a round", error)
            raise
        watch.rounds.ends(key, again)
        return again


class Process:
    """One process. Its clock may be wrong by `skew`."""

    def __init__(self, world: "World", database: MemoryDatabase, name: str) -> None:
        self.world, self.name = world, name
        self.alive = True
        self.skew = timedelta()
        self.door = Door(world, self)
        self._thawed = asyncio.Event()
        self._thawed.set()
        spare = world.policy.limits.workers  # so that only the database's rule keeps the cap
        self.engine = Engine(workers=world.policy.limits.workers + spare, database=database)
        self.engine.process = self
        self.database = database
        client, hub = LinearDoor(self.door, world.linear), HubDoor(self.door, world.hub)
        loop = world.loop

        def policy() -> Policy:
            return world.policy

        directory = Directory(client, lambda: (TEAM,), clock=loop.time)
        reads = LinearObserver(client, states=lambda: policy().state_names(), keys=(KEY,), directory=directory)
        observe = Observe(hub, loop.time)
        unchecked = Unchecked(loop.time)
        observer = Observer(reads, directory, observe, self.engine, policy, self.clock, unchecked=unchecked)
        worker = FakeWorker(world, self)
        performer = Performer(
            telling=Telling(
                begin=lambda: Writes(client, directory, states=policy().state_names(), key=KEY),
                runs=self.engine,
                page="https://callboard.example",
            ),
            github=Ensure(hub),
            runs=self.engine,
            clean_up=worker.clean_up,
            log_of=observe.log_of,
            policy=policy,
            refusals=observer.refusals,
        )

        async def perform(facts: Facts, decision: Decision) -> float | None:
            world.decided(self, facts, decision)
            again = await performer.perform(facts, decision)
            world.settled(facts.key)
            return again

        reconciler = Reconciler(observer.observe, HANDLERS, perform, observer.find_key, self.engine, _shown)
        watchdog = Watchdog(observer.memory, self.engine.status, self.engine.hint, self.clock)
        self.callbacks = Told(reconciler, worker, observer, _nothing, watchdog, Till())  # type: ignore[arg-type]
        self.callbacks.process = self
        self._intake = {
            "linear": intake.route(intake.Source("linear", 5 * intake.MEGABYTE, self._linear), self.engine.accept),
            "github": intake.route(intake.Source("github", 25 * intake.MEGABYTE, _github), self.engine.accept),
        }
        self._reads = reads
        self.tasks: dict[asyncio.Task[Any], None] = {}  # no set: in what order they are cancelled must not be chance
        self.begin(self.engine.run(self.callbacks))

    def begin(self, work: Any) -> asyncio.Task[Any]:
        """Something that ends with the process."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.world.watch.violated("a part of the process failed", repr(error))

    def clock(self) -> datetime:
        """What this machine takes for the time."""
        return self.world.loop.now() + self.skew

    # ---- life and death

    async def may_pass(self) -> None:
        """Come through a door, unless the process is dead; a frozen one waits."""
        if not self._thawed.is_set():
            await self._thawed.wait()
        if not self.alive:
            await asyncio.get_running_loop().create_future()  # for ever; the cancellation is on its way

    async def dies(self, how: str) -> None:
        """SIGKILL, from within."""
        self.kill(how)
        await asyncio.get_running_loop().create_future()

    def kill(self, how: str) -> None:
        """SIGKILL: nothing of it goes on; its agents die with it."""
        if not self.alive:
            return
        self.alive = False
        self.world.tell(self.name, "dies", how)
        self.engine.die()
        for task in self.tasks:
            task.cancel()
        loop = asyncio.get_running_loop()
        loop.call_later(DEAD_AFTER, self.database.bury, self.engine)
        self.world.died(self)

    async def stops(self) -> None:
        """SIGTERM: what runs goes back to the queue."""
        self.world.tell(self.name, "stops", "")
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.alive:  # else it was killed meanwhile
            self.alive = False
            self.world.died(self)

    def freezes(self) -> None:
        """Nothing of it moves for longer than the others believe in it; then it finds out and gives up."""
        if not self._thawed.is_set():
            return
        self._thawed.clear()
        self.world.tell(self.name, "freezes", "")
        loop = asyncio.get_running_loop()
        loop.call_later(DEAD_AFTER, self._is_missed)
        loop.call_later(FROZEN_SECONDS, self._thaws)

    def _is_missed(self) -> None:
        if self.alive:
            self.database.bury(self.engine)

    def _thaws(self) -> None:
        self._thawed.set()
        if self.alive:
            self.world.tell(self.name, "thaws", "")
            asyncio.get_running_loop().call_later(1.0, self.kill, "it lost its jobs")

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return not self._thawed.is_set()

    # ---- the web

    async def receives(self, source: str, headers: Mapping[str, str], body: bytes) -> int:
        """A webhook comes in; the status of the answer."""

        async def read() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": f"/webhooks/{source}", "headers": raw}
        answer = await self._intake[source].endpoint(Request(scope, read))
        return int(answer.status_code)

    def _linear(self, headers: Headers, body: bytes, now: datetime) -> intake.Reception:
        return linear_webhook.receive(headers, body, (LINEAR_SECRET,), now, own=self._reads.app)


def _github(headers: Headers, body: bytes, now: datetime) -> intake.Reception:
    return github_webhook.receive(headers, body, (GITHUB_SECRET,), now, own=OWN)


__all__ = ["GITHUB_SECRET", "KEY", "LINEAR_SECRET", "Process", "contextlib"]
