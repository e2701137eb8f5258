"""An agent that was taken over looks for secrets and tells all it finds; afterwards nothing written holds one.

Searched is all that a story leaves behind, with logs at debug level. No file in the data folder is excepted: there is
none that may hold a secret here (`environment`, which set-up writes, isn't used by a theatre). What the simulated
services must hold to know us by (tokens, webhooks' secrets, the App's key) is not searched, only what they show.
"""

import asyncio
import base64
import io
import json
import logging
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import psycopg
import pytest
import structlog

from bot import logs
from bot.config import SECRETS
from bot.engine.embedded import embedded_server
from bot.runs.sandbox import Bubblewrap
from bot.simulator import theatre
from bot.simulator.linear import LinearWorld
from bot.simulator.linear.model import Entity, Webhook

PROWLER = Path(__file__).with_name("prowler.py")
MARK = re.search(rb'MARK = b"(.+)"', PROWLER.read_bytes())[1]  # type: ignore[index]
POLICY = f"""{theatre.POLICY.replace("checks_appear_seconds = 5", "checks_appear_seconds = 0.3")}
documentation = false

[agent]
runtime = "command"
command = ["{Path(sys.base_prefix) / "bin" / "python3"}", "{PROWLER}"]

[sandbox]
read_only = ["{PROWLER}", "{PROWLER.with_name("agent.py")}"]
"""
CUT = 7
"""Characters that a thief may cut off at either end, to deceive those who look for the whole."""
TELLING = 24
"""Characters of what is left that are looked for, at its beginning and at its end."""
JWT = re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")


def needles(secret: str) -> Iterator[tuple[str, bytes]]:
    """What gives a secret away, each with the name of its form: parts of its middle, however they are spelled."""
    middle = secret[CUT:-CUT].encode()
    assert len(middle) >= 12, "too short to be told from other text"
    for part in {middle[:TELLING], middle[-TELLING:]}:
        yield "plain", part
        yield "reversed", part[::-1]
        yield "hex", part.hex().encode()
        yield "hex", part.hex().upper().encode()
        for before in range(3):
            whole = (b"\0" * before + part)[: (before + len(part)) // 3 * 3]
            inner = base64.b64encode(whole)[4 if before else 0 :]
            yield from {("base64", inner), ("base64", inner.replace(b"+", b"-").replace(b"/", b"_"))}


def each(known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The secrets, those of many lines as those lines that are long enough to be secret."""
    for name, secret in known.items():
        yield from ((name, line) for line in secret.splitlines() if len(line) >= 12 + 2 * CUT and "-----" not in line)


def leaks(known: Mapping[str, str], places: Mapping[str, bytes]) -> list[str]:
    """Which secret stands where, in which form."""
    wanted = {(name, form, needle) for name, secret in each(known) for form, needle in needles(secret)}
    found = set()
    for place, data in places.items():
        text = b"\n".join(set(re.findall(rb"[\w+/=.-]{12,}", data)))
        found |= {f"{name} ({form}) in {place}" for name, form, needle in wanted if needle in text}
        found |= {f"a token of the App in {place}" for _ in JWT.finditer(text)}
    return sorted(found)


PLANTED = secrets.token_hex(32)
FORMS = {
    "plain": PLANTED,
    "reversed": PLANTED[::-1],
    "hex": PLANTED.encode().hex(),
    "hex in capitals": PLANTED.encode().hex().upper(),
    **{f"base64 after {n}": base64.b64encode(b"x" * n + PLANTED.encode()).decode() for n in range(4)},
    "base64 in lines": base64.encodebytes(b"some more before it, " + PLANTED.encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(PLANTED.encode()).decode(),
    "base64 of a header": base64.b64encode(f"x-access-token:{PLANTED}".encode()).decode(),
    "without its beginning": PLANTED[CUT:],
    "without its end": PLANTED[:-CUT],
    "without either": PLANTED[CUT:-CUT],
    "reversed, without either": PLANTED[CUT:-CUT][::-1],
    "hex, without either": PLANTED[CUT:-CUT].encode().hex(),
    "base64, without either": base64.b64encode(PLANTED[CUT:-CUT].encode()).decode(),
    "in an address": f"postgresql://callboard:{quote(PLANTED)}@host/name",
    "as json": json.dumps({"key": f"line\n{PLANTED}\n"}),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_search_finds_a_secret_in_every_form(form):
    other = {"other": secrets.token_hex(32)}
    place = {"here": b"\0\x01some text, " + form.encode() + b"; \xff and more"}
    assert leaks({"planted": PLANTED}, place)
    assert leaks(other, place) == []


def test_the_search_finds_each_line_of_a_key_and_a_token_of_the_app():
    lines = [secrets.token_urlsafe(48) for _ in range(3)]
    key = "\n".join(("-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"))
    for line in lines:
        assert leaks({"key": key}, {"here": f"x {line} y".encode()})
    assert leaks({"key": key}, {"here": b"-----BEGIN RSA PRIVATE KEY-----"}) == []
    assert leaks({}, {"here": b"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop"})


class Processes:
    """What was given to the programs that this process starts, and the command lines of all that could be seen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: set[bytes] = set()
        self.environments: set[bytes] = set()
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch)
        real = subprocess.Popen.__init__

        def noted(popen: Any, args: Any, *rest: Any, **more: Any) -> None:
            self.lines.add(b"\0".join(map(os.fsencode, [args] if isinstance(args, str | bytes) else args)))
            self.environments.add(_environment(os.environ if more.get("env") is None else more["env"]))
            real(popen, args, *rest, **more)

        monkeypatch.setattr(subprocess.Popen, "__init__", noted)

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            for process in Path("/proc").iterdir():
                with suppress(OSError):  # it has just ended, or is none
                    self.lines.add((process / "cmdline").read_bytes())

    def __enter__(self) -> "Processes":
        self._watching.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._watching.join()


def _environment(given: Mapping[Any, Any]) -> bytes:
    """All of it but the one header that git sends: that is how git is given a token."""
    pairs = [(os.fsencode(name), os.fsencode(value)) for name, value in given.items()]
    header = (b"GIT_CONFIG_VALUE_", b"Authorization: Basic ")
    kept = [pair for pair in pairs if not (pair[0].startswith(header[0]) and pair[1].startswith(header[1]))]
    return b"\n".join(b"=".join(pair) for pair in kept)


@pytest.fixture
def processes(monkeypatch):
    with Processes(monkeypatch) as watched:
        yield watched


@pytest.fixture
async def database(tmp_path):
    """The address of a database that is reached with a password."""
    async with embedded_server(tmp_path / "database") as server:
        sockets = psycopg.conninfo.conninfo_to_dict(server.url)["host"]
        yield f"postgresql://callboard:{secrets.token_hex(16)}@/postgres?host={quote(str(sockets))}"


@pytest.fixture
def told():
    """All logs, at debug level, as they are written where the service runs."""
    stream, root = io.StringIO(), logging.getLogger()
    before = {name: one.level for name, one in root.manager.loggerDict.items() if isinstance(one, logging.Logger)}
    handlers, level = root.handlers[:], root.level

    def configure(*known: str) -> io.StringIO:
        logs.configure(as_json=True, secrets=known, out=stream)
        root.setLevel(logging.DEBUG)
        for one in list(root.manager.loggerDict.values()):
            if isinstance(one, logging.Logger):
                one.setLevel(logging.NOTSET)
                one.propagate = True  # else only what watches over every test hears it (tests/canaries.py)
        for talker in (
            "psycopg.pool",
            "markdown_it",
        ):  # below, twenty thousand times “connection given”, “entering list”
            logging.getLogger(talker).setLevel(logging.WARNING)
        return stream

    yield configure
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in before.items():
        logging.getLogger(name).setLevel(was)
    structlog.reset_defaults()


@pytest.fixture
async def world(monkeypatch, database, processes, opens, told):
    """A world with secrets that stand nowhere else, all of them in the environment of the service's process, too."""
    if missing := await Bubblewrap().missing():
        pytest.skip(missing)
    client, key = secrets.token_hex(20), f"sk-ant-api03-{secrets.token_hex(24)}"
    real_small, real_environment = LinearWorld.small, theatre._environment

    def small(**given: Any) -> LinearWorld:
        linear = real_small(**given)
        linear.credentials.register("callboard", client, linear.user("callboard"))
        return linear

    def environment(*given: Any) -> dict[str, str]:
        made = {**real_environment(*given), "LINEAR_CLIENT_SECRET": client}
        for name in SECRETS:
            if name in made:
                monkeypatch.setenv(name, made[name])
        told(*(made[name] for name in SECRETS if name in made))
        return made

    monkeypatch.setattr(LinearWorld, "small", small)
    monkeypatch.setattr(theatre, "_environment", environment)
    world = await opens(policy=POLICY, model_key=key, database_url=database)
    monkeypatch.setenv("GITHUB_APP_PRIVATE_KEY", world.theatre.environment["GITHUB_APP_PRIVATE_KEY"])
    told(*world.theatre.settings.secrets())
    return world


def known_to(world: Any) -> dict[str, str]:
    """Every secret of the service, and what it was given for them until now."""
    given = {name: world.theatre.environment[name] for name in SECRETS if name in world.theatre.environment}
    given["DATABASE_URL"] = given["DATABASE_URL"].removeprefix("postgresql://callboard:").partition("@")[0]
    assert len(given) == 7, sorted(given)
    given["the App's client secret"] = world.github.apps["callboard"].client_secret
    tokens = [*world.linear.credentials.tokens, *world.github.tokens]
    assert {one.partition("_")[0] for one in tokens} >= {"lin", "ghs"}
    return given | {f"token {one[:8]}": one for one in tokens}


async def written(world: Any, folder: Path) -> dict[str, bytes]:
    """Everything that was written until now, by its place; of files, those in the folder."""
    found = {f"file {path.relative_to(folder)}": data for path, data in _files(folder)}
    for place, below, names in os.walk(folder):
        if "objects" in below and "HEAD" in names:
            found[f"git {Path(place).relative_to(folder)}"] = await _objects(Path(place))
    found |= {f"linear {name}": data for name, data in _linear(world.linear)}
    found |= {f"github {name}": data for name, data in _github(world.github)}
    found |= await _database(world.theatre.settings.database_url)
    return found | await _pages(world)


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Those that are there when they are read: the service goes on working."""
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            with suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink():
                    yield path, path.read_bytes()


async def _objects(folder: Path) -> bytes:
    """Every object of a repository, whether or not a branch leads there."""
    command = ("git", "--git-dir", str(folder), "-c", "safe.directory=*", "cat-file")
    process = await asyncio.create_subprocess_exec(
        *command, "--batch", "--batch-all-objects", stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"]}
    )
    out, _ = await process.communicate()
    assert process.returncode == 0 or not folder.exists()
    return out


def _shown(thing: Any) -> bytes:
    return json.dumps(vars(thing), default=lambda _other: None, skipkeys=True).encode()


def _linear(world: Any) -> Iterator[tuple[str, bytes]]:
    kinds: dict[type[Entity], dict[str, Entity]] = world._entities
    for kind, entities in kinds.items():
        if kind is not Webhook:  # it has to hold the secret that it signs with
            yield from ((f"{kind.__name__} {one.id}", _shown(one)) for one in entities.values())
    yield "events", json.dumps(world.events, default=str).encode()


def _github(world: Any) -> Iterator[tuple[str, bytes]]:
    things = [*world.nodes.values(), *(run for one in world.repositories.values() for run in one.check_runs)]
    for number, thing in enumerate(things):
        yield f"{type(thing).__name__} {number}", _shown(thing)
    yield from ((f"event {number}", one.letter.body) for number, one in enumerate(world.deliveries))


async def _database(url: str) -> dict[str, bytes]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        named = await connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        found = {}
        for schema, table in await named.fetchall():
            place = psycopg.sql.Identifier(schema, table)
            rows = await connection.execute(psycopg.sql.SQL("SELECT one::text FROM {} one").format(place))
            found[f"table {table}"] = "\n".join(row[0] for row in await rows.fetchall()).encode()
    assert len(found) > 10
    return found


async def _pages(world: Any) -> dict[str, bytes]:
    runs = {path.parent.name for path in (world.theatre.settings.home / "runs").rglob("transcript.jsonl")}
    issues = world.linear.issues()
    paths = ["/", "/health", "/healthz", "/readyz", "/metrics", *(f"/runs/{one}" for one in runs)]
    paths += [f"/{'tickets' if one.parent else 'epics'}/{one.identifier}" for one in issues]
    async with httpx2.AsyncClient(base_url=world.theatre.url) as client:
        answers = {path: await client.get(path) for path in paths}
    bad = {path: one.status_code for path, one in answers.items() if one.status_code != 200}
    assert not bad, bad
    return {f"page {path}": str(one.headers).encode() + one.content for path, one in answers.items()}


@pytest.mark.attack("S-25", "S-30", "S-31", "S-50", "S-51")
async def test_what_a_prowling_agent_finds_and_tells_holds_no_secret_and_neither_does_anything_else(
    world, tmp_path, processes, told
):
    log = told(*world.theatre.settings.secrets())
    epic = world.epic()
    world.alice.labels(epic, "orchestrate")
    await world.approved(epic)
    await world.shown(epic)
    before = await written(world, tmp_path / "theatre")
    await world.approved(epic, "Code Review")
    await world.is_in(epic, "Done")
    after = await written(world, tmp_path)
    after["the log"] = log.getvalue().encode()
    after["command lines"] = b"\n".join(processes.lines)
    after["environments"] = b"\n".join(processes.environments)
    known = known_to(world)
    assert leaks(known, before) == []
    assert leaks(known, after) == []
    marked = {place.partition(" ")[0] for place, data in (before | after).items() if MARK in data}
    assert marked >= {"file", "git", "linear", "github", "table", "page"}, "the agent could tell nothing: no attack"
    assert b"send_request_headers" in after["the log"], "the log is not at debug level"
