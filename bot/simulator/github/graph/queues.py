"""GraphQL views of merge queues."""

from typing import Any

from bot.simulator.github import render
from bot.simulator.github.graph import basics
from bot.simulator.github.graph.context import Context, View, connection
from bot.simulator.github.model import QueueEntry, Removal, Repository
from bot.simulator.github.people import node_id


def queue(context: Context, repo: Repository, branch: str) -> View | None:
    """The merge queue of a branch; None when it has none."""
    rules = repo.protection.get(branch)
    if rules is None or rules.queue is None:
        return None
    path = f"/{repo.full_name}/queue/{branch}"

    def entries(**args: Any) -> View:
        found = [one for one in repo.queue if one.base_ref == branch]
        return connection("entries", found, lambda one: entry(context, one), args)

    return {
        "__typename": "MergeQueue",
        "id": node_id("MQ", repo.id),
        "entries": entries,
        "nextEntryEstimatedTimeToMerge": None,
        "repository": lambda: basics.repository(context, repo),
        "resourcePath": path,
        "url": context.world.base_url + path,
    }


def removal(context: Context, one: Removal) -> View:
    """That a pull request left its merge queue."""
    from bot.simulator.github.graph import pulls

    repo, entry_ = one.entry.pull.repository, one.entry
    return {
        "__typename": "RemovedFromMergeQueueEvent",
        "id": one.node,
        "actor": lambda: basics.actor(context, one.actor),
        "beforeCommit": lambda: basics.commit(context, repo, entry_.head_sha),
        "createdAt": render.stamp(one.at),
        "enqueuer": lambda: basics.actor(context, entry_.by) if entry_.by.kind == "User" else None,
        "mergeQueue": lambda: queue(context, repo, entry_.base_ref),
        "pullRequest": lambda: pulls.pull(context, entry_.pull),
        "reason": one.reason.lower(),
    }


def entry(context: Context, one: QueueEntry) -> View:
    """A pull request in a merge queue. Out of it again it has no position, which shows as 0."""
    from bot.simulator.github.graph import pulls

    repo = one.pull.repository
    line = [each for each in repo.queue if each.base_ref == one.base_ref]

    async def commit(sha: str | None) -> View | None:
        return await basics.commit(context, repo, sha) if sha else None

    return {
        "__typename": "MergeQueueEntry",
        "id": one.node,
        "baseCommit": lambda: commit(one.base),
        "headCommit": lambda: commit(one.group),
        "enqueuedAt": render.stamp(one.at),
        "enqueuer": lambda: basics.actor(context, one.by),
        "estimatedTimeToMerge": None,
        "jump": one.jump,
        "mergeQueue": lambda: queue(context, repo, one.base_ref),
        "position": line.index(one) + 1 if one in line else 0,
        "pullRequest": lambda: pulls.pull(context, one.pull),
        "solo": False,
        "state": one.state,
    }
