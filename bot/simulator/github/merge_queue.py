"""The merge queue: a line of pull requests, each tried on top of those before it.

What must always hold: the base only ever moves to a group that was checked on exactly the commit it then becomes, and
a group is only as good as what it stands on: when an entry leaves, or the base moves in another way, everything behind
it is built and checked anew. An entry leaves when it is merged, when its group conflicts, fails or takes too long,
when somebody takes it out, and when its pull request changes: a new head, another base, closed, approval withdrawn.

`enqueue` and `dequeue` only change the line. `advance` does all the rest, one at a time for each repository, after
every event; like on the real one that is a moment later.
"""

from typing import TYPE_CHECKING

from bot.simulator.github import hooks, pulls, render, rules
from bot.simulator.github.errors import ApiError
from bot.simulator.github.git import ZERO
from bot.simulator.github.merging import MAKERS, Order
from bot.simulator.github.model import Protection, Pull, QueueEntry, Removal, Repository
from bot.simulator.github.people import User
from bot.simulator.github.refs import changing
from bot.simulator.github.rules import NO_RULES

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

BOT = "github-merge-queue[bot]"


async def enqueue(
    world: "GitHubWorld", pull: Pull, actor: User, expected: str | None = None, *, jump: bool = False
) -> QueueEntry:
    """Put a pull request at the end of the queue (`jump`: at its front).

    Raises:
        ApiError: 422: no queue, another head than expected, or the pull request couldn't be merged.
    """
    held = rules.protection(pull)
    if held.queue is None:
        raise ApiError(422, "Merge queue is not enabled for this branch")
    async with pull.repository.queue_lock:
        if pull.queued:
            raise ApiError(422, "Pull request is already in the merge queue")
        if expected is not None and expected != pull.head_sha:
            raise ApiError(422, "Head sha was modified. Review and try the merge again.")
        mergeable, word = await rules.state(world, pull)
        if not mergeable or word == "draft":
            raise ApiError(422, "Pull request is not in a mergeable state")
        if missing := rules.blockers(world, pull):
            raise ApiError(422, missing[0])
        entry = world.keep(QueueEntry(world.id(), pull, pull.base_ref, pull.head_sha, actor, world.now(), jump))
        pull.repository.queue.insert(0 if jump else len(pull.repository.queue), entry)
        await pulls.announce(world, pull, "enqueued", actor)
        return entry


async def dequeue(world: "GitHubWorld", pull: Pull, actor: User) -> QueueEntry:
    """Take a pull request out of the queue.

    Raises:
        ApiError: 422, it isn't there.
    """
    async with pull.repository.queue_lock:
        entry = pull.queued
        if entry is None:
            raise ApiError(422, "Pull request is not in the merge queue")
        await _leave(world, entry, "MANUAL", actor)
        return entry


async def advance(world: "GitHubWorld", repo: Repository) -> None:
    """Bring the queue as far as it comes by now."""
    async with repo.queue_lock:
        while await _step(world, repo):
            pass


async def _step(world: "GitHubWorld", repo: Repository) -> bool:
    """Do the next thing that can be done; False when all that is left is waiting."""
    below: dict[str, str] = {}
    for entry in tuple(repo.queue):
        held = repo.protection.get(entry.base_ref, NO_RULES)
        base = below.get(entry.base_ref) or await world.git.branch(repo.path, entry.base_ref)
        reason = _gone(world, entry, held) if base else "BRANCH_PROTECTIONS"
        if reason or base is None:
            await _leave(world, entry, reason or "BRANCH_PROTECTIONS", world.user(BOT))
            return True
        if entry.base != base or entry.group is None:
            await _build(world, entry, held, base)
            return True
        verdict = _verdict(world, entry, held)
        if verdict in {"CI_FAILURE", "CI_TIMEOUT"}:
            await _leave(world, entry, verdict, world.user(BOT))
            return True
        entry.state = verdict
        if verdict == "MERGEABLE" and entry.base_ref not in below:
            await _merge(world, entry)
            return True
        below[entry.base_ref] = entry.group
    return False


def _gone(world: "GitHubWorld", entry: QueueEntry, held: Protection) -> str | None:
    pull = entry.pull
    if pull.merged:
        return "ALREADY_MERGED"
    if not pull.open:
        return "MANUAL"
    if (pull.head_sha, pull.base_ref) != (entry.head_sha, entry.base_ref):
        return "UNKNOWN_REMOVAL_REASON"
    return "BRANCH_PROTECTIONS" if held.queue is None or rules.blockers(world, pull) else None


def _verdict(world: "GitHubWorld", entry: QueueEntry, held: Protection) -> str:
    states = rules.check_states(entry.pull.repository, entry.group or "")
    needed = {states.get(name, "PENDING") for name in held.checks}
    if needed & {"FAILURE", "ERROR"}:
        return "CI_FAILURE"
    if needed <= {"SUCCESS"}:
        return "MERGEABLE"
    late = held.queue and entry.built_at and world.now() - entry.built_at > held.queue.timeout
    return "CI_TIMEOUT" if late else "AWAITING_CHECKS"


async def _build(world: "GitHubWorld", entry: QueueEntry, held: Protection, base: str) -> None:
    await _tear_down(world, entry, "invalidated")
    repo, pull, bot = entry.pull.repository, entry.pull, world.user(BOT)
    method = held.queue.method if held.queue else "merge"
    try:
        group = await MAKERS[method](world, pull, bot, Order(method=method), base)
    except ApiError:
        await _leave(world, entry, "MERGE_CONFLICT", bot)
        return
    entry.base, entry.group, entry.built_at, entry.state = base, group, world.now(), "AWAITING_CHECKS"
    async with changing(world, repo, bot):
        await world.git.update_ref(repo.path, f"refs/heads/{entry.ref}", group, ZERO)
    await _announce(world, entry, "checks_requested")


async def _merge(world: "GitHubWorld", entry: QueueEntry) -> None:
    repo, pull, bot = entry.pull.repository, entry.pull, world.user(BOT)
    base, group = entry.base or "", entry.group or ""
    async with changing(world, repo, bot, retarget=True):
        if pull.head_sha != entry.head_sha or not pull.open:
            return  # the next step sees that it is gone
        if not await world.git.update_ref(repo.path, f"refs/heads/{entry.base_ref}", group, base):
            return  # the next step builds it on the base as it is now
        await pulls.seen_merged(world, pull, bot, group, base)
        if repo.delete_branch_on_merge:
            await world.git.update_ref(repo.path, f"refs/heads/{pull.head_ref}", ZERO, pull.head_sha)
    await _leave(world, entry, "MERGE", bot)


async def _leave(world: "GitHubWorld", entry: QueueEntry, reason: str, actor: User) -> None:
    entry.pull.repository.queue.remove(entry)
    entry.state = "UNMERGEABLE" if reason != "MERGE" else "LOCKED"
    entry.pull.removals.append(Removal(world.id(), entry, actor, reason, world.now()))
    await _tear_down(world, entry, "merged" if reason == "MERGE" else "dequeued")
    await pulls.announce(world, entry.pull, "dequeued", actor, reason=reason)


async def _tear_down(world: "GitHubWorld", entry: QueueEntry, reason: str) -> None:
    if entry.group is None:
        return
    await _announce(world, entry, "destroyed", reason=reason)
    repo = entry.pull.repository
    async with changing(world, repo, world.user(BOT)):
        await world.git.update_ref(repo.path, f"refs/heads/{entry.ref}", ZERO, entry.group)
    entry.group = None


async def _announce(world: "GitHubWorld", entry: QueueEntry, action: str, **more: str) -> None:
    repo = entry.pull.repository
    made = await world.git.commit(repo.path, entry.group or "")
    group = {
        "head_sha": entry.group,
        "head_ref": f"refs/heads/{entry.ref}",
        "base_sha": entry.base,
        "base_ref": f"refs/heads/{entry.base_ref}",
        "head_commit": render.simple_commit(made),
    }
    payload = {"merge_group": group, **more}
    hooks.emit(world, repo, world.user(BOT), "merge_group", payload, action=action, pull=entry.pull)
