"""REST for refs: branches, and refs of any other kind, by their git name: made, moved and deleted.

A ref outside of `refs/heads` is kept like any other, but nothing follows from it: no push event, no check suite.
`refs/pull` is GitHub's own.
"""

import base64
from typing import Any

from bot.simulator.github import render
from bot.simulator.github.errors import ApiError, not_found
from bot.simulator.github.git import ZERO
from bot.simulator.github.refs import changing
from bot.simulator.github.rest.routing import Answer, Call, route
from bot.simulator.github.rules import NO_RULES

REPO = "/repos/{owner}/{repo}"


def _ref(call: Call, ref: str, sha: str) -> dict[str, Any]:
    url = render.api(call.world, f"/repos/{call.repository.full_name}/git")
    return {
        "ref": f"refs/{ref}",
        "node_id": base64.b64encode(f"{call.repository.id}:{ref}".encode()).decode(),
        "url": f"{url}/refs/{ref}",
        "object": {"sha": sha, "type": "commit", "url": f"{url}/commits/{sha}"},
    }


@route(f"GET {REPO}/git/ref/{{ref...}}", need="contents:read")
async def ref(call: Call) -> Answer:
    """One ref, `heads/main`."""
    sha = await call.world.git.resolve(call.repository.path, f"refs/{call.part['ref']}")
    if sha is None:
        raise not_found()
    return Answer(_ref(call, call.part["ref"], sha))


@route(f"GET {REPO}/git/refs", need="contents:read")
async def refs(call: Call) -> Answer:
    """Every ref there is."""
    return await _listed(call, "")


@route(f"GET {REPO}/git/matching-refs/{{ref...}}", need="contents:read")
async def matching_refs(call: Call) -> Answer:
    """The refs that begin so."""
    return await _listed(call, call.part["ref"])


async def _listed(call: Call, beginning: str) -> Answer:
    found = (await call.world.git.refs(call.repository.path)).items()
    shown = [(name.removeprefix("refs/"), sha) for name, sha in found if name.startswith(f"refs/{beginning}")]
    return call.page(shown, lambda one: _ref(call, *one))


@route(f"POST {REPO}/git/refs", need="contents:write", role="write")
async def create_ref(call: Call) -> Answer:
    """Make a ref."""
    name, sha = str(call.body.get("ref", "")), str(call.body.get("sha", ""))
    if not name.startswith("refs/") or name.count("/") < 2:
        raise ApiError(422, "Reference name must start with 'refs/' and contain at least two slashes.")
    path = call.repository.path
    if await call.world.git.resolve(path, sha) != sha:
        raise ApiError(422, "Object does not exist")
    code, _, _ = await call.world.git.attempt(path, "check-ref-format", name)
    if code:
        raise ApiError(422, f"{name} is not a valid ref name.")
    _refuse_hidden(name.removeprefix("refs/"))
    async with changing(call.world, call.repository, call.actor):
        if not await call.world.git.update_ref(path, name, sha, ZERO):
            raise ApiError(422, "Reference already exists")
    return Answer(_ref(call, name.removeprefix("refs/"), sha), 201)


@route(f"PATCH {REPO}/git/refs/{{ref...}}", need="contents:write", role="write")
async def update_ref(call: Call) -> Answer:
    """Move a ref; backwards or sideways only with `force`."""
    name, sha, git = call.part["ref"], str(call.body.get("sha", "")), call.world.git
    if await git.resolve(call.repository.path, sha) != sha:
        raise ApiError(422, "Object does not exist")
    _refuse_hidden(name)
    _refuse_protected(call, name)
    async with changing(call.world, call.repository, call.actor):
        old = await git.resolve(call.repository.path, f"refs/{name}")
        if old is None:
            raise ApiError(422, "Reference does not exist")
        if not call.body.get("force") and not await git.contains(call.repository.path, old, sha):
            raise ApiError(422, "Update is not a fast forward")
        await git.update_ref(call.repository.path, f"refs/{name}", sha, old)
    return Answer(_ref(call, name, sha))


@route(f"DELETE {REPO}/git/refs/{{ref...}}", need="contents:write", role="write")
async def delete_ref(call: Call) -> Answer:
    """Delete a ref."""
    _refuse_hidden(call.part["ref"])
    _refuse_protected(call, call.part["ref"])
    async with changing(call.world, call.repository, call.actor):
        old = await call.world.git.resolve(call.repository.path, f"refs/{call.part['ref']}")
        if old is None:
            raise ApiError(422, "Reference does not exist")
        await call.world.git.update_ref(call.repository.path, f"refs/{call.part['ref']}", ZERO, old)
    return Answer(None, 204)


def _refuse_hidden(name: str) -> None:
    if name.startswith("pull/"):
        raise ApiError(422, f"Cannot change the hidden ref 'refs/{name}'.")


def _refuse_protected(call: Call, name: str) -> None:
    held = call.repository.protection.get(name.removeprefix("heads/"), NO_RULES)
    if held.approvals:
        raise ApiError(422, "Changes must be made through a pull request.")
    if held.checks:
        raise ApiError(422, f'Required status check "{held.checks[0]}" is expected.')
