"""REST for repositories: branches, refs, commits, comparisons, collaborators, rules, hooks."""

import base64
from typing import Any

from bot.simulator.github import diff, hooks, render, render_apps
from bot.simulator.github.errors import ApiError, invalid, not_found
from bot.simulator.github.git import Commit
from bot.simulator.github.model import Hook
from bot.simulator.github.people import LEVELS
from bot.simulator.github.rest.routing import Answer, Call, route
from bot.simulator.github.rules import NO_RULES

REPO = "/repos/{owner}/{repo}"


@route(f"GET {REPO}", need="metadata:read")
async def repository(call: Call) -> Answer:
    """The repository."""
    return Answer(render.repository(call.world, call.repository, call.caller.user))


@route(f"GET {REPO}/branches", need="contents:read")
async def branches(call: Call) -> Answer:
    """Its branches."""
    found = await call.world.git.branches(call.repository.path)
    return call.page(sorted(found.items()), lambda item: _branch(call, item[0], {"sha": item[1]}))


@route(f"GET {REPO}/branches/{{branch...}}", need="contents:read")
async def branch(call: Call) -> Answer:
    """One branch and its last commit."""
    name = call.part["branch"]
    sha = await call.world.git.branch(call.repository.path, name)
    if sha is None:
        raise not_found("Branch not found")
    made = await call.world.git.commit(call.repository.path, sha)
    return Answer(_branch(call, name, render.commit(call.world, call.repository, made)))


def _branch(call: Call, name: str, commit: dict[str, Any]) -> dict[str, Any]:
    rules = call.repository.protection.get(name)
    url = render.api(call.world, f"/repos/{call.repository.full_name}")
    checks = list(rules.checks) if rules else []
    return {
        "name": name,
        "commit": {"url": f"{url}/commits/{commit['sha']}", **commit},
        "protected": rules is not None,
        "protection": {
            "enabled": rules is not None,
            "required_status_checks": {
                "enforcement_level": "non_admins" if checks else "off",
                "contexts": checks,
                "checks": [{"context": one, "app_id": None} for one in checks],
            },
        },
        "protection_url": f"{url}/branches/{name}/protection",
    }


@route(f"GET {REPO}/rules/branches/{{branch...}}", need="metadata:read")
async def rules(call: Call) -> Answer:
    """The rules that hold for a branch."""
    held = call.repository.protection.get(call.part["branch"], NO_RULES)
    return call.page(render_apps.rules(call.repository, held), lambda one: one)


@route(f"GET {REPO}/commits", need="contents:read")
async def commits(call: Call) -> Answer:
    """The history of `sha` (the default branch), newest first."""
    start = await call.world.git.resolve(call.repository.path, call.query.get("sha") or call.repository.default_branch)
    if start is None:
        raise not_found()
    found = await call.world.git.commits(call.repository.path, start)
    return call.page(found, lambda one: render.commit(call.world, call.repository, one))


@route(f"GET {REPO}/commits/{{sha}}", need="contents:read")
async def commit(call: Call) -> Answer:
    """One commit with its files."""
    git, path = call.world.git, call.repository.path
    made = await git.commit(path, await call.sha())
    empty = await git.run(path, "hash-object", "-t", "tree", "--stdin")
    base = made.parents[0] if made.parents else empty
    return Answer({**render.commit(call.world, call.repository, made), **await _changes(call, base, made.sha)})


async def _changes(call: Call, base: str, head: str) -> dict[str, Any]:
    files = diff.files(await call.world.git.diff(call.repository.path, base, head, "--full-index"))
    additions, deletions = sum(file.additions for file in files), sum(file.deletions for file in files)
    return {
        "stats": {"total": additions + deletions, "additions": additions, "deletions": deletions},
        "files": [render.changed_file(call.world, call.repository, file, head) for file in files[:300]],
    }


@route(f"GET {REPO}/compare/{{range...}}", need="contents:read")
async def compare(call: Call) -> Answer:
    """How far two commits are apart: `base...head`."""
    git, path = call.world.git, call.repository.path
    names = call.part["range"].split("...")
    ends = [await git.resolve(path, name.rpartition(":")[2]) for name in names]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        raise not_found()
    base, head = ends[0], ends[1]
    fork = await git.merge_base(path, base, head)
    if fork is None:
        raise not_found(f"No common ancestor between {names[0]} and {names[1]}.")
    ahead, behind = await git.commits(path, f"{base}..{head}"), await git.count(path, f"{head}..{base}")
    word = {(0, 0): "identical", (1, 0): "ahead", (0, 1): "behind", (1, 1): "diverged"}[bool(ahead), bool(behind)]
    url = render.api(call.world, f"/repos/{call.repository.full_name}/compare/{call.part['range']}")
    page = f"{call.world.base_url}/{call.repository.full_name}/compare/{call.part['range']}"

    def shown(one: Commit) -> dict[str, Any]:
        return render.commit(call.world, call.repository, one)

    return Answer(
        {
            "url": url,
            "html_url": page,
            "permalink_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "base_commit": shown(await git.commit(path, base)),
            "merge_base_commit": shown(await git.commit(path, fork)),
            "status": word,
            "ahead_by": len(ahead),
            "behind_by": behind,
            "total_commits": len(ahead),
            "commits": [shown(one) for one in reversed(ahead)][:250],
            "files": (await _changes(call, fork, head))["files"],
        }
    )


@route(f"GET {REPO}/contents/{{path...}}", need="contents:read")
async def contents(call: Call) -> Answer:
    """One file."""
    revision = call.query.get("ref") or call.repository.default_branch
    sha = await call.world.git.resolve(call.repository.path, revision)
    raw = await call.world.git.text(call.repository.path, sha, call.part["path"]) if sha else None
    if raw is None:
        raise not_found()
    path = call.part["path"]
    url = render.api(call.world, f"/repos/{call.repository.full_name}/contents/{path}?ref={revision}")
    blob = await call.world.git.run(call.repository.path, "rev-parse", f"{sha}:{path}")
    return Answer(
        {
            "type": "file",
            "encoding": "base64",
            "size": len(raw),
            "name": path.rsplit("/", 1)[-1],
            "path": path,
            "content": base64.encodebytes(raw).decode(),
            "sha": blob,
            "url": url,
            "git_url": None,
            "html_url": f"{call.world.base_url}/{call.repository.full_name}/blob/{revision}/{path}",
            "download_url": None,
            "_links": {"self": url, "git": None, "html": None},
        }
    )


@route(f"GET {REPO}/collaborators/{{login}}/permission", need="metadata:read", role="write")
async def permission(call: Call) -> Answer:
    """What a person may do: admin, write, read or none (maintain shows as write, triage as read)."""
    who = call.world.users.get(call.part["login"].lower())
    if who is None or who.kind != "User":
        raise not_found() if who is None else not_found(f"{who.login} is not a user")
    role = call.repository.role(who)
    shown = {"maintain": "write", "triage": "read"}.get(role, role)
    allowed = {
        name: LEVELS[role] >= LEVELS[level]
        for name, level in {
            "admin": "admin",
            "maintain": "maintain",
            "push": "write",
            "triage": "triage",
            "pull": "read",
        }.items()
    }
    user = {**(render.user(call.world, who) or {}), "permissions": allowed, "role_name": role}
    return Answer({"permission": shown, "role_name": role, "user": user})


@route(f"GET {REPO}/collaborators/{{login}}", need="metadata:read", role="write")
async def collaborator(call: Call) -> Answer:
    """Whether somebody is a collaborator: 204 or 404."""
    if call.part["login"].lower() not in call.repository.roles:
        raise not_found()
    return Answer(None, 204)


@route(f"GET {REPO}/hooks", need="repository_hooks:read", role="admin")
async def list_hooks(call: Call) -> Answer:
    """Its webhooks."""
    return call.page(call.repository.hooks, lambda one: render_apps.hook(call.world, call.repository, one))


@route(f"POST {REPO}/hooks", need="repository_hooks:write", role="admin")
async def create_hook(call: Call) -> Answer:
    """Make a webhook; it is pinged. Its content type is `form` unless it says `json`."""
    config = call.body.get("config") or {}
    if not config.get("url"):
        raise invalid("Hook", "url", "missing_field")
    events = tuple(call.body.get("events") or ("push",))
    if any(one.url == config["url"] and one.events == events for one in call.repository.hooks):
        raise ApiError(422, "Validation Failed", [{"message": "Hook already exists on this repository"}])
    hook = Hook(
        call.world.id(),
        config["url"],
        config.get("secret"),
        events,
        call.world.now(),
        config.get("content_type", "form"),
        bool(call.body.get("active", True)),
    )
    call.repository.hooks.append(hook)
    hooks.ping(call.world, call.repository, hook, call.actor)
    return Answer(render_apps.hook(call.world, call.repository, hook), 201)
