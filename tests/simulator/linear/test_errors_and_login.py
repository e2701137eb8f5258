"""Who gets in, and what Linear says when it refuses: the table of facts, Linear, section 2.1."""

import uuid
from datetime import timedelta

import httpx2
import pytest

from bot.simulator.faults import Fault, When
from bot.simulator.linear import LinearWorld, Person

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATE = "mutation($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { id identifier } } }"


async def test_a_personal_key_stands_bare_in_the_header(wire):
    data = await wire.data("{ viewer { displayName app isMe } }")
    assert data["viewer"] == {"displayName": "alice", "app": False, "isMe": True}


async def test_a_personal_key_behind_bearer_is_refused_with_a_hint(wire):
    wire.authorization = "Bearer lin_api_alice"
    response = await wire.post("{ viewer { id } }")
    assert response.status_code == 400
    assert "Remove the Bearer prefix" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("authorization", [None, "lin_api_nobody", "Bearer lin_oauth_nothing"])
async def test_nobody_is_let_in_without_a_known_credential(wire, authorization):
    wire.authorization = authorization
    response = await wire.post("{ viewer { id } }")
    assert response.status_code == 401
    error = response.json()["errors"][0]
    assert error["message"] == "Authentication required, not authenticated"
    assert error["extensions"]["code"] == "AUTHENTICATION_ERROR"
    assert error["extensions"]["type"] == "authentication error"
    assert error["extensions"]["userPresentableMessage"] == "You need to authenticate to access this operation."


async def test_introspection_needs_no_credential(wire):
    wire.authorization = None
    assert (await wire.data("{ __schema { queryType { name } } }"))["__schema"]["queryType"]["name"] == "Query"


async def grant(wire, **form: str) -> httpx2.Response:
    return await wire.client.post(f"{wire.base}/oauth/token", data=form)


async def test_client_credentials_give_a_token_of_the_app_user_for_thirty_days(wire, clock):
    form = {"grant_type": "client_credentials", "scope": "read,write"}
    response = await grant(wire, **form, client_id="callboard", client_secret="callboard-secret")
    body = response.json()
    assert (response.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 2591999)
    wire.authorization = f"Bearer {body['access_token']}"
    assert (await wire.data("{ viewer { displayName app } }"))["viewer"] == {"displayName": "callboard", "app": True}
    clock.advance(days=30)
    assert (await wire.post("{ viewer { id } }")).status_code == 401


async def test_a_wrong_client_secret_gets_no_token(wire):
    form = {"grant_type": "client_credentials", "scope": "read"}
    response = await grant(wire, **form, client_id="callboard", client_secret="guess")
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


async def test_an_application_without_the_toggle_gets_no_token(wire, world: LinearWorld):
    world.credentials.applications["callboard"].client_credentials = False
    form = {"grant_type": "client_credentials", "scope": "read"}
    response = await grant(wire, **form, client_id="callboard", client_secret="callboard-secret")
    assert response.json()["error_description"] == "Client does not support the client_credentials grant type"


async def test_basic_authentication_works_for_the_token_too(wire):
    response = await wire.client.post(
        f"{wire.base}/oauth/token",
        data={"grant_type": "client_credentials", "scope": "read"},
        auth=("callboard", "callboard-secret"),
    )
    assert response.status_code == 200


async def test_another_set_of_scopes_and_a_new_secret_revoke_tokens(wire, world: LinearWorld):
    first = world.credentials.token("callboard")
    world.credentials.token("callboard", frozenset({"read"}))
    wire.authorization = f"Bearer {first}"
    assert (await wire.post("{ viewer { id } }")).status_code == 401
    second = world.credentials.token("callboard")
    world.credentials.register("callboard", "rotated", world.user("callboard"))
    wire.authorization = f"Bearer {second}"
    assert (await wire.post("{ viewer { id } }")).status_code == 401


async def test_a_read_only_token_can_not_write(wire, world: LinearWorld):
    wire.authorization = f"Bearer {world.credentials.token('callboard', frozenset({'read'}))}"
    response = await wire.post(CREATE, {"input": {"teamId": world.team("YOU").id, "title": "x"}})
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"]["type"] == "forbidden"


async def test_an_unknown_field_is_a_400_without_data(wire):
    response = await wire.post("{ viewer { shoeSize } }")
    body = response.json()
    assert response.status_code == 400
    assert "data" not in body
    assert body["errors"][0]["message"] == 'Cannot query field "shoeSize" on type "User".'
    assert body["errors"][0]["locations"] == [{"line": 1, "column": 12}]
    extensions = body["errors"][0]["extensions"]
    assert (extensions["code"], extensions["type"]) == ("GRAPHQL_VALIDATION_FAILED", "graphql error")
    assert extensions["userError"] is True


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"query": 7}', b'{"query": "{ viewer { id "}'])
async def test_a_body_that_is_no_query_is_a_400(wire, body):
    response = await wire.client.post(f"{wire.base}/graphql", content=body, headers={"Authorization": "lin_api_alice"})
    assert response.status_code == 400
    assert response.json()["errors"]


async def test_a_variable_of_the_wrong_type_is_a_400(wire):
    response = await wire.post("query($first: Int) { issues(first: $first) { nodes { id } } }", {"first": "ten"})
    assert response.status_code == 400
    assert "data" not in response.json()


async def test_a_missing_issue_is_a_200_with_an_error(wire):
    response = await wire.post('{ issue(id: "YOU-404") { id } }')
    body = response.json()
    assert (response.status_code, body["data"]) == (200, None)
    assert body["errors"][0]["message"] == "Entity not found: Issue"
    assert body["errors"][0]["extensions"]["userPresentableMessage"] == "Could not find referenced Issue."


async def test_a_team_that_is_no_uuid_is_an_argument_error(wire):
    error = await wire.error(CREATE, {"input": {"teamId": "YOU", "title": "x"}})
    assert (error["message"], error["path"]) == ("Argument Validation Error", ["issueCreate"])
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["extensions"]["userPresentableMessage"] == "teamId must be a UUID."


async def test_an_unknown_label_in_a_list_names_the_list(wire, world: LinearWorld):
    fields = {"teamId": world.team("YOU").id, "title": "x", "labelIds": [str(uuid.uuid4())]}
    error = await wire.error(CREATE, {"input": fields})
    assert error["message"] == "Entity not found in validateAccess: labelIds"
    assert error["extensions"]["userPresentableMessage"] == "labelIds contained an entry that could not be found."


@pytest.mark.parametrize("status", [200, 400])
async def test_a_repeated_create_is_a_conflict_in_either_status(wire, world: LinearWorld, status):
    world.knobs.conflict_status = status
    mine = str(uuid.uuid4())
    fields = {"id": mine, "teamId": world.team("YOU").id, "title": "x"}
    assert (await wire.data(CREATE, {"input": fields}))["issueCreate"]["issue"]["id"] == mine
    response = await wire.post(CREATE, {"input": fields})
    body = response.json()
    assert (response.status_code, body["data"], len(world.issues())) == (status, None, 1)
    assert body["errors"][0]["message"] == "conflict on insert of Issue"
    assert body["errors"][0]["path"] == ["issueCreate"]
    presentable = body["errors"][0]["extensions"]["userPresentableMessage"]
    assert presentable == f"Entity Issue with id {mine} already exists."


@pytest.mark.parametrize("chosen", ["not-a-uuid", str(uuid.uuid5(uuid.NAMESPACE_URL, "v5"))])
async def test_an_own_id_must_be_a_uuid_of_version_four(wire, world: LinearWorld, chosen):
    error = await wire.error(CREATE, {"input": {"id": chosen, "teamId": world.team("YOU").id, "title": "x"}})
    assert error["extensions"]["userPresentableMessage"] == "id must be a UUID."


async def test_the_issue_limit_of_a_free_plan_comes_after_the_check_for_conflicts(wire, world: LinearWorld):
    mine = str(uuid.uuid4())
    fields = {"id": mine, "teamId": world.team("YOU").id, "title": "x"}
    await wire.data(CREATE, {"input": fields})
    world.knobs.issue_limit = 1
    assert (await wire.error(CREATE, {"input": fields}))["message"] == "conflict on insert of Issue"
    error = await wire.error(CREATE, {"input": fields | {"id": str(uuid.uuid4())}})
    assert error["extensions"]["code"] == "USAGE_LIMIT_EXCEEDED"
    assert error["extensions"]["meta"] == {"usageMetric": "activeIssueCount"}


async def test_the_request_limit_is_a_400_that_says_ratelimited(wire, world: LinearWorld, clock):
    world.limits.requests["key"] = 2
    for _ in range(2):
        await wire.data("{ viewer { id } }")
    response = await wire.post("{ viewer { id } }")
    error = response.json()["errors"][0]
    assert response.status_code == 400
    assert (error["extensions"]["code"], error["extensions"]["type"]) == ("RATELIMITED", "ratelimited")
    assert error["extensions"]["statusCode"] == 429
    assert response.headers["X-RateLimit-Requests-Remaining"] == "0"
    full = clock.moment + timedelta(hours=1)
    assert int(response.headers["X-RateLimit-Requests-Reset"]) == int(full.timestamp() * 1000)
    clock.advance(minutes=31)
    assert (await wire.post("{ viewer { id } }")).status_code == 200


async def test_every_answer_says_what_it_cost_and_what_is_left(wire):
    response = await wire.post("{ viewer { name } }")
    assert response.headers["X-Complexity"] == "2"
    assert response.headers["X-RateLimit-Requests-Limit"] == "2500"
    assert response.headers["X-RateLimit-Requests-Remaining"] == "2499"
    assert response.headers["X-RateLimit-Complexity-Limit"] == "3000000"
    assert response.headers["X-RateLimit-Complexity-Remaining"] == "2999998"


async def test_an_application_has_limits_of_its_own(wire, world: LinearWorld):
    wire.authorization = f"Bearer {world.credentials.token('callboard')}"
    headers = (await wire.post("{ viewer { id } }")).headers
    limits = (headers["X-RateLimit-Requests-Limit"], headers["X-RateLimit-Complexity-Limit"])
    assert limits == ("5000", "2000000")


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ viewer { teams { nodes { id name key } } } }", 66),  # 1 + 50 x 1.3, as Linear's own example
        ("{ viewer { teams(first: 10) { nodes { id name key } } } }", 14),
        ("query($n: Int = 10) { viewer { teams(first: $n) { nodes { id name key } } } }", 14),
        ("{ viewer { ...on User { teams(first: 10) { ...T } } } } fragment T on TeamConnection { nodes { id } }", 12),
    ],
)
async def test_complexity_multiplies_by_the_page_size(wire, query, cost):
    assert (await wire.post(query)).headers["X-Complexity"] == str(cost)


async def test_a_query_above_ten_thousand_points_is_refused(wire):
    response = await wire.post("{ issues(first: 250) { nodes { comments { nodes { id } } } } }")
    error = response.json()["errors"][0]
    assert (response.status_code, error["message"]) == (400, "Query too complex")
    assert "Maximum allowed complexity: 10000." in error["extensions"]["userPresentableMessage"]


async def test_the_rate_limit_can_be_asked_for(wire):
    query = "{ rateLimitStatus { kind limits { type allowedAmount remainingAmount reset } } }"
    status = (await wire.data(query))["rateLimitStatus"]
    assert status["kind"] == "apiKey"
    assert [limit["allowedAmount"] for limit in status["limits"]] == [2500, 3000000]


async def test_a_fault_before_keeps_the_world_untouched_and_one_after_does_not(wire, world: LinearWorld):
    fields = {"teamId": world.team("YOU").id, "title": "x"}
    world.faults.plant(Fault(502, body="<html>bad gateway</html>"), match="issueCreate")
    assert (await wire.post(CREATE, {"input": fields})).status_code == 502
    assert world.issues() == []
    world.faults.plant(Fault(500, When.AFTER), match="mutation issueCreate")
    assert (await wire.post(CREATE, {"input": fields})).status_code == 500
    assert [issue.title for issue in world.issues()] == ["x"]


@pytest.mark.parametrize(("when", "applied"), [(When.BEFORE, 0), (When.AFTER, 1)])
async def test_a_connection_can_be_cut(wire, world: LinearWorld, when, applied):
    world.faults.plant(Fault(0, when))
    with pytest.raises(httpx2.TransportError):
        await wire.post(CREATE, {"input": {"teamId": world.team("YOU").id, "title": "x"}})
    assert len(world.issues()) == applied
    assert (await wire.post("{ viewer { id } }")).status_code == 200


async def test_a_200_can_carry_errors(wire, world: LinearWorld):
    world.faults.plant(Fault(200, body='{"errors": [{"message": "lock timeout"}], "data": null}'))
    response = await wire.post("{ viewer { id } }")
    assert response.status_code == 200
    assert response.json()["errors"][0]["message"] == "lock timeout"


async def test_a_slow_answer_is_still_the_answer(wire, world: LinearWorld):
    world.faults.plant(Fault(200, seconds=0.05), match="query viewer")
    assert (await wire.data("{ viewer { displayName } }"))["viewer"]["displayName"] == "alice"
    assert world.faults.happened[0][0] == "query viewer"


async def test_the_request_log_counts_what_was_asked(wire, world: LinearWorld, alice: Person):
    alice.creates("YOU", "Epic")
    await wire.data('{ a: issue(id: "YOU-1") { id } viewer { id } }')
    await wire.post('mutation { commentCreate(input: {issueId: "YOU-1", body: "hi"}) { success } }')
    wire.authorization = None
    await wire.post("{ viewer { id } }")
    logged = [(request.operation, request.credential, request.status) for request in world.requests]
    assert logged == [
        ("query issue+viewer", "key", 200),
        ("mutation commentCreate", "key", 200),
        ("query viewer", "none", 401),
    ]
    assert world.requests[0].complexity == 3
