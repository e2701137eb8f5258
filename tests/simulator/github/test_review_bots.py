"""CodeRabbit and Copilot as they are: helpful, wordy, and easily misread."""

from typing import Any

import pytest

from bot.github.reviewers import BotComment, Said, Word, verdict
from bot.simulator.github import CodeRabbit, Copilot, Finding, Pull
from tests.simulator.github.conftest import changed

pytestmark = pytest.mark.asyncio(loop_scope="module")
REPO = "/repos/acme/youlab"


def summary(pull: Pull) -> str:
    """The one comment that CodeRabbit edits all the time."""
    [comment] = [one for one in pull.comments if "summarize by coderabbit.ai" in one.body]
    return comment.body


async def status(stage: Any, pull: Pull) -> tuple[str, str]:
    read = await stage.rest("GET", f"{REPO}/commits/{pull.head_sha}/status")
    [one] = [one for one in read["statuses"] if one["context"] == "CodeRabbit"]
    return one["state"], one["description"]


async def test_findings_come_as_one_commented_review_and_the_summary_is_edited(stage: Any) -> None:
    async with CodeRabbit(stage.world, findings=[("app.py", 10, "Off by one")]) as rabbit:
        pull = await stage.opened()
        await rabbit.quiet()
    [review] = await stage.rest("GET", f"{REPO}/pulls/1/reviews")
    assert (review["user"]["login"], review["state"], review["commit_id"]) == (
        "coderabbitai[bot]",
        "COMMENTED",
        pull.head_sha,
    )
    assert review["body"].startswith("**Actionable comments posted: 1**")
    [remark] = await stage.rest("GET", f"{REPO}/pulls/1/comments")
    assert remark["body"].startswith("_🎯 Functional Correctness_ | _🟠 Major_")
    assert "🤖 Prompt for AI Agents" in remark["body"]
    assert "Walkthrough" in summary(pull)
    assert "No actionable comments" not in summary(pull)
    told = await stage.payload("issue_comment", "edited")
    assert "Currently processing new changes in this PR" in told["changes"]["body"]["from"]
    states = await stage.rest("GET", f"{REPO}/commits/{pull.head_sha}/statuses")
    assert [one["description"] for one in states] == ["Review completed", "Review in progress", "Review queued"]


async def test_a_clean_review_is_no_review_at_all(stage: Any) -> None:
    async with CodeRabbit(stage.world) as rabbit:
        pull = await stage.opened()
        await rabbit.quiet()
    assert await stage.rest("GET", f"{REPO}/pulls/1/reviews") == []
    assert "No actionable comments were generated in the recent review." in summary(pull)
    assert pull.head_sha in summary(pull)
    assert await status(stage, pull) == ("success", "Review completed")
    [said] = [BotComment(one.body, one.created_at, one.updated_at) for one in pull.comments]
    assert verdict("coderabbitai", Said(pull.head_sha, comments=(said,))).word is Word.APPROVED


async def test_a_new_head_is_reviewed_anew_and_what_was_changed_is_taken_as_done(stage: Any) -> None:
    findings = [Finding("app.py", 10, "Off by one"), Finding("app.py", 12, "And here", round=2)]
    async with CodeRabbit(stage.world, findings=findings) as rabbit:
        pull = await stage.opened()
        await rabbit.quiet()
        await stage.alice.pushes(stage.repo, "topic", {"app.py": changed(12)}, "Fix it")
        await rabbit.quiet()
    first, second = pull.threads
    assert (first.outdated, first.resolved_by is rabbit.app.user) == (True, True)
    assert "✅ Addressed in commit" in first.comments[0].body
    assert (second.line, second.resolved_by) == (12, None)
    assert [one.commit_id for one in pull.reviews] == rabbit.reviewed[pull]


async def test_with_approvals_on_it_requests_changes_and_approves_once_its_threads_are_resolved(stage: Any) -> None:
    async with CodeRabbit(stage.world, findings=[("app.py", 10, "Off by one")], approves=True) as rabbit:
        pull = await stage.opened()
        await rabbit.quiet()
        assert [one.state for one in pull.reviews] == ["CHANGES_REQUESTED"]
        await stage.alice.resolves(pull.threads[0])
        await rabbit.quiet()
    assert [(one.state, one.commit_id) for one in pull.reviews][-1] == ("APPROVED", pull.head_sha)


async def test_a_refused_review_looks_green_and_does_not_come_back_by_itself(stage: Any) -> None:
    async with CodeRabbit(stage.world, findings=[("app.py", 10, "Off by one")], refusals=2, minutes=48) as rabbit:
        pull = await stage.opened()
        await rabbit.quiet()
        assert await status(stage, pull) == ("success", "Review rate limited")
        assert "## Review limit reached" in summary(pull)
        assert "rate limited by coderabbit.ai" in summary(pull)
        assert "**48 minutes**" in summary(pull)
        await stage.bob.comments(pull, "@coderabbitai review")
        await rabbit.quiet()
        assert "available in 48 minutes" in pull.comments[-1].body
        assert pull.reviews == []
        await stage.bob.comments(pull, "@coderabbitai review")
        await rabbit.quiet()
    assert len(pull.reviews) == 1
    assert "Review finished." in pull.comments[-1].body


async def test_it_does_not_listen_to_bots_nor_review_a_head_twice(stage: Any) -> None:
    async with CodeRabbit(stage.world) as rabbit:
        pull = await stage.opened()
        await rabbit.quiet()
        said = {"body": "@coderabbitai review"}
        await stage.rest("POST", f"{REPO}/issues/1/comments", stage.app_token(), said)
        await rabbit.quiet()
        assert "comment is from another GitHub bot" in pull.comments[-1].body
        await stage.bob.comments(pull, "@coderabbitai review")
        await rabbit.quiet()
    assert "does not re-review already reviewed commits" in pull.comments[-1].body
    assert len(rabbit.reviewed[pull]) == 1


async def test_it_pauses_by_itself_and_resuming_is_not_reviewing(stage: Any) -> None:
    async with CodeRabbit(stage.world, pause_after=1) as rabbit:
        pull = await stage.opened()
        await rabbit.quiet()
        await stage.alice.pushes(stage.repo, "topic", {"app.py": changed(10, 11)}, "More")
        await rabbit.quiet()
        assert "Reviews paused" in summary(pull)
        await stage.bob.comments(pull, "@coderabbitai resume")
        await rabbit.quiet()
        assert "Reviews resumed" in pull.comments[-1].body
        assert len(rabbit.reviewed[pull]) == 1
        await stage.bob.comments(pull, "@coderabbitai review")
        await rabbit.quiet()
    assert rabbit.reviewed[pull][-1] == pull.head_sha


async def test_skipped_and_failed_reviews_say_so_in_the_summary_and_green_in_the_status(stage: Any) -> None:
    async with CodeRabbit(stage.world, mode="disabled") as rabbit:
        pull = await stage.opened()
        await rabbit.quiet()
        assert "## Review skipped" in summary(pull)
        assert "Auto reviews are disabled" in summary(pull)
        assert await status(stage, pull) == ("success", "Review skipped")
        rabbit.mode = "fails"
        await stage.bob.comments(pull, "@coderabbitai review")
        await rabbit.quiet()
    assert "failure by coderabbit.ai" in summary(pull)
    assert "Review finished." in pull.comments[-1].body


async def test_findings_outside_of_the_diff_are_told_in_the_body_alone(stage: Any) -> None:
    async with CodeRabbit(stage.world, findings=[("app.py", 1, "Far away"), ("gone.py", 1, "Not here")]) as rabbit:
        pull = await stage.opened()
        await rabbit.quiet()
    [review] = pull.reviews
    assert "Outside diff range comments (1)" in review.body
    assert ("Far away" in review.body, "Not here" in review.body, pull.threads) == (True, False, [])


async def test_copilot_comments_when_asked_under_two_names_and_never_approves(stage: Any) -> None:
    async with Copilot(stage.world, findings=[("app.py", 10, "Consider this")]) as copilot:
        pull = await stage.opened()
        body = {"reviewers": ["copilot-pull-request-reviewer[bot]"]}
        await stage.rest("POST", f"{REPO}/pulls/1/requested_reviewers", body=body)
        assert pull.requested == [copilot.app.user]
        await copilot.quiet()
        await stage.alice.asks(pull, "copilot-pull-request-reviewer[bot]")
        await copilot.quiet()
    first, second = await stage.rest("GET", f"{REPO}/pulls/1/reviews")
    assert (first["user"]["login"], first["state"]) == ("copilot-pull-request-reviewer[bot]", "COMMENTED")
    assert "Copilot reviewed 1 out of 1 changed files in this pull request and generated 1 comment." in first["body"]
    assert "generated no new comments." in second["body"]
    [remark] = await stage.rest("GET", f"{REPO}/pulls/1/comments")
    assert (remark["user"]["login"], remark["user"]["id"]) == ("Copilot", first["user"]["id"])
    assert pull.requested == []
