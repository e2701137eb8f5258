"""People, repositories, commits and Apps as REST and webhooks show them. Pure: the world in, JSON out."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.simulator.github.git import ChangedFile, Commit, Signature
from bot.simulator.github.model import Label, Repository
from bot.simulator.github.model_reviews import Reaction
from bot.simulator.github.people import LEVELS, User, node_id

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

Json = dict[str, Any]


def stamp(moment: datetime | None) -> str | None:
    """A time as GitHub writes it: UTC, whole seconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def api(world: "GitHubWorld", path: str) -> str:
    """An address of the REST API."""
    return f"{world.base_url}/api/v3{path}"


def user(world: "GitHubWorld", who: User | None) -> Json | None:
    """A simple user."""
    if who is None:
        return None
    url = api(world, f"/users/{who.login}")
    page = f"{world.base_url}/apps/{who.actor_login}" if who.kind == "Bot" else f"{world.base_url}/{who.login}"
    return {
        "login": who.login,
        "id": who.id,
        "node_id": who.node,
        "avatar_url": f"{world.base_url}/avatars/u/{who.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": page,
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": who.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


_REPOSITORY_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def repository(world: "GitHubWorld", repo: Repository, viewer: User | None = None) -> Json:
    """A repository; with a `viewer` also what they may do, and the merge settings that only they see."""
    url = api(world, f"/repos/{repo.full_name}")
    page = f"{world.base_url}/{repo.full_name}"
    shown: Json = {
        "id": repo.id,
        "node_id": repo.node,
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": user(world, repo.owner),
        "html_url": page,
        "description": None,
        "fork": False,
        "url": url,
        **{key: url + tail for key, tail in _REPOSITORY_LINKS.items()},
        "clone_url": f"{page}.git",
        "git_url": f"git://{page.split('://', 1)[1]}.git",
        "ssh_url": f"git@{page.split('://', 1)[1]}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "created_at": stamp(repo.created_at),
        "updated_at": stamp(repo.created_at),
        "pushed_at": stamp(repo.created_at),
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "forks_count": 0,
        "open_issues_count": sum(pull.open for pull in repo.pulls.values()),
        "watchers": 0,
        "forks": 0,
        "open_issues": sum(pull.open for pull in repo.pulls.values()),
        "has_issues": True,
        "has_projects": True,
        "has_downloads": True,
        "has_wiki": False,
        "has_pages": False,
        "has_discussions": False,
        "has_pull_requests": True,
        "pull_request_creation_policy": "all",
        "archived": False,
        "disabled": False,
        "license": None,
        "allow_forking": False,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": "private" if repo.private else "public",
        "default_branch": repo.default_branch,
    }
    if viewer:
        role = LEVELS[world.role(repo, viewer)]
        shown["permissions"] = {
            name: role >= LEVELS[level]
            for name, level in (
                ("admin", "admin"),
                ("maintain", "maintain"),
                ("push", "write"),
                ("triage", "triage"),
                ("pull", "read"),
            )
        }
        shown |= {
            "allow_merge_commit": repo.merge_commits,
            "allow_squash_merge": repo.squash_merges,
            "allow_rebase_merge": repo.rebase_merges,
            "allow_auto_merge": repo.auto_merge,
            "delete_branch_on_merge": repo.delete_branch_on_merge,
        }
    return shown


def _identity(signed: Signature) -> Json:
    return {"name": signed.name, "email": signed.email, "date": stamp(signed.date)}


def commit(world: "GitHubWorld", repo: Repository, made: Commit) -> Json:
    """A commit without its files."""
    url = api(world, f"/repos/{repo.full_name}")
    return {
        "sha": made.sha,
        "node_id": node_id("C", int(made.sha[:12], 16)),
        "commit": {
            "author": _identity(made.author),
            "committer": _identity(made.committer),
            "message": made.message,
            "tree": {"sha": made.tree, "url": f"{url}/git/trees/{made.tree}"},
            "url": f"{url}/git/commits/{made.sha}",
            "comment_count": 0,
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "signature": None,
                "payload": None,
                "verified_at": None,
            },
        },
        "url": f"{url}/commits/{made.sha}",
        "html_url": f"{world.base_url}/{repo.full_name}/commit/{made.sha}",
        "comments_url": f"{url}/commits/{made.sha}/comments",
        "author": user(world, author_of(world, made)),
        "committer": None,
        "parents": [
            {
                "sha": parent,
                "url": f"{url}/commits/{parent}",
                "html_url": f"{world.base_url}/{repo.full_name}/commit/{parent}",
            }
            for parent in made.parents
        ],
    }


def simple_commit(made: Commit) -> Json:
    """A commit as check suites, workflow runs and merge groups show it: without an address."""
    return {
        "id": made.sha,
        "tree_id": made.tree,
        "message": made.message,
        "timestamp": made.committer.date.isoformat(),
        "author": {"name": made.author.name, "email": made.author.email},
        "committer": {"name": made.committer.name, "email": made.committer.email},
    }


def author_of(world: "GitHubWorld", made: Commit) -> User | None:
    """The account behind a commit, known by its noreply address; None for an address nobody owns."""
    login = made.author.email.removesuffix("@users.noreply.github.com").split("+", 1)[-1]
    return world.users.get(login.lower())


def changed_file(world: "GitHubWorld", repo: Repository, file: ChangedFile, sha: str) -> Json:
    """One file of a diff."""
    shown: Json = {
        "sha": file.blob,
        "filename": file.path,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": f"{world.base_url}/{repo.full_name}/blob/{sha}/{file.path}",
        "raw_url": f"{world.base_url}/{repo.full_name}/raw/{sha}/{file.path}",
        "contents_url": api(world, f"/repos/{repo.full_name}/contents/{file.path}?ref={sha}"),
    }
    return {**shown, "patch": file.patch} if file.patch else shown


def label(world: "GitHubWorld", repo: Repository, one: Label) -> Json:
    """A label."""
    return {
        "id": one.id,
        "node_id": one.node,
        "url": api(world, f"/repos/{repo.full_name}/labels/{one.name}"),
        "name": one.name,
        "color": one.color,
        "default": False,
        "description": None,
    }


def reaction(world: "GitHubWorld", one: Reaction) -> Json:
    """A reaction to a comment."""
    return {
        "id": one.id,
        "node_id": node_id("REA", one.id),
        "user": user(world, one.user),
        "content": one.content,
        "created_at": stamp(one.created_at),
    }


def reactions(url: str, given: list[Reaction]) -> Json:
    """How often each reaction was given."""
    kinds = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    counted = {kind: sum(one.content == kind for one in given) for kind in kinds}
    return {"url": f"{url}/reactions", "total_count": len(given), **counted}
