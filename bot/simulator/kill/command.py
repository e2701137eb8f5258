"""`make kill ROUNDS=N`: the real service killed N times, and what came of it.

The last line is `N kills, L lost, D doubled`; the exit code is 0 only for no loss, nothing doubled, every epic done,
and a process table in which nothing was ever seen that must not be.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.simulator.kill import tally, two
from bot.simulator.kill.rounds import Rounds, open_rounds


@dataclass(frozen=True)
class Verdict:
    """What came of the rounds, as sentences."""

    kills: int
    lost: list[str]
    doubled: list[str]
    broken: list[str]
    """What the process table must not show, and an end that did not come."""
    figures: list[str]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.broken)

    def __str__(self) -> str:
        return f"{self.kills} kills, {len(self.lost)} lost, {len(self.doubled)} doubled"


async def play(home: Path, *, rounds: int, epics: int, cap: int, seed: int, lone: bool = False) -> Verdict:
    """Kill, finish, and count."""
    begun = time.monotonic()
    async with open_rounds(home, seed=seed, cap=cap, tell=_tell, lone=lone) as world:
        await world.play(rounds, epics)
        finished = await world.finish()
        return await _judge(world, finished, time.monotonic() - begun)


async def _judge(world: Rounds, finished: bool, seconds: float) -> Verdict:
    service, watch = world.service, world.watch
    lost = await tally.lost_work(world.people)
    lost += await _settled_deliveries(world)
    doubled = await tally.doubled(world.people)
    doubled += service.begun_twice() + watch.repeated(service.begun())
    broken = list(watch.broken) + [f"the service ended by itself with code {code}" for code in service.exits]
    broken += [] if finished else ["nothing changed any more before all was done"]
    if world.service.pid:
        code = await service.end()
        broken += [f"the service, asked to end, ended with code {code}"] if code else []
    broken += [f"{one.name} {' '.join(one.argv)[-100:]} lives on after the end" for one in watch.orphans()]
    return Verdict(service.kills, lost, doubled, broken, _figures(world, seconds))


async def _settled_deliveries(world: Rounds) -> list[str]:
    """The deliveries that are lost for good: what came last is given a minute to be served."""
    end = time.monotonic() + 60
    while lost := await tally.lost_deliveries(world.theatre, world.database()):
        if time.monotonic() > end:
            break
        await asyncio.sleep(0.5)
    return lost


def _figures(world: Rounds, seconds: float) -> list[str]:
    offices = (world.theatre.linear.post_office, world.theatre.github.post_office)
    took = sorted(world.recovered)
    others = ", ".join(f"{count} × {kind}" for kind, count in sorted(Counter(world.others).items()))
    back = f"half within {took[len(took) // 2]:.1f} s, the slowest {took[-1]:.1f} s" if took else "never measured"
    return [
        f"{len(world.people.epics)} epics, {len(world.watch.agents)} agents, {seconds:.0f} s",
        f"also killed: {others or 'nothing'}",
        f"at most {world.watch.most} agents at once ({world.watch.cap} allowed), looked {world.watch.looks} times",
        f"{sum(len(tally.accepted(one)) for one in offices)} deliveries accepted",
        f"an agent went on after {len(took)} kills: {back}",
    ]


async def _told(playing: Coroutine[Any, Any, Verdict]) -> Verdict:
    """Told to end, end everything that was started."""
    task = asyncio.current_task()
    assert task
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, task.cancel)
    return await playing


async def _two(home: Path) -> list[str]:
    """What is wrong with the take-over between two services; the times are printed."""
    wrong = []
    for how in (signal.SIGKILL, signal.SIGSTOP):
        try:
            seconds = await two.take_over(home / how.name, how)
        except TimeoutError:
            wrong.append(f"nobody took over from a service that got {how.name}")
            continue
        _tell(f"another service went on {seconds:.1f} s after {how.name} ({two.LIMIT:.0f} s allowed)")
        wrong += [f"that took too long after {how.name}"] if seconds > two.LIMIT else []
    return wrong


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Read the options, play, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, metavar="N", help="how often the service is killed")
    parser.add_argument("--epics", type=int, default=3, metavar="N", help="how many epics are on their way at once")
    parser.add_argument("--cap", type=int, default=3, metavar="N", help="how many agents may run at once")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="decides when is killed, and what")
    parser.add_argument("--home", type=Path, help="where to play; kept afterwards")
    parser.add_argument("--no-two", action="store_true", help="leave out the two services on one database")
    options = parser.parse_args()
    home = options.home or Path(tempfile.mkdtemp(prefix="callboard-kill-"))
    verdict = asyncio.run(
        _told(play(home, rounds=options.rounds, epics=options.epics, cap=options.cap, seed=options.seed))
    )
    if not options.no_two:
        verdict.broken.extend(asyncio.run(_two(home)))
    for line in (*verdict.broken, *verdict.lost, *verdict.doubled, *verdict.figures):
        _tell(line)
    if verdict.good and options.home is None:
        shutil.rmtree(home, ignore_errors=True)
    else:
        _tell(f"everything is kept in {home}")
    _tell(str(verdict))
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
