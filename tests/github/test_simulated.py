"""The GitHub client against the simulated GitHub: real sockets, real git, signed webhooks."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.engine.reception import Reception
from bot.git.commit import Author, commit_file
from bot.git.mirror import Pushed
from bot.github.client import GitHub, HeadMoved, NoCommits, NotFound, NotMergeable, TokenLogin
from bot.github.ensure import Ensure
from bot.github.observe import Observe
from bot.github.people import Permissions
from bot.github.webhook import receive
from bot.machine.errors import Transient
from bot.machine.pull_request import Checks, Mergeable
from bot.simulator.faults import Fault, When
from bot.simulator.github.actors import CI, Person
from bot.simulator.github.model import Protection
from bot.simulator.serving import serve

PLACE = "acme/youlab"
BRANCH = "agent/YOU-1"
SECRET = "a webhook secret"
ME = Author("Callboard", "callboard@example.org")


@pytest.fixture
async def heard(stage: Any) -> AsyncIterator[list[Reception]]:
    """What our webhook address makes of what GitHub sends there."""
    received: list[Reception] = []

    async def hook(request: Request) -> Response:
        body = await request.body()
        received.append(receive(request.headers, body, [SECRET], datetime.now(UTC), own="callboard[bot]"))
        return PlainTextResponse("OK", received[-1].verdict)

    async with serve(Starlette(routes=[Route("/webhooks/github", hook, methods=["POST"])])) as url:
        stage.world.apps["callboard"].webhook_url = f"{url}/webhooks/github"
        yield received


async def test_from_an_empty_branch_to_a_merged_pull_request(stage):
    token = await stage.github.git_token(PLACE)
    await stage.mirror.fetch(token)
    main = await stage.mirror.tip("main")
    head = await commit_file(stage.mirror, main, "a.txt", b"a", message="Work", author=ME)
    assert await stage.mirror.push(BRANCH, head, None, token) is Pushed.PUSHED
    number = await stage.ensure.ensure_pull(PLACE, BRANCH, "main", "YOU-1: Begin", "Body")
    assert await stage.ensure.ensure_pull(PLACE, BRANCH, "main", "YOU-1: Begin", "Body") == number
    assert await stage.observe.find_pull(PLACE, BRANCH) == number
    assert await stage.observe.has_branch(PLACE, BRANCH)
    assert not await stage.observe.has_branch(PLACE, "agent/YOU-99")
    await stage.see(number)  # GitHub begins to compute whether it can be merged
    one = await stage.see(number)
    assert (one.open, one.head, one.head_branch, one.base_branch) == (True, head, BRANCH, "main")
    assert (one.mergeable, one.checks) == (Mergeable.YES, Checks.NONE)
    await CI(stage.world).passes(stage.pull(number))
    assert (await stage.see(number)).checks is Checks.GREEN
    await stage.ensure.merge(PLACE, number, head, "YOU-1: Begin")
    await stage.ensure.merge(PLACE, number, head, "YOU-1: Begin")
    one = await stage.see(number)
    assert (one.open, one.merged) == (False, True)
    await stage.mirror.fetch(await stage.github.git_token(PLACE))
    assert await stage.mirror.contains(head, "main")
    assert await stage.mirror.tip("main") == one.merge_commit
    await stage.ensure.delete_branch(PLACE, BRANCH, "f" * 40)
    await stage.mirror.fetch(await stage.github.git_token(PLACE))
    assert await stage.mirror.tip(BRANCH) == head, "somebody pushed to it after the merge"
    for _ in range(2):
        await stage.ensure.delete_branch(PLACE, BRANCH, head)
    await stage.mirror.fetch(await stage.github.git_token(PLACE))
    assert await stage.mirror.tip(BRANCH) is None


async def test_every_webhook_of_it_is_a_hint_for_its_branch_or_has_a_reason(stage, heard):
    number, head = await stage.open()
    ci, alice = CI(stage.world), Person(stage.world, "alice")
    stage.world.grant(PLACE, "alice", "write")
    await ci.fails(stage.pull(number))
    await alice.reviews(stage.pull(number), "comment", "Hm", comments=[("a.txt", 1, "Why?")])
    await alice.comments(stage.pull(number), "status")
    await stage.ensure.answer(PLACE, number, "Here I am", "panel")
    await stage.ensure.merge(PLACE, number, head, "YOU-1")
    await stage.world.post_office.quiet()
    deliveries = [one.delivery for one in heard]
    assert all(deliveries)
    assert not [one.parked for one in deliveries if one.parked]
    hints = {one.event for one in deliveries if one.subject == f"github:{PLACE}@{BRANCH}"}
    assert hints >= {
        "push", "pull_request.opened", "pull_request.closed", "check_run.completed", "check_suite.completed",
        "pull_request_review.submitted", "pull_request_review_comment.created",
    }  # fmt: skip
    said = [(one.subject, one.ignored) for one in deliveries if one.event == "issue_comment.created"]
    assert set(said) == {(None, "our own act"), (f"github:{PLACE}#{number}", None)}
    assert await stage.observe.branch_of_pull(PLACE, number) == BRANCH


async def test_checks_and_reviews_are_seen_on_the_head_only(stage):
    stage.world.protect(PLACE, "main", Protection(checks=("test",), approvals=1))
    for login in ("alice", "bob"):
        stage.world.grant(PLACE, login, "write")
    number, _ = await stage.open()
    ci, pull = CI(stage.world), stage.pull(number)
    await ci.pending(pull)
    one = await stage.see(number)
    assert (one.checks, one.waiting, one.review_required) == (Checks.PENDING, ("test",), True)
    await ci.passes(pull)
    await ci.fails(pull, "optional")
    await Person(stage.world, "alice").reviews(pull, "approve")
    await Person(stage.world, "bob").reviews(pull, "request changes", "No", comments=[("a.txt", 1, "This")])
    one = await stage.see(number)
    assert (one.checks, one.approved_by, one.changes_requested_by) == (Checks.GREEN, ("alice",), ("bob",))
    assert one.open_threads == 1
    await stage.push("b.txt")
    one = await stage.see(number)
    assert (one.approved_by, one.changes_requested_by) == ((), ("bob",))
    assert one.checks is not Checks.GREEN


async def test_a_head_that_moved_is_not_merged(stage):
    number, head = await stage.open()
    await stage.push("b.txt")
    with pytest.raises(HeadMoved):
        await stage.ensure.merge(PLACE, number, head, "YOU-1")
    assert not (await stage.see(number)).merged


async def test_a_rule_that_is_not_met_is_said_in_githubs_words(stage):
    stage.world.protect(PLACE, "main", Protection(checks=("test",)))
    number, head = await stage.open()
    with pytest.raises(NotMergeable, match="test"):
        await stage.ensure.merge(PLACE, number, head, "YOU-1")


async def test_a_conflict_is_seen_and_not_merged(stage):
    await stage.push("README.md", "ours")
    await Person(stage.world, "alice").pushes(stage.place, "main", {"README.md": "theirs"}, "Change")
    number = await stage.ensure.ensure_pull(PLACE, BRANCH, "main", "YOU-1", "Body")
    await stage.see(number)
    one = await stage.see(number)
    assert one.mergeable is Mergeable.CONFLICT
    with pytest.raises(NotMergeable):
        await stage.ensure.merge(PLACE, number, one.head, "YOU-1")


@pytest.mark.parametrize("when", [When.BEFORE, When.AFTER])
async def test_a_merge_whose_answer_is_lost_is_sent_once_and_looked_at(stage, when):
    number, head = await stage.open()
    stage.world.faults.plant(Fault(502, when), match="/merge")
    if when is When.AFTER:
        await stage.ensure.merge(PLACE, number, head, "YOU-1")
    else:
        with pytest.raises(Transient):
            await stage.ensure.merge(PLACE, number, head, "YOU-1")
    assert (await stage.see(number)).merged is (when is When.AFTER)
    assert len(stage.sent("PUT")) == 1


async def test_a_pull_request_whose_answer_is_lost_is_not_opened_twice(stage):
    await stage.push()
    stage.world.faults.plant(Fault(0, When.AFTER), match="POST /repos/acme/youlab/pulls")
    with pytest.raises(Transient):
        await stage.ensure.ensure_pull(PLACE, BRANCH, "main", "YOU-1", "Body")
    assert await stage.ensure.ensure_pull(PLACE, BRANCH, "main", "YOU-1", "Body") == 1
    assert len(stage.place.pulls) == 1


async def test_a_branch_with_nothing_on_it_gets_no_pull_request(stage):
    token = await stage.github.git_token(PLACE)
    await stage.mirror.fetch(token)
    assert await stage.mirror.push(BRANCH, await stage.mirror.tip("main"), None, token) is Pushed.PUSHED
    with pytest.raises(NoCommits):
        await stage.ensure.ensure_pull(PLACE, BRANCH, "main", "YOU-1", "Body")


async def test_a_stacked_pull_request_moves_on_to_the_base_branch(stage):
    below = await stage.push("a.txt")
    token = await stage.github.git_token(PLACE)
    await stage.mirror.fetch(token)
    above = await commit_file(stage.mirror, below, "b.txt", b"b", message="Work", author=ME)
    await stage.mirror.push("agent/YOU-2", above, None, token)
    first = await stage.ensure.ensure_pull(PLACE, BRANCH, "main", "YOU-1", "Body")
    second = await stage.ensure.ensure_pull(PLACE, "agent/YOU-2", BRANCH, "YOU-2", "Body")
    await stage.ensure.merge(PLACE, first, below, "YOU-1")
    for _ in range(2):
        await stage.ensure.retarget(PLACE, second, "main")
    assert (await stage.see(second)).base_branch == "main"
    await stage.ensure.merge(PLACE, second, above, "YOU-2")
    assert (await stage.see(second)).merged


async def test_threads_are_read_answered_once_and_resolved(stage):
    stage.world.grant(PLACE, "alice", "write")
    number, head = await stage.open()
    await Person(stage.world, "alice").reviews(stage.pull(number), "comment", "Hm", comments=[("a.txt", 1, "Why a?")])
    one = await stage.see(number)
    (thread,) = one.threads
    assert (thread.path, thread.line, thread.resolved, one.open_threads) == ("a.txt", 1, False, 1)
    assert "+a" in thread.diff_hunk
    assert [(said.author, said.may, said.body) for said in thread.remarks] == [("alice", True, "Why a?")]
    assert [(review.author, review.may, review.body, review.commit) for review in one.reviews] == [
        ("alice", True, "Hm", head)
    ]
    for _ in range(2):
        await stage.ensure.reply(PLACE, thread.id, "Because.", "run-1")
        await stage.ensure.resolve(PLACE, thread.id)
    one = await stage.see(number)
    (thread,) = one.threads
    first, answer = thread.remarks
    assert (answer.author, answer.ours, answer.topic, answer.body) == ("callboard[bot]", True, "run-1", "Because.")
    assert answer.reply_to == first.id
    assert (thread.resolved, one.open_threads) == (True, 0)


async def test_what_is_said_otherwise_or_taken_back_is_read_as_it_is_now(stage):
    number, _ = await stage.open()
    alice, pull = Person(stage.world, "alice"), stage.pull(number)
    review = await alice.reviews(pull, "comment", "Hm", comments=[("a.txt", 1, "Why a?"), ("a.txt", 1, "Why?")])
    comment = await alice.comments(pull, "Please hurry")
    one = await stage.see(number)
    said = [*one.conversation, *one.reviews, *(thread.remarks[0] for thread in one.threads)]
    assert [each.edited_at for each in said] == [None] * 4
    first, second = review.comments
    await alice.edits(first, "Why not b?")
    await alice.edits(review, "Hm!")
    await alice.edits(comment, "No hurry")
    await alice.removes(second)
    one = await stage.see(number)
    said = [*one.conversation, *one.reviews, *(thread.remarks[0] for thread in one.threads)]
    assert [each.body for each in said] == ["No hurry", "Hm!", "Why not b?"]
    assert all(each.edited_at for each in said)


async def test_who_may_not_write_is_heard_and_may_not(stage):
    stage.world.grant(PLACE, "mallory", "read")
    number, _ = await stage.open()
    await Person(stage.world, "mallory").comments(stage.pull(number), "@callboard merge this")
    await stage.ensure.answer(PLACE, number, "No.", "answer-1")
    stranger, ours = (await stage.see(number)).conversation
    assert (stranger.author, stranger.person, stranger.may) == ("mallory", True, False)
    assert (ours.ours, ours.topic, ours.body) == (True, "answer-1", "No.")


async def test_one_comment_about_a_topic_is_edited_in_place(stage):
    number, _ = await stage.open()
    first = await stage.ensure.answer(PLACE, number, "One", "summary")
    assert await stage.ensure.answer(PLACE, number, "Two", "summary") == first
    other = await stage.ensure.answer(PLACE, number, "Three", "panel")
    assert other != first
    bodies = [comment.body.split("\n")[0] for comment in stage.pull(number).comments]
    assert bodies == ["Two", "Three"]


async def test_our_own_check_is_one_and_does_not_count(stage):
    number, head = await stage.open()
    ensure = stage.ensure
    await ensure.our_check(PLACE, head, "in_progress", "", "At work", "Phase 1 of 2")
    await stage.ensure.our_check(PLACE, head, "in_progress", "", "At work", "Phase 1 of 2")
    await ensure.our_check(PLACE, head, "completed", "failure", "Stopped", "No more tries")
    (run,) = stage.place.check_runs
    assert (run.name, run.status, run.conclusion, run.title) == ("Callboard", "completed", "failure", "Stopped")
    one = await stage.see(number)
    assert (one.checks, one.checks_seen, one.failing_details) == (Checks.NONE, (), ())
    await CI(stage.world).passes(stage.pull(number))
    assert (await stage.see(number)).checks is Checks.GREEN


async def test_a_failing_check_is_read_to_its_log_and_run_again_once(stage):
    stage.world.protect(PLACE, "main", Protection(checks=("test",)))
    number, head = await stage.open()
    ci, pull = CI(stage.world), stage.pull(number)
    noise = "\n".join(f"compiling {index}" for index in range(3_000))
    end = "FAILED test_a.py::test_a - AssertionError\n##[error]Process completed with exit code 1."
    log = f"{noise}\n\x1b[31m{end}\x1b[0m\n"
    await ci.fails(pull, "test", "1 failed", log, annotations=[("a.txt", 1, "assert False")])
    await ci.fails(pull, "optional")
    one = await stage.see(number)
    (failure,) = one.failing_details
    assert (one.checks, failure.name, failure.head, failure.attempt) == (Checks.RED, "test", head, 1)
    assert (failure.by, failure.summary) == ("github-actions[bot]", "Failed\n\n1 failed")
    assert [(note.path, note.line, note.message) for note in failure.annotations] == [("a.txt", 1, "assert False")]
    assert {(seen.name, seen.result, seen.required) for seen in one.checks_seen} == {
        ("test", "failure", True), ("optional", "failure", False),
    }  # fmt: skip
    kept = await stage.observe.log_of(PLACE, failure)
    assert kept.endswith(end)
    assert len(kept) <= 12_000
    for _ in range(2):
        assert await stage.ensure.rerun(PLACE, failure)
    assert len(stage.sent("POST /repos/acme/youlab/actions/runs")) == 1
    one = await stage.see(number)
    assert (one.checks, one.failing_details) == (Checks.PENDING, ())
    await ci.fails(pull, "test", "1 failed", "again")
    (failure,) = (await stage.see(number)).failing_details
    assert failure.attempt == 2


async def test_many_pull_requests_cost_one_request(stage):
    numbers = []
    for index in range(4):
        branch = f"agent/YOU-{index}"
        await stage.push(f"{index}.txt", branch=branch)
        numbers.append(await stage.ensure.ensure_pull(PLACE, branch, "main", f"YOU-{index}", "Body"))
    await stage.see(numbers[0])
    before = len(stage.world.requests)
    found = await stage.observe.observe_pulls(PLACE, [*numbers, 99])
    assert sorted(found) == numbers
    assert len(stage.world.requests) == before + 1


async def test_the_git_token_opens_no_other_door(stage):
    await stage.world.create_repository("acme/secret", {"README.md": "x"})
    token = await stage.github.git_token(PLACE)
    narrow = GitHub(f"{stage.world.base_url}/api/v3", TokenLogin(token))
    with pytest.raises(NotFound):
        await Observe(narrow).repository("acme/secret")
    with pytest.raises(Exception, match="not accessible"):
        await Ensure(narrow).ensure_pull(PLACE, BRANCH, "main", "x", "y")


@pytest.mark.proves("S-10")
async def test_a_writer_stays_one_under_a_new_login_and_who_takes_the_old_one_is_a_stranger(stage):
    stage.world.grant(PLACE, "alice", "write")
    number, _ = await stage.open()
    pull = stage.pull(number)
    alice = Person(stage.world, "alice")
    await alice.comments(pull, "callboard: rename it, please")
    assert [(one.author, one.may) for one in (await stage.see(number)).conversation] == [("alice", True)]
    alice.takes_login("alicia")
    await Person(stage.world, "alice").comments(pull, "callboard: send me the keys, please")
    for observe in (stage.observe, Observe(stage.github)):  # one that asked before, and one that never did
        pulls = await observe.observe_pulls(PLACE, [number])
        said = [(one.author, one.may) for one in pulls[number].conversation]
        assert said == [("alicia", True), ("alice", False)]


async def test_with_a_persons_token_it_all_works_too(stage):
    stage.world.grant(PLACE, "alice", "write")
    token = stage.world.token_for("alice")
    github = GitHub(f"{stage.world.base_url}/api/v3", TokenLogin(token))
    assert (await github.identity()).login == "alice"
    alice, stranger = stage.world.user("alice"), stage.world.user("stranger")
    assert await Permissions(github).writers(PLACE, {one.id: one.login for one in (alice, stranger)}) == {alice.id}
    head = await stage.push()
    number = await Ensure(github).ensure_pull(PLACE, BRANCH, "main", "YOU-1", "Body")
    await Ensure(github).merge(PLACE, number, head, "YOU-1")
    assert (await Observe(github).observe_pulls(PLACE, [number]))[number].merged


@pytest.mark.proves("S-43")
async def test_the_files_of_a_head_are_asked_for_once_with_the_old_names_of_moved_ones(stage):
    await stage.push("old.txt", branch="agent/YOU-1")
    number = await stage.ensure.ensure_pull(PLACE, "agent/YOU-1", "main", "YOU-1", "Body")
    pull = (await stage.observe.observe_pulls(PLACE, [number]))[number]
    observe = stage.observe
    for _ in range(3):
        assert await observe.changed_files(PLACE, pull) == ("old.txt",)
    asked = [one.operation for one in stage.world.requests]
    assert len([one for one in asked if one.endswith("/files")]) == 1, "\n".join(asked)
    await stage.push(".github/workflows/ci.yml", branch="agent/YOU-1")
    stale = await observe.changed_files(PLACE, pull)
    moved = (await stage.observe.observe_pulls(PLACE, [number]))[number]
    assert stale == ("old.txt",)
    assert ".github/workflows/ci.yml" in (await observe.changed_files(PLACE, moved) or ())


@pytest.mark.attack("S-43")
async def test_files_that_were_listed_while_the_head_moved_are_not_believed(stage):
    await stage.push("a.txt", branch="agent/YOU-1")
    number = await stage.ensure.ensure_pull(PLACE, "agent/YOU-1", "main", "YOU-1", "Body")
    pull = (await stage.observe.observe_pulls(PLACE, [number]))[number]
    await stage.push("b.txt", branch="agent/YOU-1")
    assert await stage.observe.changed_files(PLACE, pull) is None
