"""Connections that their server ended cost a reconnect, and no error."""

from pathlib import Path

import psycopg

from bot.engine.database import open_database


async def test_connections_that_the_server_ended_are_not_handed_out(server_url: str) -> None:
    async with open_database(server_url, Path()) as database:
        async with database.pool.connection() as connection:
            mine = connection.info.dbname
        async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as other:
            await other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                (mine,),
            )
        for _ in range(8):
            async with database.pool.connection() as connection:
                assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
