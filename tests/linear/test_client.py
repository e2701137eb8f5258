"""The wire: how credentials travel, what errors mean, what is left of the limits."""

import asyncio
import time
from typing import Any

import httpx2
import pytest

from bot.linear.client import ApiKey, ClientCredentials, LinearClient
from bot.linear.errors import Forbidden, InvalidDocument, LinearConflict, NotFound, Rejected, wait_of
from bot.machine.errors import Refused, Transient

URL = "https://linear.test/graphql"
TOKEN = "https://linear.test/oauth/token"
VIEWER = {"data": {"viewer": {"id": "u", "name": "Bot", "email": "b@x", "app": True, "admin": False}}}


def failure(message: str, **extensions: Any) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": extensions}], "data": None}


ERRORS = [
    pytest.param(
        401,
        failure("Authentication required, not authenticated", type="authentication error", code="AUTHENTICATION_ERROR"),
        Refused,
        id="no or bad credential",
    ),
    pytest.param(
        400,
        failure("It looks like you're trying to use an API key as a Bearer token.", type="authentication error"),
        Refused,
        id="key as bearer",
    ),
    pytest.param(
        400,
        {"errors": [{"message": 'Cannot query field "x"', "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]},
        InvalidDocument,
        id="our document is wrong",
    ),
    pytest.param(
        200,
        failure(
            "Argument Validation Error",
            code="INVALID_INPUT",
            userPresentableMessage="teamId must be a UUID.",
        ),
        Rejected,
        id="argument validation with 200",
    ),
    pytest.param(
        200,
        failure("Entity not found: Issue", type="invalid input", code="INPUT_ERROR"),
        NotFound,
        id="entity missing",
    ),
    pytest.param(
        200,
        failure(
            "Entity not found in validateAccess: labelIds",
            code="INPUT_ERROR",
            statusCode=400,
            userPresentableMessage="labelIds contained an entry that could not be found.",
        ),
        NotFound,
        id="member of a list missing",
    ),
    pytest.param(400, failure("Rate limit exceeded.", type="ratelimited", code="RATELIMITED"), Transient, id="limit"),
    pytest.param(
        200,
        failure("usage limit exceeded", type="usage limit exceeded", code="USAGE_LIMIT_EXCEEDED"),
        Refused,
        id="plan limit",
    ),
    pytest.param(403, failure("You do not have access", type="forbidden"), Forbidden, id="forbidden"),
    pytest.param(200, failure("You do not have access", type="forbidden"), Forbidden, id="forbidden with 200"),
    pytest.param(
        200,
        failure("labelIds not exclusive child labels", type="invalid input", code="INPUT_ERROR"),
        Rejected,
        id="label group clash",
    ),
    pytest.param(200, failure("boom", type="internal error"), Transient, id="internal error with 200"),
    pytest.param(500, failure("boom"), Transient, id="500 without a type"),
    pytest.param(502, "<html>Bad gateway</html>", Transient, id="502 in HTML"),
    pytest.param(200, "<html>maintenance</html>", Transient, id="200 in HTML"),
    pytest.param(404, "<html>no such page</html>", Refused, id="wrong address"),
    pytest.param(200, failure("lock", type="lock timeout"), Transient, id="lock timeout"),
    pytest.param(200, failure("?", type="user error", userError=True), Rejected, id="user error"),
    pytest.param(200, failure("a new kind", type="brand new", statusCode=500), Transient, id="unknown kind"),
    pytest.param(200, {"data": {"issueUpdate": {"success": False}}}, Transient, id="success false"),
]


@pytest.mark.parametrize(("status", "body", "expected"), ERRORS)
async def test_an_error_of_linear_becomes_one_of_ours(
    wire: Any, linear: LinearClient, status: int, body: Any, expected: type[Exception]
) -> None:
    answer = httpx2.Response(status, json=body) if isinstance(body, dict) else httpx2.Response(status, html=body)
    wire.answers[URL] = answer
    with pytest.raises(expected) as caught:
        await linear.execute("viewer")
    assert type(caught.value) is expected


@pytest.mark.parametrize("status", [200, 400])
async def test_a_repeated_create_names_its_entity_and_text(wire: Any, linear: LinearClient, status: int) -> None:
    body = failure(
        "conflict on insert of Issue",
        type="invalid input",
        code="INPUT_ERROR",
        userPresentableMessage="Entity Issue with id 42 already exists.",
    )
    wire.answers[URL] = httpx2.Response(status, json=body)
    with pytest.raises(LinearConflict) as caught:
        await linear.execute("viewer")
    [conflict] = caught.value.conflicts
    assert (conflict.entity, conflict.text) == ("Issue", "Entity Issue with id 42 already exists.")


async def test_a_conflict_beside_a_worse_error_is_not_success(wire: Any, linear: LinearClient) -> None:
    errors = [
        {"message": "conflict on insert of Issue", "extensions": {}},
        {"message": "boom", "extensions": {"type": "internal error"}},
    ]
    wire.answers[URL] = httpx2.Response(200, json={"errors": errors, "data": None})
    with pytest.raises(Transient):
        await linear.execute("viewer")


async def test_errors_beside_data_are_errors(wire: Any, linear: LinearClient) -> None:
    wire.answers[URL] = httpx2.Response(200, json={**VIEWER, **failure("boom", type="internal error")})
    with pytest.raises(Transient):
        await linear.execute("viewer")


async def test_a_rate_limit_says_when_to_come_back(wire: Any, linear: LinearClient) -> None:
    headers = {
        "X-RateLimit-Requests-Limit": "2500",
        "X-RateLimit-Requests-Remaining": "0",
        "X-RateLimit-Requests-Reset": str(int((time.time() + 120) * 1000)),
    }
    body = failure("Rate limit exceeded", type="ratelimited", code="RATELIMITED", statusCode=429)
    wire.answers[URL] = httpx2.Response(400, json=body, headers=headers)
    with pytest.raises(Transient) as caught:
        await linear.execute("viewer")
    assert caught.value.retry_after == pytest.approx(28.8), "twenty requests have flowed in long before the reset"
    assert linear.budget.requests_remaining == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"x-ratelimit-requests-remaining": "9", "x-ratelimit-requests-reset": "1090000"}
         | {"x-ratelimit-complexity-remaining": "0", "x-ratelimit-complexity-reset": "1030000"}, 30),
        ({"x-ratelimit-requests-remaining": "0", "x-ratelimit-requests-reset": "900000"}, 1),
        ({"x-ratelimit-requests-reset": "soon"}, 60),
        ({}, 60),
    ],
    ids=["retry-after", "the empty bucket counts", "a reset in the past", "nonsense", "nothing said"],
)  # fmt: skip
def test_the_wait_is_read_from_headers(headers: dict[str, str], seconds: float) -> None:
    assert wait_of(headers, now=1000.0) == seconds


@pytest.mark.parametrize(
    "trouble", [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow"), httpx2.RemoteProtocolError("cut")]
)
async def test_trouble_on_the_way_is_transient_and_not_tried_again(
    wire: Any, linear: LinearClient, trouble: Exception
) -> None:
    wire.answers[URL] = trouble
    with pytest.raises(Transient):
        await linear.execute("viewer")
    assert len(wire.to(URL)) == 1


async def test_an_api_key_goes_without_bearer(wire: Any, linear: LinearClient) -> None:
    wire.answers[URL] = httpx2.Response(200, json=VIEWER)
    await linear.execute("viewer")
    assert wire.asked[-1].headers["Authorization"] == "lin_api_x"


async def test_the_budget_is_what_linear_said_last(wire: Any, linear: LinearClient) -> None:
    headers = {"X-RateLimit-Requests-Remaining": "2499", "X-RateLimit-Requests-Limit": "2500", "X-Complexity": "14"}
    headers |= {"X-RateLimit-Requests-Reset": "1795255200123", "X-RateLimit-Complexity-Remaining": "nonsense"}
    wire.answers[URL] = httpx2.Response(200, json=VIEWER, headers=headers)
    await linear.execute("viewer")
    budget = linear.budget
    assert (budget.requests_limit, budget.requests_remaining, budget.complexity) == (2500, 2499, 14)
    assert budget.complexity_remaining is None
    assert budget.requests_reset is not None
    assert budget.requests_reset.year == 2026


def test_credentials_do_not_show_their_secrets() -> None:
    assert "hidden" not in repr(ApiKey("hidden")) + repr(ClientCredentials("id", "hidden"))


async def test_a_token_is_made_once_for_many_requests(wire: Any) -> None:
    wire.answers[TOKEN] = httpx2.Response(200, json={"access_token": "t1"})
    wire.answers[URL] = httpx2.Response(200, json=VIEWER)
    async with wire.client(ClientCredentials("id", "secret")) as client:
        await asyncio.gather(*(client.execute("viewer") for _ in range(5)))
    assert len(wire.to(TOKEN)) == 1
    assert {request.headers["Authorization"] for request in wire.to(URL)} == {"Bearer t1"}
    assert wire.to(TOKEN)[0].content == (
        b"grant_type=client_credentials&client_id=id&client_secret=secret&scope=read%2Cwrite"
    )


async def test_an_expired_token_is_replaced_once_by_all_who_notice(wire: Any) -> None:
    tokens = iter(["old", "new", "one too many"])
    wire.answers[TOKEN] = lambda _: httpx2.Response(200, json={"access_token": next(tokens)})

    def judge(request: httpx2.Request) -> httpx2.Response:
        if request.headers["Authorization"] == "Bearer old":
            return httpx2.Response(401, json=failure("Authentication required", type="authentication error"))
        return httpx2.Response(200, json=VIEWER)

    wire.answers[URL] = judge
    async with wire.client(ClientCredentials("id", "secret")) as client:
        await asyncio.gather(*(client.execute("viewer") for _ in range(4)))
    assert len(wire.to(TOKEN)) == 2


async def test_a_new_token_that_is_refused_too_ends_it(wire: Any) -> None:
    wire.answers[TOKEN] = httpx2.Response(200, json={"access_token": "t"})
    refusal = httpx2.Response(401, json=failure("Authentication required", type="authentication error"))
    wire.answers[URL] = refusal
    async with wire.client(ClientCredentials("id", "secret")) as client:
        with pytest.raises(Refused):
            await client.execute("viewer")
    assert len(wire.to(URL)) == 2


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "Error", "error_description": "Client does not support the client_credentials"}, Refused),
        (401, {"error": "invalid_client"}, Refused),
        (503, {}, Transient),
        (200, {"token": "?"}, Refused),
    ],
)
async def test_no_token_is_said_in_our_words(
    wire: Any, status: int, body: dict[str, str], expected: type[Exception]
) -> None:
    wire.answers[TOKEN] = httpx2.Response(status, json=body)
    async with wire.client(ClientCredentials("id", "secret")) as client:
        with pytest.raises(expected, match="token"):
            await client.execute("viewer")


def test_a_bucket_is_waited_for_until_it_holds_enough_not_until_it_is_full() -> None:
    full = {"x-ratelimit-complexity-reset": "3600000", "x-ratelimit-requests-reset": "1000000"}
    sizes = {"x-ratelimit-complexity-limit": "2000000", "x-ratelimit-requests-limit": "5000"}
    left = {"x-ratelimit-complexity-remaining": "10000", "x-ratelimit-requests-remaining": "4000"}
    assert wait_of({**full, **sizes, **left}, now=0.0) == 18
    none_left = {"x-ratelimit-complexity-remaining": "1999000", "x-ratelimit-requests-remaining": "0"}
    assert wait_of({**full, **sizes, **none_left}, now=0.0) == pytest.approx(14.4)
    assert wait_of(full, now=0.0) == 3600, "without the sizes there is only the reset"
