"""Puts everything together: the only place that knows handlers, web, engine and runs at once."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette

from bot import metrics
from bot.audit import AuditLog
from bot.board import Board, open_board
from bot.config import PolicyFile, Settings
from bot.engine.database import open_database
from bot.engine.pace import Pace
from bot.engine.port import Engine, Lease, RunOrder, Till
from bot.engine.postgres import PostgresEngine
from bot.git.commit import Author
from bot.github.client import GitHub
from bot.github.ensure import Ensure
from bot.github.hook import Repair
from bot.github.observe import Observe
from bot.machine.errors import Transient, UserError
from bot.machine.progress import Receipt
from bot.machine.secrets import pattern_of
from bot.observe import Observer
from bot.perform import Performer
from bot.policy import Policy
from bot.reconcile import Reconciler
from bot.runs.account import RunAccount
from bot.runs.agents import Agents
from bot.runs.bounds import Bounds
from bot.runs.contract import RunSpec
from bot.runs.egress import Network
from bot.runs.models import models_of, models_of_policy
from bot.runs.runner import Handover, House
from bot.runs.selftest import sandbox
from bot.runs.worker import Access, Worker, WorkOrder
from bot.site import site
from bot.storage import trouble
from bot.telling import Telling
from bot.voice import Voice
from bot.watchdog import Watchdog
from bot.web.gallery import Gallery
from bot.words import say
from handlers import HANDLERS

log = structlog.get_logger()

WEB = frozenset({"web"})
WORK = frozenset({"reconcile", "agents"})
ALL = WEB | WORK


@dataclass(frozen=True)
class Service:
    """A running service. `web` answers HTTP; `callbacks` are what the engine calls."""

    board: Board
    engine: Engine
    observer: Observer
    web: Starlette
    callbacks: "Callbacks"
    watchdog: Watchdog


class Callbacks:
    """What the engine calls: the loop, the workers, and the list of everything alive."""

    def __init__(
        self,
        reconciler: Reconciler,
        worker: Worker,
        observer: Observer,
        repair: Callable[[], Awaitable[None]],
        watchdog: Watchdog,
        till: Till,
    ) -> None:
        self._reconciler, self._worker, self._observer = reconciler, worker, observer
        self._repair, self._watchdog, self._till = repair, watchdog, till

    async def reconcile(self, key: str) -> float | None:
        """One round on a key."""
        with structlog.contextvars.bound_contextvars(key=key):
            try:
                again = await self._reconciler.reconcile(key)
            except Transient as error:
                # A number makes the engine wait without ever parking the key: nobody has to look, it passes.
                raise Transient(str(error), retry_after=error.retry_after or 0.0) from error
            self._watchdog.good(key)
            return again

    async def execute(self, order: RunOrder, lease: Lease) -> Mapping[str, Any]:
        """One run."""
        work = WorkOrder.model_validate(order.spec)
        with structlog.contextvars.bound_contextvars(ticket=work.run.task_id, prompt=work.run.prompt):
            log.info("run begins", run=order.run_id, generation=order.generation, attempt=work.run.attempt)
            began = time.monotonic()
            await self._till.open(order.run_id)
            result = await self._worker.work(work, lease)
            metrics.run_ended(order.stage, work.run.prompt, time.monotonic() - began, result)
            log.info("run ends", run=order.run_id, ended=result.get("kind"), error=result.get("error") or None)
            return result

    async def resync(self) -> Iterable[str]:
        """All live keys; on the way, webhooks of GitHub that failed are asked for again."""
        await self._repair()
        keys = await self._observer.live()
        self._watchdog.live(keys)
        return keys


@asynccontextmanager
async def open_engine(
    settings: Settings, policy: PolicyFile, pace: Pace | None = None
) -> AsyncIterator[PostgresEngine]:
    """The engine on its database; beside a service that runs on this machine, it is a guest on that one's.

    Raises:
        UserError: the database can't be had; the sentence says what to do.
    """
    if reason := await asyncio.to_thread(trouble, settings.home):
        raise UserError(say("unwritable", {"folder": settings.home, "reason": reason}).strip())
    pace = pace or Pace(resync=settings.resync_seconds)
    async with (
        open_database(settings.database_url, settings.home / "database") as database,
        PostgresEngine.open(database, pace=pace, workers=policy.current().limits.workers) as engine,
    ):
        yield engine


@asynccontextmanager
async def open_service(
    settings: Settings,
    policy: PolicyFile,
    *,
    pace: Pace | None = None,
    clock: Callable[[], datetime] | None = None,
    roles: frozenset[str] = ALL,
) -> AsyncIterator[Service]:
    """Everything but the listening socket and the engine's loop.

    Raises:
        UserError: the sandbox doesn't work here, the database can't be had, or the policy is wrong.
    """
    clock = clock or (lambda: datetime.now(UTC))
    async with contextlib.AsyncExitStack() as stack:
        board = await stack.enter_async_context(open_board(settings, policy))
        engine = await stack.enter_async_context(open_engine(settings, policy, pace))
        reads = Observe(board.github)
        observer = Observer(board.linear_reads, board.directory, reads, engine, board.policy, clock)
        secret = pattern_of(settings.secrets())
        worker = Worker(
            settings.home / "repositories",
            access=lambda name: _access(board.github, reads, name),
            runner=await _agents(settings, board.policy, engine.till) if roles & WORK else _NoAgents(),
            key=settings.secret_key,
            secret=secret,
        )
        performer = Performer(
            telling=Telling(
                begin=board.writes,
                runs=engine,
                page=settings.base_url,
                voice=Voice(partial(secret.sub, "[secret]")),
                note=AuditLog(settings.home / "audit.jsonl").note,
            ),
            github=Ensure(board.github),
            runs=engine,
            clean_up=worker.clean_up,
            log_of=reads.log_of,
            policy=board.policy,
            refusals=observer.refusals,
        )
        gallery = Gallery(engine.pictures)
        reconciler = Reconciler(observer.observe, HANDLERS, performer.perform, observer.find_key, engine, gallery.show)
        repair = Repair(board.github, clock).look if settings.github_app else _nothing
        watchdog = Watchdog(observer.memory, engine.status, engine.hint, clock, settings.home)
        if roles & WORK:
            looking = asyncio.create_task(watchdog.keep_looking(), name="watchdog")
            stack.push_async_callback(_end, looking)
        callbacks = Callbacks(reconciler, worker, observer, repair, watchdog, engine.till)
        own = await _own_login(board.github)
        web = site(board, engine, gallery, own, lambda: watchdog.told, pages=bool(roles & WEB))
        yield Service(board, engine, observer, web, callbacks, watchdog)


async def serve(
    settings: Settings, policy: PolicyFile, *, roles: frozenset[str] = ALL, pace: Pace | None = None
) -> None:
    """Run the service until it is told to stop (SIGTERM, SIGINT)."""
    async with open_service(settings, policy, roles=roles, pace=pace) as service:
        work: list[asyncio.Task[None]] = []
        if roles & WORK:
            work.append(asyncio.create_task(service.engine.run(service.callbacks, roles=roles & WORK)))
        config = uvicorn.Config(
            service.web,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
        )
        server = _Listening(config)
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(one, server.stop)
        log.info("callboard serves", url=settings.base_url, roles=sorted(roles), sandbox=settings.sandbox)
        if settings.sandbox == "off" and roles & WORK:
            log.warning("agents run without walls", why="CALLBOARD_SANDBOX=off", risk="they can read every secret here")
        listening = asyncio.create_task(server.serve())
        done, _ = await asyncio.wait([listening, *work], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        for task in work:
            task.cancel()
        await asyncio.gather(listening, *work, return_exceptions=True)
        for task in done:
            task.result()


class _Listening(uvicorn.Server):
    """A server that leaves signals to the service around it, which must end its work and its agents first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield

    def stop(self) -> None:
        """Take no more requests, and end."""
        self.should_exit = True


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _agents(settings: Settings, policy: Callable[[], Policy], till: Till) -> Agents:
    def account(run_id: str) -> RunAccount:
        return RunAccount(till, run_id, policy().budget.day_usd)

    house = House(
        await sandbox(settings.sandbox),
        models_of(settings),
        network=Network(lambda: frozenset(policy().network.allow)),
        account=account,
        bounds=lambda: Bounds.of(policy().sandbox),
    )
    return Agents(
        settings.home / "runs", house, lambda: policy().sandbox.read_only, models=lambda: models_of_policy(policy())
    )


async def _own_login(github: GitHub) -> str:
    """Our App's login, to leave out what we caused ourselves; with a token, or while GitHub is away, nothing is."""
    try:
        identity = await github.identity()
    except Transient as error:
        log.warning("github does not answer yet", error=str(error))
        return ""
    return identity.login if identity.slug else ""


async def _nothing() -> None:
    """With a token nobody knows what became of webhooks."""


class _NoAgents:
    """A process that only answers HTTP starts none."""

    async def run(self, spec: RunSpec, **_place: Any) -> Handover:
        raise AssertionError(f"a process that only answers HTTP was given the run {spec.run_id}")

    async def verify(self, _commands: tuple[str, ...], folder: str, **_place: Any) -> tuple[Receipt, ...]:
        raise AssertionError(f"a process that only answers HTTP was given the run {folder}")


async def _access(github: GitHub, reads: Observe, name: str) -> Access:
    place, identity = await reads.repository(name), await github.identity()
    author = Author(identity.login, identity.email)
    return Access(place.clone_url, place.html_url, await github.git_token(name), author)
