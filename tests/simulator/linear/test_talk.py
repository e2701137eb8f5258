"""What Linear allows with comments, attachments, documents and reactions, and what it does to Markdown."""

import uuid

import pytest

from bot.simulator.linear import LinearWorld, Person
from bot.simulator.linear.markdown import stored

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMENT = "mutation($input: CommentCreateInput!) { commentCreate(input: $input) { comment { id body parentId } } }"
ATTACH = """mutation($input: AttachmentCreateInput!) {
  attachmentCreate(input: $input) { attachment { id title subtitle metadata } }
}"""


async def test_a_reply_needs_its_issue_too_and_threads_are_one_level_deep(wire, alice: Person):
    issue = alice.creates("YOU", "x")
    root = alice.comments(issue, "question")
    error = await wire.error(COMMENT, {"input": {"parentId": root.id, "body": "no issue"}})
    assert error["extensions"]["code"] == "INVALID_INPUT"
    fields = {"parentId": root.id, "issueId": "YOU-1", "body": "answer"}
    reply = (await wire.data(COMMENT, {"input": fields}))["commentCreate"]["comment"]
    assert reply["parentId"] == root.id
    error = await wire.error(COMMENT, {"input": fields | {"parentId": reply["id"]}})
    assert error["message"] == "Parent comment must be a top level comment"


async def test_a_comment_with_an_own_id_is_made_once(wire, alice: Person):
    issue = alice.creates("YOU", "x")
    fields = {"id": str(uuid.uuid4()), "issueId": issue.id, "body": "once"}
    await wire.data(COMMENT, {"input": fields})
    assert (await wire.error(COMMENT, {"input": fields}))["message"] == "conflict on insert of Comment"
    assert len(issue.comments) == 1


async def test_only_its_author_edits_a_comment_and_the_edit_shows(wire, alice: Person, bob: Person):
    issue = alice.creates("YOU", "x")
    mine, theirs = alice.comments(issue, "mine"), bob.comments(issue, "theirs")
    edit = """mutation($id: String!, $silent: Boolean) {
      commentUpdate(id: $id, input: {body: "new"}, skipEditedAt: $silent) { comment { body editedAt } }
    }"""
    assert (await wire.error(edit, {"id": theirs.id}))["extensions"]["type"] == "forbidden"
    silent = (await wire.data(edit, {"id": mine.id, "silent": True}))["commentUpdate"]["comment"]
    assert silent == {"body": "new", "editedAt": None}
    alice.edits(mine, "newer")
    assert mine.edited_at is not None


async def test_a_deleted_comment_takes_its_replies_along(wire, alice: Person, bob: Person):
    issue = alice.creates("YOU", "x")
    root = alice.comments(issue, "root")
    bob.replies(bob.replies(root, "reply"), "reply to a reply joins the thread")
    await wire.data("mutation($id: String!) { commentDelete(id: $id) { success entityId } }", {"id": root.id})
    assert issue.comments == []


async def test_comments_tell_who_is_behind_them(wire, world: LinearWorld, alice: Person, app: Person):
    issue = alice.creates("YOU", "x")
    app.comments(issue, "from the app")
    query = """{ issue(id: "YOU-1") { comments { nodes {
      user { app guest active } botActor { type } externalUser { id } externalThread { type } onBehalfOf { id }
      syncedWith { service } agentSession { id } documentContent { id } issueId url
    } } } }"""
    node = (await wire.data(query))["issue"]["comments"]["nodes"][0]
    assert node["user"] == {"app": True, "guest": False, "active": True}
    assert node["url"].startswith(f"{world.base_url}/issue/YOU-1#comment-")
    assert node["botActor"] is node["externalThread"] is node["syncedWith"] is None


async def test_the_same_url_on_an_issue_is_the_same_attachment(wire, world: LinearWorld, alice: Person):
    issue, other = alice.creates("YOU", "x"), alice.creates("YOU", "y")
    fields = {"issueId": "YOU-1", "url": "callboard://state", "title": "one", "subtitle": "s", "metadata": {"n": 1}}
    first = (await wire.data(ATTACH, {"input": fields}))["attachmentCreate"]["attachment"]
    again = {"issueId": issue.id, "url": "callboard://state", "title": "two", "metadata": {"deep": {"n": [1, 2.5]}}}
    second = (await wire.data(ATTACH, {"input": again}))["attachmentCreate"]["attachment"]
    assert second == {"id": first["id"], "title": "two", "subtitle": None, "metadata": {"deep": {"n": [1, 2.5]}}}
    await wire.data(ATTACH, {"input": fields | {"issueId": other.id}})
    query = '{ attachmentsForURL(url: "callboard://state") { nodes { issue { identifier } } } }'
    nodes = (await wire.data(query))["attachmentsForURL"]["nodes"]
    assert {node["issue"]["identifier"] for node in nodes} == {"YOU-1", "YOU-2"}
    assert issue.history == []


async def test_an_attachment_with_the_id_of_another_is_a_conflict(wire, alice: Person):
    alice.creates("YOU", "x")
    fields = {"id": str(uuid.uuid4()), "issueId": "YOU-1", "url": "https://a", "title": "a"}
    await wire.data(ATTACH, {"input": fields})
    await wire.data(ATTACH, {"input": fields})
    error = await wire.error(ATTACH, {"input": fields | {"url": "https://b"}})
    assert error["message"] == "conflict on insert of Attachment"


async def test_an_update_of_an_attachment_leaves_what_it_does_not_name(wire, alice: Person):
    alice.creates("YOU", "x")
    fields = {"issueId": "YOU-1", "url": "https://a", "title": "a", "metadata": {"n": 1}}
    made = (await wire.data(ATTACH, {"input": fields}))["attachmentCreate"]["attachment"]
    update = (
        'mutation($id: String!) { attachmentUpdate(id: $id, input: {title: "b"}) { attachment { title metadata } } }'
    )
    changed = (await wire.data(update, {"id": made["id"]}))["attachmentUpdate"]["attachment"]
    assert changed == {"title": "b", "metadata": {"n": 1}}


async def test_a_document_stands_on_an_issue_and_can_be_rewritten(wire, alice: Person):
    alice.creates("YOU", "Epic")
    create = """mutation($input: DocumentCreateInput!) { documentCreate(input: $input) { document { id url } } }"""
    fields = {"issueId": "YOU-1", "title": "Breakdown", "content": "- one"}
    made = (await wire.data(create, {"input": fields}))["documentCreate"]["document"]
    query = '{ issue(id: "YOU-1") { documents { nodes { id title content } } } }'
    nodes = (await wire.data(query))["issue"]["documents"]["nodes"]
    assert nodes == [{"id": made["id"], "title": "Breakdown", "content": "* one"}]
    update = 'mutation($id: String!) { documentUpdate(id: $id, input: {content: "two"}) { document { content } } }'
    assert (await wire.data(update, {"id": made["id"]}))["documentUpdate"]["document"]["content"] == "two"
    assert (await wire.error(create, {"input": {"title": "nowhere"}}))["extensions"]["code"] == "INVALID_INPUT"


async def test_a_comment_on_a_document_has_no_issue(wire, alice: Person):
    document = alice.writes(alice.creates("YOU", "Epic"), "Breakdown", "text")
    comment = alice.comments_on_document(document, "split this")
    query = "query($id: String) { comment(id: $id) { issue { id } documentContent { document { title } } } }"
    found = (await wire.data(query, {"id": comment.id}))["comment"]
    assert found == {"issue": None, "documentContent": {"document": {"title": "Breakdown"}}}


async def test_the_same_reaction_twice_is_a_conflict(wire, alice: Person):
    comment = alice.comments(alice.creates("YOU", "x"), "hi")
    react = 'mutation($id: String) { reactionCreate(input: {commentId: $id, emoji: "eyes"}) { reaction { emoji } } }'
    await wire.data(react, {"id": comment.id})
    assert "conflict on insert of Reaction" in (await wire.error(react, {"id": comment.id}))["message"]


async def test_what_is_stored_is_not_what_was_sent(wire, alice: Person):
    alice.creates("YOU", "x")
    sent = "Hi\n\n\n\n- [plan](https://x.dev/p)\n<!-- callboard:panel -->"
    made = (await wire.data(COMMENT, {"input": {"issueId": "YOU-1", "body": sent}}))["commentCreate"]["comment"]
    assert made["body"] == "Hi\n\n* [plan](<https://x.dev/p>)\n<!-- callboard:panel -->"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("- one\n- two", "* one\n\n* two"),
        ("1. one\n2. two", "1. one\n\n2. two"),
        ("- [ ] open\n  - [x] inner", "* [ ] open\n\n  * [x] inner"),
        ("a\n\n\n\nb\n", "a\n\nb"),
        ("  indented", "indented"),
        ("see https://x.dev/a.", "see [https://x.dev/a](<https://x.dev/a>)."),
        ("mail ann@x.io", "mail [ann@x.io](<mailto:ann@x.io>)"),
        ("edit README.md now", "edit [README.md](<http://README.md>) now"),
        ("`README.md` and app/main.py", "`README.md` and app/main.py"),
        ("```\nx = 'https://x.dev'\n- stays\n\n\n```", "```\nx = '[https://x.dev](<https://x.dev>)'\n- stays\n\n\n```"),
        ("<!-- a\n\n\n- b https://x.dev -->", "<!-- a\n\n\n- b https://x.dev -->"),
        ("**bold** _it_ | table |", "**bold** _it_ | table |"),
        ("---", "---"),
        ("![shot](https://x.dev/a.png)", "![shot](https://x.dev/a.png)"),
    ],
)
async def test_markdown_is_rewritten_once_and_then_stays(sent, kept):
    assert stored(sent) == kept
    assert stored(kept) == kept


async def test_lists_can_be_left_tight():
    assert stored("- a\n- b", loosen_lists=False) == "* a\n* b"
