"""The life of a pull request apart from its merge: opened, edited, closed, moved to another base, seen merged."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.simulator.github import hooks, render, render_pulls, rules
from bot.simulator.github.errors import ApiError, custom, invalid
from bot.simulator.github.git import ZERO
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.people import App, User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld


@dataclass(frozen=True)
class Proposal:
    """What somebody asks to be opened: `head` is a branch, with or without its owner in front."""

    title: str
    head: str
    base: str
    body: str | None = None
    draft: bool = False


async def announce(world: "GitHubWorld", pull: Pull, action: str, sender: User, **more: Any) -> None:
    """Send a `pull_request` event. It doesn't know yet whether the pull request can be merged."""
    pull.updated_at = world.now()
    shown = render_pulls.full(world, pull, await rules.measure(world, pull))
    payload = {"number": pull.number, "pull_request": shown, **more}
    hooks.emit(world, pull.repository, sender, "pull_request", payload, action=action, pull=pull)


async def open_pull(
    world: "GitHubWorld", repo: Repository, author: User, wish: Proposal, via: App | None = None
) -> Pull:
    """Open a pull request.

    Raises:
        ApiError: 422: no title, no such branch, nothing between them, or there is one already.
    """
    owner, _, branch = wish.head.rpartition(":")
    if not wish.title.strip():
        raise invalid("PullRequest", "title", "missing_field")
    base = await world.git.branch(repo.path, wish.base)
    if base is None:
        raise invalid("PullRequest", "base")
    head = await world.git.branch(repo.path, branch)
    if head is None or (owner and owner.lower() != repo.owner.login.lower()):
        raise invalid("PullRequest", "head")
    if _standing(repo, branch, wish.base):
        raise custom("PullRequest", f"A pull request already exists for {repo.owner.login}:{branch}.")
    if await world.git.contains(repo.path, head, base):
        raise custom("PullRequest", f"No commits between {wish.base} and {branch}")
    number = max(repo.pulls, default=0) + 1
    now = world.now()
    pull = Pull(
        world.id(),
        number,
        repo,
        author,
        wish.title,
        wish.body,
        branch,
        head,
        wish.base,
        base,
        now,
        now,
        wish.draft,
        via,
        pushed_by=author,
    )
    repo.pulls[number] = world.keep(pull)
    await world.git.run(repo.path, "update-ref", f"refs/pull/{number}/head", head)
    await announce(world, pull, "opened", author)
    return pull


def _standing(repo: Repository, head: str, base: str) -> Pull | None:
    for pull in repo.pulls.values():
        if pull.open and (pull.head_ref, pull.base_ref) == (head, base):
            return pull
    return None


async def edit(world: "GitHubWorld", pull: Pull, actor: User, changes: dict[str, Any]) -> None:
    """Apply a PATCH: `title`, `body`, `base`, `state`.

    Raises:
        ApiError: 422, a change that can't be.
    """
    if changes.get("base") not in {None, pull.base_ref}:
        if not pull.open:
            raise custom("PullRequest", "Cannot change the base branch of a closed pull request.")
        await retarget(world, pull, actor, changes["base"])
    before: dict[str, Any] = {}
    if changes.get("title") not in {None, pull.title}:
        before["title"], pull.title = {"from": pull.title}, changes["title"]
    if "body" in changes and changes["body"] != pull.body:
        before["body"], pull.body = {"from": pull.body or ""}, changes["body"]
    if before:
        await announce(world, pull, "edited", actor, changes=before)
    wanted = changes.get("state")
    if wanted not in {None, "open", "closed"}:
        raise invalid("PullRequest", "state", value=wanted)
    if wanted == "closed" and pull.open:
        await close(world, pull, actor)
    elif wanted == "open" and not pull.open:
        await reopen(world, pull, actor)


async def retarget(world: "GitHubWorld", pull: Pull, actor: User, base_ref: str) -> None:
    """Give a pull request another base.

    Raises:
        ApiError: 422: no such branch, nothing left between the two, or another pull request says the same.
    """
    repo = pull.repository
    base = await world.git.branch(repo.path, base_ref)
    if base is None:
        raise invalid("PullRequest", "base")
    if _standing(repo, pull.head_ref, base_ref):
        there = f"base branch '{base_ref}' and head branch '{pull.head_ref}'"
        raise custom("PullRequest", f"A pull request already exists for {there}")
    if await world.git.contains(repo.path, pull.head_sha, base):
        there = f"base branch '{base_ref}' and head branch '{pull.head_ref}'"
        raise custom("PullRequest", f"There are no new commits between {there}")
    was = {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
    pull.base_ref, pull.base_sha = base_ref, base
    await announce(world, pull, "edited", actor, changes={"base": was})
    await drop_auto_merge(world, pull, actor, "Base branch was changed")


async def close(world: "GitHubWorld", pull: Pull, actor: User) -> None:
    """Close without merging."""
    pull.state, pull.closed_at, pull.auto_merge = "closed", world.now(), None
    await announce(world, pull, "closed", actor)


async def reopen(world: "GitHubWorld", pull: Pull, actor: User) -> None:
    """Open again what was closed.

    Raises:
        ApiError: 422: it was merged, a branch is gone, or the head has moved or been rewritten since.
    """
    path = pull.repository.path
    head, base = await world.git.branch(path, pull.head_ref), await world.git.branch(path, pull.base_ref)
    if pull.merged or head is None or base is None or not await world.git.contains(path, pull.head_sha, head):
        raise custom("PullRequest", "state cannot be changed. The pull request cannot be reopened.")
    if _standing(pull.repository, pull.head_ref, pull.base_ref):
        raise custom("PullRequest", f"A pull request already exists for {pull.head_ref}.")
    pull.state, pull.closed_at, pull.head_sha, pull.base_sha = "open", None, head, base
    await announce(world, pull, "reopened", actor)


async def set_draft(world: "GitHubWorld", pull: Pull, actor: User, draft: bool) -> None:
    """Make a draft of it, or call it ready."""
    if pull.draft != draft:
        pull.draft = draft
        await announce(world, pull, "converted_to_draft" if draft else "ready_for_review", actor)


async def seen_merged(world: "GitHubWorld", pull: Pull, actor: User, sha: str, base_before: str) -> None:
    """Its commits are in the base now: it is merged, whoever did it and however."""
    pull.state, pull.auto_merge = "closed", None
    pull.closed_at = pull.merged_at = world.now()
    pull.merged_by, pull.merge_commit_sha, pull.base_sha = actor, sha, base_before
    await announce(world, pull, "closed", actor)


async def request_reviewers(world: "GitHubWorld", pull: Pull, actor: User, logins: list[str]) -> None:
    """Ask people for a review.

    Raises:
        ApiError: 422, one of them is the author, or no collaborator.
    """
    for login in logins:
        who = world.users.get(login.lower())
        if who is pull.author:
            raise ApiError(422, "Review cannot be requested from pull request author.")
        if who is None or world.role(pull.repository, who) == "none":
            repo = pull.repository.full_name
            raise ApiError(
                422, f"Reviews may only be requested from collaborators. {login} is not a collaborator of {repo}."
            )
        if who not in pull.requested:
            pull.requested.append(who)
            await announce(world, pull, "review_requested", actor, requested_reviewer=render.user(world, who))


async def withdraw_request(world: "GitHubWorld", pull: Pull, actor: User, who: User) -> None:
    """Take the wish for a review back."""
    if who in pull.requested:
        pull.requested.remove(who)
        await announce(world, pull, "review_request_removed", actor, requested_reviewer=render.user(world, who))


async def drop_auto_merge(world: "GitHubWorld", pull: Pull, actor: User, reason: str) -> None:
    """Switch auto-merge off, if it is on, and say why."""
    if pull.auto_merge is not None:
        pull.auto_merge = None
        await announce(world, pull, "auto_merge_disabled", actor, reason=reason)


async def new_head(world: "GitHubWorld", pull: Pull, actor: User, after: str) -> None:
    """Its head branch was pushed to; nobody was told yet."""
    repo = pull.repository
    pull.head_sha, pull.pushed_by = after, actor
    pull.base_sha = await world.git.branch(repo.path, pull.base_ref) or pull.base_sha
    await world.git.run(repo.path, "update-ref", f"refs/pull/{pull.number}/head", after)


async def tell_new_head(world: "GitHubWorld", pull: Pull, actor: User, before: str, after: str) -> None:
    """Tell those who listen of its new head, and do what follows from it."""
    repo = pull.repository
    await announce(world, pull, "synchronize", actor, before=before, after=after)
    if world.role(repo, actor) not in {"write", "maintain", "admin"}:
        await drop_auto_merge(world, pull, actor, "Head branch was pushed to by a user without write access")
    if pull.base_sha != ZERO and await world.git.contains(repo.path, after, pull.base_sha):
        await close(world, pull, actor)  # nothing is left that it could bring
