"""`python -m tests.simulation.sweep [--seeds N] [--only WORDS] [--write FILE]`: is every planted bug found?

Each bug is planted into a copy of the tree, and stories are played there until one is violated that is not violated
without the bug. A table says which invariant caught it; the exit code is 0 only when all were caught.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.planted import PLANTED, Planted, plant
from tests.simulation.setting import ORDINARY, setting_of

ROOT = Path(__file__).parents[2]
PARTS = ("bot", "handlers", "prompts", "tests/simulation")
SEEDS = 150
MOST_SECONDS = 600.0
"""A bug that keeps its stories from ending must not keep the sweep from ending."""
PREFACE = """# The sweep of planted bugs

Written by `make sweep ARGS="--write docs/sweep.md"`. Each line is a bug of one small replacement
(`tests/simulation/planted.py`), planted into a copy of the service, and the first story of the simulation that is
violated with it and not without it: `make simulate SEED=S` tells that story as it is without the bug. The story that
found a bug the last time is played first, then those of special worlds (`tests/simulation/setting.py`), then the rest.

"""


@dataclass(frozen=True)
class Tried:
    """What came of a bug: the invariant that caught it, in which story, and after how many seconds."""

    planted: Planted
    invariant: str
    seed: int
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether it was found."""
        return bool(self.invariant)


class Sweep:
    """Tries bugs. `sound` remembers which stories hold without any bug."""

    def __init__(self, seeds: int) -> None:
        self.seeds = seeds
        self._sound: dict[int, bool] = {}
        self._lock = threading.Lock()

    def tries(self, planted: Planted) -> Tried:
        """Plant one bug, play until it is found or the seeds are over, and say so."""
        tried = self._tries(planted)
        says = f"{tried.invariant} (seed {tried.seed})" if tried.caught else "NOT CAUGHT"
        sys.stdout.write(f"{tried.seconds:6.1f} s  {planted.bug}: {says}\n")
        sys.stdout.flush()
        return tried

    def _tries(self, planted: Planted) -> Tried:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
            tree = copied(Path(folder))
            plant(planted, tree)
            for seed, invariant in violations(tree, in_order(planted, self.seeds)):
                if self.is_sound(seed):
                    return Tried(planted, invariant, seed, time.monotonic() - began)
        return Tried(planted, "", 0, time.monotonic() - began)

    def is_sound(self, seed: int) -> bool:
        """Whether a story holds without any bug."""
        with self._lock:
            if seed not in self._sound:
                self._sound[seed] = not any(violations(ROOT, [seed]))
            return self._sound[seed]


def copied(tree: Path) -> Path:
    """What the simulation needs, copied with its bytecode, which holds for all that is not changed."""
    for part in PARTS:
        shutil.copytree(ROOT / part, tree / part)
    return tree


def in_order(planted: Planted, seeds: int) -> list[int]:
    """The first so many stories, those first that may know the bug: the one that did, then those of special worlds."""
    some = {*range(seeds), planted.found_by}
    return sorted(some, key=lambda seed: (seed != planted.found_by, setting_of(seed) is ORDINARY, seed))


def violations(tree: Path, seeds: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Play these stories in a tree; each that is violated, as soon as it is, with the first invariant of it.

    Raises:
        RuntimeError: the stories could not be played at all.
    """
    command = [sys.executable, "-m", "tests.simulation", "--brief", ",".join(map(str, seeds))]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    with subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        late = threading.Timer(MOST_SECONDS, child.kill)
        late.start()
        try:
            assert child.stdout is not None
            for line in child.stdout:
                seed, _, invariant = line.rstrip("\n").partition("\t")
                if invariant:
                    yield int(seed), invariant
            if child.wait() not in (0, 1, -9):
                raise RuntimeError(child.stderr.read() if child.stderr else "")
        finally:
            late.cancel()
            child.kill()


def table(tried: list[Tried]) -> str:
    """What came of each, as Markdown."""
    rows = ["| planted bug | file | caught by | seed | seconds |", "| --- | --- | --- | ---: | ---: |"]
    for one in tried:
        found = f"{one.invariant} | {one.seed}" if one.caught else "**not caught** | –"
        rows.append(f"| {one.planted.bug} | `{one.planted.file}` | {found} | {one.seconds:.0f} |")
    return "\n".join(rows) + "\n"


def main() -> int:
    """Exit code 0 only when every bug was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.sweep", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="stories per bug at most")
    parser.add_argument("--only", default="", help="bugs whose description has these words")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", type=Path, help="the file that gets the table")
    wanted = parser.parse_args()
    sweep = Sweep(wanted.seeds)
    with ThreadPoolExecutor(wanted.jobs) as pool:
        tried = list(pool.map(sweep.tries, [each for each in PLANTED if wanted.only in each.bug]))
    caught = sum(one.caught for one in tried)
    last = f"caught {caught} of {len(tried)} planted bugs"
    if wanted.write:
        wanted.write.write_text(f"{PREFACE}{table(tried)}\n{last}\n")
    sys.stdout.write(f"\n{table(tried)}\n{last}\n")
    return 0 if caught == len(tried) else 1


if __name__ == "__main__":
    sys.exit(main())
