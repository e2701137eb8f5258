"""The proxy: CONNECT only, for one run, on a unix socket that is bound into its box.

What must hold: nothing is connected to but an address that was just looked up here for a name on the policy's list, and
checked; the bytes that pass were announced (by TLS) as meant for that very name; what is refused is told to the agent,
noted on the run and counted. Nothing a client sends raises, or keeps a connection for longer than the limits say.
"""

import asyncio
import base64
import contextlib
import hmac
import re
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.runs.doorway import doorway
from bot.runs.egress.hello import LONGEST, server_name
from bot.runs.egress.hosts import PORT, destination, outside
from bot.runs.egress.log import NotAllowedError, Reason, Refusals, shown

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Looks a name up; raises OSError when there is no answer."""
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[str, int], Awaitable[Stream]]
"""Connects to an address and a port; raises OSError."""

PORT_INSIDE = 61128
"""Where programs in the box find the proxy, on their own loopback; above the ports that Linux gives out by itself."""
_HEAD = 8 << 10
_CHUNK = 1 << 16
_STATUS = {
    Reason.METHOD: "405 Method Not Allowed",
    Reason.MALFORMED: "400 Bad Request",
    Reason.TOKEN: "407 Proxy Authentication Required",
    Reason.LIMIT: "429 Too Many Requests",
    Reason.UNREACHABLE: "502 Bad Gateway",
}
_REQUEST = re.compile(rb"([A-Za-z]+) ([^ ]+) HTTP/1\.[01]")
_HEADER = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([\x20-\x7e\t]*)")


async def look_up(host: str) -> Sequence[str]:
    """Return the addresses that this machine's resolver knows for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@dataclass(frozen=True)
class Bounds:
    """How much of the way out one run may use. Times in seconds, sizes in bytes."""

    at_once: int = 64
    up: int = 64 << 20
    """Sent by the run in all: enough to ask for packages, too little to carry a company away."""
    down: int = 8 << 30
    greeting: float = 10.0
    idle: float = 120.0
    whole: float = 1800.0


@dataclass(frozen=True)
class Network:
    """What runs may reach: `allow` gives the names, as `host_name` writes them, each time anew."""

    allow: Callable[[], frozenset[str]]
    bounds: Bounds = Bounds()
    resolve: Resolve = look_up
    dial: Dial = asyncio.open_connection


@dataclass
class Door:
    """An open proxy: its socket, and what was refused at it. The token dies with the door."""

    socket: Path
    refusals: Refusals
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def environment(self) -> dict[str, str]:
        """The variables by which programs find a proxy; where the box shows it on its loopback."""
        url = f"http://run:{self.token}@127.0.0.1:{PORT_INSIDE}"
        names = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "npm_config_proxy", "npm_config_https_proxy")
        here = "localhost,127.0.0.1,::1,model.invalid"
        return dict.fromkeys((*names, "PIP_PROXY"), url) | {"NO_PROXY": here, "no_proxy": here}


@asynccontextmanager
async def open_door(network: Network, run: str = "") -> AsyncIterator[Door]:
    """Keep a way out open for one run; it, and every tunnel through it, is gone when the block ends."""
    with doorway() as folder:
        door = Door(folder / "egress.sock", Refusals(run))
        tunnels = _Tunnels(network, door)
        server = await asyncio.start_unix_server(tunnels.accept, door.socket, limit=_HEAD)
        try:
            yield door
        finally:
            server.close()
            await tunnels.close()


class _Tunnels:
    """All connections of one run."""

    def __init__(self, network: Network, door: Door) -> None:
        self._network = network
        self._door = door
        self._expected = b"Basic " + base64.b64encode(f"run:{door.token}".encode())
        self._open: set[asyncio.Task[None]] = set()
        self._up = self._down = 0

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection on, or drop it when there are far too many to be answered; never waits."""
        if len(self._open) > 4 * self._network.bounds.at_once:
            writer.transport.abort()
            return
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def close(self) -> None:
        """End every connection."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bounds, target = self._network.bounds, ""
        try:
            async with asyncio.timeout(bounds.whole):
                try:
                    async with asyncio.timeout(bounds.greeting):
                        head = await reader.readuntil(b"\r\n\r\n")
                    target = _target_of(head)
                    self._admit(head)
                    if len(self._open) > bounds.at_once:
                        raise NotAllowedError(Reason.LIMIT, f"more than {bounds.at_once} connections at once")
                    host = destination(target, self._network.allow())
                    far = await self._connected(host)
                except NotAllowedError as error:
                    self._door.refusals.note(target, error)
                    await _answer(writer, error)
                    return
                with contextlib.closing(far[1]):
                    await self._tunnel(host, (reader, writer), far)
        except NotAllowedError as error:
            self._door.refusals.note(target, error)
        except asyncio.LimitOverrunError:
            self._door.refusals.note(target, NotAllowedError(Reason.MALFORMED, "a request has at most 8 kB"))
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            return  # it took too long, or one side went away: the other sees the connection end
        finally:
            writer.close()

    def _admit(self, head: bytes) -> None:
        """Refuse what is no request for a tunnel by this run.

        Raises:
            NotAllowedError: it is none.
        """
        request, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        asked = _REQUEST.fullmatch(request)
        headers = [_HEADER.fullmatch(line) for line in lines]
        if asked is None or not all(headers):
            raise NotAllowedError(Reason.MALFORMED, "that is no request that everybody reads alike")
        found = [(one[1].lower(), one[2].strip()) for one in headers if one]
        tokens = [value for name, value in found if name == b"proxy-authorization"]
        if len(tokens) != 1 or not hmac.compare_digest(tokens[0], self._expected):
            raise NotAllowedError(Reason.TOKEN, "the way out asks for the token of the run")
        if asked[1] != b"CONNECT":
            says = "only tunnels go out (CONNECT, as for https); plain http:// does not: use https://"
            raise NotAllowedError(Reason.METHOD, says)
        if {name for name, _ in found} & {b"content-length", b"transfer-encoding"}:
            raise NotAllowedError(Reason.MALFORMED, "a request for a tunnel has no body")

    async def _connected(self, host: str) -> Stream:
        """Look the name up, check what comes back, and connect to exactly that.

        Raises:
            NotAllowedError: it leads inside, or nobody answers.
        """
        async with asyncio.timeout(self._network.bounds.greeting * 3):
            try:
                addresses = outside(await self._network.resolve(host))
            except OSError:
                raise NotAllowedError(Reason.UNREACHABLE, "the name has no address") from None
            for address in addresses[:4]:
                try:
                    return await self._network.dial(address, PORT)
                except OSError:
                    continue
        raise NotAllowedError(Reason.UNREACHABLE, "nobody answers there")

    async def _tunnel(self, host: str, near: Stream, far: Stream) -> None:
        near[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        greeting = b""
        async with asyncio.timeout(self._network.bounds.greeting):
            while (named := server_name(greeting)) is None:
                chunk = await near[0].read(LONGEST)
                if not chunk:
                    return
                greeting += chunk
        if named != host:
            raise NotAllowedError(Reason.SERVER_NAME, f"the tunnel was asked for, then TLS spoke to {shown(named)}")
        self._count(len(greeting), up=True)
        far[1].write(greeting)
        async with asyncio.timeout(self._network.bounds.idle) as silence:
            both = [self._copy(near[0], far[1], silence, up=True), self._copy(far[0], near[1], silence, up=False)]
            tasks = [asyncio.ensure_future(one) for one in both]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()

    async def _copy(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, silence: asyncio.Timeout, *, up: bool
    ) -> None:
        now = asyncio.get_running_loop().time
        while chunk := await source.read(_CHUNK):
            silence.reschedule(now() + self._network.bounds.idle)
            self._count(len(chunk), up=up)
            sink.write(chunk)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()

    def _count(self, size: int, *, up: bool) -> None:
        """Count bytes of the whole run.

        Raises:
            NotAllowedError: it is too much.
        """
        bounds = self._network.bounds
        self._up, self._down = self._up + size * up, self._down + size * (not up)
        if self._up > bounds.up:
            raise NotAllowedError(Reason.LIMIT, f"a run may send {bounds.up:,} bytes in all")
        if self._down > bounds.down:
            raise NotAllowedError(Reason.LIMIT, f"a run may fetch {bounds.down:,} bytes in all")


def _target_of(head: bytes) -> str:
    """What was asked for, as far as anybody can tell, to be shown; nothing is decided by it but a well-formed one."""
    words = head.partition(b"\r\n")[0].split(b" ")
    return words[1].decode("latin-1") if len(words) > 1 else ""


async def _answer(writer: asyncio.StreamWriter, error: NotAllowedError) -> None:
    body = f"Callboard: {error.says}.\n".encode()
    status = _STATUS.get(error.reason, "403 Forbidden")
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}"]
    lines += ["Connection: close", *(['Proxy-Authenticate: Basic realm="run"'] if error.reason is Reason.TOKEN else [])]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
