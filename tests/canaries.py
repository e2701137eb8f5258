"""Every secret of this test run bears a mark, and nothing that the tests write may hold it.

Secrets are drawn by the standard library: the service's key, those of webhooks and Apps, the tokens that the simulated
services give out, the key to the model. All of them begin with one mark here, also in what the service is told over its
sockets. Whatever a test writes is searched for it afterwards: its output, the service's logs at debug level and those
of the libraries that speak for it, its files (a database's among them), every object of its git repositories.

What only a run or a session holds (the token of its door, its cookie), and what is good once (the code of a login), is
drawn shorter and bears no mark: who holds it may do that anyway, and addresses are logged.
"""

import base64
import logging
import mmap
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from bot.logs import Redactor

MARK = "ca11b0a2d5ec2e75ca11"
"""Hexadecimal, so that it may stand wherever a secret does."""
BYTES = 16
"""A secret of at least so many bytes that is drawn as hexadecimal bears the mark."""
LONG = 48
"""The same for other alphabets: the tokens of a GitHub App."""
HOLDERS = {"environment", "environment.previous", "secrets"}
"""Files and folders whose purpose is to hold secrets: what set-up writes for the service alone."""
OUTSIDE = Path(__file__).with_name("simulator")
"""Tests of the simulated services, where a person's own clone may hold the token that it was made with."""
TALKERS = ("httpcore2", "httpx2", "gql", "github", "urllib3", "procrastinate", "uvicorn", "asyncio", "psycopg")
"""Libraries that the service keeps quiet; here they say all they can."""
SILENT = ("psycopg.pool",)
"""Says twenty thousand times in a story that it lent a connection, and nothing else."""


def _needles() -> tuple[bytes, ...]:
    """The mark as it is, reversed, and as base64 at each of the three places where it may begin."""
    mark = MARK.encode()
    encoded = [base64.b64encode(b"\0" * before + mark)[4 if before else 0 :] for before in range(3)]
    return (mark, mark[::-1], *(one.rstrip(b"=")[:-1] for one in encoded))


NEEDLES = _needles()


def holds_one(data: bytes | mmap.mmap) -> bool:
    """Whether a secret stands there in one of these forms."""
    return any(data.find(needle) >= 0 for needle in NEEDLES)


_AS_SERVICE = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
]
"""Tracebacks as the service writes them; those that structlog makes by itself tell what every variable holds."""


class Listener(logging.Handler):
    """Hears what the libraries say, at debug level, and keeps what would be written with a secret in it.

    Each message goes through the service's own redactor, which is told no secret here: it must know them by their
    shape. PyGithub says every token of an installation that it was given.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []
        self._redactor = Redactor(())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message when it holds a secret."""
        text = record.getMessage()
        if holds_one(text.encode(errors="replace")) and holds_one(self._redactor.text(text).encode(errors="replace")):
            self.heard.append(f"{record.name}: {text[:300]}")

    def listen(self) -> None:
        """Hear each of them, whatever the service has just configured."""
        for name in TALKERS:
            logger = logging.getLogger(name)
            logger.setLevel(logging.DEBUG)
            logger.propagate = False
            if self not in logger.handlers:
                logger.addHandler(self)
        for name in SILENT:
            logging.getLogger(name).setLevel(logging.WARNING)
        if not structlog.is_configured():
            structlog.configure(processors=_AS_SERVICE)


class Canaries:
    """Marks the secrets, and looks for them after each test."""

    def __init__(self) -> None:
        self.drawn = 0
        self._searched: set[Path] = set()
        self.listener = Listener()
        self._real = secrets.token_hex, secrets.token_urlsafe

    def pytest_configure(self) -> None:
        """Before anything of the service draws one."""
        short, other = self._real
        secrets.token_hex = self._marked(short, BYTES)
        secrets.token_urlsafe = self._marked(other, LONG)
        self.listener.listen()

    def pytest_unconfigure(self) -> None:
        """Leave the library as it was."""
        secrets.token_hex, secrets.token_urlsafe = self._real

    def _marked(self, real: Callable[[int | None], str], least: int) -> Callable[[int | None], str]:
        def drawn(size: int | None = None) -> str:
            value = real(size)
            if size is None or size < least:
                return value
            self.drawn += 1
            return MARK + value[len(MARK) :]

        return drawn

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Remember how many secrets there were before the test: one that drew none can write none."""
        self.listener.listen()
        self._before = self.drawn
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """A test that wrote a secret has failed."""
        report: pytest.TestReport = yield  # type: ignore[assignment]  # what the inner hook returned
        if call.when == "teardown" and report.passed and (found := self._found(item, report)):
            report.outcome = "failed"
            report.longrepr = "a secret stands in\n  " + "\n  ".join(found[:20])
        return report  # type: ignore[return-value]

    def _found(self, item: pytest.Item, report: pytest.TestReport) -> list[str]:
        written_out = [(name, text) for name, text in report.sections if "Captured std" in name]
        found = [name for name, text in written_out if holds_one(text.encode(errors="replace"))]
        found += self.listener.heard
        self.listener.heard = []
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if folder is not None:
            self._searched.add(folder)
            if self.drawn > self._before and not item.path.is_relative_to(OUTSIDE):
                found += written(folder)
        return found

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What several tests shared is searched at the end."""
        factory: pytest.TempPathFactory = session.config._tmp_path_factory
        shared = [one for one in factory.getbasetemp().iterdir() if one.is_dir() and one not in self._searched]
        found = [place for folder in shared if not folder.name.startswith("popen-") for place in written(folder)]
        if found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            raise AssertionError("a secret stands in\n  " + "\n  ".join(found[:20]))


def written(folder: Path) -> list[str]:
    """The places below a folder where a secret stands: files, and repositories of git."""
    found = []
    for place, below, names in os.walk(folder):
        if "objects" in below and "HEAD" in names and holds_one(_objects(Path(place))):
            found.append(f"git {place}")
        below[:] = set(below) - HOLDERS
        for name in set(names) - HOLDERS:
            path = Path(place, name)
            if _file_holds_one(path):
                found.append(str(path))
    return found


def _file_holds_one(path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size < len(MARK):
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return holds_one(data)


def _objects(folder: Path) -> bytes:
    """Every object of a repository, whether or not a branch leads there."""
    command = ("git", "--git-dir", str(folder), "-c", "safe.directory=*", "cat-file", "--batch", "--batch-all-objects")
    return subprocess.run(command, capture_output=True, check=False, env={"PATH": os.environ["PATH"]}).stdout
