"""Serve an ASGI application on a loopback port for as long as a block lasts."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

_OWN_PORTS = (10_000, 32_000)
"""Below those that Linux gives to whoever asks for any (32768 to 60999; macOS: from 49152)."""


@asynccontextmanager
async def serve(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Yield the base URL (`http://127.0.0.1:PORT`, no trailing slash) under which `app` answers.

    The server lives in the running event loop. `port` 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    listener = socket.create_server((host, port))
    # asyncio leaves sockets that were made without a protocol as they are: each answer would wait 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, proxy_headers=False
    )
    server = _Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # signals belong to the program around us
    task = asyncio.create_task(server._serve(sockets=[listener]))  # serve() would capture signals
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.end()
        await task
        listener.close()


def free_port() -> int:
    """A port that nobody else comes by while the service is down: systems give away only higher ones by themselves.

    Raises:
        OSError: none was found.
    """
    for port in random.SystemRandom().sample(range(*_OWN_PORTS), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"none of 100 ports between {_OWN_PORTS[0]} and {_OWN_PORTS[1]} is free")


class _Server(uvicorn.Server):
    """A server that ends as soon as it is told to; uvicorn's own looks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    def end(self) -> None:
        """Take no more requests, and end."""
        self.should_exit = True
        self._told.set()

    async def main_loop(self) -> None:
        """Keep the date in the answers right until told to end."""
        tick = 0
        while not await self.on_tick(tick):
            tick += 10  # by tens: what is to be done once a second
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._told.wait()
