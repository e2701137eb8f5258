"""The way out as programs in the box find it: by their proxy variables, on their own loopback."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.runs.contract import Ending
from bot.runs.egress import Network
from bot.runs.place import House, Place
from bot.runs.runner import run_agent
from bot.runs.sandbox import Bubblewrap, Off
from bot.runs.verification import verify
from bot.simulator.model import concludes

Make = Callable[..., Any]
PYTHON = str(Path(sys.executable).resolve())
PROBE = """
import base64, os, socket, sys, urllib.request
def through(target):
    proxy = urllib.request.urlparse(os.environ["HTTPS_PROXY"])
    token = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    with socket.create_connection((proxy.hostname, proxy.port), 10) as one:
        one.sendall(f"CONNECT {target} HTTP/1.1\\r\\nProxy-Authorization: Basic {token}\\r\\n\\r\\n".encode())
        return one.recv(1000).split(b"\\r\\n")[0].decode()
for target in sys.argv[1:]:
    print(through(target))
"""


@dataclass
class Outside:
    """Names, and a machine that hangs up on everybody."""

    port: int = 0
    looked_up: list[str] = field(default_factory=list)

    async def resolve(self, name: str) -> Sequence[str]:
        self.looked_up.append(name)
        return ["93.184.215.14"]

    async def dial(self, _address: str, _port: int) -> Any:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def house(self, *allow: str) -> House:
        network = Network(lambda: frozenset(allow), resolve=self.resolve, dial=self.dial)
        return House(Bubblewrap(), network=network)


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    yield Outside(server.sockets[0].getsockname()[1])
    server.close()


@pytest.mark.attack("S-35")
async def test_a_command_reaches_what_is_listed_and_its_receipt_says_what_was_refused(
    place: Place, outside: Outside
) -> None:
    (place.checkout / "probe.py").write_text(PROBE)
    [receipt] = await verify(
        [f"{PYTHON} probe.py packages.example:443 evil.example:443; exit 3"],
        place,
        outside.house("packages.example"),
        minutes=1,
    )
    lines = receipt.output.splitlines()
    assert lines[:2] == ["HTTP/1.1 200 Connection established", "HTTP/1.1 403 Forbidden"]
    assert lines[-1].startswith("[Refused: evil.example:443: the policy does not list this host")
    assert outside.looked_up == ["packages.example"]


@pytest.mark.attack("S-35")
async def test_a_run_is_told_what_was_refused_and_so_are_people(place: Place, outside: Outside, spec: Make) -> None:
    (place.checkout / "probe.py").write_text(PROBE)
    order = spec("implement", runtime="command", command=[PYTHON, "probe.py", "evil.example:443", "evil.example:443"])
    result = (await run_agent(order, place, outside.house("packages.example"))).result
    line = "evil.example:443: the policy does not list this host ([network] allow) (2 times)"
    assert result.refused == [line]
    assert result.kind is Ending.WORK_FAILED
    assert f"On the way out this was refused: {line}." in result.error
    transcript = (place.folder / "transcript.jsonl").read_text().splitlines()
    assert json.loads(transcript[-1]) == {"type": "callboard", "subtype": "refused", "refused": [line]}


@pytest.mark.slow
@pytest.mark.proves("S-35")
async def test_pip_and_npm_find_the_way_out_by_themselves(place: Place, outside: Outside) -> None:
    commands = [f"{PYTHON} -m pip --disable-pip-version-check download --retries 0 --no-cache-dir nothing"]
    if shutil.which("npm", path="/usr/local/bin:/usr/bin:/bin"):
        commands.append("npm view nothing --fetch-retries=0")
    house = outside.house("pypi.org", "registry.npmjs.org")
    receipts = await verify(commands, place, house, minutes=1)
    assert not any(one.passed for one in receipts), "nobody answers there"
    assert set(outside.looked_up) == {"pypi.org", "registry.npmjs.org"} if len(commands) > 1 else {"pypi.org"}


@pytest.mark.slow
@pytest.mark.proves("S-35")
async def test_claude_code_speaks_to_its_model_and_asks_the_way_out_for_nothing(
    place: Place, bench: Make, spec: Make, outside: Outside
) -> None:
    answers = [concludes({"summary": "One table.", "document": "# Sessions"})]
    async with bench(answers, network=outside.house("packages.example").network) as bench_:
        result = (await bench_.run(spec("research"), place)).result
    assert (result.kind, result.refused, outside.looked_up) == (Ending.SUCCESS, [], [])


async def test_without_walls_there_is_no_door_in_them(place: Place, outside: Outside) -> None:
    house = House(Off(), network=outside.house("packages.example").network)
    [receipt] = await verify(["env | grep -i proxy"], place, house, minutes=1)
    assert (receipt.code, receipt.output) == (1, "")
