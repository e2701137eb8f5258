"""The nursery: `python -m bot.simulator.crash`, told by its parent what to give birth to, a line for each life."""

import asyncio
import base64
import os
import pickle
import signal
import sys

from bot.runs.sandbox import Sandbox
from bot.runs.selftest import sandbox
from bot.simulator.crash.process import Birth, live


def main() -> None:
    """Fork one life for each line; who it is goes back. The walls are tried once for all lives: they stay the same."""
    walls: dict[str, Sandbox] = {}
    for line in sys.stdin.buffer:
        birth: Birth = pickle.loads(base64.b64decode(line))  # noqa: S301 - from our own parent
        name = birth.settings.sandbox
        if name not in walls:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            walls[name] = asyncio.run(sandbox(name))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are nobody's: no zombies
        pid = os.fork()
        if pid == 0:
            live(birth, walls[name])
        os.write(1, f"{pid}\n".encode())


main()
