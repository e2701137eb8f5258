"""The nursery: `python -m bot.simulator.crash`, told by its parent what to give birth to, a line for each life."""

import base64
import os
import pickle
import signal
import sys

from bot.simulator.crash.process import live


def main() -> None:
    """Fork one life for each line; who it is goes back."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are nobody's: no zombies
    for line in sys.stdin.buffer:
        birth = pickle.loads(base64.b64decode(line))  # noqa: S301 - from our own parent
        pid = os.fork()
        if pid == 0:
            live(birth)
        os.write(1, f"{pid}\n".encode())


main()
