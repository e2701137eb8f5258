"""The simulated logins are as unkind as the real ones: a code is good once, and only as it was asked for."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from starlette.requests import Request

from bot.simulator.github import GitHubWorld
from bot.simulator.github import oauth as github_oauth
from bot.simulator.linear import LinearWorld
from bot.simulator.linear.auth import Code, challenge_of

BACK = "http://127.0.0.1:8080/login/callback"
VERIFIER = "v" * 43
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MISTAKES = [
    ({"code": "another"}, timedelta(0)),
    ({"redirect_uri": f"{BACK}/more"}, timedelta(0)),
    ({"code_verifier": "w" * 43}, timedelta(0)),
    ({"code_verifier": ""}, timedelta(0)),
    ({"client_secret": "wrong"}, timedelta(0)),
    ({}, timedelta(minutes=11)),
]


@pytest.mark.parametrize(("change", "later"), [({}, timedelta(0)), *MISTAKES])
def test_linear_exchanges_a_code_once_and_only_as_it_was_asked_for(change, later):
    passed = timedelta(0)
    world = LinearWorld.small(now=lambda: NOW + passed)
    application = world.credentials.applications["callboard"]
    until, scopes = NOW + timedelta(minutes=10), frozenset({"read"})
    given = Code(application, world.user("alice"), scopes, BACK, challenge_of(VERIFIER), until)
    code = world.credentials.code(given)
    form = {"grant_type": "authorization_code", "client_id": "callboard", "client_secret": "callboard-secret"}
    form |= {"code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    passed = later
    status, body = world.credentials.grant(form | change, None)
    if change or later:
        assert status in (400, 401)
        assert "access_token" not in body
        return
    assert status == 200
    assert world.credentials.caller(f"Bearer {body['access_token']}").user is world.user("alice")
    assert world.credentials.grant(form, None)[1]["error"] == "invalid_grant"


def request(path, form, accept):
    async def receive():
        return {"type": "http.request", "body": "&".join(f"{key}={value}" for key, value in form.items()).encode()}

    headers = [(b"accept", accept.encode()), (b"content-type", b"application/x-www-form-urlencoded")]
    return Request({"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}, receive)


@pytest.mark.parametrize(("change", "later"), [({}, timedelta(0)), *MISTAKES])
async def test_github_exchanges_a_code_once_and_tells_of_mistakes_with_status_200(tmp_path, change, later):
    world = GitHubWorld(tmp_path)
    app = world.app("callboard")
    app.callback_urls = (BACK,)
    until = world.now() + github_oauth.PATIENCE - later
    world.codes["c0de"] = github_oauth.Code(app, world.user("alice"), BACK, challenge_of(VERIFIER), until)
    form = {"client_id": app.client_id, "client_secret": app.client_secret}
    form |= {"code": "c0de", "redirect_uri": BACK, "code_verifier": VERIFIER}
    answer = await github_oauth.answer(world, request("/login/oauth/access_token", form | change, "*/*"))
    assert answer is not None
    said = dict(parse_qsl(bytes(answer.body).decode()))
    assert answer.status_code == 200
    if change or later:
        assert "access_token" not in said
        assert said["error"] in ("bad_verification_code", "redirect_uri_mismatch", "incorrect_client_credentials")
        return
    assert world.tokens[said["access_token"]].user is world.user("alice")
    again = await github_oauth.answer(world, request("/login/oauth/access_token", form, "application/json"))
    assert again is not None
    assert again.media_type == "application/json"
    assert b"bad_verification_code" in again.body
