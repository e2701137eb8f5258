"""One story: a seed, a storm of so many steps, and then a calm in which everybody who has a turn takes it."""

import asyncio
import contextlib
import gc
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bot.machine.decision import Decision
from bot.machine.facts import Facts
from bot.machine.stages import ORCHESTRATE
from tests.simulation.alice import Alice
from tests.simulation.clock import Forever, VirtualLoop
from tests.simulation.linear import Issue
from tests.simulation.mischief import Meanwhile, own_branch
from tests.simulation.people import OVER, People
from tests.simulation.quick import quick
from tests.simulation.world import Told, World

TURNS = 150
"""How often alice may look before a story that does not end counts as one that never does."""
IDLE_SECONDS = 3600.0


@dataclass(frozen=True)
class Ended:
    """What came of a story."""

    seed: int
    steps: int
    found: tuple[tuple[str, str], ...]
    fired: Counter[str]
    told: tuple[Told, ...]
    rounds: int
    digest: str


def play(seed: int, steps: int = 200, *, verbose: bool = False) -> Ended:
    """Play one story to its end, or to its first violation."""
    with _undisturbed():
        return _played(seed, steps, verbose)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Garbage is collected when the story is over: in its midst that takes time, and frees what an `id` names."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
            gc.collect(0)


def _played(seed: int, steps: int, verbose: bool) -> Ended:
    loop = VirtualLoop()
    asyncio.set_event_loop(None)
    before = random.getstate()
    world = World(seed, loop, verbose)
    try:
        with quick():
            taken = loop.run_until_complete(_story(world, steps))
    except Forever as error:
        world.watch.violated("nothing will ever happen", str(error))
        taken = steps
    finally:
        random.setstate(before)
        _close(loop)
    digest = f"{world.rounds} {world.writes} {world.github_writes} {loop.time():.3f} {len(world.git.commits)}"
    world.fired.update(f"end {world.linear.kind_of(one)}" for one in world.linear.issues.values() if not one.parent)
    fired = world.fired + Counter({f"fault {kind}": count for kind, count in world.chaos.fired.items()})
    return Ended(seed, taken, tuple(world.watch.found), fired, tuple(world.story), world.rounds, digest)


def _close(loop: VirtualLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.set_exception_handler(lambda _loop, _context: None)
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()


async def _story(world: World, steps: int) -> int:
    world.loop.set_exception_handler(lambda _loop, context: world.watch.violated("a callback failed", str(context)))
    people = People(world)
    world.meanwhile = Meanwhile(people, world.setting.races)
    for _ in range(world.setting.processes):
        world.starts_process()
    await asyncio.sleep(1.0)
    world.begins()
    for step in range(steps):
        await asyncio.sleep(world.chance.choice((0.3, 2.0, 2.0, 10.0, 30.0, 60.0)))
        _great_faults(world)
        if world.chance.random() < 0.5:
            people.anything()
        if world.watch.found:
            return step
        if _over(world):
            break
    world.calm = world.chaos.calm = True
    world.tell("story", "calms down", "")
    await _calm(world, Alice(people))
    return steps


def _great_faults(world: World) -> None:
    """What happens to whole processes."""
    kind = world.chaos.strikes(("restart", "database lost", "second process", "clock jump", "all down"))
    if not kind:
        return
    up = list(world.processes)
    match kind:
        case "restart" if up:
            world.keep(asyncio.get_running_loop().create_task(up[0].stops()))
        case "database lost":
            world.loses_database()
        case "second process" if len(up) == 1:
            world.starts_process()
        case "clock jump" if up:
            up[0].skew = world.later(minutes=world.chance.choice((-10, -1, 2, 30))) - world.loop.now()
            world.tell(up[0].name, "clock jumps", str(up[0].skew))
        case "all down":
            for process in up:
                process.kill("power failure")


async def _calm(world: World, alice: Alice) -> None:
    """Everybody who has a turn takes it, until nothing is left to do; then nothing may happen any more."""
    await asyncio.sleep(60.0)
    for process in world.processes:
        process.skew = world.loop.now() - world.loop.now()
    world.calm_since = world.loop.time()
    alice.calms()
    senseless: list[str] = []
    for _ in range(TURNS):
        await asyncio.sleep(120.0)
        if world.watch.found:
            return
        if _over(world) and not world.agents:
            for facts, decision in list(world.decisions.values()):  # what may still be asked for when all is over
                asked = ("done_but_open", "refused")
                alice.acts(facts, tuple(one for one in decision.blockers if one.reason in asked))
            break
        for facts, decision in list(world.decisions.values()):
            senseless = alice.acts(facts, decision.blockers)
        if senseless:
            world.watch.violated("a reason names nobody", ", ".join(senseless))
            return
    else:
        waits = {one.issue: (one.reason, dict(one.values)) for _, d in world.decisions.values() for one in d.blockers}
        world.watch.violated("an epic never ends", str(waits or "no blockers"))
        return
    await _rests(world)


async def _rests(world: World) -> None:
    """When all is done nothing is left behind, and the service writes nothing more."""
    while world.on_the_way:  # what somebody said is heard at last, however late its webhook comes
        await asyncio.sleep(60.0)
    looks = [key.not_before for key in world.database.inbox.keys.values() if key.not_before]
    if looks:  # what was put off finds what nobody told of: the webhook of a word may have been lost
        await asyncio.sleep(max(0.0, (max(looks) - world.loop.now()).total_seconds()))
    await asyncio.sleep(900.0)
    undone = world.watch.deliveries.undone()  # a webhook that was long on its way may have come just now
    await asyncio.sleep(120.0)
    if undone := sorted({*undone} & {*world.watch.deliveries.undone()}):
        world.watch.violated("an accepted delivery is not processed", ", ".join(undone[:3]))
    before = (world.writes, world.github_writes)
    await asyncio.sleep(IDLE_SECONDS)
    if (world.writes, world.github_writes) != before:
        world.watch.violated("the service talks to itself", f"{world.writes - before[0]} writes to Linear in an hour, "
                             f"{world.github_writes - before[1]} to GitHub")  # fmt: skip
    if world.agents:
        world.watch.violated("something is left behind", f"agents: {[one.run for one in world.agents]}")
    alive = [run.row.order for run in world.database.runs.values() if run.row.state in ("queued", "running")]
    if alive:
        world.watch.violated("something is left behind", f"runs: {alive[0].stage} g{alive[0].generation}")
    for ticket in world.linear.issues.values():
        branch = ticket.branch
        newest = next(iter(world.hub.of(branch)), None)  # one that people closed since tells otherwise
        merged = newest is not None and newest.merged
        if ticket.departed and not ticket.lone:  # its branch and its pull request are people's from then on
            if branch in world.checkouts and ticket.home not in world.forged:  # whose record tells what there was
                world.watch.violated("something is left behind", f"the checkout of {branch}, which departed")
            continue
        if ticket.deleted or not (_is_over(world, ticket.id) or ticket.archived):
            continue
        if ticket.parent and world.decisions[f"epic:{ticket.parent}"][0].lone:
            continue  # its epic was begun anew as a single ticket, when nobody could know any more what it was
        if any(one.open and one.base == branch for one in world.hub.pulls.values()):
            continue  # deleting the branch would close that
        if branch in world.checkouts and ticket.id not in world.forged:  # a record put back may be an older one
            world.watch.violated("something is left behind", f"the checkout of {branch}")
        if merged and branch in world.git.refs and not _is_theirs(world, ticket, branch):
            world.watch.violated("something is left behind", f"the branch {branch}")


def _is_theirs(world: World, ticket: Issue, branch: str) -> bool:
    """Whether a branch that was merged is people's by now, or one that nobody may take away."""
    hub, siblings = world.hub, [one for one in world.linear.issues.values() if one is not ticket]
    return (
        ticket.mover == "person"
        or branch in world.watch.moves.left_to_people
        or hub.open_of(branch) is not None  # an older one, reopened: deleting it would close that
        or world.git.tip(branch) not in _on_main(world, branch)  # pushed to, or worked on, after that
        or world.lot.house.keeps  # nobody may delete it
        or bool(hub.of(own_branch(ticket)))  # it was stacked on when the branch was to go, perhaps
        or (branch in hub.stood_on and any(hub.of(own_branch(one)) for one in siblings))
        or (ticket.lone and branch in hub.stood_on)  # by what is none of its epic
        # begun anew as an epic when its record was not to be believed: an epic has no pull request of its own
        or (ticket.lone and ticket.id in world.forged and ORCHESTRATE in ticket.labels)
        # what departed may have had a pull request into it
        or any(one.left and one.home == ticket.home and hub.of(one.branch) for one in siblings)
    )


def _on_main(world: World, branch: str) -> set[str]:
    """Where its pull requests stood of which nothing is lost with the branch."""
    ended = world.hub.of(branch)
    return {one.at for one in ended if one.merged or world.git.descends(world.git.refs["main"], one.at)}


def _is_over(world: World, issue: str) -> bool:
    return world.linear.kind_of(world.linear.issues[issue]) in OVER


def _over(world: World) -> bool:
    """Whether every epic is over, as far as the service has to say so: it never looks at one that was before.

    It is by the type of its state: when Done was renamed as the service looked last, it has no reason to look again.
    """
    epics = [one for one in world.linear.issues.values() if (one.parent is None or one.lone) and not one.deleted]
    epics = [one for one in epics if not (one.lone and one.archived)]
    if not epics or not all(_is_over(world, one.id) for one in epics):
        return not epics
    begun = [one for one in epics if one.attachments or f"epic:{one.id}" in world.decisions]
    kept = [world.decisions.get(f"epic:{one.id}") for one in begun]
    return all(one is not None and one[0].epic.issue.state_type in OVER and not _is_not_followed(*one) for one in kept)


def _is_not_followed(facts: Facts, decision: Decision) -> bool:
    """Whether an automation, which nobody has to follow, put it there."""
    return any(one.reason == "not_followed" and one.issue == facts.epic.issue.id for one in decision.blockers)
