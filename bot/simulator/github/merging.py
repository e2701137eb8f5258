"""Merging without a work tree: `git merge-tree`, `git commit-tree`, and a compare-and-set of the base branch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.simulator.github import pulls, rules
from bot.simulator.github.errors import ApiError, custom, unprocessable
from bot.simulator.github.git import ZERO
from bot.simulator.github.model import AutoMerge, Pull, Repository
from bot.simulator.github.people import Token, User
from bot.simulator.github.refs import changing

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

_REFUSED_METHODS = {
    "merge": "Merge commits are not allowed on this repository.",
    "squash": "Squash merges are not allowed on this repository.",
    "rebase": "Rebase merges are not allowed on this repository.",
}


@dataclass(frozen=True)
class Order:
    """How to merge: `sha` is the head that was looked at, `method` merge, squash or rebase."""

    sha: str | None = None
    method: str = "merge"
    title: str | None = None
    message: str | None = None


async def merge(world: "GitHubWorld", pull: Pull, actor: User, order: Order, token: Token | None = None) -> str:
    """Merge a pull request; the SHA that its base then stands at.

    Raises:
        ApiError: 405 for what the rules forbid, 409 for a head or a base that moved, 403 for an App that may not
            change workflow files, 422 for an unknown method.
    """
    repo = pull.repository
    if order.method not in _REFUSED_METHODS:
        raise custom("PullRequest", f"Invalid merge method: {order.method}")
    async with changing(world, repo, actor, retarget=True) as branches:
        base = branches.get(pull.base_ref)
        if not pull.open or base is None:
            raise ApiError(405, "Pull Request is not mergeable")
        if order.sha is not None and order.sha != pull.head_sha:
            raise ApiError(409, "Head branch was modified. Review and try the merge again.")
        await _allow(world, pull, actor, order.method, base)
        await _allow_workflows(world, pull, token)
        sha = await MAKERS[order.method](world, pull, actor, order, base)
        if not await world.git.update_ref(repo.path, f"refs/heads/{pull.base_ref}", sha, base):
            raise ApiError(405, "Base branch was modified. Review and try the merge again.")
        await pulls.seen_merged(world, pull, actor, sha, base)
        if repo.delete_branch_on_merge:
            await world.git.update_ref(repo.path, f"refs/heads/{pull.head_ref}", ZERO, pull.head_sha)
    return sha


async def delete_branch(world: "GitHubWorld", pull: Pull, actor: User) -> None:
    """The button under a merged pull request: its branch goes, and those based on it move to where it went."""
    repo = pull.repository
    async with changing(world, repo, actor, retarget=True) as branches:
        if pull.head_ref in branches and not pull.open:
            await world.git.update_ref(repo.path, f"refs/heads/{pull.head_ref}", ZERO, branches[pull.head_ref])


async def _allow(world: "GitHubWorld", pull: Pull, actor: User, method: str, base: str) -> None:
    repo = pull.repository
    allowed = {"merge": repo.merge_commits, "squash": repo.squash_merges, "rebase": repo.rebase_merges}
    if pull.queued:
        raise ApiError(405, "Pull Request is in the merge queue")
    if not allowed[method]:
        raise ApiError(405, _REFUSED_METHODS[method])
    if world.role(repo, actor) not in {"write", "maintain", "admin"}:
        raise ApiError(405, "You're not authorized to push to this branch")
    if pull.draft:
        raise ApiError(405, "Pull Request is still a draft")
    if await rules.conflicts(world, pull, base):
        raise ApiError(405, "Pull Request is not mergeable")
    if missing := rules.blockers(world, pull):
        raise _violated(pull, missing)
    if rules.protection(pull).queue:
        raise _violated(pull, ["Changes must be made through the merge queue"])
    if await rules.behind(world, pull, base):
        raise ApiError(405, "Head branch is out of date. Review and try the merge again.")


def _violated(pull: Pull, missing: list[str]) -> ApiError:
    if not rules.protection(pull).ruleset:
        return ApiError(405, missing[0])
    return ApiError(405, "Repository rule violations found\n\n" + "".join(f"{one}\n\n" for one in missing))


async def _allow_workflows(world: "GitHubWorld", pull: Pull, token: Token | None) -> None:
    if token is None or token.installation is None or token.permissions.get("workflows") == "write":
        return
    path = pull.repository.path
    names = await world.git.run(
        path, "diff", "--name-only", f"{pull.base_sha}...{pull.head_sha}", "--", ".github/workflows"
    )
    if names:
        file = names.splitlines()[0]
        raise ApiError(
            403,
            f"refusing to allow a GitHub App to create or update workflow `{file}` without `workflows` permission",
            kind="FORBIDDEN",
        )


async def _merge_commit(world: "GitHubWorld", pull: Pull, actor: User, order: Order, base: str) -> str:
    repo = pull.repository
    title = order.title or f"Merge pull request #{pull.number} from {repo.owner.login}/{pull.head_ref}"
    message = order.message if order.message is not None else pull.title
    return await _commit(world, repo, base, pull.head_sha, (base, pull.head_sha), f"{title}\n\n{message}", actor)


async def _squash(world: "GitHubWorld", pull: Pull, _actor: User, order: Order, base: str) -> str:
    title = order.title or f"{pull.title} (#{pull.number})"
    message = order.message
    if message is None:
        own = await world.git.commits(pull.repository.path, f"{base}..{pull.head_sha}")
        message = "\n\n".join(f"* {commit.message}" for commit in reversed(own))
    return await _commit(world, pull.repository, base, pull.head_sha, (base,), f"{title}\n\n{message}", pull.author)


async def _rebase(world: "GitHubWorld", pull: Pull, actor: User, _order: Order, base: str) -> str:
    repo = pull.repository
    tip = base
    for commit in reversed(await world.git.commits(repo.path, "--no-merges", f"{base}..{pull.head_sha}")):
        # A commit that stands for the new base but descends from the old parent makes merge-tree pick just this one.
        upon = await world.git.commit(repo.path, tip)
        stand_in = await world.git.commit_tree(repo.path, upon.tree, commit.parents, "-", world.signature(actor))
        tree = await world.git.merge_tree(repo.path, stand_in, commit.sha)
        if tree is None:
            raise ApiError(405, "This branch can't be rebased")
        tip = await world.git.commit_tree(
            repo.path, tree, (tip,), commit.message, commit.author, world.signature(actor)
        )
    return tip


MAKERS = {"merge": _merge_commit, "squash": _squash, "rebase": _rebase}
"""How each method makes the commits that the base shall stand at; called with world, pull, actor, order and base."""


async def _commit(
    world: "GitHubWorld", repo: Repository, ours: str, theirs: str, parents: tuple[str, ...], text: str, author: User
) -> str:
    tree = await world.git.merge_tree(repo.path, ours, theirs)
    if tree is None:
        raise ApiError(405, "Pull Request is not mergeable")
    committer = world.signature(world.user("web-flow"))
    return await world.git.commit_tree(repo.path, tree, parents, text.strip(), world.signature(author), committer)


async def update_branch(world: "GitHubWorld", pull: Pull, actor: User, expected: str | None) -> None:
    """Merge the base into the head.

    Raises:
        ApiError: 422: another head than expected, nothing new in the base, or a conflict.
    """
    repo = pull.repository
    async with changing(world, repo, actor) as branches:
        if expected is not None and expected != pull.head_sha:
            raise unprocessable("expected head sha didn’t match current head ref.")
        if pull.queued:
            raise ApiError(422, "Branches that are queued for merging cannot be updated")
        base, head = branches.get(pull.base_ref), branches.get(pull.head_ref)
        if base is None or head is None or not pull.open:
            raise ApiError(422, "Validation Failed")
        if await world.git.contains(repo.path, base, head):
            raise ApiError(422, "There are no new commits on the base branch.")
        if await rules.conflicts(world, pull, base):
            raise ApiError(422, "merge conflict between base and head")
        text = f"Merge branch '{pull.base_ref}' into {pull.head_ref}"
        sha = await _commit(world, repo, head, base, (head, base), text, actor)
        await world.git.update_ref(repo.path, f"refs/heads/{pull.head_ref}", sha, head)


async def enable_auto_merge(world: "GitHubWorld", pull: Pull, actor: User, order: Order) -> None:
    """Let GitHub merge by itself once it may.

    Raises:
        ApiError: nothing stands in the way (merge it then), nothing would ever, or the repository has it switched off.
    """
    if not pull.repository.auto_merge:
        raise ApiError(422, "Auto merge is not allowed for this repository")
    if order.sha is not None and order.sha != pull.head_sha:
        raise ApiError(422, "Head sha was modified. Review and try the merge again.")
    if pull.base_ref not in pull.repository.protection:
        raise ApiError(422, "Protected branch rules not configured for this branch")
    _, state = await rules.state(world, pull)
    if state in {"clean", "unstable"}:
        raise ApiError(422, f"Pull request Pull request is in {state} status")
    if not pull.open or state == "draft":
        raise ApiError(422, "Pull request is in draft state" if pull.open else "Pull request is closed")
    pull.auto_merge = AutoMerge(actor, world.now(), order.method, order.title, order.message)
    await pulls.announce(world, pull, "auto_merge_enabled", actor)


async def disable_auto_merge(world: "GitHubWorld", pull: Pull, actor: User) -> None:
    """Take that back.

    Raises:
        ApiError: it wasn't on.
    """
    if pull.auto_merge is None:
        raise ApiError(422, "Can't disable auto-merge for this pull request")
    await pulls.drop_auto_merge(world, pull, actor, "Auto-merge was disabled by user")
