"""REST for pull requests: list, open, change, merge, what is in them."""

from typing import Any

from bot.simulator.github import diff, merging, pulls, render, render_pulls, rules
from bot.simulator.github.errors import forbidden, invalid, not_found
from bot.simulator.github.merging import Order
from bot.simulator.github.model import Pull
from bot.simulator.github.rest.routing import Answer, Call, route

PULLS = "/repos/{owner}/{repo}/pulls"
PULL = f"{PULLS}/{{number}}"


@route(f"GET {PULLS}", need="pull_requests:read")
async def listed(call: Call) -> Answer:
    """Pull requests, newest first. `head` without an owner in front filters nothing, as on the real one."""
    state, base = call.query.get("state", "open"), call.query.get("base")
    owner, colon, head = call.query.get("head", "").partition(":")
    found = [
        pull
        for pull in call.repository.pulls.values()
        if state in {"all", pull.state}
        and base in {None, "", pull.base_ref}
        and (not colon or (head == pull.head_ref and owner.lower() == call.repository.owner.login.lower()))
    ]
    by_update = call.query.get("sort") == "updated"
    upwards = call.query.get("direction", "desc") == "asc"
    found.sort(key=lambda pull: (pull.updated_at if by_update else pull.created_at, pull.number), reverse=not upwards)
    return call.page(found, lambda pull: render_pulls.simple(call.world, pull))


@route(f"POST {PULLS}", need="pull_requests:write")
async def create(call: Call) -> Answer:
    """Open one."""
    body = call.body
    for name in ("head", "base"):
        if not body.get(name):
            raise invalid("PullRequest", name, "missing_field")
    wish = pulls.Proposal(
        str(body.get("title") or ""), str(body["head"]), str(body["base"]), body.get("body"), bool(body.get("draft"))
    )
    pull = await pulls.open_pull(call.world, call.repository, call.actor, wish, call.caller.via)
    return Answer(await _whole(call, pull), 201)


async def _whole(call: Call, pull: Pull, *, asked: bool = False) -> dict[str, Any]:
    measured = await rules.measure(call.world, pull, asked=asked)
    return render_pulls.full(call.world, pull, measured)


@route(f"GET {PULL}", need="pull_requests:read")
async def get(call: Call) -> Answer:
    """One of them; asking starts the computing of `mergeable`."""
    return Answer(await _whole(call, call.pull, asked=True))


@route(f"PATCH {PULL}", need="pull_requests:write")
async def patch(call: Call) -> Answer:
    """Change title, body, base or state."""
    if not call.caller.via and call.actor is not call.pull.author and not call.repository.allows(call.actor, "write"):
        raise forbidden("Must have push access to repository.")
    await pulls.edit(call.world, call.pull, call.actor, dict(call.body))
    return Answer(await _whole(call, call.pull))


@route(f"GET {PULL}/merge", need="pull_requests:read")
async def is_merged(call: Call) -> Answer:
    """204 when it is merged, else 404."""
    if not call.pull.merged:
        raise not_found()
    return Answer(None, 204)


@route(f"PUT {PULL}/merge", need="contents:write", role="write")
async def merge(call: Call) -> Answer:
    """Merge it."""
    body = call.body
    order = Order(
        body.get("sha"), body.get("merge_method") or "merge", body.get("commit_title"), body.get("commit_message")
    )
    sha = await merging.merge(call.world, call.pull, call.actor, order, call.caller.token)
    return Answer({"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


@route(f"PUT {PULL}/update-branch", need="pull_requests:write", role="write")
async def update_branch(call: Call) -> Answer:
    """Merge its base into it."""
    await merging.update_branch(call.world, call.pull, call.actor, call.body.get("expected_head_sha"))
    url = render.api(call.world, f"/repos/{call.repository.full_name}/pulls/{call.pull.number}")
    return Answer({"message": "Updating pull request branch.", "url": url}, 202)


@route(f"GET {PULL}/files", need="pull_requests:read")
async def files(call: Call) -> Answer:
    """The files it changes."""
    pull, path = call.pull, call.repository.path
    base = await call.world.git.merge_base(path, pull.base_sha, pull.head_sha) or pull.base_sha
    found = diff.files(await call.world.git.diff(path, base, pull.head_sha, "--full-index"))
    return call.page(found, lambda one: render.changed_file(call.world, call.repository, one, pull.head_sha))


@route(f"GET {PULL}/commits", need="pull_requests:read")
async def commits(call: Call) -> Answer:
    """Its commits, oldest first."""
    span = f"{call.pull.base_sha}..{call.pull.head_sha}"
    found = list(reversed(await call.world.git.commits(call.repository.path, span)))[:250]
    return call.page(found, lambda one: render.commit(call.world, call.repository, one))


@route(f"GET {PULL}/requested_reviewers", need="pull_requests:read")
async def requested(call: Call) -> Answer:
    """Who was asked for a review."""
    return Answer({"users": [render.user(call.world, who) for who in call.pull.requested], "teams": []})


@route(f"POST {PULL}/requested_reviewers", need="pull_requests:write", role="triage")
async def request(call: Call) -> Answer:
    """Ask somebody for a review."""
    await pulls.request_reviewers(call.world, call.pull, call.actor, list(call.body.get("reviewers") or []))
    return Answer(render_pulls.simple(call.world, call.pull), 201)


@route(f"DELETE {PULL}/requested_reviewers", need="pull_requests:write", role="triage")
async def unrequest(call: Call) -> Answer:
    """Take that back."""
    away = {str(login).lower() for login in call.body.get("reviewers") or []}
    for who in tuple(call.pull.requested):
        if who.login.lower() in away:
            await pulls.withdraw_request(call.world, call.pull, call.actor, who)
    return Answer(render_pulls.simple(call.world, call.pull))
