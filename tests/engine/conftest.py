"""One bench for both engines: the engine under test, and callbacks that record, hold, fail and are released."""

import asyncio
import contextlib
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
import structlog

from bot.engine.database import Database, open_database
from bot.engine.embedded import embedded_server
from bot.engine.memory import MemoryEngine
from bot.engine.pace import Pace
from bot.engine.port import Delivery, Engine, EngineStatus, KeyRow, Lease, RunOrder, RunRow
from bot.engine.postgres import PostgresEngine

FAST = Pace(
    poll=0.05,
    tick=0.03,
    sweep=0.05,
    beat=0.05,
    dead_after=0.35,
    resync=60,
    reconcile_grace=0.05,
    first_retry=0.02,
    last_retry=0.04,
    tries=3,
)
PATIENCE = 60.0
"""Seconds after which something never happens; on a busy machine much takes longer than it should."""
TABLES = (
    "deliveries",
    "keys",
    "routes",
    "records",
    "runs",
    "spending",
    "accounts",
    "pauses",
    "procrastinate_jobs",
    "procrastinate_workers",
)


class Busy(Exception):  # noqa: N818 - a word of the test
    """An error of the outside world that says when to come back."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("busy")
        self.retry_after = retry_after


@dataclass
class Recorder:
    """Callbacks that do what a test says, and write down what happened."""

    rounds: list[str] = field(default_factory=list)  # finished or failed
    inside: Counter[str] = field(default_factory=Counter)
    most_inside: Counter[str] = field(default_factory=Counter)
    held: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    hold_keys: set[str] = field(default_factory=set)
    fail: dict[str, Exception] = field(default_factory=dict)
    again: dict[str, float] = field(default_factory=dict)
    live_keys: list[str] = field(default_factory=list)
    during: dict[str, Callable[[], Any]] = field(default_factory=dict)

    started: list[str] = field(default_factory=list)
    fences: dict[str, int] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)
    dies_slowly: dict[str, asyncio.Event] = field(default_factory=dict)
    running: dict[str, RunOrder] = field(default_factory=dict)
    release: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    broken_caps: list[str] = field(default_factory=list)
    raises: dict[str, Exception] = field(default_factory=dict)

    async def reconcile(self, key: str) -> float | None:
        self.inside[key] += 1
        self.most_inside[key] = max(self.most_inside[key], self.inside[key])
        try:
            if key in self.during:
                await self.during[key]()
            if key in self.hold_keys:
                await self.held[key].wait()
            await asyncio.sleep(0)
            if key in self.fail:
                raise self.fail[key]
            return self.again.pop(key, None)
        finally:
            self.inside[key] -= 1
            self.rounds.append(key)

    async def execute(self, order: RunOrder, lease: Lease) -> Mapping[str, Any]:
        self.started.append(order.run_id)
        self.fences[order.run_id] = lease.fence
        self.leases[order.run_id] = lease
        self.running[order.run_id] = order
        self._check_caps()
        try:
            await self.release[order.run_id].wait()
            if order.run_id in self.raises:
                raise self.raises[order.run_id]
            return {"fence": lease.fence}
        except asyncio.CancelledError:
            self.killed.append(order.run_id)
            if order.run_id in self.dies_slowly:
                await self.dies_slowly[order.run_id].wait()
            raise
        finally:
            self.running.pop(order.run_id, None)

    async def resync(self) -> Iterable[str]:
        return self.live_keys

    def _check_caps(self) -> None:
        used = Counter(scope for order in self.running.values() for scope, _ in order.caps)
        for order in self.running.values():
            self.broken_caps += [scope for scope, cap in order.caps if used[scope] > cap]


class Bench:
    """An engine that can be started, stopped and replaced by a new object on the same store."""

    def __init__(self, kind: str, database: Database | None) -> None:
        self.kind = kind
        self.database = database
        self.pace = FAST
        self.calls = Recorder()
        self.engine: Engine
        self._stack = contextlib.AsyncExitStack()
        self._task: asyncio.Task[None] | None = None
        self._count = 0

    async def open(self, **changes: Any) -> "Bench":
        """Make the engine (again)."""
        self.pace = replace(self.pace, **changes)
        if self.database is None:
            self.engine = MemoryEngine(pace=self.pace)
        else:
            self.engine = await self._stack.enter_async_context(PostgresEngine.open(self.database, pace=self.pace))
        return self

    async def start(self, **changes: Any) -> "Bench":
        """Make the engine and let it work."""
        await self.open(**changes)
        self.work()
        await self.until(lambda: True)
        return self

    def work(self) -> None:
        self._task = asyncio.create_task(self.engine.run(self.calls))

    async def stop(self) -> None:
        """End as a service does that is told to."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def close(self) -> None:
        for dead in self.calls.dies_slowly.values():
            dead.set()
        await self.stop()
        await self._stack.aclose()

    async def until(self, condition: Callable[[], Any], limit: float = PATIENCE) -> None:
        """Wait until something holds; fails after `limit` seconds."""
        async with asyncio.timeout(limit):
            while not condition():
                await asyncio.sleep(0.003)

    async def until_runs(self, key: str, condition: Callable[[tuple[RunRow, ...]], Any]) -> tuple[RunRow, ...]:
        async with asyncio.timeout(PATIENCE):
            while not condition(rows := await self.engine.runs(key)):
                await asyncio.sleep(0.005)
        return rows

    async def until_parked(self, count: int) -> tuple[KeyRow, ...]:
        """Wait until so many keys are parked."""
        async with asyncio.timeout(PATIENCE):
            while len(keys := (await self.engine.parked()).keys) != count:
                await asyncio.sleep(0.005)
        return keys

    async def quiet(self, seconds: float = 0.08) -> None:
        """Long enough for everything that should not happen."""
        await asyncio.sleep(seconds)

    async def settled(self) -> EngineStatus:
        """The status once nothing is open any more; as it is when that never comes."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while (status := await self.engine.status()).open_deliveries or status.waiting:
            if asyncio.get_running_loop().time() > end:
                break
            await asyncio.sleep(0.05)
        return status

    def delivery(self, subject: str | None, name: str | None = None, **changes: Any) -> Delivery:
        self._count += 1
        name = name or f"delivery-{self._count}"
        return Delivery("linear", name, "Issue", subject, b'{"a": 1}', datetime.now(UTC), **changes)

    def order(self, run_id: str, **changes: Any) -> RunOrder:
        plain = RunOrder(run_id, "epic-1", f"issue of {run_id}", 1, "plan", (("service", 10),), 0, {"prompt": "plan"})
        return replace(plain, **changes)


@pytest.fixture(autouse=True)
def plain_log() -> Iterator[None]:
    """The default log draws tracebacks in colour, which takes longer than the times measured here."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server_url() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="callboard-tests-") as folder:
        async with embedded_server(Path(folder)) as server:
            async with await psycopg.AsyncConnection.connect(server.url, autocommit=True) as connection:
                await connection.execute("ALTER SYSTEM SET fsync = off")
                await connection.execute("SELECT pg_reload_conf()")
            yield server.url


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's tmp_path: every pytest that starts closes its root to other users, and the server may be one."""
    with tempfile.TemporaryDirectory(prefix="callboard-tests-") as name:
        yield Path(name)


@contextlib.asynccontextmanager
async def empty_database(server_url: str) -> AsyncIterator[Database]:
    async with open_database(server_url, Path()) as database:
        async with database.pool.connection() as connection:
            await connection.execute("".join(f"DELETE FROM {table};" for table in TABLES))  # quicker than TRUNCATE
            await connection.execute("UPDATE resyncs SET claimed_at = '-infinity'")
        yield database


@contextlib.asynccontextmanager
async def bench_on(database: Database | None) -> AsyncIterator[Bench]:
    bench = Bench("memory" if database is None else "postgres", database)
    try:
        yield bench
    finally:
        await bench.close()


@pytest.fixture(params=["postgres", "memory"])
async def bench(request: pytest.FixtureRequest, server_url: str) -> AsyncIterator[Bench]:
    async with contextlib.AsyncExitStack() as stack:
        database = None
        if request.param == "postgres":
            database = await stack.enter_async_context(empty_database(server_url))
        yield await stack.enter_async_context(bench_on(database))


@pytest.fixture
async def postgres(server_url: str) -> AsyncIterator[Bench]:
    async with empty_database(server_url) as database, bench_on(database) as bench:
        yield bench
