"""The port of a service that is killed and begun again stays its own meanwhile."""

import socket

from bot.simulator.serving import free_port


def test_a_free_port_is_none_that_a_system_gives_to_whoever_asks_for_any() -> None:
    with socket.create_server(("127.0.0.1", 0)) as anybody:
        given = anybody.getsockname()[1]
    assert all(free_port() < 32_000 < given for _ in range(100))


def test_a_port_that_is_taken_is_not_free(monkeypatch) -> None:
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        other = free_port()
        monkeypatch.setattr("random.SystemRandom.sample", lambda *_: (taken, other))
        assert free_port() == other
