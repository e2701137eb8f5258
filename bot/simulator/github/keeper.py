"""What GitHub does by itself a moment after something happened: auto-merge, and the merge queue."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.simulator.github import merge_queue, rules
from bot.simulator.github.errors import ApiError
from bot.simulator.github.hooks import Event
from bot.simulator.github.merging import Order, merge
from bot.simulator.github.model import Repository

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld


def keeper(world: "GitHubWorld") -> Callable[[Event], None]:
    """A listener that does it; install it once."""
    tasks: set[asyncio.Task[None]] = set()

    def heard(event: Event) -> None:
        repo = event.repository
        if repo.queue or any(pull.auto_merge and pull.open for pull in repo.pulls.values()):
            task = asyncio.get_running_loop().create_task(_keep(world, repo))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    return heard


async def _keep(world: "GitHubWorld", repo: Repository) -> None:
    await _merge_ready(world, repo)
    await merge_queue.advance(world, repo)


async def _merge_ready(world: "GitHubWorld", repo: Repository) -> None:
    for pull in list(repo.pulls.values()):
        wish = pull.auto_merge
        if wish is None or not pull.open or pull.queued:
            continue
        if (await rules.state(world, pull))[1] not in {"clean", "unstable"}:
            continue
        try:
            if rules.protection(pull).queue:
                await merge_queue.enqueue(world, pull, wish.by, pull.head_sha)
                pull.auto_merge = None  # the wish is spent: who is put out of the queue is not put in again
            else:
                await merge(world, pull, wish.by, Order(pull.head_sha, wish.method, wish.title, wish.message))
        except ApiError:  # it changed under our hands; the event of that change comes here again
            continue
