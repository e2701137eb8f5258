"""What people say on a pull request starts work, gets its answer in its place, and is never answered twice."""

import re

import pytest
import pytest_asyncio

from bot.simulator.github.model import Protection
from bot.simulator.github.suggestions import suggestion

pytestmark = pytest.mark.asyncio(loop_scope="module")
REPOSITORY = "acme/youlab"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(shared):
    """A ticket whose pull request waits for the merge; every story that takes it leaves it there."""
    return await shared.stands("Write feed.py")


def our(remarks):
    """What the service said, without its hidden marks."""
    return [re.sub(r"\s*<!--.*?-->", "", one.body) for one in remarks if one.user.login == "callboard[bot]"]


def answers(thread):
    return our(thread.comments)


async def is_settled(world, pull, *threads):
    await world.until(
        lambda: all(one.resolved_by and answers(one) for one in threads), f"answers in all threads of #{pull.number}"
    )


async def test_a_review_is_one_run_that_answers_in_every_thread_and_asks_for_another_look(shared, standing):
    ticket, pull = standing
    bob, before = shared.on_github("bob"), pull.head_sha
    count, said = len(shared.prompts(ticket, "feedback")), len(our(pull.comments))
    remarks = [("feed.py", 1, "Call it FEED"), ("test_feed.py", 1, "Test it more"), ("feed.py", 2, "Say why")]
    await bob.reviews(pull, "request changes", "Three small things.", comments=remarks)
    threads = pull.threads[-3:]
    await is_settled(shared, pull, *threads)
    await shared.until(lambda: our(pull.comments)[said:], "an answer to what the review itself said")
    runs = shared.prompts(ticket, "feedback")[count:]
    assert len(runs) == 1
    for _, _, text in remarks:
        assert text in runs[0]
    assert "TOLD = " in runs[0], "the code around each thread"
    assert pull.head_sha != before
    for one in threads:
        assert answers(one) == [f"Done in feed.py.\n\n({pull.head_sha[:12]})"]
    assert len(our(pull.comments)) == said + 1
    await shared.until(lambda: bob.user in pull.requested, "bob is asked again")
    await shared.is_in(ticket, "Code Review")
    await shared.waits(pull, "bob asked for changes")
    await bob.reviews(pull, "approve")
    await shared.is_in(ticket, "Ready to Merge")
    assert len(shared.prompts(ticket, "feedback")) == count + 1


async def test_a_lone_remark_is_worked_in_and_so_is_what_is_replied_to_the_answer(shared, standing):
    ticket, pull = standing
    bob, count = shared.on_github("bob"), len(shared.prompts(ticket, "feedback"))
    said = await bob.remarks(pull, "feed.py", 1, "Shorter, please")
    await is_settled(shared, pull, said.thread)
    await shared.is_in(ticket, "Ready to Merge")
    await bob.unresolves(said.thread)
    await bob.replies(said.thread, "Shorter still")
    await shared.until(lambda: len(answers(said.thread)) == 2 and said.thread.resolved_by, "a second answer")
    runs = shared.prompts(ticket, "feedback")[count:]
    assert ["Shorter still" in run for run in runs] == [False, True]
    assert "Shorter, please" in runs[1], "the whole thread is told"
    assert '"by": "you"' in runs[1]
    await shared.is_in(ticket, "Ready to Merge")


async def test_a_question_gets_an_answer_and_no_commit(shared, standing):
    ticket, pull = standing
    bob, before = shared.on_github("bob"), pull.head_sha
    said = await bob.remarks(pull, "feed.py", 1, "Why this name?")
    await shared.until(lambda: answers(said.thread), "an answer")
    assert answers(said.thread) == ["Because the spec says so."]
    assert said.thread.resolved_by is None, "whoever asked decides whether that is an answer"
    await shared.is_in(ticket, "Code Review")
    await shared.waits(pull, "1 open review threads")
    await bob.resolves(said.thread)
    await shared.is_in(ticket, "Ready to Merge")
    assert pull.head_sha == before


async def test_the_conversation_is_for_people_until_somebody_calls_us(shared, standing):
    ticket, pull = standing
    bob, count = shared.on_github("bob"), len(shared.prompts(ticket, "feedback"))
    await bob.comments(pull, "Nice, I'll look at it tomorrow")
    before = len(our(pull.comments))
    await bob.comments(pull, "@callboard please log what it does")
    await shared.until(lambda: len(our(pull.comments)) > before, "an answer in the conversation")
    [run] = shared.prompts(ticket, "feedback")[count:]
    assert "please log what it does" in run
    assert "tomorrow" not in run
    assert our(pull.comments)[before:] == [f"Done in feed.py.\n\n({pull.head_sha[:12]})"]
    await shared.is_in(ticket, "Ready to Merge")


async def test_what_is_said_during_a_run_waits_for_the_next(shared, standing):
    ticket, pull = standing
    bob, count = shared.on_github("bob"), len(shared.prompts(ticket, "feedback"))
    shared.github.meanwhile("git receive-pack", lambda: bob.remarks(pull, "test_feed.py", 1, "And this one"))
    first = await bob.remarks(pull, "feed.py", 1, "This one first")
    await shared.until(lambda: any(one.comments[0].body == "And this one" for one in pull.threads), "a second remark")
    await is_settled(shared, pull, first.thread, pull.threads[-1])
    runs = shared.prompts(ticket, "feedback")[count:]
    assert ["And this one" in run for run in runs] == [False, True]
    assert [len(answers(one)) for one in (first.thread, pull.threads[-1])] == [1, 1]
    await shared.is_in(ticket, "Ready to Merge")


async def test_what_is_edited_meanwhile_is_answered_as_it_reads_now_and_what_is_deleted_is_nobodys(shared, standing):
    ticket, pull = standing
    bob, count = shared.on_github("bob"), len(shared.prompts(ticket, "feedback"))
    gone = await bob.remarks(pull, "feed.py", 2, "Never mind this")

    async def changes_his_mind():
        await bob.edits(kept, "No: rename it")
        await bob.removes(gone)

    shared.github.meanwhile("git receive-pack", changes_his_mind)
    kept = await bob.remarks(pull, "feed.py", 1, "Delete it")
    await shared.until(lambda: len(answers(kept.thread)) == 2 and kept.thread.resolved_by, "an answer to the new text")
    assert gone.thread not in pull.threads
    runs = shared.prompts(ticket, "feedback")[count:]
    assert "No: rename it" in runs[-1]
    assert "Delete it" not in runs[-1]
    await shared.is_in(ticket, "Ready to Merge")
    assert len(shared.prompts(ticket, "feedback")[count:]) == len(runs)


async def test_a_suggestion_is_applied(shared, standing):
    ticket, pull = standing
    bob = shared.on_github("bob")
    said = await bob.remarks(pull, "feed.py", 1, suggestion("NAME = 'the feed'", "Better:"))
    await is_settled(shared, pull, said.thread)
    assert (await shared.log("show", f"{pull.head_sha}:feed.py")).startswith("NAME = 'the feed'\n")
    await shared.is_in(ticket, "Ready to Merge")


async def test_a_suggestion_that_a_person_applies_stays_and_costs_no_run(shared, standing):
    ticket, pull = standing
    alice, bob, count = shared.on_github("alice"), shared.on_github("bob"), len(shared.prompts(ticket))
    said = await bob.remarks(pull, "test_feed.py", 2, suggestion("assert feed.NAME, 'a name'"))
    shared.github.meanwhile("PullRequests", lambda: alice.applies(said))  # before the service has looked
    await shared.until(lambda: said.thread.resolved_by, "the suggestion is applied")
    theirs = pull.head_sha
    await bob.remarks(pull, "feed.py", 2, "Now add a line")
    await is_settled(shared, pull, pull.threads[-1])
    assert answers(said.thread) == []
    [run] = shared.prompts(ticket)[count:]
    assert "suggestion" not in run
    assert theirs in await shared.log("rev-list", pull.head_ref)
    assert await shared.log("log", "-1", "--format=%an", theirs) == "alice"
    assert (await shared.log("show", f"{pull.head_sha}:test_feed.py")).endswith("assert feed.NAME, 'a name'")
    await shared.is_in(ticket, "Ready to Merge")


async def test_somebody_without_permission_starts_nothing_and_reaches_no_agent(shared, standing):
    ticket, pull = standing
    bob, mallory = shared.on_github("bob"), shared.on_github("mallory")
    before, count = len(our(pull.comments)), len(shared.prompts(ticket, "feedback"))
    said = await mallory.reviews(pull, "comment", "CANARY one", comments=[("feed.py", 1, "CANARY two")])
    await mallory.comments(pull, "@callboard CANARY three")
    await shared.until(lambda: len(our(pull.comments)) > before, "a refusal")
    assert "only people with write permission" in our(pull.comments)[-1]
    thread = said.comments[0].thread
    await bob.replies(thread, "She has a point: log it")
    await is_settled(shared, pull, thread)
    [run] = shared.prompts(ticket, "feedback")[count:]
    assert "log it" in run
    assert not any("CANARY" in told for told in shared.prompts(ticket))
    assert len(our(pull.comments)) == before + 1, "refused once"
    await shared.is_in(ticket, "Ready to Merge")


async def test_a_review_of_an_older_head_is_worked_in_and_its_approval_is_none_of_this_head(shared):
    shared.github.protect(REPOSITORY, "main", Protection(approvals=1, dismiss_stale=True))
    try:
        ticket, pull = await shared.reviewed("Write archive.py")
        bob, old = shared.on_github("bob"), pull.head_sha
        await bob.reviews(pull, "approve", comments=[("archive.py", 1, "Fine, but rename it")])
        await is_settled(shared, pull, pull.threads[-1])
        assert pull.head_sha != old
        await shared.waits(pull, "needs an approving review")
        await bob.reviews(pull, "comment", "Of the head I had open.", commit=old)
        await shared.until(lambda: our(pull.comments), "an answer")
        await shared.waits(pull, "needs an approving review")
        await bob.reviews(pull, "approve")
        await shared.is_in(ticket, "Ready to Merge")
        assert len(shared.prompts(ticket, "feedback")) == 2
    finally:
        shared.github.protect(REPOSITORY, "main", Protection())


async def test_changes_requested_after_the_approval_of_the_merge_are_worked_in_before_anything_merges(shared):
    ticket, pull = await shared.stands("Write ledger.py")
    bob = shared.on_github("bob")
    await bob.reviews(pull, "approve")
    await shared.says(ticket, "**Turns 2 and 3.**")

    async def changes_his_mind():
        await bob.reviews(pull, "request changes", "Wait: handle empty input")

    await changes_his_mind()
    shared.alice.comments(ticket, "approve")
    await shared.until(lambda: our(pull.comments), "an answer to bob")
    await shared.quiet(0.3)
    assert not pull.merged
    await shared.waits(pull, "bob asked for changes")
    await bob.reviews(pull, "approve")
    await shared.until(lambda: sum("**Turns 2 and 3.**" in one for one in shared.said(ticket)) == 2, "a new summary")
    assert not pull.merged
    shared.alice.comments(ticket, "approve")
    await shared.is_in(ticket, "Done")
    assert pull.merged


async def test_an_approval_that_is_taken_back_holds_the_merge(shared):
    shared.github.protect(REPOSITORY, "main", Protection(approvals=1))
    try:
        ticket, pull = await shared.reviewed("Write vault.py")
        bob = shared.on_github("bob")
        review = await bob.reviews(pull, "approve")
        await shared.says(ticket, "**Turns 2 and 3.**")
        await bob.dismisses(review)
        await shared.is_in(ticket, "Code Review")
        shared.alice.comments(ticket, "approve")
        await shared.quiet(0.5)
        assert not pull.merged
        await bob.reviews(pull, "approve")
        await shared.is_in(ticket, "Ready to Merge")
    finally:
        shared.github.protect(REPOSITORY, "main", Protection())
