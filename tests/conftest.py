"""No test may reach beyond this machine: every connection that isn't loopback or a unix socket is refused."""

import gc
import ipaddress
import os
import socket
import sys
from typing import Any

import pytest

from tests.canaries import Canaries
from tests.order import in_order


class OutsideError(AssertionError):
    """A test tried to leave the machine."""


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a unix socket
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] == "localhost"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as there are processors: half of the time a test waits for other programs."""
    return (os.cpu_count() or 1) * 2


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several workers share the tests, they get them in an order that keeps all of them busy."""
    if worker := getattr(config, "workerinput", None):
        items[:] = in_order(items, worker["workercount"])


@pytest.fixture(autouse=True)
def stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, real: Any = real) -> Any:
            if not _is_loopback(address):
                raise OutsideError(f"a test wanted to connect to {address}")
            return real(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)


class Attacks:
    """Counts the tests marked as attacks; the last line of `pytest -m attack` says how many succeeded.

    One that could not be tried (skipped) is no wall that stood: it is named, and the exit code says so.
    """

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers():
                if mark.name in ("attack", "proves") and not mark.args:
                    raise pytest.UsageError(f"{item.nodeid} names no requirement: @pytest.mark.{mark.name}('S-35')")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "attack" not in report.keywords:
            return
        if report.failed:
            self.ends[report.nodeid] = "succeeded"
        elif report.skipped:
            self.ends.setdefault(report.nodeid, "not tried")
        elif report.when == "call":
            self.ends.setdefault(report.nodeid, "failed")

    def of(self, end: str) -> list[str]:
        return [name for name, one in self.ends.items() if one == end]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus == 0 and self.of("not tried"):
            session.exitstatus = 1

    def pytest_unconfigure(self) -> None:
        lines = [f"  {end}: {name}" for end in ("succeeded", "not tried") for name in sorted(self.of(end))]
        tried = len(self.ends) - len(self.of("not tried"))
        lines.append(f"{tried} attacks, {len(self.of('succeeded'))} succeeded")
        sys.stdout.write("\n".join(lines) + "\n")


def pytest_collection(session: pytest.Session) -> None:
    """Nothing that is made while tests are collected becomes garbage; looking for some takes a third of the time."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """And it stays to the end: nobody need look at it again."""
    gc.freeze()
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Canaries())
    if config.option.markexpr == "attack" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Attacks())
