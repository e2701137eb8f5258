"""GraphQL views of pull requests."""

from typing import Any

from bot.simulator.github import diff, render, rules
from bot.simulator.github.errors import not_found, not_simulated
from bot.simulator.github.git import ChangedFile
from bot.simulator.github.graph import basics, checks, queues, reviews
from bot.simulator.github.graph.context import Context, Once, View, connection
from bot.simulator.github.model import Label, Pull, Repository
from bot.simulator.github.people import User, node_id


def numbered(context: Context, repo: Repository, number: int) -> View:
    """A pull request by its number.

    Raises:
        ApiError: NOT_FOUND.
    """
    context.require(repo, "pull_requests:read")
    found = repo.pulls.get(number)
    if found is None:
        raise not_found(f"Could not resolve to a PullRequest with the number of {number}.")
    return pull(context, found)


def state(one: Pull) -> str:
    """OPEN, CLOSED or MERGED: GraphQL's three where REST has two."""
    return "MERGED" if one.merged else one.state.upper()


def listed(context: Context, repo: Repository, args: dict[str, Any]) -> View:
    """Pull requests, oldest first, filtered."""
    context.require(repo, "pull_requests:read")
    states, head, base = (args.pop(name, None) for name in ("states", "headRefName", "baseRefName"))
    found = [
        one
        for one in repo.pulls.values()
        if (not states or state(one) in states) and head in {None, one.head_ref} and base in {None, one.base_ref}
    ]
    return connection("pullRequests", found, lambda one: pull(context, one), args)


def pull(context: Context, one: Pull) -> View:
    """A pull request."""
    return {**_plain(context, one), **_branches(context, one), **_merging(context, one), **_lists(context, one)}


def _plain(context: Context, one: Pull) -> View:
    url = f"{context.world.base_url}/{one.repository.full_name}/pull/{one.number}"
    size = Once(lambda: rules.measure(context.world, one))

    async def additions() -> int:
        return (await size()).additions

    async def deletions() -> int:
        return (await size()).deletions

    async def changed() -> int:
        return (await size()).changed_files

    return {
        "__typename": "PullRequest",
        "id": one.node,
        "databaseId": one.id,
        "fullDatabaseId": str(one.id),
        "number": one.number,
        "title": one.title,
        "body": one.body or "",
        "url": url,
        "permalink": url,
        "state": state(one),
        "isDraft": one.draft,
        "closed": not one.open,
        "closedAt": render.stamp(one.closed_at),
        "createdAt": render.stamp(one.created_at),
        "updatedAt": render.stamp(one.updated_at),
        "author": lambda: basics.actor(context, one.author),
        "locked": False,
        "maintainerCanModify": False,
        "additions": additions,
        "deletions": deletions,
        "changedFiles": changed,
    }


def _branches(context: Context, one: Pull) -> View:
    repo = one.repository
    here = lambda: basics.repository(context, repo)  # noqa: E731  # four fields, one answer
    return {
        "headRef": lambda: basics.ref(context, repo, one.head_ref),
        "headRefName": one.head_ref,
        "headRefOid": one.head_sha,
        "headRepository": here,
        "headRepositoryOwner": lambda: basics.actor(context, repo.owner),
        "isCrossRepository": False,
        "baseRef": lambda: basics.ref(context, repo, one.base_ref),
        "baseRefName": one.base_ref,
        "baseRefOid": one.base_sha,
        "baseRepository": here,
        "repository": here,
    }


def _merging(context: Context, one: Pull) -> View:
    asked = Once(lambda: rules.ask(context.world, one))

    async def mergeable() -> str:
        return {None: "UNKNOWN", True: "MERGEABLE", False: "CONFLICTING"}[(await asked())[0]]

    async def merge_state() -> str:
        return (await asked())[1].upper()

    async def merge_commit() -> View | None:
        if not one.merged or one.merge_commit_sha is None:
            return None
        return await basics.commit(context, one.repository, one.merge_commit_sha)

    return {
        "merged": one.merged,
        "mergedAt": render.stamp(one.merged_at),
        "mergedBy": lambda: basics.actor(context, one.merged_by),
        "mergeCommit": merge_commit,
        "mergeable": mergeable,
        "mergeStateStatus": merge_state,
        "reviewDecision": lambda: rules.review_decision(context.world, one),
        "isInMergeQueue": one.queued is not None,
        "isMergeQueueEnabled": rules.protection(one).queue is not None,
        "mergeQueueEntry": lambda: queues.entry(context, one.queued) if one.queued else None,
        "mergeQueue": lambda: queues.queue(context, one.repository, one.base_ref),
        "autoMergeRequest": lambda: _auto_merge(context, one),
        "statusCheckRollup": lambda: checks.rollup(context, one.repository, one.head_sha),
    }


def _auto_merge(context: Context, one: Pull) -> View | None:
    wish = one.auto_merge
    if wish is None:
        return None
    return {
        "authorEmail": None,
        "commitBody": wish.message,
        "commitHeadline": wish.title,
        "enabledAt": render.stamp(wish.at),
        "enabledBy": lambda: basics.actor(context, wish.by),
        "mergeMethod": wish.method.upper(),
        "pullRequest": lambda: pull(context, one),
    }


def _lists(context: Context, one: Pull) -> View:
    world, repo = context.world, one.repository

    async def commits(**args: Any) -> View:
        found = await world.git.commits(repo.path, f"{one.base_sha}..{one.head_sha}")
        return connection("commits", found[::-1][:250], lambda each: _commit(context, one, each.sha), args)

    async def files(**args: Any) -> View:
        base = await world.git.merge_base(repo.path, one.base_sha, one.head_sha) or one.base_sha
        found = diff.files(await world.git.diff(repo.path, base, one.head_sha, "--full-index"))
        return connection("files", found, _file, args)

    def latest(**args: Any) -> View:
        done = (each for each in rules.visible_reviews(world, one) if each.user not in one.requested)
        found = {each.user.id: each for each in done}
        return connection("latestReviews", list(found.values()), lambda each: reviews.review(context, each), args)

    def opinions(writersOnly: bool = False, **args: Any) -> View:  # noqa: N803  # GitHub's own argument name
        found = rules.opinions(world, one, writers_only=writersOnly)
        return connection("latestOpinionatedReviews", found, lambda each: reviews.review(context, each), args)

    def all_reviews(states: list[str] | None = None, author: str | None = None, **args: Any) -> View:
        found = [
            each
            for each in rules.visible_reviews(world, one)
            if (not states or each.state in states) and author in {None, each.user.actor_login}
        ]
        return connection("reviews", found, lambda each: reviews.review(context, each), args)

    def timeline(**args: Any) -> View:
        if args.pop("itemTypes", None) != ["REMOVED_FROM_MERGE_QUEUE_EVENT"] or args.keys() & {"since", "skip"}:
            raise not_simulated("timelineItems of other kinds")
        return connection("timelineItems", one.removals, lambda each: queues.removal(context, each), args)

    return {
        "latestReviews": latest,
        "latestOpinionatedReviews": opinions,
        "reviews": all_reviews,
        "reviewThreads": lambda **args: connection(
            "reviewThreads", one.threads, lambda each: reviews.thread(context, each), args
        ),
        "comments": lambda **args: connection(
            "comments", one.comments, lambda each: reviews.comment(context, each), args
        ),
        "timelineItems": timeline,
        "commits": commits,
        "files": files,
        "labels": lambda **args: connection("labels", one.labels, _label, args),
        "reviewRequests": lambda **args: connection(
            "reviewRequests", one.requested, lambda who: _request(context, one, who), args
        ),
    }


def _commit(context: Context, one: Pull, sha: str) -> View:
    return {
        "__typename": "PullRequestCommit",
        "id": node_id("PURC", int(sha[:10], 16)),
        "commit": lambda: basics.commit(context, one.repository, sha),
        "url": f"{context.world.base_url}/{one.repository.full_name}/pull/{one.number}/commits/{sha}",
    }


def _file(one: ChangedFile) -> View:
    kinds = {"added": "ADDED", "removed": "DELETED", "renamed": "RENAMED", "modified": "MODIFIED"}
    return {
        "__typename": "PullRequestChangedFile",
        "path": one.path,
        "additions": one.additions,
        "deletions": one.deletions,
        "changeType": kinds[one.status],
    }


def _label(one: Label) -> View:
    return {"__typename": "Label", "id": one.node, "name": one.name, "color": one.color}


def _request(context: Context, one: Pull, who: User) -> View:
    return {
        "__typename": "ReviewRequest",
        "id": node_id("RR", one.id * 10_000 + who.id),
        "requestedReviewer": lambda: basics.actor(context, who),
    }
