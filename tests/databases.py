"""One PostgreSQL for many worlds: a server takes a second to make and to start, a database in it no time."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg

from bot.engine.database import open_database
from bot.engine.embedded import embedded_server

BUSY = """
    SELECT EXISTS (SELECT FROM keys WHERE wanted > served OR not_before < now() + interval '3 seconds')
        OR EXISTS (SELECT FROM runs WHERE state IN ('queued', 'running'))
        OR EXISTS (SELECT FROM deliveries WHERE done_at IS NULL AND parked IS NULL)
"""


class Databases:
    """A server, and a database in it for each world."""

    def __init__(self, url: str) -> None:
        self._url = url

    def url(self, name: str) -> str:
        """Where a database is."""
        return psycopg.conninfo.make_conninfo(self._url, dbname=name)

    async def prepare(self) -> None:
        """Make what every database begins with: the schema. Nothing here must survive a loss of power."""
        await self._do("ALTER SYSTEM SET fsync = off")
        await self._do("SELECT pg_reload_conf()")
        await self._do("CREATE DATABASE template_callboard")
        async with open_database(self.url("template_callboard"), Path()):
            pass

    async def make(self, name: str) -> None:
        """Make a database with the schema and nothing in it."""
        await self._do(f"CREATE DATABASE {name} TEMPLATE template_callboard")

    async def lose(self, name: str) -> None:
        """Drop it, whoever is connected."""
        await self._do(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def one(self) -> str:
        """The address of a new database; it stays, because in the end everything written is searched for secrets."""
        name = f"world_{uuid.uuid4().hex}"
        await self.make(name)
        return self.url(name)

    async def quiet(self, name: str) -> bool:
        """Whether the service of this database has nothing left to do, now or in the next seconds."""
        async with await psycopg.AsyncConnection.connect(self.url(name), autocommit=True) as connection:
            row = await (await connection.execute(BUSY)).fetchone()
        return row == (False,)

    async def _do(self, statement: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            await connection.execute(statement)


@contextlib.asynccontextmanager
async def open_databases(folder: Path) -> AsyncIterator[Databases]:
    """A server on `folder`, until the block ends."""
    async with embedded_server(folder) as server:
        databases = Databases(server.url)
        await databases.prepare()
        yield databases
