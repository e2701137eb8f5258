"""The tests themselves stay on this machine."""

import socket

import pytest


def test_a_connection_to_the_outside_is_refused():
    with socket.socket() as one, pytest.raises(AssertionError, match=r"wanted to connect to \('192\.0\.2\.1', 80\)"):
        one.connect(("192.0.2.1", 80))


def test_loopback_is_allowed():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as one:
        one.connect(server.getsockname())
