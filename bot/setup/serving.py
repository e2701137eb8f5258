"""The set-up page as a server: until it is finished, or the service is told to stop."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import structlog
import uvicorn

from bot.machine.errors import UserError
from bot.setup.door import Door
from bot.setup.page import SetupPage
from bot.words import setup_text

log = structlog.get_logger()


@asynccontextmanager
async def open_page(
    process: Mapping[str, str], host: str, port: int, tell: Callable[[str], None]
) -> AsyncIterator[SetupPage]:
    """Serve the page; `tell` is given the words with the address that is good once, and every later one.

    Raises:
        UserError: the port is taken, or the address is not this machine's.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)  # asyncio leaves such a socket as it is
    except OSError as error:
        taken = f"{host}:{port} can't be listened at ({error.strerror})"
        raise UserError(f"{taken}: is Callboard running already? PORT names another.") from None
    shown = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104  # compared, not bound
    first = True

    def announce(token: str) -> None:
        nonlocal first
        tell(setup_text("unconfigured" if first else "again", url=f"{shown}/setup?token={token}"))
        first = False

    page = SetupPage(process, Door(announce), shown)
    config = uvicorn.Config(
        page.app(), host=host, port=port, log_config=None, access_log=False, lifespan="off", server_header=False
    )
    server = uvicorn.Server(config)
    listening = asyncio.create_task(server._serve(sockets=[listener]))  # serve() would capture signals
    try:
        while not server.started:
            if listening.done():
                listening.result()
            await asyncio.sleep(0.01)
        yield page
    finally:
        server.should_exit = True
        await asyncio.gather(listening, return_exceptions=True)
        listener.close()


async def until_set_up(process: Mapping[str, str], host: str, port: int, tell: Callable[[str], None]) -> bool:
    """Serve until the person has finished (True), or the service was told to stop (False)."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stopped.set)
    try:
        async with open_page(process, host, port, tell) as page:
            waits = [asyncio.create_task(page.finished.wait()), asyncio.create_task(stopped.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            return page.finished.is_set()
    finally:
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(one)
