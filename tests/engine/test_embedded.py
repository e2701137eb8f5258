"""The PostgreSQL that we bring along."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from bot.engine import embedded, last_server
from bot.engine.database import Database, DatabaseUnavailable, open_database

pytestmark = pytest.mark.slow

PROGRAM = """
import asyncio, sys
from pathlib import Path
from bot.engine.database import open_database

async def main():
    async with open_database(None, Path(sys.argv[1])) as database:
        async with database.pool.connection() as connection:
            await connection.execute("INSERT INTO keys (key) VALUES (%s)", (sys.argv[2],))
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def keys_in(folder: Path) -> list[str]:
    async with open_database(None, folder) as database, database.pool.connection() as connection:
        return [row[0] for row in await (await connection.execute("SELECT key FROM keys ORDER BY key")).fetchall()]


async def test_it_starts_in_a_private_folder_with_an_odd_home_takes_guests_and_starts_again_on_the_same_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent/home")
    data = folder / "private" / "data"
    data.parent.mkdir(mode=0o700)
    async with open_database(None, data) as database:
        assert database.take_fresh()
        async with database.pool.connection() as connection:
            await connection.execute("INSERT INTO keys (key) VALUES ('epic-1')")
        async with open_database(None, data) as guest:  # leaves the server running
            assert not guest.fresh
        async with database.pool.connection() as connection:
            await connection.execute("SELECT 1 FROM keys")
    assert await keys_in(data) == ["epic-1"]
    (cluster,) = data.glob("postgres-*")
    assert cluster.stat().st_mode & 0o077 == 0


async def test_it_dies_with_a_service_that_is_killed_and_loses_nothing(folder: Path) -> None:
    service = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder / "data"), "epic-1"], stdout=subprocess.PIPE, text=True
    )
    assert service.stdout
    assert any(line == "ready\n" for line in service.stdout)
    service.send_signal(signal.SIGKILL)
    service.wait()
    service.stdout.close()
    async with open_database(None, folder / "data") as database:
        assert database.fresh  # the old server was gone
    assert await keys_in(folder / "data") == ["epic-1"]


async def test_a_folder_with_a_very_long_name_works(folder: Path) -> None:
    assert await keys_in(folder / ("long" * 30)) == []


async def test_without_the_package_it_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.util, "find_spec", lambda name: None)
    with pytest.raises(DatabaseUnavailable, match="Set DATABASE_URL"):
        await keys_in(folder)


async def test_a_cluster_that_cannot_start_says_why(folder: Path) -> None:
    _, major = embedded._package()
    (folder / f"postgres-{major}").mkdir()
    with pytest.raises(DatabaseUnavailable, match=r"(?s)postgres ended with code 1: .*Set DATABASE_URL"):
        await keys_in(folder)


async def test_a_server_that_cannot_be_reached_says_so(folder: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="DATABASE_URL: cannot connect"):
        async with open_database("postgresql://127.0.0.1:1/nothing", folder):
            pass


async def until_it_answers(database: Database) -> list[str]:
    async with asyncio.timeout(60):
        while True:
            try:
                async with database.pool.connection(timeout=5) as connection:
                    return [row[0] for row in await (await connection.execute("SELECT key FROM keys")).fetchall()]
            except (psycopg.OperationalError, PoolTimeout):
                await asyncio.sleep(0.05)


def server_of(folder: Path) -> int | None:
    try:
        return int(next(folder.glob("postgres-*/postmaster.pid")).read_text().splitlines()[0])
    except (StopIteration, FileNotFoundError, IndexError):
        return None


async def test_a_server_that_is_killed_under_the_service_is_started_again_with_everything(folder: Path) -> None:
    async with open_database(None, folder) as database:
        async with database.pool.connection() as connection:
            await connection.execute("INSERT INTO keys (key) VALUES ('epic-1')")
        first = server_of(folder)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(60):
            while server_of(folder) in (None, first):  # its backends may answer a last time
                await asyncio.sleep(0.05)
        assert await until_it_answers(database) == ["epic-1"]
    assert not list(folder.glob("postgres-*/postmaster.pid")), "the second one was stopped with us"


async def test_a_guest_takes_the_server_over_when_its_owner_was_killed(folder: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), "epic-1"], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    assert any(line == "ready\n" for line in owner.stdout)
    async with open_database(None, folder) as guest:
        assert not guest.fresh
        first = server_of(folder)
        owner.kill()
        owner.wait()
        owner.stdout.close()
        async with asyncio.timeout(60):
            while server_of(folder) in (None, first):  # the owner's server may answer a last time
                await asyncio.sleep(0.05)
        assert await until_it_answers(guest) == ["epic-1"]


async def test_a_server_that_hangs_while_it_shuts_down_is_killed_and_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_server, "PATIENCE", 0.5)
    monkeypatch.setattr(last_server, "MUTE", 0.5)
    owner = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), "epic-1"], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    assert any(line == "ready\n" for line in owner.stdout)
    hangs = server_of(folder)
    assert hangs
    os.kill(hangs, signal.SIGSTOP)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert await keys_in(folder) == ["epic-1"]
    assert not Path(f"/proc/{hangs}").exists()


async def test_a_lock_that_names_a_process_of_somebody_else_is_stale(folder: Path) -> None:
    assert await keys_in(folder) == []
    (cluster,) = folder.glob("postgres-*")
    owner = cluster.stat()
    stranger = subprocess.Popen(["sleep", "60"], user=owner.st_uid)
    try:
        lock = cluster / "postmaster.pid"
        lock.write_text(f"{stranger.pid}\n{cluster}\n1\n5432\n{cluster}\n\n  1 1\nready   \n")
        os.chown(lock, owner.st_uid, owner.st_gid)
        assert await keys_in(folder) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
