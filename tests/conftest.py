"""No test may reach beyond this machine: every connection that isn't loopback or a unix socket is refused."""

import ipaddress
import socket
from typing import Any

import pytest


class OutsideError(AssertionError):
    """A test tried to leave the machine."""


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a unix socket
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] == "localhost"


@pytest.fixture(autouse=True)
def stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, real: Any = real) -> Any:
            if not _is_loopback(address):
                raise OutsideError(f"a test wanted to connect to {address}")
            return real(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)
