"""GraphQL views of people, repositories, refs and commits: a field is a value, or a function that finds it."""

from typing import Any

from bot.simulator.github import render
from bot.simulator.github.errors import not_simulated
from bot.simulator.github.git import Commit
from bot.simulator.github.graph.context import Context, View, connection
from bot.simulator.github.model import Repository
from bot.simulator.github.people import App, User, node_id


def actor(context: Context, who: User | None) -> View | None:
    """A person, a bot (without its `[bot]`) or an organisation."""
    if who is None:
        return None
    path = f"/apps/{who.actor_login}" if who.kind == "Bot" else f"/{who.login}"
    return {
        "__typename": who.kind,
        "id": who.node,
        "databaseId": who.id,
        "login": who.actor_login,
        "name": who.name,
        "avatarUrl": f"{context.world.base_url}/avatars/u/{who.id}",
        "resourcePath": path,
        "url": context.world.base_url + path,
    }


def viewer(context: Context) -> View:
    """Who asks. The schema says that it is a user, so a bot shows as one, with its whole login."""
    who = context.actor
    return {**(actor(context, who) or {}), "__typename": "User", "login": who.login}


def app(one: App) -> View:
    """A GitHub App."""
    return {"__typename": "App", "id": one.node, "databaseId": one.id, "name": one.slug, "slug": one.slug}


def repository(context: Context, repo: Repository) -> View:
    """A repository."""
    from bot.simulator.github.graph import pulls, queues

    async def ref_named(qualifiedName: str) -> View | None:  # noqa: N803  # GitHub's own argument name
        return await ref(context, repo, qualifiedName)

    async def refs(**args: Any) -> View:
        beginning, wanted = args.pop("refPrefix"), args.pop("query", None) or ""
        every = sorted((await context.world.git.refs(repo.path)).items())
        found = [one for one in every if one[0].startswith(beginning) and wanted in one[0].removeprefix(beginning)]
        return connection("refs", found, lambda one: _ref(context, repo, *one), args)

    async def anything(expression: str | None = None, oid: str | None = None) -> View | None:
        return await git_object(context, repo, expression or oid or "")

    async def default_branch() -> View | None:
        return await ref(context, repo, repo.default_branch)

    return {
        "__typename": "Repository",
        "id": repo.node,
        "databaseId": repo.id,
        "name": repo.name,
        "nameWithOwner": repo.full_name,
        "owner": lambda: actor(context, repo.owner),
        "url": f"{context.world.base_url}/{repo.full_name}",
        "isPrivate": repo.private,
        "isArchived": False,
        "description": None,
        "defaultBranchRef": default_branch,
        "ref": ref_named,
        "refs": refs,
        "object": anything,
        "pullRequest": lambda number: pulls.numbered(context, repo, number),
        "pullRequests": lambda **args: pulls.listed(context, repo, args),
        "mergeQueue": lambda branch=None: queues.queue(context, repo, branch or repo.default_branch),
        "mergeCommitAllowed": repo.merge_commits,
        "squashMergeAllowed": repo.squash_merges,
        "rebaseMergeAllowed": repo.rebase_merges,
        "autoMergeAllowed": repo.auto_merge,
        "deleteBranchOnMerge": repo.delete_branch_on_merge,
        "viewerPermission": context.world.role(repo, context.actor).upper(),
    }


async def ref(context: Context, repo: Repository, name: str) -> View | None:
    """A branch by `main`, or any ref by its whole name; None when there is none."""
    whole = name if name.startswith("refs/") else f"refs/heads/{name}"
    sha = await context.world.git.resolve(repo.path, whole)
    return _ref(context, repo, whole, sha) if sha else None


def _ref(context: Context, repo: Repository, name: str, sha: str) -> View:
    from bot.simulator.github.graph import pulls

    async def target() -> View:
        return await commit(context, repo, sha)

    _, kind, short = name.split("/", 2)
    branch = short if kind == "heads" else ""
    return {
        "__typename": "Ref",
        "id": node_id("REF", int(sha[:10], 16)),
        "name": short,
        "prefix": f"refs/{kind}/",
        "target": target,
        "associatedPullRequests": lambda **args: pulls.listed(context, repo, {**args, "headRefName": branch}),
    }


async def git_object(context: Context, repo: Repository, expression: str) -> View | None:
    """What `main`, a SHA or `main:path/to/file` names: a commit, a tree or a blob."""
    git = context.world.git
    context.require(repo, "contents:read")
    if expression.startswith("-"):
        return None
    code, out, _ = await git.attempt(repo.path, "rev-parse", "--verify", "-q", expression)
    if code:
        return None
    sha = out.decode().strip()
    kind = await git.run(repo.path, "cat-file", "-t", sha)
    if kind == "commit":
        return await commit(context, repo, sha)
    if kind == "tree":
        return _object(context, repo, sha, "Tree")
    if kind != "blob":
        raise not_simulated(f"GitObject of type {kind}")
    _, raw, _ = await git.attempt(repo.path, "cat-file", "blob", sha)
    binary = b"\0" in raw
    shown = {"text": None if binary else raw.decode(errors="replace"), "byteSize": len(raw), "isBinary": binary}
    return {**_object(context, repo, sha, "Blob"), **shown}


def _object(context: Context, repo: Repository, sha: str, kind: str) -> View:
    url = f"{context.world.base_url}/{repo.full_name}/commit/{sha}"
    return {
        "__typename": kind,
        "id": node_id(kind[0], int(sha[:10], 16)),
        "oid": sha,
        "abbreviatedOid": sha[:7],
        "commitUrl": url,
    }


async def commit(context: Context, repo: Repository, sha: str) -> View:
    """A commit by its SHA."""
    from bot.simulator.github.graph import checks

    made = await context.world.git.commit(repo.path, sha)
    headline, _, body = made.message.partition("\n")

    async def parents(**args: Any) -> View:
        found = [await commit(context, repo, parent) for parent in made.parents]
        return connection("parents", found, lambda one: one, args)

    return {
        **_object(context, repo, sha, "Commit"),
        "url": f"{context.world.base_url}/{repo.full_name}/commit/{sha}",
        "message": made.message,
        "messageHeadline": headline,
        "messageBody": body.strip("\n"),
        "committedDate": render.stamp(made.committer.date),
        "authoredDate": render.stamp(made.author.date),
        "author": _git_actor(context, made),
        "tree": _object(context, repo, made.tree, "Tree"),
        "parents": parents,
        "statusCheckRollup": lambda: checks.rollup(context, repo, sha),
    }


def _git_actor(context: Context, made: Commit) -> View:
    who = render.author_of(context.world, made)
    return {
        "__typename": "GitActor",
        "name": made.author.name,
        "email": made.author.email,
        "date": made.author.date.isoformat(),
        "user": actor(context, who) if who and who.kind == "User" else None,
    }
