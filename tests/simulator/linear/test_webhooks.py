"""What Linear tells by webhook, what it leaves out, and how it delivers."""

import hashlib
import hmac
import json
import uuid

import pytest

from bot.simulator.linear import Integration, LinearWorld, Person

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_letter_bears_linears_headers_and_a_signature_over_its_bytes(world, mailbox, alice: Person, clock):
    alice.creates("YOU", "Größe", "- a")
    await world.post_office.quiet()
    headers, body = mailbox.received[0]
    assert uuid.UUID(headers["linear-delivery"]).version == 4
    assert headers["linear-event"] == "Issue"
    assert headers["linear-signature"] == hmac.new(b"shh", body, hashlib.sha256).hexdigest()
    assert headers["linear-timestamp"] == str(json.loads(body)["webhookTimestamp"])
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["user-agent"] == "Linear-Webhook"
    assert json.loads(body)["webhookTimestamp"] == int(clock.moment.timestamp() * 1000)
    assert "Größe".encode() in body


async def test_the_envelope_of_a_label_change(world: LinearWorld, mailbox, alice: Person, clock):
    epic = alice.creates("YOU", "Epic")
    clock.advance(minutes=1)
    alice.labels(epic, "orchestrate")
    await world.post_office.quiet()
    event = next(event for event in mailbox.events if event["action"] == "update")
    label = world.label("orchestrate")
    assert event["type"] == "Issue"
    assert event["updatedFrom"] == {"updatedAt": "2026-11-21T10:00:00.000Z", "labelIds": []}
    assert event["data"]["labelIds"] == [label.id]
    assert event["data"]["labels"] == [{"id": label.id, "name": "orchestrate", "color": "#5e6ad2", "parentId": None}]
    assert event["actor"]["id"] == alice.user.id
    assert event["actor"]["type"] == "user"
    assert event["createdAt"] == "2026-11-21T10:01:00.000Z"
    assert event["organizationId"] == world.organization.id
    assert event["data"]["state"] == {key: event["data"]["state"][key] for key in ("id", "name", "type", "color")}
    assert {"branchName", "relations", "children", "comments", "parent"}.isdisjoint(event["data"])


async def test_the_webhook_id_is_the_same_for_all_and_the_delivery_differs(world: LinearWorld, mailbox, alice: Person):
    alice.creates("YOU", "a")
    alice.creates("YOU", "b")
    await world.post_office.quiet()
    assert len({event["webhookId"] for event in mailbox.events}) == 1
    assert len({headers["linear-delivery"] for headers, _ in mailbox.received}) == 2


async def test_relations_and_states_are_never_told(wire, world: LinearWorld, mailbox, alice: Person):
    first, second = alice.creates("YOU", "a"), alice.creates("YOU", "b")
    before = len(world.events)
    alice.blocks(first, second)
    alice.unblocks(first, second)
    team = world.team("YOU").id
    await wire.data(
        'mutation($t: String!) { workflowStateCreate(input: {teamId: $t, name: "QA", type: "started", color: "#fff"}) '
        "{ success } }",
        {"t": team},
    )
    assert len(world.events) == before


async def test_comments_replies_edits_and_deletions_are_comment_events(world, mailbox, alice, bob):
    issue = alice.creates("YOU", "x")
    root = alice.comments(issue, "question")
    reply = bob.replies(root, "answer")
    alice.edits(root, "better question")
    bob.deletes(reply)
    events = [event for event in world.events if event["type"] == "Comment"]
    assert [event["action"] for event in events] == ["create", "create", "update", "remove"]
    assert events[0]["data"]["issue"]["identifier"] == "YOU-1"
    assert events[0]["data"]["userId"] == alice.user.id
    assert events[1]["data"]["parentId"] == root.id
    assert events[1]["data"]["parent"]["body"] == "question"
    assert events[2]["updatedFrom"]["body"] == "question"
    assert events[3]["data"] == {"id": reply.id}


async def test_a_removal_can_carry_more_than_the_id(world: LinearWorld, alice: Person):
    world.knobs.remove_with_id_only = False
    alice.deletes_issue(alice.creates("YOU", "x"))
    assert world.events[-1]["action"] == "remove"
    assert world.events[-1]["data"]["identifier"] == "YOU-1"


async def test_a_comment_on_a_document_names_no_issue(world: LinearWorld, alice: Person):
    document = alice.writes(alice.creates("YOU", "Epic"), "Breakdown", "text")
    alice.comments_on_document(document, "split this")
    assert world.events[-1]["data"]["issueId"] is None
    assert "issue" not in world.events[-1]["data"]
    alice.rewrites(document, "other text")
    assert (world.events[-1]["type"], world.events[-1]["updatedFrom"]["content"]) == ("Document", "text")


async def test_a_reaction_to_a_comment_names_the_issue_only_inside_the_comment(world, alice: Person):
    issue = alice.creates("YOU", "x")
    alice.reacts(alice.comments(issue, "hi"), "eyes")
    event = world.events[-1]
    assert (event["type"], event["data"]["emoji"]) == ("Reaction", "eyes")
    assert "issueId" not in event["data"]
    assert event["data"]["comment"]["issueId"] == issue.id


async def test_a_new_attachment_and_its_new_metadata_are_told(wire, world: LinearWorld, alice: Person):
    alice.creates("YOU", "x")
    attach = """mutation($n: JSONObject) {
      attachmentCreate(input: {issueId: "YOU-1", url: "https://a", title: "a", metadata: $n}) { success }
    }"""
    await wire.data(attach, {"n": {"v": 1}})
    await wire.data(attach, {"n": {"v": 2}})
    told = [event for event in world.events if event["type"] == "Attachment"]
    assert [(event["action"], event["data"]["metadata"]) for event in told] == [
        ("create", {"v": 1}),
        ("update", {"v": 2}),
    ]
    assert told[1]["updatedFrom"]["metadata"] == {"v": 1}


async def test_an_update_that_changes_nothing_is_no_event(world: LinearWorld, alice: Person):
    issue = alice.creates("YOU", "x", labels=("worker",))
    alice.labels(issue, "worker")
    alice.moves(issue, "Backlog")
    alice.retitles(issue, "x")
    assert [event["action"] for event in world.events] == ["create"]


async def test_the_echo_of_the_apps_own_issue_changes_can_be_missing(world: LinearWorld, alice: Person, app: Person):
    issue = alice.creates("YOU", "x")
    app.moves(issue, "Todo")
    assert world.events[-1]["actor"]["id"] == app.user.id
    world.knobs.own_echo = False
    count = len(world.events)
    app.moves(issue, "In Progress")
    assert len(world.events) == count
    app.comments(issue, "comments still echo")
    assert world.events[-1]["type"] == "Comment"


async def test_an_integration_moves_issues_with_an_integration_actor_or_none(world: LinearWorld, alice: Person):
    issue = alice.creates("YOU", "x")
    github = Integration(world, "github")
    github.moves(issue, "Todo")
    assert world.events[-1]["actor"] == {"id": github.actor.bot.id, "type": "integration", "service": "github"}
    world.knobs.actor_null = True
    github.moves(issue, "Done")
    assert world.events[-1]["actor"] is None


async def test_a_comment_from_elsewhere_has_a_thread_and_perhaps_a_user(world: LinearWorld, alice: Person):
    issue = alice.creates("YOU", "x")
    slack = Integration(world, "slack")
    nobody, matched = slack.comments(issue, "approve"), slack.comments(issue, "approve", by=alice.user)
    assert (nobody.user, nobody.bot_actor.type, nobody.external_thread.type) == (None, "slack", "slack")
    assert (matched.user, matched.external_thread.type) == (alice.user, "slack")


async def test_events_may_grow_fields_that_nobody_knows(world: LinearWorld, alice: Person):
    world.knobs.drift = True
    alice.creates("YOU", "x")
    assert "futureField" in world.events[-1]
    assert "futureField" in world.events[-1]["data"]


async def test_a_webhook_hears_only_its_types_and_its_team(world: LinearWorld, mailbox, alice: Person):
    webhook = world.add_webhook(mailbox.url, "other", types=("Comment",), team=world.add_team("OPS", "Operations"))
    theirs = alice.creates("OPS", "theirs")
    alice.comments(alice.creates("YOU", "ours"), "not for OPS")
    alice.comments(theirs, "for OPS")
    await world.post_office.quiet()
    heard = [event for event in mailbox.events if event["webhookId"] == webhook.id]
    assert [event["data"]["body"] for event in heard] == ["for OPS"]


async def test_only_exactly_200_counts_and_a_retry_repeats_bytes_and_delivery(world, mailbox, alice: Person):
    mailbox.answers = [202, 500]
    alice.creates("YOU", "x")
    await world.post_office.quiet()
    assert len(mailbox.received) == 3
    assert len({body for _, body in mailbox.received}) == 1
    assert len({headers["linear-delivery"] for headers, _ in mailbox.received}) == 1


async def test_a_letter_is_given_up_after_the_last_retry_and_the_failures_can_be_read(
    wire, world: LinearWorld, mailbox, alice: Person
):
    mailbox.answers = [500] * 9
    alice.creates("YOU", "x")
    await world.post_office.quiet()
    assert len(mailbox.received) == 3
    query = "{ webhooks { nodes { enabled secret failures { executionId httpStatus url } } } }"
    node = (await wire.data(query))["webhooks"]["nodes"][0]
    assert node["enabled"]
    assert [failure["httpStatus"] for failure in node["failures"]] == [500, 500, 500]
    assert len({failure["executionId"] for failure in node["failures"]}) == 1


async def test_a_webhook_that_never_answers_is_switched_off(world: LinearWorld, mailbox, alice: Person):
    world.knobs.disable_after = 2
    mailbox.answers = [500] * 6
    for title in ("a", "b"):
        alice.creates("YOU", title)
        await world.post_office.quiet()
    alice.creates("YOU", "c")
    await world.post_office.quiet()
    assert len(mailbox.received) == 6


async def test_letters_can_be_lost_doubled_and_reordered(world: LinearWorld, mailbox, alice: Person):
    world.post_office.habits.drop = 1.0
    alice.creates("YOU", "lost")
    world.post_office.habits.drop, world.post_office.habits.double = 0.0, 1.0
    alice.creates("YOU", "twice")
    await world.post_office.quiet()
    assert [event["data"]["title"] for event in mailbox.events] == ["twice", "twice"]


async def test_only_a_human_admin_sees_and_makes_webhooks(wire, world: LinearWorld, mailbox):
    create = """mutation($url: String!) { webhookCreate(input: {url: $url, allPublicTeams: true,
      resourceTypes: ["Issue"], secret: "mine"}) { webhook { id secret enabled } } }"""
    made = (await wire.data(create, {"url": mailbox.url}))["webhookCreate"]["webhook"]
    assert made["secret"] == "mine"
    rotate = "mutation($id: String!) { webhookRotateSecret(id: $id) { secret } }"
    assert (await wire.data(rotate, {"id": made["id"]}))["webhookRotateSecret"]["secret"] != "mine"
    await wire.data("mutation($id: String!) { webhookDelete(id: $id) { entityId } }", {"id": made["id"]})
    wire.authorization = f"Bearer {world.credentials.token('callboard')}"
    assert (await wire.error(create, {"url": mailbox.url}))["extensions"]["type"] == "forbidden"
    assert (await wire.error("{ webhooks { nodes { id } } }"))["extensions"]["type"] == "forbidden"


@pytest.mark.parametrize(
    "fields",
    [
        {"allPublicTeams": True, "resourceTypes": ["IssueRelation"]},
        {"allPublicTeams": True, "resourceTypes": ["WorkflowState"]},
        {"resourceTypes": ["Issue"]},
    ],
)
async def test_a_webhook_for_what_does_not_exist_is_refused(wire, fields):
    create = "mutation($input: WebhookCreateInput!) { webhookCreate(input: $input) { success } }"
    error = await wire.error(create, {"input": {"url": "https://x.dev"} | fields})
    assert error["message"] == "Argument Validation Error"


async def test_a_webhook_for_one_team_may_name_it_by_key(wire, world: LinearWorld):
    create = """mutation { webhookCreate(input: {url: "https://x.dev", teamId: "YOU", resourceTypes: ["Issue"]}) {
      webhook { team { key } allPublicTeams } } }"""
    made = (await wire.data(create))["webhookCreate"]["webhook"]
    assert made == {"team": {"key": "YOU"}, "allPublicTeams": False}
