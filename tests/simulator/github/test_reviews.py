"""Reviews, threads and comments, over REST, GraphQL and webhooks with their different spellings."""

import asyncio
from typing import Any

import pytest
from github import GithubException

from bot.simulator.github import CodeRabbit, Person, Protection
from tests.simulator.github.conftest import changed, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

DECISION = """
query Decision($owner: String!, $name: String!, $n: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $n) {
      id url number title body state isDraft merged mergedAt mergeCommit { oid }
      headRefOid headRefName baseRefName baseRefOid mergeable mergeStateStatus reviewDecision
      isInMergeQueue isMergeQueueEnabled autoMergeRequest { enabledAt }
      latestOpinionatedReviews(first: 50, writersOnly: true) {
        nodes { state author { login __typename } commit { oid } }
      }
      reviews(last: 50) { nodes { state body author { login __typename } commit { oid } } }
      reviewThreads(first: 100) {
        nodes { id isResolved isOutdated path line comments(first: 20) { nodes { databaseId body author { login } } } }
      }
      comments(last: 50) { nodes { id databaseId body author { login } } }
      commits(last: 1) { nodes { commit { oid statusCheckRollup { state contexts(first: 100) { nodes {
        __typename
        ... on CheckRun {
          name status conclusion isRequired(pullRequestNumber: $n) databaseId detailsUrl checkSuite { app { slug } }
        }
        ... on StatusContext { context state isRequired(pullRequestNumber: $n) }
      } } } } } }
    }
  }
}
"""


async def decision(stage: Any, number: int = 1, token: str | None = None) -> Any:
    answer = await stage.graphql(DECISION, token or stage.app_token(), owner="acme", name="youlab", n=number)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]["repository"]["pullRequest"]


async def test_one_query_reads_all_that_a_decision_needs(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(checks=("test",), approvals=1))
    await CodeRabbit(stage.world).reviews(pull, findings=[("app.py", 10, "This looks wrong")])
    await stage.bob.reviews(pull, "approve")
    await stage.bob.comments(pull, "Nice")
    await stage.ci.fails(pull, summary="1 failed")
    await decision(stage)
    read = await decision(stage)
    assert (read["state"], read["mergeable"], read["mergeStateStatus"]) == ("OPEN", "MERGEABLE", "BLOCKED")
    assert read["reviewDecision"] == "APPROVED"
    assert read["latestOpinionatedReviews"]["nodes"] == [
        {"state": "APPROVED", "author": {"login": "bob", "__typename": "User"}, "commit": {"oid": pull.head_sha}}
    ]
    assert read["reviews"]["nodes"][0]["author"] == {"login": "coderabbitai", "__typename": "Bot"}
    thread = read["reviewThreads"]["nodes"][0]
    assert (thread["isResolved"], thread["isOutdated"], thread["path"], thread["line"]) == (False, False, "app.py", 10)
    assert [one["body"] for one in read["comments"]["nodes"]] == ["Nice"]
    rollup = read["commits"]["nodes"][0]["commit"]["statusCheckRollup"]
    assert rollup["state"] == "FAILURE"
    [check] = rollup["contexts"]["nodes"]
    assert (check["name"], check["conclusion"], check["isRequired"]) == ("test", "FAILURE", True)
    assert check["checkSuite"]["app"]["slug"] == "github-actions"


async def test_without_a_rule_there_is_no_review_decision_and_without_checks_no_rollup(stage: Any) -> None:
    pull = await stage.opened()
    await stage.bob.reviews(pull, "request changes", "No")
    read = await decision(stage)
    assert read["reviewDecision"] is None
    assert read["commits"]["nodes"][0]["commit"]["statusCheckRollup"] is None
    assert (read["mergeable"], read["mergeStateStatus"]) == ("UNKNOWN", "UNKNOWN")


async def test_many_pull_requests_fit_into_one_request(stage: Any) -> None:
    await stage.opened("one", **{"a.txt": "a"})
    await stage.opened("two", **{"b.txt": "b"})
    query = """{ repository(owner: "acme", name: "youlab") {
        first: pullRequest(number: 1) { headRefName }
        second: pullRequest(number: 2) { headRefName }
        gone: pullRequest(number: 9) { headRefName }
        ref(qualifiedName: "refs/heads/main") { target { oid } }
        nothing: ref(qualifiedName: "refs/heads/nothing") { target { oid } }
        file: object(expression: "main:README.md") { ... on Blob { text } } } }"""
    answer = await stage.graphql(query)
    read = answer["data"]["repository"]
    assert (read["first"]["headRefName"], read["second"]["headRefName"], read["gone"]) == ("one", "two", None)
    assert read["ref"]["target"]["oid"] == await stage.world.git.branch(stage.repo.path, "main")
    assert (read["nothing"], read["file"]["text"]) == (None, "# Lab\n")
    [error] = answer["errors"]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["repository", "gone"])
    assert error["message"] == "Could not resolve to a PullRequest with the number of 9."


async def test_an_unknown_field_is_said_loudly(stage: Any) -> None:
    with pytest.raises(AssertionError, match="The simulated GitHub does not know"):
        await stage.graphql('{ repository(owner: "acme", name: "youlab") { stargazerCount } }')


async def test_a_list_without_a_size_is_refused(stage: Any) -> None:
    answer = await stage.graphql('{ repository(owner: "acme", name: "youlab") { pullRequests { nodes { number } } } }')
    assert answer["errors"][0]["type"] == "MISSING_PAGINATION_BOUNDARIES"


async def test_another_repository_is_not_resolved(stage: Any) -> None:
    answer = await stage.graphql('{ repository(owner: "acme", name: "other") { id } }')
    assert answer["data"] == {"repository": None}
    assert answer["errors"][0]["message"] == "Could not resolve to a Repository with the name 'acme/other'."


async def test_nobody_approves_their_own_pull_request(stage: Any) -> None:
    await stage.alice.pushes(stage.repo, "topic", {"app.py": changed(3)}, "Change")
    pull = await asyncio.to_thread(lambda: stage.bot().create_pull(base="main", head="topic", title="T"))
    error = await refused(lambda: pull.create_review(event="APPROVE"))
    assert error.status == 422
    assert error.data["message"] == "Unprocessable Entity"
    assert error.data["errors"] == ["Can not approve your own pull request"]


async def test_rest_and_webhooks_spell_a_review_differently(stage: Any) -> None:
    pull = await stage.opened()
    await stage.bob.reviews(pull, "approve")
    [review] = await stage.rest("GET", "/repos/acme/youlab/pulls/1/reviews")
    assert (review["state"], review["body"], review["commit_id"]) == ("APPROVED", "", pull.head_sha)
    told = await stage.payload("pull_request_review", "submitted")
    assert (told["review"]["state"], told["review"]["body"]) == ("approved", None)
    assert not {"merged", "mergeable"} & told["pull_request"].keys()


async def test_a_bot_has_its_suffix_in_rest_and_none_in_graphql(stage: Any) -> None:
    pull = await stage.opened()
    await CodeRabbit(stage.world).reviews(pull)
    [review] = await stage.rest("GET", "/repos/acme/youlab/pulls/1/reviews")
    assert (review["user"]["login"], review["user"]["type"]) == ("coderabbitai[bot]", "Bot")
    assert (await decision(stage))["reviews"]["nodes"][0]["author"]["login"] == "coderabbitai"
    assert (await stage.payload("pull_request_review", "submitted"))["sender"]["login"] == "coderabbitai[bot]"


async def test_a_lone_remark_also_makes_a_review(stage: Any) -> None:
    pull = await stage.opened()
    body = {"body": "Why?", "path": "app.py", "line": 10, "side": "RIGHT", "commit_id": pull.head_sha}
    made = await stage.rest("POST", "/repos/acme/youlab/pulls/1/comments", stage.world.token_for("bob"), body)
    assert made["diff_hunk"].endswith("+changed 10")
    assert pull.reviews[0].state == "COMMENTED"
    assert (await stage.payload("pull_request_review", "submitted"))["review"]["body"] is None
    events = await stage.events()
    assert {("pull_request_review", "submitted"), ("pull_request_review_comment", "created")} <= set(events)


async def test_replies_point_to_the_top_comment(stage: Any) -> None:
    pull = await stage.opened()
    top = await stage.bob.remarks(pull, "app.py", 10, "Why?")
    path = "/repos/acme/youlab/pulls/1/comments"
    reply = await stage.rest("POST", f"{path}/{top.id}/replies", body={"body": "Because."})
    again = await stage.rest("POST", path, body={"body": "Also.", "in_reply_to": reply["id"]})
    assert (reply["in_reply_to_id"], again["in_reply_to_id"]) == (top.id, top.id)
    with pytest.raises(GithubException, match="404"):
        await stage.rest("POST", f"{path}/{reply['id']}/replies", body={"body": "To a reply"})


async def test_a_line_outside_of_the_diff_takes_no_remark(stage: Any) -> None:
    pull = await stage.opened()
    got = await asyncio.to_thread(lambda: stage.hub("bob").get_pull(1))
    for path, line, message in (("app.py", 1, "Line could not"), ("README.md", 1, "Path could not")):
        remark = {"path": path, "line": line, "body": "Here?"}
        error = await refused(lambda remark=remark: got.create_review(event="COMMENT", body="B", comments=[remark]))
        assert message in error.data["errors"][0]
    assert pull.reviews == []


async def test_a_thread_follows_its_line_and_is_outdated_once_that_changes(stage: Any) -> None:
    pull = await stage.opened()
    await stage.bob.remarks(pull, "app.py", 10, "Why?")
    await stage.alice.pushes(stage.repo, "topic", {"app.py": "new first\n" + changed(10)}, "Shift it")
    assert (pull.threads[0].line, pull.threads[0].outdated) == (11, False)
    await stage.alice.pushes(stage.repo, "topic", {"app.py": "new first\n" + changed(10, by="fixed")}, "Fix it")
    thread = (await decision(stage))["reviewThreads"]["nodes"][0]
    assert (thread["isOutdated"], thread["line"], thread["isResolved"]) == (True, None, False)
    [comment] = await stage.rest("GET", "/repos/acme/youlab/pulls/1/comments")
    assert (comment["line"], comment["position"], comment["original_line"]) == (None, None, 10)


async def test_a_bot_answers_and_resolves_a_thread_by_graphql(stage: Any) -> None:
    pull = await stage.opened()
    await stage.bob.remarks(pull, "app.py", 10, "Why?")
    thread = (await decision(stage))["reviewThreads"]["nodes"][0]["id"]
    mutation = """mutation Answer($thread: ID!, $body: String!) {
        addPullRequestReviewThreadReply(input: {pullRequestReviewThreadId: $thread, body: $body}) {
            comment { databaseId replyTo { databaseId } } }
        resolveReviewThread(input: {threadId: $thread}) { thread { isResolved resolvedBy { login } } } }"""
    answer = await stage.graphql(mutation, stage.app_token(), thread=thread, body="Fixed in abc.")
    assert answer["data"]["resolveReviewThread"]["thread"]["isResolved"] is True
    assert [one.body for one in pull.threads[0].comments] == ["Why?", "Fixed in abc."]
    told = await stage.payload("pull_request_review_thread", "resolved")
    assert told["thread"]["node_id"] == thread
    assert len(told["thread"]["comments"]) == 2


async def test_resolving_needs_both_permissions(stage: Any) -> None:
    pull = await stage.opened()
    await stage.bob.remarks(pull, "app.py", 10, "Why?")
    token = stage.app_token(permissions={"pull_requests": "write", "contents": "read"})
    mutation = "mutation($thread: ID!) { resolveReviewThread(input: {threadId: $thread}) { thread { id } } }"
    answer = await stage.graphql(mutation, token, thread=pull.threads[0].node)
    assert answer["errors"][0]["type"] == "FORBIDDEN"
    assert answer["errors"][0]["message"] == "Resource not accessible by integration"


async def test_a_later_comment_does_not_undo_an_approval(stage: Any) -> None:
    pull = await stage.opened()
    await stage.bob.reviews(pull, "approve")
    await stage.bob.reviews(pull, "comment", "By the way")
    read = await decision(stage)
    assert [one["state"] for one in read["latestOpinionatedReviews"]["nodes"]] == ["APPROVED"]


async def test_a_reader_has_no_weight_among_the_opinions(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.grant(stage.repo, "eve", "read")
    await Person(stage.world, "eve").reviews(pull, "approve")
    assert (await decision(stage))["latestOpinionatedReviews"]["nodes"] == []


async def test_reviews_can_lag_behind_their_webhook(stage: Any) -> None:
    from datetime import timedelta

    pull = await stage.opened()
    stage.world.knobs.review_lag = timedelta(minutes=2)
    await stage.bob.reviews(pull, "approve")
    assert await stage.rest("GET", "/repos/acme/youlab/pulls/1/reviews") == []
    stage.clock.ahead = timedelta(minutes=3)
    assert len(await stage.rest("GET", "/repos/acme/youlab/pulls/1/reviews")) == 1


async def test_comments_are_made_edited_minimised_and_deleted(stage: Any) -> None:
    await stage.opened()

    def talk() -> Any:
        comment = stage.bot().get_issue(1).create_comment("First")
        comment.edit("Second")
        comment.create_reaction("eyes")
        return comment, comment.minimize("OUTDATED")

    comment, minimised = await asyncio.to_thread(talk)
    assert (comment.body, minimised) == ("Second", True)
    assert (await stage.payload("issue_comment", "edited"))["changes"]["body"]["from"] == "First"
    told = await stage.payload("issue_comment", "created")
    assert told["comment"]["performed_via_github_app"]["slug"] == "callboard"
    assert "pull_request" in told["issue"]
    await asyncio.to_thread(comment.delete)
    assert await stage.rest("GET", "/repos/acme/youlab/issues/1/comments") == []


async def test_an_endless_comment_is_refused(stage: Any) -> None:
    await stage.opened()
    error = await refused(lambda: stage.bot().get_issue(1).create_comment("x" * 65_537))
    assert error.status == 422


async def test_labels_come_and_go(stage: Any) -> None:
    pull = await stage.opened()

    def label() -> Any:
        issue = stage.bot().get_issue(1)
        issue.add_to_labels("bug", "brand new")
        issue.remove_from_labels("bug")
        return [one.name for one in issue.get_labels()]

    assert await asyncio.to_thread(label) == ["brand new"]
    assert [one.name for one in pull.labels] == ["brand new"]
    assert (await stage.payload("pull_request", "labeled"))["label"]["name"] == "brand new"
