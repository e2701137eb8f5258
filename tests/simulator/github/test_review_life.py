"""The life of a review after it was submitted: edited, deleted, outdated, dismissed, asked for again, applied."""

from typing import Any

import pytest

from bot.simulator.github import Note, Person, Protection, suggestion
from bot.simulator.github.errors import ApiError
from tests.simulator.github.conftest import changed, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATE = """{ repository(owner: "acme", name: "youlab") { pullRequest(number: 1) {
    id reviewDecision
    latestReviews(first: 9) { nodes { state } }
    latestOpinionatedReviews(first: 9, writersOnly: true) { nodes { state author { login } } }
    reviewRequests(first: 9) { nodes { requestedReviewer { ... on User { login } ... on Bot { login } } } }
    reviewThreads(first: 9) { nodes { id isResolved isOutdated line startLine comments(first: 9) { nodes {
        body isMinimized minimizedReason replyTo { databaseId } } } } } } } }"""


async def read(stage: Any) -> Any:
    answer = await stage.graphql(STATE)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]["repository"]["pullRequest"]


async def test_a_review_arrives_as_one_batch_with_one_event_for_each_remark(stage: Any) -> None:
    pull = await stage.opened(**{"app.py": changed(3, 10)})
    said = [("app.py", 3, "Why?"), ("app.py", 10, "And this?")]
    review = await stage.bob.reviews(pull, "request changes", "Two things", comments=said)
    events = (await stage.events())[-3:]
    assert events == [
        ("pull_request_review", "submitted"),
        ("pull_request_review_comment", "created"),
        ("pull_request_review_comment", "created"),
    ]
    told = await stage.payload("pull_request_review_comment", "created")
    assert told["comment"]["pull_request_review_id"] == review.id
    assert [one["comments"]["nodes"][0]["body"] for one in (await read(stage))["reviewThreads"]["nodes"]] == [
        "Why?",
        "And this?",
    ]


async def test_remarks_are_read_as_they_are_now(stage: Any) -> None:
    pull = await stage.opened(**{"app.py": changed(3, 10)})
    first = await stage.bob.remarks(pull, "app.py", 3, "Wrong")
    second = await stage.bob.remarks(pull, "app.py", 10, "Never mind")
    await stage.bob.edits(first, "Wrong, I think")
    told = await stage.payload("pull_request_review_comment", "edited")
    assert (told["changes"]["body"]["from"], told["comment"]["body"]) == ("Wrong", "Wrong, I think")
    await stage.bob.removes(second)
    assert (await stage.payload("pull_request_review_comment", "deleted"))["comment"]["id"] == second.id
    await stage.bob.minimizes(first, "resolved")
    [thread] = (await read(stage))["reviewThreads"]["nodes"]
    assert thread["comments"]["nodes"] == [
        {"body": "Wrong, I think", "isMinimized": True, "minimizedReason": "resolved", "replyTo": None}
    ]


async def test_deleting_the_top_remark_leaves_its_answers(stage: Any) -> None:
    pull = await stage.opened()
    top = await stage.bob.remarks(pull, "app.py", 10, "Wrong")
    await stage.alice.replies(top.thread, "Why?")
    await stage.rest("DELETE", f"/repos/acme/youlab/pulls/comments/{top.id}", stage.world.token_for("bob"))
    [thread] = (await read(stage))["reviewThreads"]["nodes"]
    assert [one["body"] for one in thread["comments"]["nodes"]] == ["Why?"]
    [left] = await stage.rest("GET", "/repos/acme/youlab/pulls/1/comments")
    assert left["in_reply_to_id"] == top.id


async def test_somebody_elses_remark_takes_write_access(stage: Any) -> None:
    pull = await stage.opened()
    top = await stage.bob.remarks(pull, "app.py", 10, "Wrong")
    stage.world.grant(stage.repo, "eve", "read")
    with pytest.raises(ApiError, match="Must have push access"):
        await Person(stage.world, "eve").edits(top, "Right")
    hub = stage.hub("eve")
    assert (await refused(lambda: hub.get_pull(1).get_review_comment(top.id).delete())).status == 403


async def test_the_body_of_a_review_can_be_edited(stage: Any) -> None:
    pull = await stage.opened()
    review = await stage.bob.reviews(pull, "comment", "Hm")
    await stage.bob.edits(review, "Hm, on second thought")
    told = await stage.payload("pull_request_review", "edited")
    assert (told["changes"]["body"]["from"], told["review"]["body"]) == ("Hm", "Hm, on second thought")


async def test_changes_requested_after_an_approval_win(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(approvals=1))
    await stage.bob.reviews(pull, "approve")
    assert (await read(stage))["reviewDecision"] == "APPROVED"
    await stage.bob.reviews(pull, "request changes", "Wait")
    assert (await read(stage))["reviewDecision"] == "CHANGES_REQUESTED"
    await stage.bob.reviews(pull, "comment", "Looking")
    assert (await read(stage))["reviewDecision"] == "CHANGES_REQUESTED"


async def test_who_is_asked_again_has_no_opinion_until_they_answer(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(approvals=1))
    await stage.bob.reviews(pull, "request changes", "No")
    asked = """mutation($p: ID!, $u: [ID!]) { requestReviews(input: {pullRequestId: $p, userIds: $u, union: true}) {
        pullRequest { reviewDecision } } }"""
    answer = await stage.graphql(asked, stage.app_token(), p=pull.node, u=[stage.bob.user.node])
    assert answer["data"]["requestReviews"]["pullRequest"]["reviewDecision"] == "REVIEW_REQUIRED"
    assert (await stage.payload("pull_request", "review_requested"))["requested_reviewer"]["login"] == "bob"
    state = await read(stage)
    assert (state["latestReviews"]["nodes"], state["reviewRequests"]["nodes"]) == (
        [],
        [{"requestedReviewer": {"login": "bob"}}],
    )
    assert state["latestOpinionatedReviews"]["nodes"] == [{"state": "CHANGES_REQUESTED", "author": {"login": "bob"}}]
    await stage.bob.reviews(pull, "approve")
    assert (await read(stage))["reviewDecision"] == "APPROVED"


async def test_requesting_without_union_replaces_those_asked_before(stage: Any) -> None:
    pull = await stage.opened()
    carol = stage.world.grant(stage.repo, "carol", "write")
    await stage.alice.asks(pull, "bob")
    asked = (
        "mutation($p: ID!, $u: [ID!]) { requestReviews(input: {pullRequestId: $p, userIds: $u}) { actor { login } } }"
    )
    await stage.graphql(asked, p=pull.node, u=[carol.node])
    assert pull.requested == [carol]
    assert (await stage.payload("pull_request", "review_request_removed"))["requested_reviewer"]["login"] == "bob"


async def test_a_push_that_changes_the_diff_dismisses_and_one_that_only_brings_the_base_does_not(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(approvals=1, dismiss_stale=True))
    review = await stage.bob.reviews(pull, "approve")
    await stage.alice.pushes(stage.repo, "main", {"other.txt": "x"}, "Elsewhere")
    await stage.rest("PUT", "/repos/acme/youlab/pulls/1/update-branch")
    assert (review.state, pull.head_sha == review.commit_id) == ("APPROVED", False)
    await stage.alice.pushes(stage.repo, "topic", {"app.py": changed(10, 11)}, "More")
    assert review.state == "DISMISSED"
    assert (await stage.payload("pull_request_review", "dismissed"))["sender"]["login"] == "alice"
    assert (await read(stage))["reviewDecision"] == "REVIEW_REQUIRED"


async def test_an_approval_withdrawn_no_longer_counts(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(approvals=1))
    review = await stage.bob.reviews(pull, "approve")
    await stage.bob.dismisses(review)
    assert (await read(stage))["reviewDecision"] == "REVIEW_REQUIRED"
    with pytest.raises(ApiError):
        await stage.bob.dismisses(review)


async def test_whoever_pushed_last_cannot_be_the_one_who_approves(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(approvals=1, last_push_approval=True))
    await stage.bob.pushes(stage.repo, "topic", {"app.py": changed(10, 11)}, "Mine too")
    await stage.bob.reviews(pull, "approve")
    error = await refused(lambda: stage.bot().get_pull(1).merge(sha=pull.head_sha))
    assert (error.status, error.data["message"]) == (
        405,
        "New changes require approval from someone other than the last pusher.",
    )
    stage.world.grant(stage.repo, "carol", "write")
    await Person(stage.world, "carol").reviews(pull, "approve")
    await stage.bob.merges(pull)


async def test_the_approval_of_somebody_without_write_access_has_no_weight(stage: Any) -> None:
    stage.repo.private = False
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(approvals=1))
    outsider = Person(stage.world, "outsider")
    await outsider.reviews(pull, "approve", "Great!")
    state = await read(stage)
    assert (state["reviewDecision"], state["latestOpinionatedReviews"]["nodes"]) == ("REVIEW_REQUIRED", [])
    thread = (await stage.bob.remarks(pull, "app.py", 10, "Why?")).thread
    with pytest.raises(ApiError, match="Must have push access"):
        await outsider.resolves(thread)
    await stage.alice.resolves(thread)
    await stage.bob.unresolves(thread)
    assert (await stage.payload("pull_request_review_thread", "unresolved"))["thread"]["node_id"] == thread.node


async def test_a_remark_on_several_lines_moves_with_them_and_is_outdated_once_they_change(stage: Any) -> None:
    pull = await stage.opened(**{"app.py": changed(9, 10, 11)})
    note = Note("app.py", 11, "These three", start_line=9)
    await stage.bob.reviews(pull, "comment", comments=[note])
    await stage.alice.pushes(stage.repo, "topic", {"app.py": "new\n" + changed(9, 10, 11)}, "Above")
    [thread] = (await read(stage))["reviewThreads"]["nodes"]
    assert (thread["startLine"], thread["line"], thread["isOutdated"]) == (10, 12, False)
    await stage.alice.pushes(stage.repo, "topic", {"app.py": changed(9, 10)}, "Changed")
    [thread] = (await read(stage))["reviewThreads"]["nodes"]
    assert (thread["startLine"], thread["line"], thread["isOutdated"]) == (None, None, True)


async def test_a_suggestion_is_committed_with_its_author_and_resolves_the_thread(stage: Any) -> None:
    pull = await stage.opened(**{"app.py": changed(9, 10, 11)})
    note = Note("app.py", 11, suggestion("better 9\nbetter 10", "Shorter:"), start_line=9)
    review = await stage.bob.reviews(pull, "comment", comments=[note])
    [comment] = review.comments
    sha = await stage.alice.applies(comment)
    text = (await stage.world.git.text(stage.repo.path, "topic", "app.py")).decode().splitlines()
    assert (text[7:11], len(text)) == (["line 8", "better 9", "better 10", "line 12"], 19)
    made = await stage.world.git.commit(stage.repo.path, sha)
    assert (made.author.name, "Co-authored-by: bob <" in made.message) == ("alice", True)
    assert (pull.head_sha, comment.thread.resolved_by) == (sha, stage.alice.user)
    with pytest.raises(ApiError, match="outdated"):
        await stage.alice.applies(comment)


async def test_a_suggestion_of_nothing_takes_the_line_away(stage: Any) -> None:
    pull = await stage.opened()
    comment = await stage.bob.remarks(pull, "app.py", 10, suggestion(""))
    await stage.alice.applies(comment)
    text = (await stage.world.git.text(stage.repo.path, "topic", "app.py")).decode()
    assert "10" not in text.split()
