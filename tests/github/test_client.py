"""The wire to GitHub: who asks, with what token, and what becomes of errors."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.github.client import AppLogin, GitHub, Identity, NotFound, TokenLogin, Unprocessable
from bot.github.errors import Conflicting, Locked, NotAllowed, wait_of
from bot.github.observe import Observe
from bot.machine.errors import Refused, Transient

REPOSITORY = {
    "full_name": "acme/youlab",
    "default_branch": "main",
    "clone_url": "http://x/acme/youlab.git",
    "html_url": "http://x/acme/youlab",
    "permissions": {"push": True, "admin": False},
}


def read(path: str):
    return lambda api: api.requester.requestJsonAndCheck("GET", path)[1]


def write(path: str):
    return lambda api: api.requester.requestJsonAndCheck("POST", path, input={"a": 1})[1]


async def test_a_repository_is_read_with_the_token_and_the_pinned_version(github):
    github.answers["GET /repos/acme/youlab"] = (200, REPOSITORY)
    place = await Observe(github.github()).repository("acme/youlab")
    assert (place.default_branch, place.clone_url, place.permissions) == ("main", "http://x/acme/youlab.git", {"push"})
    (asked,) = github.asked
    assert asked.token == "ghp_1"
    assert asked.headers["x-github-api-version"] == "2022-11-28"


@pytest.mark.parametrize(
    ("status", "message", "headers", "error"),
    [
        (401, "Bad credentials", {}, Refused),
        (403, "Resource not accessible by integration", {}, Refused),
        (403, "Unable to create comment because issue is locked.", {}, Locked),
        (403, "API rate limit exceeded for installation ID 1.", {"x-ratelimit-remaining": "0"}, Transient),
        (403, "You have exceeded a secondary rate limit", {"retry-after": "7"}, Transient),
        (429, "slow down", {"retry-after": "7"}, Transient),
        (404, "Not Found", {}, NotFound),
        (405, "Pull Request is not mergeable", {}, NotAllowed),
        (409, "Head branch was modified", {}, Conflicting),
        (422, "Validation Failed", {}, Unprocessable),
        (500, "Server Error", {}, Transient),
        (502, "Bad Gateway", {}, Transient),
        (503, "Service Unavailable", {"retry-after": "3600"}, Transient),
    ],
)
async def test_each_answer_has_its_kind_of_error_and_a_write_is_sent_once(github, status, message, headers, error):
    github.answers["POST /x"] = (status, {"message": message}, headers)
    with pytest.raises(error, match=message[:20]):
        await github.github().call(None, write("/x"))
    assert len(github.asked) == 1


async def test_a_write_to_a_repository_that_was_renamed_is_not_taken_for_done(github):
    """It would be done again and again, for nothing would ever show it; a read is answered with 301, and followed."""
    github.answers["POST /x"] = (307, {"message": "Moved Permanently"}, {"location": f"{github.url}/repositories/1/x"})
    with pytest.raises(Refused, match="has another name now"):
        await github.github().call(None, write("/x"))
    assert len(github.asked) == 1


async def test_a_read_is_tried_again_after_a_hiccup(github):
    github.answers["GET /x"] = [(502, {}), (200, {"fine": True})]
    assert (await github.github().call(None, read("/x")))["fine"]


async def test_a_rate_limit_says_how_long_and_keeps_nobody_waiting(github):
    github.answers["GET /x"] = (403, {"message": "You have exceeded a secondary rate limit"}, {"retry-after": "3600"})
    async with asyncio.timeout(600):
        with pytest.raises(Transient) as raised:
            await github.github().call(None, read("/x"))
    assert raised.value.retry_after == 3600
    assert len(github.asked) == 1


def test_without_retry_after_the_reset_counts_and_without_both_a_minute():
    assert wait_of({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1090"}, now=1000) == 90
    assert wait_of({"x-ratelimit-remaining": "9", "x-ratelimit-reset": "1090"}, now=1000) == 60
    assert wait_of({"retry-after": "5"}) == 5


async def test_nobody_listening_is_transient():
    with pytest.raises(Transient):
        await GitHub("http://127.0.0.1:9/api/v3", TokenLogin("ghp_1")).call(None, write("/x"))


async def test_a_missing_permission_is_named(github):
    needed = {"x-accepted-github-permissions": "pull_requests=write"}
    github.answers["POST /x"] = (403, {"message": "Resource not accessible by integration"}, needed)
    with pytest.raises(Refused, match="pull_requests=write"):
        await github.github().call(None, write("/x"))


async def test_what_is_left_of_the_hour_is_remembered(github):
    github.answers["GET /x"] = (200, {}, {"x-ratelimit-remaining": "4999", "x-ratelimit-limit": "5000"})
    client = github.github()
    await client.call(None, read("/x"))
    assert client.remaining["rest"] == 4999


async def test_many_jobs_at_once_each_get_their_own_answer(github):
    client = github.github()
    for number in range(30):
        github.answers[f"GET /repos/a/b/pulls/{number}"] = (
            200, {"head": {"ref": f"agent/YOU-{number}", "repo": {"full_name": "a/b"}}},
        )  # fmt: skip
    branches = await asyncio.gather(*(Observe(client).branch_of_pull("a/b", number) for number in range(30)))
    assert branches == [f"agent/YOU-{number}" for number in range(30)]


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}], Transient),
        ([{"message": "Something went wrong while executing your query."}], Transient),
        ([{"type": "FORBIDDEN", "message": "Resource not accessible by integration"}], Refused),
        ([{"message": "Unable to create comment because issue is locked (addComment)"}], Locked),
        ([{"type": "NOT_FOUND", "message": "Could not resolve to a node"}], NotFound),
        ([{"type": "UNPROCESSABLE", "message": "no"}], Unprocessable),
        ([{"message": "Field 'x' doesn't exist"}], Unprocessable),
    ],
)
async def test_errors_in_a_graphql_answer_of_200_are_errors(github, errors, kind):
    github.answers["POST /api/graphql"] = (200, {"data": None, "errors": errors})
    with pytest.raises(kind):
        await github.github().graphql(None, "query { viewer { login } }", {})


async def test_graphql_without_data_is_transient(github):
    github.answers["POST /api/graphql"] = (200, {"data": None})
    with pytest.raises(Transient):
        await github.github().graphql(None, "query { viewer { login } }", {})


# The App


@pytest.fixture(scope="session")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, plain = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return made.private_bytes(pem, plain, serialization.NoEncryption()).decode()


def minted(*tokens: str, life: timedelta = timedelta(hours=1)):
    expires = (datetime.now(UTC) + life).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [(201, {"token": token, "expires_at": expires}) for token in tokens]


@pytest.fixture
def app(github, key) -> GitHub:
    github.answers["GET /repos/acme/youlab/installation"] = (200, {"id": 42})
    github.answers["POST /app/installations/42/access_tokens"] = minted("ghs_1_" + "x" * 300, "ghs_2", "ghs_3")
    github.answers["GET /repos/acme/youlab"] = (200, REPOSITORY)
    return GitHub(f"{github.url}/api/v3", AppLogin("7", key))


def mints(github) -> list[object]:
    return [one.body for one in github.asked if one.path.endswith("access_tokens")]


async def test_an_app_works_with_a_token_for_one_repository_and_keeps_it(github, app):
    for _ in range(3):
        await Observe(app).repository("acme/youlab")
    assert mints(github) == [{"repositories": ["youlab"]}]
    used = {one.token for one in github.asked if one.path == "/repos/acme/youlab"}
    assert used == {"ghs_1_" + "x" * 300}


async def test_twenty_jobs_at_once_mint_one_token(github, app):
    await asyncio.gather(*(Observe(app).repository("acme/youlab") for _ in range(20)))
    assert len(mints(github)) == 1


async def test_git_gets_a_token_that_can_do_nothing_else(github, app):
    token = await app.git_token("acme/youlab")
    assert token.startswith("ghs_1")
    assert mints(github) == [{"repositories": ["youlab"], "permissions": {"contents": "write"}}]


async def test_a_token_that_ends_soon_is_not_handed_out(github, app):
    github.answers["POST /app/installations/42/access_tokens"] = minted("one", "two", life=timedelta(minutes=4))
    assert [await app.git_token("acme/youlab") for _ in range(2)] == ["one", "two"]


async def test_a_token_that_was_taken_back_is_replaced_once(github, app):
    bad = (401, {"message": "Bad credentials"})
    github.answers["GET /repos/acme/youlab"] = [bad, (200, REPOSITORY)]
    await Observe(app).repository("acme/youlab")
    assert len(mints(github)) == 2
    github.answers["GET /repos/acme/youlab"] = bad
    with pytest.raises(Refused):
        await Observe(app).repository("acme/youlab")
    assert len(mints(github)) == 3


async def test_asking_for_more_than_was_granted_is_refused_in_words(github, app):
    github.answers["POST /app/installations/42/access_tokens"] = (
        422, {"message": "The permissions requested are not granted to this installation."},
    )  # fmt: skip
    with pytest.raises(Refused, match="not granted"):
        await app.git_token("acme/youlab")


async def test_an_app_that_is_not_installed_there_says_so(github, app):
    github.answers["GET /repos/acme/youlab/installation"] = (404, {"message": "Not Found"})
    with pytest.raises(NotFound):
        await app.git_token("acme/youlab")


async def test_an_app_knows_its_bot(github, app):
    github.answers["GET /app"] = (200, {"id": 7, "slug": "callboard"})
    github.answers["GET /app/installations"] = (200, [{"id": 42}])
    github.answers["GET /users/callboard[bot]"] = (200, {"login": "callboard[bot]", "id": 99})
    identity = await app.identity()
    assert identity == Identity("callboard[bot]", 99, "callboard")
    assert identity.email == "99+callboard[bot]@users.noreply.github.com"
    before = len(github.asked)
    await app.identity()
    assert len(github.asked) == before


async def test_a_token_knows_its_person(github):
    github.answers["GET /user"] = (200, {"login": "alice", "id": 5})
    assert await github.github().identity() == Identity("alice", 5)
    assert await github.github().git_token("acme/youlab") == "ghp_1"
