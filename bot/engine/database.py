"""The database: which server, one pool of connections, and a schema brought up to date at start."""

import contextlib
import hashlib
import select
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import structlog
from procrastinate.schema import SchemaManager
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bot.engine.embedded import DatabaseUnavailable, embedded_server
from bot.machine.errors import Transient

__all__ = ["Connection", "Database", "DatabaseUnavailable", "Pool", "from_outside", "open_database"]

log = structlog.get_logger(__name__)

Connection = psycopg.AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]


@dataclass
class Database:
    """An open database. `fresh`: we have just started its server, so whatever was at work in it is dead."""

    pool: Pool
    fresh: bool = False

    def take_fresh(self) -> bool:
        """True for the first who asks after the server's start."""
        fresh, self.fresh = self.fresh, False
        return fresh


@contextlib.asynccontextmanager
async def open_database(url: str | None, folder: Path, *, schema: str = "callboard") -> AsyncIterator[Database]:
    """Open the server at `url`, or one of our own in `folder`; everything of ours lives in `schema`.

    Raises DatabaseUnavailable with what to do. Connections rely on a start parameter and on LISTEN: behind PgBouncer
    use session mode.
    """
    async with contextlib.AsyncExitStack() as stack:
        fresh = False
        if url is None:
            server = await stack.enter_async_context(embedded_server(folder))
            url, fresh = server.url, server.started_here
        await _migrate(url, schema)
        pool = await stack.enter_async_context(_pool(url, schema))
        yield Database(pool, fresh)


def from_outside(error: Exception) -> Exception:
    """The same error; a database that is away, or whose disk is full, is nobody's mistake: it passes."""
    if isinstance(error, psycopg.OperationalError):
        return Transient(f"the database: {error}", retry_after=0.0)
    return error


async def _check(connection: psycopg.AsyncConnection[Any]) -> None:
    """Raise when the connection is of no use any more; asks the server only where there is something to hear.

    A server that ended has closed its side, and a connection with nothing to read is alive: one system call where
    the pool's own check is a round trip, which was half of all our statements (measured).

    Raises:
        psycopg.OperationalError: the connection is lost.
    """
    readable = select.poll()
    readable.register(connection.pgconn.socket, select.POLLIN)
    if readable.poll(0):
        await AsyncConnectionPool.check_connection(connection)


@contextlib.asynccontextmanager
async def _pool(url: str, schema: str) -> AsyncIterator[Pool]:
    """Connections commit each statement by themselves; more than one at a time asks for `transaction()`."""
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=4,
        max_size=16,
        kwargs=_connection_options(schema),
        configure=_commit_each,
        check=_check,  # a server that restarted costs a reconnect, not an error
        reconnect_timeout=5.0,  # bounds the pause between two tries, which doubles: a server that is back is used soon
        open=False,
    )
    try:
        await pool.open(wait=True, timeout=30)
    except PoolTimeout as error:
        await pool.close()
        raise DatabaseUnavailable(f"DATABASE_URL: no connection within 30 seconds ({error})") from error
    try:
        yield pool
    finally:
        await pool.close()


def _connection_options(schema: str) -> dict[str, Any]:
    return {"options": f"-c search_path={schema}", "application_name": "callboard"}


async def _commit_each(connection: Connection) -> None:
    """Not among the options: Procrastinate's listener adds it to those by itself."""
    await connection.set_autocommit(True)


async def _migrate(url: str, schema: str) -> None:
    """Apply what is missing, in one transaction, one process at a time."""
    try:
        connection = await Connection.connect(url, autocommit=True, **_connection_options(schema))
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"DATABASE_URL: cannot connect: {error}") from error
    number = int.from_bytes(hashlib.sha256(f"callboard {schema}".encode()).digest()[:7])
    async with connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
        await connection.execute(
            psycopg.sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(psycopg.sql.Identifier(schema))
        )
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())"
        )
        rows = await (await connection.execute("SELECT name FROM migrations")).fetchall()
        for name, statements in _missing({row[0] for row in rows}):
            await connection.execute(statements)
            await connection.execute("INSERT INTO migrations (name) VALUES (%s)", (name,))
            if statements:
                log.info("database_migrated", step=name)


def _missing(applied: set[str]) -> list[tuple[str, LiteralString]]:
    """(name, SQL) of every step not yet applied: Procrastinate's before ours.

    Procrastinate's `schema.sql` is complete for its version, so on a new database its migrations count as applied.
    """
    theirs = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    ours = sorted((entry for entry in resources.files("bot.engine").joinpath("schema").iterdir()), key=lambda e: e.name)
    steps: list[tuple[str, str]] = []
    new = "procrastinate" not in applied
    if new:
        steps.append(("procrastinate", SchemaManager.get_schema()))
    steps += [(f"procrastinate/{path.name}", "" if new else path.read_text()) for path in theirs]
    steps += [(f"callboard/{entry.name}", entry.read_text()) for entry in ours if entry.name.endswith(".sql")]
    return [(name, text) for name, text in steps if name not in applied]
