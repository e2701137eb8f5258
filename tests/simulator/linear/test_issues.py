"""What Linear allows with issues, their labels, states and relations."""

import uuid

import pytest

from bot.simulator.linear import Integration, LinearWorld, Person

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATE = "mutation($input: IssueCreateInput!) { issueCreate(input: $input) { issue { identifier state { name } } } }"
BATCH = "mutation($issues: [IssueCreateInput!]!) { issueBatchCreate(input: {issues: $issues}) { issues { title } } }"
UPDATE = """mutation($id: String!, $input: IssueUpdateInput!) {
  issueUpdate(id: $id, input: $input) { success issue { title state { name } labels { nodes { name } } parent { id } } }
}"""
STATE = """mutation($team: String!, $name: String!, $type: String!) {
  workflowStateCreate(input: {teamId: $team, name: $name, type: $type, color: "#fff"}) { workflowState { id position } }
}"""
LABEL = """mutation($input: IssueLabelCreateInput!) { issueLabelCreate(input: $input) { issueLabel { id name } } }"""
RELATE = """mutation($input: IssueRelationCreateInput!) {
  issueRelationCreate(input: $input) { issueRelation { id type } }
}"""


async def test_an_issue_without_a_state_lands_where_new_issues_of_the_team_land(wire, world: LinearWorld):
    team = world.team("YOU")
    fields = {"teamId": team.id, "title": "x"}
    assert (await wire.data(CREATE, {"input": fields}))["issueCreate"]["issue"]["state"]["name"] == "Backlog"
    team.triage_enabled, team.triage_issue_state = True, world.add_state(team, "Triage", "triage")
    assert (await wire.data(CREATE, {"input": fields}))["issueCreate"]["issue"]["state"]["name"] == "Triage"


async def test_an_unknown_parent_fails_the_whole_create(wire, world: LinearWorld):
    error = await wire.error(CREATE, {"input": {"teamId": world.team("YOU").id, "title": "x", "parentId": "YOU-9"}})
    assert error["extensions"]["userPresentableMessage"] == "parentId contained an entry that could not be found."
    assert world.issues() == []


async def test_a_parent_may_be_named_by_identifier_or_uuid(wire, world: LinearWorld, alice: Person):
    epic = alice.creates("YOU", "Epic")
    for reference in (epic.identifier, epic.id, epic.id.upper()):
        await wire.data(CREATE, {"input": {"teamId": world.team("YOU").id, "title": "x", "parentId": reference}})
    query = '{ issue(id: "YOU-1") { children(first: 2) { nodes { number parent { identifier } } } } }'
    nodes = (await wire.data(query))["issue"]["children"]["nodes"]
    assert [node["number"] for node in nodes] == [4, 3]  # newest first
    assert nodes[0]["parent"]["identifier"] == "YOU-1"


async def test_an_issue_can_not_become_its_own_ancestor(wire, alice: Person):
    epic = alice.creates("YOU", "Epic")
    child = alice.creates("YOU", "Child", parent=epic)
    error = await wire.error(UPDATE, {"id": epic.id, "input": {"parentId": child.id}})
    assert error["message"] == "Circular parent"


async def test_an_issue_cannot_be_created_as_a_duplicate(wire, world: LinearWorld):
    fields = {"teamId": world.team("YOU").id, "title": "x", "stateId": world.state("Duplicate").id}
    assert (await wire.error(CREATE, {"input": fields}))["message"] == "Cannot create an issue in a duplicate state."


async def test_a_batch_is_created_as_a_whole_or_not_at_all(wire, world: LinearWorld):
    good, bad = {"teamId": world.team("YOU").id, "title": "ok"}, {"teamId": str(uuid.uuid4()), "title": "bad"}
    await wire.error(BATCH, {"issues": [good, bad]})
    assert world.issues() == []
    await wire.data(BATCH, {"issues": [good] * 50})
    assert len(world.issues()) == 50
    assert (await wire.error(BATCH, {"issues": [good] * 51}))["extensions"]["code"] == "INVALID_INPUT"


async def test_a_batch_update_takes_uuids_only(wire, world: LinearWorld, alice: Person):
    first, second = alice.creates("YOU", "a"), alice.creates("YOU", "b")
    update = "mutation($ids: [UUID!]!, $to: String!) { issueBatchUpdate(ids: $ids, input: {stateId: $to}) { success } }"
    todo = world.state("Todo").id
    assert (await wire.post(update, {"ids": ["YOU-1"], "to": todo})).status_code == 400
    await wire.data(update, {"ids": [first.id, second.id], "to": todo})
    assert {first.state.name, second.state.name} == {"Todo"}


async def test_labels_are_added_and_removed_without_reading_them_first(wire, world: LinearWorld, alice: Person):
    issue = alice.creates("YOU", "x", labels=("worker",))
    orchestrate, worker = world.label("orchestrate"), world.label("worker")
    await wire.data(UPDATE, {"id": "YOU-1", "input": {"addedLabelIds": [orchestrate.id]}})
    assert issue.label_names == ["worker", "orchestrate"]
    both = {"addedLabelIds": [orchestrate.id], "removedLabelIds": [worker.id]}
    await wire.data(UPDATE, {"id": "YOU-1", "input": both})
    assert issue.label_names == ["orchestrate"]
    await wire.data(UPDATE, {"id": "YOU-1", "input": {"labelIds": [worker.id]}})
    assert issue.label_names == ["worker"]


async def test_issue_add_label_and_remove_label_work_alone(wire, world: LinearWorld, alice: Person):
    issue = alice.creates("YOU", "x")
    label = world.label("worker").id
    await wire.data('mutation($l: String!) { issueAddLabel(id: "YOU-1", labelId: $l) { success } }', {"l": label})
    assert issue.label_names == ["worker"]
    await wire.data('mutation($l: String!) { issueRemoveLabel(id: "YOU-1", labelId: $l) { success } }', {"l": label})
    assert issue.label_names == []


async def test_only_one_label_of_a_group_fits_on_an_issue_and_the_group_itself_never(
    wire, world: LinearWorld, alice: Person
):
    group = world.add_label("Callboard", is_group=True)
    blocked, paused = (world.add_label(name, parent=group) for name in ("blocked", "paused"))
    issue = alice.creates("YOU", "x", labels=("blocked",))
    error = await wire.error(UPDATE, {"id": issue.id, "input": {"addedLabelIds": [paused.id]}})
    assert error["message"] == "labelIds not exclusive child labels"
    assert "'blocked' is in the same group as 'paused'" in error["extensions"]["userPresentableMessage"]
    swap = {"addedLabelIds": [paused.id], "removedLabelIds": [blocked.id]}
    await wire.data(UPDATE, {"id": issue.id, "input": swap})
    assert issue.label_names == ["paused"]
    assert "group" in (await wire.error(UPDATE, {"id": issue.id, "input": {"addedLabelIds": [group.id]}}))["message"]


async def test_a_label_of_another_team_does_not_fit(wire, world: LinearWorld, alice: Person):
    other = world.add_label("theirs", team=world.add_team("OPS", "Operations"))
    issue = alice.creates("YOU", "x")
    error = await wire.error(UPDATE, {"id": issue.id, "input": {"addedLabelIds": [other.id]}})
    assert error["message"] == "Entity not found in validateAccess: addedLabelIds"


async def test_label_names_are_unique(wire, world: LinearWorld):
    team = world.team("YOU")
    await wire.data(LABEL, {"input": {"name": "blocked", "teamId": team.id}})
    error = await wire.error(LABEL, {"input": {"name": "Blocked", "teamId": team.id}})
    assert error["message"] == "duplicate label name"
    assert error["extensions"]["userPresentableMessage"].startswith('Label "Blocked" already exists in team YOU.')


async def test_state_names_are_unique_in_a_team_and_some_types_can_not_be_made(wire, world: LinearWorld):
    team = world.team("YOU").id
    await wire.data(STATE, {"team": team, "name": "In Dev", "type": "started"})
    assert "duplicate" in (await wire.error(STATE, {"team": team, "name": "in dev", "type": "started"}))["message"]
    for kind in ("triage", "duplicate", "sleeping"):
        assert (await wire.error(STATE, {"team": team, "name": kind, "type": kind}))["extensions"]["code"] == (
            "INVALID_INPUT"
        )


async def test_a_state_of_another_team_is_refused(wire, world: LinearWorld, alice: Person):
    other = world.add_team("OPS", "Operations")
    issue = alice.creates("YOU", "x")
    error = await wire.error(UPDATE, {"id": issue.id, "input": {"stateId": other.states[1].id}})
    assert "Discrepancy" in error["message"]
    assert issue.state.name == "Backlog"


async def test_an_archived_issue_is_hidden_from_lists_and_rejects_edits(wire, world: LinearWorld, alice: Person):
    issue = alice.creates("YOU", "x")
    await wire.data('mutation { issueArchive(id: "YOU-1") { success } }')
    assert (await wire.data("{ issues { nodes { id } } }"))["issues"]["nodes"] == []
    found = await wire.data("{ issues(includeArchived: true) { nodes { id archivedAt } } }")
    assert found["issues"]["nodes"][0]["archivedAt"]
    assert (await wire.data('{ issue(id: "YOU-1") { id } }'))["issue"]["id"] == issue.id
    await wire.error(UPDATE, {"id": issue.id, "input": {"title": "y"}})
    await wire.error('mutation { commentCreate(input: {issueId: "YOU-1", body: "hi"}) { success } }')
    assert (issue.title, issue.comments) == ("x", [])
    await wire.data('mutation { issueUnarchive(id: "YOU-1") { success } }')
    await wire.data(UPDATE, {"id": issue.id, "input": {"title": "y"}})
    assert issue.title == "y"


async def test_numbers_are_never_used_twice(wire, alice: Person):
    alice.creates("YOU", "x")
    await wire.data('mutation { issueDelete(id: "YOU-1") { success entity { trashed } } }')
    assert alice.creates("YOU", "y").identifier == "YOU-2"


async def test_blocked_by_is_the_inverse_of_blocks(wire, alice: Person):
    first, second = alice.creates("YOU", "first"), alice.creates("YOU", "second")
    fields = {"issueId": first.identifier, "relatedIssueId": second.id, "type": "blocks"}
    made = (await wire.data(RELATE, {"input": fields}))["issueRelationCreate"]["issueRelation"]
    query = """{ issue(id: "YOU-2") {
      relations { nodes { id } } inverseRelations { nodes { id type issue { identifier state { type } } } }
    } }"""
    issue = (await wire.data(query))["issue"]
    assert issue["relations"]["nodes"] == []
    assert issue["inverseRelations"]["nodes"] == [
        {"id": made["id"], "type": "blocks", "issue": {"identifier": "YOU-1", "state": {"type": "backlog"}}}
    ]
    filtered = "{ issues(filter: {hasBlockedByRelations: {eq: true}}) { nodes { identifier } } }"
    assert (await wire.data(filtered))["issues"]["nodes"] == [{"identifier": "YOU-2"}]
    await wire.data("mutation($id: String!) { issueRelationDelete(id: $id) { entityId } }", {"id": made["id"]})
    assert second.inverse_relations == []


async def test_the_same_relation_without_an_own_id_is_made_twice(wire, alice: Person):
    first, second = alice.creates("YOU", "first"), alice.creates("YOU", "second")
    fields = {"issueId": first.id, "relatedIssueId": second.id, "type": "blocks"}
    await wire.data(RELATE, {"input": fields})
    await wire.data(RELATE, {"input": fields})
    assert len(second.inverse_relations) == 2
    mine = fields | {"id": str(uuid.uuid4())}
    await wire.data(RELATE, {"input": mine})
    assert (await wire.error(RELATE, {"input": mine}))["message"] == "conflict on insert of IssueRelation"


async def test_a_duplicate_needs_a_relation_moves_by_it_and_loses_its_other_relations(
    wire, world: LinearWorld, alice: Person
):
    first, second, third = (alice.creates("YOU", title) for title in ("a", "b", "c"))
    alice.blocks(first, second)
    error = await wire.error(UPDATE, {"id": second.id, "input": {"stateId": world.state("Duplicate").id}})
    assert error["message"] == "Missing duplicate relation"
    await wire.data(RELATE, {"input": {"issueId": second.id, "relatedIssueId": third.id, "type": "duplicate"}})
    assert second.state.name == "Duplicate"
    assert second.inverse_relations == first.relations == []


async def test_a_parent_closes_with_its_last_child_when_the_team_says_so(wire, world: LinearWorld, alice, clock):
    world.team("YOU").auto_close_parent_issues = True
    epic = alice.creates("YOU", "Epic")
    children = [alice.creates("YOU", title, parent=epic) for title in ("a", "b")]
    clock.advance(minutes=5)
    alice.moves(children[0], "Done")
    assert epic.state.name == "Backlog"
    alice.moves(children[1], "Done")
    assert epic.state.name == "Done"
    query = '{ issue(id: "YOU-1") { history { nodes { actor { id } botActor { type } toState { name } } } } }'
    entry = (await wire.data(query))["issue"]["history"]["nodes"][0]
    assert entry == {"actor": None, "botActor": {"type": "workflow"}, "toState": {"name": "Done"}}


async def test_children_close_with_their_parent_when_the_team_says_so(world: LinearWorld, alice: Person):
    world.team("YOU").auto_close_child_issues = True
    epic = alice.creates("YOU", "Epic")
    child = alice.creates("YOU", "a", parent=epic)
    alice.cancels(epic)
    assert child.state.type == "completed"


async def test_history_folds_the_first_three_minutes_and_tells_who_moved_it_later(wire, world, alice: Person, clock):
    issue = alice.creates("YOU", "x")
    alice.moves(issue, "Todo")
    clock.advance(minutes=3)
    alice.moves(issue, "In Progress")
    alice.labels(issue, "worker")
    Integration(world, "github").moves(issue, "Done")
    query = """{ issue(id: "YOU-1") { history { nodes {
      actorId botActor { type } fromState { name } toState { name } addedLabels { name } fromTitle
    } } } }"""
    nodes = (await wire.data(query))["issue"]["history"]["nodes"]
    quiet = {"addedLabels": None, "fromTitle": None}
    assert nodes[::-1] == [
        {
            "actorId": alice.user.id,
            "botActor": None,
            "fromState": {"name": "Todo"},
            "toState": {"name": "In Progress"},
        }
        | quiet,
        {"actorId": alice.user.id, "botActor": None, "fromState": None, "toState": None}
        | quiet
        | {"addedLabels": [{"name": "worker"}]},
        {
            "actorId": None,
            "botActor": {"type": "github"},
            "fromState": {"name": "In Progress"},
            "toState": {"name": "Done"},
        }
        | quiet,
    ]


async def test_mutations_run_in_order_and_a_failing_one_leaves_the_earlier_ones_done(wire, alice: Person):
    issue = alice.creates("YOU", "x")
    query = """mutation {
      a: commentCreate(input: {issueId: "YOU-1", body: "one"}) { success }
      b: issueUpdate(id: "YOU-404", input: {title: "never"}) { success }
      c: commentCreate(input: {issueId: "YOU-1", body: "three"}) { success }
    }"""
    body = (await wire.post(query)).json()
    assert body["data"] is None
    assert [error["path"] for error in body["errors"]] == [["b"]]
    assert [comment.body for comment in issue.comments] == ["one"]


async def test_lists_give_fifty_unless_told_and_at_most_two_hundred_and_fifty(wire, world: LinearWorld, alice: Person):
    for number in range(60):
        alice.creates("YOU", f"issue {number}")
    query = """query($after: String) { issues(after: $after) {
      nodes { title } edges { cursor } pageInfo { hasNextPage endCursor }
    } }"""
    first = (await wire.data(query))["issues"]
    assert (len(first["nodes"]), first["pageInfo"]["hasNextPage"]) == (50, True)
    assert first["edges"][-1]["cursor"] == first["pageInfo"]["endCursor"]
    second = (await wire.data(query, {"after": first["pageInfo"]["endCursor"]}))["issues"]
    assert (len(second["nodes"]), second["pageInfo"]["hasNextPage"]) == (10, False)
    titles = [node["title"] for node in first["nodes"] + second["nodes"]]
    assert titles == [f"issue {number}" for number in reversed(range(60))]
    error = await wire.error("{ issues(first: 251) { nodes { id } } }")
    assert error["extensions"]["userPresentableMessage"] == "first must not be greater than 250."


async def test_nested_lists_have_pages_too(wire, alice: Person):
    issue = alice.creates("YOU", "x")
    for number in range(3):
        alice.comments(issue, f"comment {number}")
    query = '{ issue(id: "YOU-1") { comments(first: 2) { nodes { body } pageInfo { hasNextPage } } } }'
    comments = (await wire.data(query))["issue"]["comments"]
    assert [node["body"] for node in comments["nodes"]] == ["comment 2", "comment 1"]
    assert comments["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('{labels: {name: {eq: "orchestrate"}}}', [1]),
        ('{labels: {some: {name: {in: ["orchestrate", "worker"]}}}}', [1, 2]),
        ("{labels: {null: true}}", [3]),
        ('{team: {key: {eq: "YOU"}}, number: {gte: 2}}', [2, 3]),
        ('{state: {type: {nin: ["completed", "canceled"]}}}', [1, 2]),
        ('{state: {name: {eq: "Done"}}}', [3]),
        ("{parent: {null: true}}", [1, 3]),
        ('{or: [{title: {contains: "dash"}}, {number: {eq: 3}}]}', [1, 3]),
        ('{updatedAt: {gt: "-PT30M"}}', [3]),
        ('{updatedAt: {lt: "2026-11-21T10:30:00Z"}}', [1, 2]),
        ('{creator: {displayName: {eq: "bob"}}}', [2]),
        ('{project: {name: {eq: "Dashboard"}}}', [1]),
        ("{children: {length: {eq: 1}}}", [1]),
    ],
)
async def test_filters_find_what_they_say(wire, world: LinearWorld, alice, bob, clock, where, found):
    epic = alice.creates("YOU", "The dashboard", labels=("orchestrate",))
    epic.project = world.add_project("Dashboard")
    bob.creates("YOU", "Settings", labels=("worker",), parent=epic)
    clock.advance(hours=1)
    alice.creates("YOU", "Old", state="Done")
    nodes = (await wire.data(f"{{ issues(filter: {where}) {{ nodes {{ number }} }} }}"))["issues"]["nodes"]
    assert sorted(node["number"] for node in nodes) == found


async def test_issues_can_be_found_by_ids_and_parent_and_ordered_by_change(wire, alice: Person, clock):
    epic = alice.creates("YOU", "Epic")
    first, second = (alice.creates("YOU", title, parent=epic) for title in ("a", "b"))
    clock.advance(minutes=1)
    alice.retitles(first, "changed")
    query = """query($ids: [ID!], $parent: ID) {
      ids: issues(filter: {id: {in: $ids}}) { nodes { title } }
      children: issues(filter: {parent: {id: {eq: $parent}}}, orderBy: updatedAt) { nodes { title } }
    }"""
    data = await wire.data(query, {"ids": [second.id], "parent": epic.id})
    assert [node["title"] for node in data["ids"]["nodes"]] == ["b"]
    assert [node["title"] for node in data["children"]["nodes"]] == ["changed", "b"]


async def test_comments_and_relations_do_not_touch_the_issues_updated_at(alice: Person, clock):
    issue, other = alice.creates("YOU", "x"), alice.creates("YOU", "y")
    before = issue.updated_at
    clock.advance(minutes=1)
    alice.comments(issue, "hello")
    alice.blocks(other, issue)
    assert issue.updated_at == before


async def test_whole_numbers_come_as_javascript_writes_them(wire, alice: Person):
    alice.creates("YOU", "x")
    assert '"number": 1,' in (await wire.post('{ issue(id: "YOU-1") { number id } }')).text
