"""Apps, tokens, permissions, limits, and what is not simulated."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from github import Auth, GithubException, GithubIntegration

from bot.simulator.faults import Fault
from tests.simulator.github.conftest import refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _integration(stage: Any) -> GithubIntegration:
    return GithubIntegration(
        auth=Auth.AppAuth(stage.app.id, stage.app.private_key),
        base_url=f"{stage.world.base_url}/api/v3",
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def _jwt(stage: Any, **claims: Any) -> str:
    now = int(time.time())
    given = {"iat": now - 60, "exp": now + 300, "iss": str(stage.app.id), **claims}
    return jwt.encode(given, stage.app.private_key, algorithm="RS256")


async def test_an_app_logs_in_from_its_key_to_a_repository(stage: Any) -> None:
    def enter() -> Any:
        integration = _integration(stage)
        installation = integration.get_repo_installation("acme", "youlab")
        token = integration.get_access_token(installation.id)
        return integration.get_app().slug, token.token, token.expires_at

    slug, token, expires = await asyncio.to_thread(enter)
    assert slug == "callboard"
    assert token.startswith("ghs_")
    assert len(token) > 200
    assert timedelta(minutes=59) < expires - datetime.now(UTC) <= timedelta(hours=1)
    branches = await asyncio.to_thread(
        lambda: [one.name for one in stage.with_token(token).get_repo("acme/youlab").get_branches()]
    )
    assert branches == ["main"]


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"exp": 3600}, "is too far in the future"),
        ({"exp": -5}, "must be a numeric value representing the future time"),
        ({"iat": 600}, "must be an Integer representing the time"),
    ],
)
async def test_a_jwt_outside_of_its_bounds_is_refused(stage: Any, claims: Any, message: str) -> None:
    now = int(time.time())
    token = _jwt(stage, **{name: now + seconds for name, seconds in claims.items()})
    error = await refused(lambda: stage.with_token(token).requester.requestJsonAndCheck("GET", "/app"))
    assert (error.status, message in error.data["message"]) == (401, True)


async def test_an_unknown_app_is_no_integration(stage: Any) -> None:
    token = _jwt(stage, iss="999999")
    error = await refused(lambda: stage.with_token(token).requester.requestJsonAndCheck("GET", "/app"))
    assert (error.status, error.data["message"]) == (404, "Integration not found")


async def test_a_jwt_opens_no_repository(stage: Any) -> None:
    with pytest.raises(GithubException, match="401"):
        await stage.rest("GET", "/repos/acme/youlab", _jwt(stage))


async def test_a_token_can_be_narrowed_and_is_held_to_it(stage: Any) -> None:
    await stage.world.create_repository("acme/other", {"a": "a"})
    place = stage.app.installations[0]
    given = await stage.rest(
        "POST",
        f"/app/installations/{place.id}/access_tokens",
        _jwt(stage),
        {"repositories": ["youlab"], "permissions": {"contents": "read"}},
    )
    assert given["repository_selection"] == "selected"
    assert [one["name"] for one in given["repositories"]] == ["youlab"]
    token = given["token"]
    assert (await stage.rest("GET", "/repos/acme/youlab/branches", token))[0]["name"] == "main"
    outside = await refused(lambda: stage.with_token(token).requester.requestJsonAndCheck("GET", "/repos/acme/other"))
    assert outside.status == 404
    lacking = await refused(lambda: list(stage.with_token(token).get_repo("acme/youlab").get_pulls()))
    assert (lacking.status, lacking.data["message"]) == (403, "Resource not accessible by integration")
    assert lacking.headers["x-accepted-github-permissions"] == "pull_requests=read"


async def test_a_token_cannot_be_widened(stage: Any) -> None:
    place = stage.app.installations[0]
    for wish, message in (
        ({"permissions": {"workflows": "write"}}, "The permissions requested are not granted to this installation."),
        ({"repositories": ["nowhere"]}, "There is at least one repository that does not exist"),
    ):
        with pytest.raises(GithubException, match=message) as caught:
            await stage.rest("POST", f"/app/installations/{place.id}/access_tokens", _jwt(stage), wish)
        assert caught.value.status == 422


async def test_a_token_lives_for_an_hour(stage: Any) -> None:
    token = stage.app_token()
    await stage.rest("GET", "/repos/acme/youlab", token)
    stage.clock.ahead = timedelta(minutes=61)
    with pytest.raises(GithubException, match="401"):
        await stage.rest("GET", "/repos/acme/youlab", token)


async def test_strangers_see_nothing_and_readers_change_nothing(stage: Any) -> None:
    with pytest.raises(GithubException, match="404"):
        await stage.rest("GET", "/repos/acme/youlab", stage.world.token_for("stranger"))
    stage.world.grant(stage.repo, "eve", "read")
    eve = stage.world.token_for("eve")
    main = await stage.world.git.branch(stage.repo.path, "main")
    with pytest.raises(GithubException, match="403"):
        await stage.rest("POST", "/repos/acme/youlab/git/refs", eve, {"ref": "refs/heads/x", "sha": main})


async def test_the_permission_of_a_collaborator(stage: Any) -> None:
    stage.world.grant(stage.repo, "mary", "maintain")
    stage.world.grant(stage.repo, "tom", "triage")
    stage.world.user("stranger")

    def ask(login: str) -> str:
        return str(stage.bot().get_collaborator_permission(login))

    asked = [await asyncio.to_thread(ask, login) for login in ("mary", "bob", "tom", "stranger")]
    assert asked == ["write", "write", "read", "none"]
    assert (await refused(lambda: stage.bot().get_collaborator_permission("nobody"))).status == 404


async def test_an_unknown_route_is_said_loudly(stage: Any) -> None:
    with pytest.raises(GithubException) as caught:
        await stage.rest("GET", "/repos/acme/youlab/milestones")
    assert caught.value.status == 501
    assert "GET /repos/acme/youlab/milestones" in caught.value.data["message"]


async def test_limits_are_told_on_every_answer_and_kept(stage: Any) -> None:
    stage.world.knobs.rate_limit = 3
    client = stage.client("bob")
    for left in ("2", "1", "0"):
        headers, _ = await asyncio.to_thread(client.requester.requestJsonAndCheck, "GET", "/repos/acme/youlab")
        assert headers["x-ratelimit-remaining"] == left
    error = await refused(lambda: client.requester.requestJsonAndCheck("GET", "/repos/acme/youlab"))
    assert error.status == 403
    assert error.headers["x-ratelimit-remaining"] == "0"
    assert (await stage.rest("GET", "/rate_limit", stage.world.token_for("bob")))["rate"]["remaining"] == 0


async def test_what_did_not_change_is_free(stage: Any) -> None:
    client = stage.client("bob")
    headers, _ = await asyncio.to_thread(client.requester.requestJsonAndCheck, "GET", "/repos/acme/youlab")
    again = {"If-None-Match": headers["etag"]}
    status, headers, _ = await asyncio.to_thread(
        lambda: client.requester.requestJson("GET", "/repos/acme/youlab", headers=again)
    )
    assert status == 304
    assert headers["x-ratelimit-used"] == "1"


async def test_a_secondary_limit_can_be_planted(stage: Any) -> None:
    fault = Fault(
        403, body='{"message": "You have exceeded a secondary rate limit."}', headers=(("Retry-After", "60"),)
    )
    stage.world.faults.plant(fault, match="GET /repos/acme/youlab")
    error = await refused(lambda: stage.client().requester.requestJsonAndCheck("GET", "/repos/acme/youlab"))
    assert error.headers["retry-after"] == "60"


async def test_every_request_is_counted_by_its_name(stage: Any) -> None:
    await stage.opened()
    await stage.rest("GET", "/repos/acme/youlab/pulls/1")
    await stage.graphql("query Who { viewer { login } }")
    await stage.git("ls-remote", "REMOTE", token=stage.app_token())
    asked = [one.operation for one in stage.world.requests]
    assert asked[:2] == ["GET /repos/acme/youlab/pulls/1", "graphql query Who viewer"]
    assert set(asked[2:]) == {"git upload-pack acme/youlab"}


async def test_rules_of_a_branch_are_listed_without_an_administrator(stage: Any) -> None:
    from bot.simulator.github import Protection

    stage.world.protect(stage.repo, "main", Protection(checks=("test",), strict=True, approvals=1))
    rules = await stage.rest("GET", "/repos/acme/youlab/rules/branches/main", stage.app_token())
    assert {rule["type"] for rule in rules} == {"pull_request", "required_status_checks"}
    assert await stage.rest("GET", "/repos/acme/youlab/rules/branches/topic") == []
