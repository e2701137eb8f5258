"""What happens when branches move.

Every change of a branch (a push, the API, a merge) runs inside `changing`, which holds the repository's lock, looks
at the branches before and after, and lets the consequences follow in GitHub's order: the push, the pull requests
whose head or base moved, the check suites. So no two changes are ever mixed up, and nothing that happens to a branch
goes unannounced.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.simulator.github import checks, hooks, pulls, render, reviews
from bot.simulator.github.errors import ApiError
from bot.simulator.github.git import ZERO, Commit
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.people import User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld


@asynccontextmanager
async def changing(
    world: "GitHubWorld", repo: Repository, actor: User, *, retarget: bool = False
) -> AsyncIterator[dict[str, str]]:
    """Hold the branches still, let the block change them, then let everything follow; yields them as they are.

    `retarget` says that a branch that goes away was deleted as part of its merge, which moves the pull requests
    based on it to where it went. Deleted in any other way it takes them with it: they are closed (cli/cli#14223).
    """
    async with repo.lock:
        before = await world.git.branches(repo.path)
        try:
            yield before
        finally:
            after = await world.git.branches(repo.path)
            for branch in sorted(before.keys() | after.keys()):
                old, new = before.get(branch, ZERO), after.get(branch, ZERO)
                if old != new:
                    await _moved(world, repo, actor, branch, old, new)
                if new == ZERO != old:
                    await _deleted(world, repo, actor, branch, retarget or world.knobs.retarget_on_delete)


async def _moved(world: "GitHubWorld", repo: Repository, actor: User, branch: str, old: str, new: str) -> None:
    await _announce_push(world, repo, actor, branch, old, new)
    for pull in _open(repo):
        if pull.head_ref != branch:
            continue
        if new == ZERO:
            await pulls.close(world, pull, actor)
        elif pull.head_sha != new:
            await reviews_follow(world, pull, actor, pull.head_sha, new)
    if ZERO not in (old, new):
        for pull in _open(repo):
            if pull.base_ref == branch:
                await _look_for_merge(world, pull, actor, old, new)
    if new != ZERO:
        await checks.request_suites(world, repo, new, branch, actor)


async def reviews_follow(world: "GitHubWorld", pull: Pull, actor: User, old: str, new: str) -> None:
    """A pull request has a new head: say so, and see what that does to its reviews."""
    await pulls.new_head(world, pull, actor, new)
    await reviews.head_moved(world, pull, actor, old)
    await pulls.tell_new_head(world, pull, actor, old, new)


async def _deleted(world: "GitHubWorld", repo: Repository, actor: User, branch: str, retarget: bool) -> None:
    merged = [pull for pull in repo.pulls.values() if pull.merged and pull.head_ref == branch]
    for pull in _open(repo):
        if pull.base_ref != branch:
            continue
        if retarget and merged:
            try:
                await pulls.retarget(world, pull, actor, merged[-1].base_ref)
            except ApiError:  # nothing is left between the two, or the other base is gone as well
                await pulls.close(world, pull, actor)
        else:
            await pulls.close(world, pull, actor)


def _open(repo: Repository) -> list[Pull]:
    return [pull for pull in repo.pulls.values() if pull.open]


async def _look_for_merge(world: "GitHubWorld", pull: Pull, actor: User, old: str, new: str) -> None:
    path = pull.repository.path
    if await world.git.contains(path, pull.head_sha, new) and not await world.git.contains(path, pull.head_sha, old):
        way = f"{pull.head_sha}..{new}"
        merges = await world.git.run(path, "rev-list", "--ancestry-path", "--first-parent", "--reverse", way)
        sha = next(iter(merges.splitlines()), pull.head_sha)
        await pulls.seen_merged(world, pull, actor, sha, old)


async def _announce_push(world: "GitHubWorld", repo: Repository, actor: User, branch: str, old: str, new: str) -> None:
    url = f"{world.base_url}/{repo.full_name}"
    commits: list[Commit] = []
    if new != ZERO:
        since = old if old != ZERO else await world.git.branch(repo.path, repo.default_branch) or ""
        hidden = [f"^{since}"] if since and since != new else []
        commits = list(reversed(await world.git.commits(repo.path, "-20", new, *hidden)))
    head = await world.git.commit(repo.path, new) if new != ZERO else None
    forced = ZERO not in (old, new) and not await world.git.contains(repo.path, old, new)
    payload = {
        "ref": f"refs/heads/{branch}",
        "before": old,
        "after": new,
        "created": old == ZERO,
        "deleted": new == ZERO,
        "forced": forced,
        "base_ref": None,
        "compare": f"{url}/compare/{old[:12]}...{new[:12]}",
        "commits": [await _pushed(world, repo, commit) for commit in commits],
        "head_commit": await _pushed(world, repo, head) if head else None,
        "pusher": {"name": actor.login, "email": world.signature(actor).email},
    }
    hooks.emit(world, repo, actor, "push", payload)


async def _pushed(world: "GitHubWorld", repo: Repository, commit: Commit) -> render.Json:
    listed = await world.git.run(
        repo.path, "diff-tree", "--root", "-r", "-m", "--first-parent", "--no-commit-id", "--name-status", commit.sha
    )
    changes = [line.split("\t", 1) for line in listed.splitlines() if "\t" in line]
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": commit.committer.date.isoformat(),
        "url": f"{world.base_url}/{repo.full_name}/commit/{commit.sha}",
        "author": {"name": commit.author.name, "email": commit.author.email},
        "committer": {"name": commit.committer.name, "email": commit.committer.email},
        "added": [path for mark, path in changes if mark == "A"],
        "removed": [path for mark, path in changes if mark == "D"],
        "modified": [path for mark, path in changes if mark not in {"A", "D"}],
    }
