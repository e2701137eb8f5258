"""`python -m tests.simulation [--seeds N] [--seed S] [--steps K] [--jobs J]`: play stories, and count violations.

One story (`--seed S` alone) is told from its beginning to its end.
"""

import argparse
import gc
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.kinds import MANY, missing
from tests.simulation.story import Ended, play

STEPS = 200
EACH = 100
"""Stories that a process plays before another one takes its place, which is quicker than to collect its garbage."""
SOME = 1000
"""Stories after which it is told how far it is."""
FIRST_TOLD = 10
"""Violations of which the last words are printed."""


def main() -> int:
    """Exit code 0 only when nothing was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fired", action="store_true", help="what happened how often")
    parser.add_argument(
        "--brief", metavar="SEEDS", help="exactly these; a line for each violation: seed, tab, invariant"
    )
    wanted = parser.parse_args()
    if wanted.brief:
        return brief([int(one) for one in wanted.brief.split(",")], wanted.steps)
    if wanted.seeds == 1:
        return tell(wanted.seed, wanted.steps)
    seeds, steps, found, fired = 0, 0, list[Ended](), Counter[str]()
    for ended in stories(wanted.seed, wanted.seeds, wanted.steps, wanted.jobs):
        seeds, steps = seeds + 1, steps + ended.steps
        fired += ended.fired
        if ended.found:
            found.append(ended)
            if len(found) <= FIRST_TOLD:
                invariant, what = ended.found[0]
                sys.stdout.write(f"seed {ended.seed}: {invariant}: {what}\n  make simulate SEED={ended.seed}\n")
        if seeds % SOME == 0 and seeds < wanted.seeds:
            sys.stderr.write(f"{seeds} of {wanted.seeds} seeds, {len(found)} violations\n")
    never = missing(fired) if seeds >= MANY else ()
    if wanted.fired or seeds >= MANY:
        sys.stdout.writelines(f"{count:8} {name}\n" for name, count in sorted(fired.items()))
    sys.stdout.writelines(f"   never {name}\n" for name in never)
    sys.stdout.write(f"{seeds} seeds, {steps} steps, {len(found)} violations\n")
    return 1 if found or never else 0


def stories(first: int, count: int, steps: int, jobs: int) -> Iterator[Ended]:
    """Play these seeds on several cores; they come in their order."""
    seeds = range(first, first + count)
    if jobs == 1:
        yield from (play(seed, steps) for seed in seeds)
        return
    play(first, 20)  # what is read or compiled once is there before the others are made
    for start in range(0, count, jobs * EACH):
        some = seeds[start : start + jobs * EACH]
        with ProcessPoolExecutor(jobs, get_context("fork"), initializer=gc.disable) as pool:
            yield from pool.map(play, some, [steps] * len(some))


def brief(seeds: Iterable[int], steps: int) -> int:
    """For programs: the sweep reads this."""
    found = 0
    for ended in (play(seed, steps) for seed in seeds):
        if ended.found:
            found += 1
            sys.stdout.write(f"{ended.seed}\t{ended.found[0][0]}\n")
            sys.stdout.flush()
    return 1 if found else 0


def tell(seed: int, steps: int) -> int:
    """One story, line by line."""
    ended = play(seed, steps, verbose=True)
    for one in ended.told:
        sys.stdout.write(f"{one.at:10.1f}  {one.who:12} {one.what:22} {one.about}\n")
    for invariant, what in ended.found:
        sys.stdout.write(f"VIOLATION: {invariant}: {what}\n")
    sys.stdout.write(f"1 seeds, {ended.steps} steps, {min(1, len(ended.found))} violations\n")
    return 1 if ended.found else 0


if __name__ == "__main__":
    sys.exit(main())
