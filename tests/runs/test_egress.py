"""Ways around the way out, tried over real sockets against the real proxy. Only names are looked up elsewhere."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from bot.machine.hostname import host_name
from bot.policy import REGISTRIES, NetworkPolicy
from bot.runs.egress import Door, Network, open_door
from bot.runs.egress.proxy import Bounds

HOST = "packages.example"
GOOD = f"CONNECT {HOST}:443 HTTP/1.1"
PUBLIC = "93.184.215.14"


@dataclass
class World:
    """What is outside: names, and one machine that answers for all addresses."""

    port: int = 0
    names: dict[str, Sequence[Sequence[str]]] = field(default_factory=lambda: {HOST: [[PUBLIC]]})
    """The answers for a name, one after another; the last one stays."""
    looked_up: list[str] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)
    answer: bytes = b""
    allow: frozenset[str] = frozenset({HOST})

    async def resolve(self, name: str) -> Sequence[str]:
        self.looked_up.append(name)
        answers = self.names.get(name)
        if not answers:
            raise OSError("no such name")
        return answers[min(self.looked_up.count(name), len(answers)) - 1]

    async def dial(self, address: str, port: int) -> Any:
        self.dialled.append((address, port))
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            self.heard += chunk
            writer.write(self.answer)
        writer.close()

    def network(self, **bounds: Any) -> Network:
        return Network(lambda: self.allow, Bounds(**bounds), self.resolve, self.dial)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


@pytest.fixture
async def door(world: World) -> AsyncIterator[Door]:
    async with open_door(world.network(), "run-1") as opened:
        yield opened


def header(door: Door) -> bytes:
    return b"\r\nProxy-Authorization: Basic " + base64.b64encode(f"run:{door.token}".encode())


async def send(door: Door, raw: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(str(door.socket))
    writer.write(raw)
    return reader, writer


async def answered(door: Door, raw: bytes) -> str:
    """All that comes back, until the proxy closes."""
    reader, writer = await send(door, raw)
    try:
        async with asyncio.timeout(20):
            return (await reader.read()).decode("latin-1")
    except ConnectionResetError:
        return ""
    finally:
        writer.close()


async def refused(door: Door, world: World, raw: bytes) -> str:
    """Send a request that must be refused without anything outside being touched; returns what the run is told."""
    said = await answered(door, raw)
    assert not said.startswith("HTTP/1.1 2"), said
    assert world.dialled == []
    [line] = door.refusals.lines()
    assert said == "" or line.rpartition(": ")[2] in said
    return line


def hello(name: str | None) -> bytes:
    """The greeting of a real TLS client."""
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(come, go, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return go.read()


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def crafted(*extensions: tuple[int, bytes], split: int = 0) -> bytes:
    """A greeting made by hand, in one record or in records of `split` bytes."""
    listed = b"".join(kind.to_bytes(2, "big") + vector(2, content) for kind, content in extensions)
    body = b"\x03\x03" + b"r" * 32 + vector(1, b"") + vector(2, b"\x13\x01") + vector(1, b"\0") + vector(2, listed)
    message = b"\x01" + vector(3, body)
    size = split or len(message)
    return b"".join(b"\x16\x03\x01" + vector(2, message[at : at + size]) for at in range(0, len(message), size))


def names(*found: str) -> tuple[int, bytes]:
    return 0, vector(2, b"".join(b"\0" + vector(2, name.encode()) for name in found))


async def opened(door: Door, first: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A tunnel, after its 200."""
    reader, writer = await send(door, GOOD.encode() + header(door) + b"\r\n\r\n" + first)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return reader, writer


async def test_a_listed_host_is_reached_at_the_address_that_was_checked(world: World, door: Door) -> None:
    world.answer = b"welcome"
    world.names[HOST] = [[PUBLIC, "2606:2800:21f::1"]]
    reader, writer = await opened(door, hello(HOST))
    assert await reader.readexactly(7) == b"welcome"
    writer.close()
    assert world.dialled == [(PUBLIC, 443)]
    assert world.heard.startswith(b"\x16\x03")
    assert door.refusals.lines() == []


async def test_upper_case_is_the_same_name(world: World, door: Door) -> None:
    world.answer = b"!"
    reader, writer = await send(door, GOOD.upper().encode() + header(door) + b"\r\n\r\n" + hello(HOST.upper()))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert await reader.readexactly(1) == b"!"
    writer.close()


TARGETS = {
    "another host": "evil.example:443",
    "the listed name in front": f"{HOST}.evil.example:443",
    "the listed name at the end": f"evil{HOST}:443",
    "a host below it": f"sub.{HOST}:443",
    "a host above it": "example:443",
    "NUL before another host": f"{HOST}\0.evil.example:443",
    "NUL after another host": f"evil.example\0.{HOST}:443",
    "encoded NUL": f"{HOST}%00.evil.example:443",
    "carriage return": f"{HOST}\r.evil.example:443",
    "line feed": f"{HOST}\n.evil.example:443",
    "tab": f"{HOST}\t:443",
    "delete": f"{HOST}\x7f:443",
    "a dot at the end": f"{HOST}.:443",
    "two dots at the end": f"{HOST}..:443",
    "an empty label": "packages..example:443",
    "it as a user": f"{HOST}@evil.example:443",
    "another one as a user": f"evil.example@{HOST}:443",
    "a user with a password": f"a:b@{HOST}:443",
    "a fragment": f"{HOST}#.evil.example:443",
    "a query": f"{HOST}?.evil.example:443",
    "a path": f"{HOST}/.evil.example:443",
    "a backslash": f"{HOST}\\.evil.example:443",
    "a whole address": f"https://{HOST}:443",
    "two ports": f"{HOST}:443:80",
    "two ports, the other way": f"{HOST}:80:443",
    "no port": HOST,
    "an empty port": f"{HOST}:",
    "port 22": f"{HOST}:22",
    "port 53": f"{HOST}:53",
    "port 80": f"{HOST}:80",
    "a port with a zero": f"{HOST}:0443",
    "a port with a sign": f"{HOST}:+443",
    "a port that wraps around": f"{HOST}:65979",
    "a port in other digits": f"{HOST}:４４３",
    "no host": ":443",
    "nothing": ":",
    "a star": "*:443",
    "a star below": "*.example:443",
    "an underscore": "packages_.example:443",
    "a list": f"{HOST},evil.example:443",
    "a very long name": "a." * 200 + "example:443",
    "cyrillic letters": "раckages.example:443",
    "the same in punycode": "xn--ckages-3nf9b.example:443",
    "another alphabet's dot": "packages。example:443",
    "a soft hyphen": "pack\u00adages.example:443",
    "letters in circles": "ⓟackages.example:443",
    "localhost": "localhost:443",
    "an address": f"{PUBLIC}:443",
    "an address with a dot": f"{PUBLIC}.:443",
    "loopback": "127.0.0.1:443",
    "loopback, short": "127.1:443",
    "loopback, decimal": "2130706433:443",
    "loopback, hexadecimal": "0x7f000001:443",
    "loopback, octal": "0177.0.0.1:443",
    "loopback, mixed": "0x7f.0.0x1:443",
    "zero": "0:443",
    "a metadata service": "169.254.169.254:443",
    "loopback by IPv6": "[::1]:443",
    "loopback mapped": "[::ffff:127.0.0.1]:443",
    "loopback mapped, hexadecimal": "[::ffff:7f00:1]:443",
    "loopback by NAT64": "[64:ff9b::7f00:1]:443",
    "IPv6 with a zone": "[fe80::1%25eth0]:443",
    "IPv6 without brackets": "::1:443",
    "an address that never was": "1.2.3.4.5:443",
}


@pytest.mark.attack("S-35")
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_no_spelling_leads_to_another_host(world: World, door: Door, target: str) -> None:
    line = await refused(door, world, f"CONNECT {target} HTTP/1.1".encode() + header(door) + b"\r\n\r\n")
    assert line.isascii()
    assert line.isprintable()
    assert world.looked_up == [], "not even a look-up, which would tell a name server something"


INSIDE = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "100.100.100.200", "168.63.129.16", "0.0.0.0", "192.0.0.192", "192.0.2.1", "198.18.0.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::1", "::", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1"),
    *("2002:7f00:1::1", "2001:0:1::1", "2001:db8::1", "3fff::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1"),
    *("fec0::1", "ff02::1", "4000::1", "what?"),
]


@pytest.mark.attack("S-35")
@pytest.mark.parametrize("address", INSIDE)
async def test_a_listed_name_does_not_lead_inside(world: World, door: Door, address: str) -> None:
    world.names[HOST] = [[address]]
    assert "address" in await refused(door, world, GOOD.encode() + header(door) + b"\r\n\r\n")


@pytest.mark.attack("S-35")
@pytest.mark.parametrize("found", [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, "::1"]])
async def test_one_address_inside_among_others_is_enough(world: World, door: Door, found: list[str]) -> None:
    world.names[HOST] = [found]
    await refused(door, world, GOOD.encode() + header(door) + b"\r\n\r\n")


@pytest.mark.attack("S-35")
async def test_a_name_that_changes_its_address_is_looked_up_once(world: World, door: Door) -> None:
    world.names[HOST] = [[PUBLIC], ["127.0.0.1"]]
    world.answer = b"!"
    reader, writer = await opened(door, hello(HOST))
    await reader.readexactly(1)
    writer.close()
    assert (world.looked_up, world.dialled) == ([HOST], [(PUBLIC, 443)])
    said = await answered(door, GOOD.encode() + header(door) + b"\r\n\r\n")
    assert said.startswith("HTTP/1.1 403 ")
    assert len(world.dialled) == 1


REQUESTS = {
    "a page": (f"GET http://{HOST}/ HTTP/1.1", "use https://"),
    "a page here": ("GET / HTTP/1.1", "use https://"),
    "a form": (f"POST http://{HOST}/upload HTTP/1.1", "use https://"),
    "a trace": (f"TRACE http://{HOST}/ HTTP/1.1", "use https://"),
    "a method in small letters": (f"connect {HOST}:443 HTTP/1.1", "use https://"),
    "no version": (f"CONNECT {HOST}:443", "reads alike"),
    "another version": (f"CONNECT {HOST}:443 HTTP/2.0", "reads alike"),
    "two spaces": (f"CONNECT  {HOST}:443 HTTP/1.1", "reads alike"),
    "two targets": (f"CONNECT {HOST}:443 evil.example:443 HTTP/1.1", "reads alike"),
    "the preface of HTTP/2": ("PRI * HTTP/2.0", "reads alike"),
    "a folded header": (f"{GOOD}\r\nX: a\r\n b", "reads alike"),
    "a header with NUL": (f"{GOOD}\r\nX: a\0b", "reads alike"),
    "a header with a line feed": (f"{GOOD}\r\nX: a\nHost: evil.example", "reads alike"),
    "a header without a name": (f"{GOOD}\r\n: a", "reads alike"),
    "a space before the colon": (f"{GOOD}\r\nHost : a", "reads alike"),
    "a body": (f"{GOOD}\r\nContent-Length: 5", "no body"),
    "a body in chunks": (f"{GOOD}\r\nTransfer-Encoding: chunked", "no body"),
}


@pytest.mark.attack("S-35")
@pytest.mark.parametrize(("request_", "says"), REQUESTS.values(), ids=REQUESTS)
async def test_only_plain_tunnels_go_out(world: World, door: Door, request_: str, says: str) -> None:
    assert says in await refused(door, world, request_.encode() + header(door) + b"\r\n\r\n")


@pytest.mark.attack("S-35", "S-32")
@pytest.mark.parametrize("token", ["", "Basic", "Basic cnVuOg==", "Bearer {}", "Basic {}x", "basic {}", "twice"])
async def test_nobody_goes_out_without_the_token_of_the_run(world: World, door: Door, token: str) -> None:
    right = header(door).rpartition(b" ")[2].decode()
    line = f"\r\nProxy-Authorization: {token.format(right)}" if token != "twice" else header(door).decode() * 2
    assert "token" in await refused(door, world, (GOOD + (line if token else "") + "\r\n\r\n").encode())


@pytest.mark.attack("S-35")
async def test_the_token_of_another_run_opens_nothing(world: World, door: Door) -> None:
    async with open_door(world.network()) as other:
        assert "token" in await refused(door, world, GOOD.encode() + header(other) + b"\r\n\r\n")


@pytest.mark.attack("S-32", "S-35")
async def test_the_token_of_a_run_that_is_over_opens_nothing_not_even_to_the_same_run(world: World) -> None:
    async with open_door(world.network(), "run-1") as over:
        assert over.socket.exists()
    assert not over.socket.exists()
    async with open_door(world.network(), "run-1") as again:
        assert "token" in await refused(again, world, GOOD.encode() + header(over) + b"\r\n\r\n")


NOT_TLS = {
    "another name": hello("evil.example"),
    "a name below": hello(f"sub.{HOST}"),
    "no name": hello(None),
    "two names": crafted(names(HOST, "evil.example")),
    "two lists of names": crafted(names(HOST), names("evil.example")),
    "a name of another kind": crafted((0, vector(2, b"\x01" + vector(2, HOST.encode())))),
    "a name with NUL": crafted(names(f"{HOST}\0.evil.example")),
    "a hidden name": crafted(names(HOST), (0xFE0D, b"secret")),
    "another name in pieces": crafted(names("evil.example"), split=3),
    "a damaged greeting": crafted((0, b"\xff\xff")),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "plain HTTP": b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "an alert": b"\x15\x03\x01\x00\x02\x01\x00",
    "a server's greeting": b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
    "SOCKS": b"\x05\x01\x00",
    "a greeting without end": b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xff" + b"a" * 20_000,
}


@pytest.mark.attack("S-35")
@pytest.mark.parametrize("greeting", NOT_TLS.values(), ids=NOT_TLS)
async def test_a_tunnel_speaks_tls_to_the_host_that_it_was_opened_for(
    world: World, door: Door, greeting: bytes
) -> None:
    reader, writer = await opened(door, greeting)
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    writer.close()
    assert world.heard == b"", "not a byte went out"
    [line] = door.refusals.lines()
    assert "TLS" in line


async def test_a_greeting_in_pieces_is_put_together(world: World, door: Door) -> None:
    world.answer = b"!"
    greeting = crafted(names(HOST), split=7)
    reader, writer = await opened(door)
    for at in range(0, len(greeting), 11):
        writer.write(greeting[at : at + 11])
        await writer.drain()
    assert await reader.readexactly(1) == b"!"
    writer.close()


@pytest.mark.attack("S-35")
async def test_a_head_without_end_is_cut_off(world: World, door: Door) -> None:
    assert "8 kB" in await refused(door, world, GOOD.encode() + b"\r\nX: " + b"a" * 100_000)


@pytest.mark.attack("S-35", "S-60")
async def test_who_says_nothing_is_not_waited_for(world: World) -> None:
    async with open_door(world.network(greeting=0.2)) as door:
        assert await answered(door, b"CONNECT ") == ""
        reader, writer = await opened(door)
        assert await reader.read() == b""
        writer.close()


@pytest.mark.attack("S-35", "S-60")
async def test_a_tunnel_in_which_nothing_moves_is_closed(world: World) -> None:
    async with open_door(world.network(idle=0.2)) as door:
        reader, writer = await opened(door, hello(HOST))
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.attack("S-35", "S-60")
async def test_a_run_has_only_so_many_connections_at_once(world: World) -> None:
    async with open_door(world.network(at_once=3)) as door:
        held = [await opened(door) for _ in range(3)]
        assert "429" in await answered(door, GOOD.encode() + header(door) + b"\r\n\r\n")
        for _, writer in held:
            writer.close()
    assert "more than 3 connections at once" in door.refusals.lines()[0]


@pytest.mark.attack("S-35", "S-60")
async def test_a_flood_of_connections_is_dropped(world: World) -> None:
    async with open_door(world.network(at_once=2)) as door:
        held = [await asyncio.open_unix_connection(str(door.socket)) for _ in range(30)]
        async with asyncio.timeout(20):
            for reader, _ in held[9:]:
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
        for _, writer in held:
            writer.close()


@pytest.mark.attack("S-35", "S-60")
@pytest.mark.parametrize(("way", "bounds"), [("send", {"up": 3000}), ("fetch", {"down": 3000})])
async def test_a_run_carries_only_so_much(world: World, way: str, bounds: dict[str, int]) -> None:
    world.answer = b"x" * 1000 if way == "fetch" else b""
    async with open_door(world.network(**bounds)) as door:
        for _ in range(2):
            reader, writer = await opened(door, hello(HOST))
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(20):
                    for _ in range(4):
                        writer.write(b"y" * 1000)
                        await writer.drain()
                        await asyncio.sleep(0.01)
                    writer.write_eof()
                    await reader.read()
            writer.close()
    assert f"a run may {way} 3,000 bytes in all" in door.refusals.lines()[0]
    assert len(world.heard) < 6000


@pytest.mark.attack("S-35")
async def test_code_hosts_are_not_on_the_list_and_the_list_is_all(world: World) -> None:
    world.allow = frozenset(NetworkPolicy().allow)
    async with open_door(world.network()) as door:
        hosts = (
            "github.com",
            "api.github.com",
            "codeload.github.com",
            "gitlab.com",
            "api.linear.app",
            "upload.pypi.org",
        )
        for host in hosts:
            raw = f"CONNECT {host}:443 HTTP/1.1".encode() + header(door) + b"\r\n\r\n"
            assert (await answered(door, raw)).startswith("HTTP/1.1 403 ")
    assert world.looked_up == []


@pytest.mark.attack("S-35")
async def test_a_host_that_was_taken_off_the_list_is_reached_no_more(world: World, door: Door) -> None:
    (await opened(door))[1].close()
    world.allow = frozenset()
    assert (await answered(door, GOOD.encode() + header(door) + b"\r\n\r\n")).startswith("HTTP/1.1 403 ")


@pytest.mark.attack("S-35")
async def test_the_door_and_its_tunnels_die_with_the_run(world: World) -> None:
    async with open_door(world.network()) as door:
        reader, writer = await opened(door, hello(HOST))
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    writer.close()
    assert not door.socket.parent.exists()


@pytest.mark.attack("S-35", "S-51")
async def test_a_flood_of_refusals_is_counted_and_keeps_no_memory(world: World, door: Door) -> None:
    raw = "CONNECT evil{}.example:443 HTTP/1.1"
    for number in range(230):
        await answered(door, raw.format(number).encode() + header(door) + b"\r\n\r\n")
    lines = door.refusals.lines()
    assert (len(lines), lines[-1]) == (201, "and 30 more")
    assert door.token not in "".join(lines)
    assert door.token not in repr(door)


async def test_a_host_that_nobody_knows_or_that_does_not_answer_is_told_apart(world: World, door: Door) -> None:
    world.names = {}
    assert (await answered(door, GOOD.encode() + header(door) + b"\r\n\r\n")).startswith("HTTP/1.1 502 ")
    assert door.refusals.lines() == [f"{HOST}:443: the name has no address"]


@pytest.mark.parametrize(
    ("text", "name"), [("PyPI.org", "pypi.org"), ("bücher.example", "xn--bcher-kva.example"), (HOST, HOST)]
)
def test_a_name_of_the_policy_is_written_as_programs_send_it(text: str, name: str) -> None:
    assert host_name(text) == name
    assert NetworkPolicy(allow=(text,)).allow == (name,)


@pytest.mark.attack("S-35")
@pytest.mark.parametrize(
    "text",
    ["*.example", "https://a.example", "a.example:443", "a.example.", "127.0.0.1", "0x7f.1", "localhost", "", "a b"],
)
def test_what_is_no_whole_name_is_no_entry_of_the_list(text: str) -> None:
    with pytest.raises(ValidationError):
        NetworkPolicy(allow=(text,))


def test_the_default_list_is_package_registries() -> None:
    assert NetworkPolicy().allow == REGISTRIES
    assert len(REGISTRIES) == len(set(REGISTRIES)) == 17
