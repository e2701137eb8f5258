"""The pages, as a person's browser asks for them."""

import pytest

from bot.simulator.linear import LinearWorld, Person

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def text(wire, path: str) -> str:
    response = await wire.client.get(wire.base + path)
    assert response.status_code == 200
    return response.text


async def send(wire, path: str, **fields: str):
    return await wire.client.post(wire.base + path, data=fields, follow_redirects=True)


async def test_the_board_shows_every_state_and_each_issue_under_its_own(wire, world: LinearWorld, alice: Person):
    epic = alice.creates("YOU", "Dashboard", labels=("orchestrate",), state="Todo")
    child = alice.creates("YOU", "Metrics", parent=epic)
    alice.blocks(epic, child)
    page = await text(wire, "/")
    todo, backlog = page.index(">Todo<"), page.index(">Backlog<")
    assert backlog < page.index("Metrics") < todo < page.index("Dashboard")
    assert "waits for YOU-1" in page
    assert "0 of 1 done" in page


async def test_an_issues_url_is_a_page_with_all_that_stands_on_it(wire, world: LinearWorld, alice, bob, app):
    epic = alice.creates("YOU", "Dashboard", "Some **bold** words <script>alert(1)</script>")
    other = alice.creates("YOU", "Metrics", parent=epic)
    alice.blocks(other, epic)
    root = app.comments(epic, "<!-- callboard:panel -->Please approve")
    bob.replies(root, "a reply")
    document = alice.writes(epic, "Breakdown", "- [x] first task")
    page = (await wire.client.get(world.url(epic))).text
    for words in ("<strong>bold</strong>", "Metrics", "blocked by", "Please approve", "a reply", "☑</span> first task"):
        assert words in page
    assert "callboard:panel" not in page
    assert "<script>alert" not in page
    found = await wire.client.get(world.url(document), follow_redirects=True)
    assert f'id="document-{document.slug_id}"' in found.text


async def test_a_person_comments_and_replies_by_hand_and_the_world_hears_of_it(wire, world: LinearWorld, alice: Person):
    epic = alice.creates("YOU", "Dashboard")
    page = await send(wire, "/issue/YOU-1/comment", body="split 3", **{"as": "bob"})
    assert "split 3" in page.text
    comment = epic.comments[0]
    await send(wire, "/issue/YOU-1/comment", body="ok", parent=comment.id, **{"as": "gina"})
    await send(wire, "/issue/YOU-1/comment", body="", say="approve", **{"as": "alice"})
    said = [(each.user.display_name, each.body, each.parent) for each in epic.comments]
    assert said == [("bob", "split 3", None), ("gina", "ok", comment), ("alice", "approve", None)]
    assert [event["type"] for event in world.events][-3:] == ["Comment"] * 3


async def test_the_page_remembers_as_whom_one_acts(wire, alice: Person):
    alice.creates("YOU", "Dashboard")
    await send(wire, "/issue/YOU-1/comment", body="hi", **{"as": "gina"})
    assert "<option selected>gina</option>" in await text(wire, "/issue/YOU-1")


async def test_a_person_moves_labels_edits_and_creates_by_hand(wire, world: LinearWorld, alice: Person):
    await send(wire, "/do/create", team="YOU", title="Epic", description="- spec", label="orchestrate", **{"as": "bob"})
    epic = world.issue("YOU-1")
    assert (epic.creator.display_name, epic.label_names, epic.description) == ("bob", ["orchestrate"], "* spec")
    await send(wire, "/issue/YOU-1/create", team="YOU", title="Child", **{"as": "bob"})
    assert world.issue("YOU-2").parent is epic
    await send(wire, "/issue/YOU-1/move", state=world.state("Todo").id, **{"as": "bob"})
    assert epic.state.name == "Todo"
    await send(wire, "/issue/YOU-1/label", add=world.label("worker").id, **{"as": "bob"})
    await send(wire, "/issue/YOU-1/label", remove=world.label("orchestrate").id, **{"as": "bob"})
    assert epic.label_names == ["worker"]
    await send(wire, "/issue/YOU-1/edit", title="New title", description="new", **{"as": "bob"})
    assert (epic.title, epic.description) == ("New title", "new")
    document = alice.writes(epic, "Breakdown", "old")
    await send(wire, "/issue/YOU-1/document", document=document.id, content="new", **{"as": "bob"})
    assert (document.content, document.updated_by.display_name) == ("new", "bob")


async def test_what_linear_refuses_is_said_on_the_page(wire, world: LinearWorld, alice: Person):
    alice.archives(alice.creates("YOU", "Dashboard"))
    page = await send(wire, "/issue/YOU-1/comment", body="hi", **{"as": "bob"})
    assert 'role="alert"' in page.text
    assert "is archived" in page.text


async def test_a_page_of_another_site_can_not_act(wire, alice: Person):
    epic = alice.creates("YOU", "Dashboard")
    response = await wire.client.post(
        f"{wire.base}/issue/YOU-1/comment", data={"body": "approve"}, headers={"Origin": "https://evil.example"}
    )
    assert response.status_code == 403
    assert epic.comments == []


@pytest.mark.parametrize("path", ["/issue/YOU-99", "/document/nothing", "/nothing"])
async def test_a_page_that_is_not_there_is_a_404(wire, path):
    assert (await wire.client.get(wire.base + path)).status_code == 404


async def test_an_unknown_form_is_a_404(wire, alice: Person):
    alice.creates("YOU", "Dashboard")
    for path in ("/issue/YOU-1/explode", "/issue/YOU-99/comment", "/do/explode"):
        assert (await send(wire, path, body="x")).status_code == 404
