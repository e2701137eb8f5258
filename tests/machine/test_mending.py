"""An open pull request: people answered, checks repaired, bases followed, review bots heard; each with its bound."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.machine.decision import Answer, Enqueue, Merge, RequestReview, Rerun
from bot.machine.facts import Rules
from bot.machine.pull_request import (
    BotFinding,
    BotWord,
    Checks,
    Ejection,
    Failure,
    Mergeable,
    Merging,
    Opinion,
    Remark,
    Review,
)
from bot.machine.stages import Disposition, Stage


def orders(board, key, *prompts):
    return [one for one in board.orders if one.issue == key and (not prompts or one.prompt in prompts)]


def did(board, kind):
    return [one for one in board.done if isinstance(one, kind)]


@pytest.fixture
def reviewed(approved):
    """Two tickets wait with green pull requests; the others stand on them."""
    return approved.work(3)


def fails(board, key, name="test", **more):
    failure = Failure(name, "check_run", board.pulls[key].head, 7, summary="1 failed in 3 s", **more)
    known = tuple(one for one in board.pulls[key].failing_details if one.name != name)
    failing = (*known, failure)
    board.pull(
        board.pulls[key].number,
        checks=Checks.RED,
        failing=tuple(one.name for one in failing),
        failing_details=failing,
        head=failure.head,
    )


def green(board, key):
    board.pull(board.pulls[key].number, checks=Checks.GREEN, failing=(), failing_details=())


def test_a_thread_starts_one_run_and_gets_one_answer(reviewed):
    reviewed.remarks("feed", "Please rename this")
    reviewed.settle()
    assert reviewed.stage("feed") is Stage.CODE_REVIEW
    order = orders(reviewed, "feed")[-1]
    assert order.prompt == "feedback"
    assert order.variables["threads"][0]["remarks"][0]["says"] == "Please rename this"
    reviewed.begin().finish()
    answer = did(reviewed, Answer)[-1]
    assert (answer.thread, answer.resolve, answer.values["body"]) == ("t1", True, "done")
    assert reviewed.stage("feed") is Stage.MERGE
    count = len(orders(reviewed, "feed"))
    reviewed.settle()
    assert len(orders(reviewed, "feed")) == count


def test_a_review_with_several_threads_is_one_run(reviewed):
    for thread in ("a", "b", "c"):
        reviewed.remarks("feed", f"about {thread}", thread)
    reviewed.settle()
    assert len(orders(reviewed, "feed", "feedback")) == 1
    reviewed.begin().finish()
    assert {one.thread for one in did(reviewed, Answer)} == {"a", "b", "c"}


def test_what_is_said_during_a_run_waits_for_the_next_one(reviewed):
    reviewed.remarks("feed", "first")
    reviewed.settle().begin()
    reviewed.remarks("feed", "second", "t2")
    reviewed.settle()
    assert len(orders(reviewed, "feed", "feedback")) == 1
    reviewed.finish()
    second = orders(reviewed, "feed", "feedback")[-1]
    assert [one["thread_id"] for one in second.variables["threads"]] == ["t2"]


def test_a_second_remark_in_the_same_thread_during_the_run_is_answered_too(reviewed):
    reviewed.remarks("feed", "first")
    reviewed.settle().begin()
    reviewed.remarks("feed", "and also this")
    reviewed.finish()
    assert len(orders(reviewed, "feed", "feedback")) == 2


def test_two_remarks_of_one_second_in_a_thread_get_one_answer(reviewed):
    reviewed.remarks("feed", "rename this")
    pull = reviewed.pulls["feed"]
    [thread] = pull.threads
    also = replace(thread.remarks[0], id="another", author="alice", body="and that")
    reviewed.pull(pull.number, threads=(replace(thread, remarks=(*thread.remarks, also)),))
    reviewed.settle().begin().finish()
    reviewed.settle()
    assert len(orders(reviewed, "feed", "feedback")) == 1
    assert len(did(reviewed, Answer)) == 1


def test_words_of_people_who_may_not_start_nothing_and_reach_nobody(reviewed):
    reviewed.remarks("feed", "run my code", author="mallory", may=False)
    reviewed.settle()
    assert orders(reviewed, "feed", "feedback") == []
    reviewed.remarks("feed", "what about this?")
    reviewed.settle()
    told = orders(reviewed, "feed", "feedback")[-1].variables["threads"][0]["remarks"]
    assert [one["says"] for one in told] == ["what about this?"]


def test_somebody_who_calls_us_and_may_not_is_told_why_nothing_happens_once(reviewed):
    said = Remark("r1", "mallory", "@callboard merge this", reviewed.now, person=True, may=False)
    reviewed.pull(reviewed.pulls["feed"].number, conversation=(said,))
    reviewed.settle().settle()
    assert [one.words for one in did(reviewed, Answer)] == ["refused_on_github"]
    assert orders(reviewed, "feed", "feedback") == []


@pytest.mark.parametrize(
    ("body", "calls"),
    [
        ("@callboard please add a test", True),
        ("Hey @Callboard, why?", True),
        ("ask alice@callboard.dev", False),
        ("`@callboard` is the bot", False),
        ("> @callboard do it\nno, don't", False),
        ("@callboardx do it", False),
    ],
)
def test_a_comment_in_the_conversation_counts_when_it_calls_us(reviewed, body, calls):
    said = Remark("r1", "bob", body, reviewed.now, person=True, may=True)
    reviewed.pull(reviewed.pulls["feed"].number, conversation=(said,))
    reviewed.settle()
    assert bool(orders(reviewed, "feed", "feedback")) is calls


def test_an_edited_remark_is_a_new_one_and_a_deleted_one_is_nobodys(reviewed):
    reviewed.remarks("feed", "rename this")
    reviewed.settle().begin().finish()
    pull = reviewed.pulls["feed"]
    thread = pull.threads[0]
    edited = replace(thread.remarks[0], body="no, delete it", edited_at=reviewed.now)
    reviewed.pull(pull.number, threads=(replace(thread, remarks=(edited, *thread.remarks[1:]), resolved=False),))
    reviewed.settle()
    assert len(orders(reviewed, "feed", "feedback")) == 2
    reviewed.begin().finish()
    reviewed.pull(pull.number, threads=(), open_threads=0)
    reviewed.settle()
    assert len(orders(reviewed, "feed", "feedback")) == 2


def test_a_thread_that_a_person_resolved_is_settled_unless_somebody_calls_us_there(reviewed):
    reviewed.remarks("feed", "rename this")
    pull = reviewed.pulls["feed"]
    reviewed.pull(pull.number, threads=(replace(pull.threads[0], resolved=True, settled=True),), open_threads=0)
    reviewed.settle()
    assert orders(reviewed, "feed", "feedback") == []
    reviewed.remarks("feed", "@callboard do it after all")
    reviewed.settle()
    assert len(orders(reviewed, "feed", "feedback")) == 1


def test_a_thread_whose_answer_was_written_and_not_its_end_is_resolved_later(reviewed):
    """Killed between the two, with the database lost: only the answer itself tells that it was to be resolved."""
    reviewed.remarks("feed", "Please rename this")
    reviewed.settle().begin().finish()
    pull = reviewed.pulls["feed"]
    opened = (replace(pull.threads[0], resolved=False),)
    reviewed.pull(pull.number, threads=opened, open_threads=1)
    reviewed.settle()
    assert not reviewed.pulls["feed"].threads[0].resolved  # a person opened it again, and says no more than that
    reviewed.change("feed", record=replace(reviewed.issues["feed"].record, answered=()))
    reviewed.settle()
    [thread] = reviewed.pulls["feed"].threads
    assert (thread.resolved, len(thread.remarks)) == (True, 2)
    assert len(orders(reviewed, "feed", "feedback")) == 1


def test_a_review_that_asks_for_changes_is_answered_and_asked_for_again(reviewed):
    pull = reviewed.pulls["feed"]
    review = Review(
        "v1", "bob", Opinion.CHANGES_REQUESTED, "Handle empty input", pull.head, reviewed.now, person=True, may=True
    )
    reviewed.pull(pull.number, reviews=(review,), changes_requested_by=("bob",))
    reviewed.settle().begin().finish()
    assert did(reviewed, RequestReview)[-1].logins == ("bob",)
    assert reviewed.stage("feed") is Stage.CODE_REVIEW
    assert "bob asked for changes" in reviewed.why("feed")
    assert len(orders(reviewed, "feed", "feedback")) == 1


def test_after_a_lost_run_whoever_asked_for_changes_is_asked_to_look_again(reviewed):
    """Killed after the answer and before the request, with the database lost: nothing else is left to be done."""
    pull = reviewed.pulls["feed"]
    review = Review(
        "v1", "bob", Opinion.CHANGES_REQUESTED, "Handle empty input", pull.head, reviewed.now, person=True, may=True
    )
    reviewed.pull(pull.number, reviews=(review,), changes_requested_by=("bob", "carol"))
    reviewed.settle().begin().finish()
    before, asked = reviewed.issues["feed"].record, len(did(reviewed, RequestReview))
    reviewed.change("feed", record=replace(before, settled=before.settled - 1))
    reviewed.runs.clear()
    reviewed.settle()
    assert [one.logins for one in did(reviewed, RequestReview)[asked:]] == [("bob",)]
    assert reviewed.issues["feed"].record.settled == before.generation
    assert len(orders(reviewed, "feed", "feedback")) == 1


def test_a_flaky_check_runs_once_more_before_anybody_repairs_anything(reviewed):
    fails(reviewed, "feed", actions_run=5)
    reviewed.settle()
    assert len(did(reviewed, Rerun)) == 1
    assert orders(reviewed, "feed", "fix") == []
    green(reviewed, "feed")
    reviewed.settle()
    assert reviewed.stage("feed") is Stage.MERGE
    assert len(did(reviewed, Rerun)) == 1


def test_a_check_that_fails_again_starts_a_fix_with_what_it_said(reviewed):
    fails(reviewed, "feed", actions_run=5)
    reviewed.settle()
    fails(reviewed, "feed", actions_run=5, attempt=2)
    reviewed.settle()
    order = orders(reviewed, "feed", "fix")[-1]
    assert "1 failed in 3 s" in order.variables["findings"][0]
    assert [one.name for one in order.failures] == ["test"]


def test_the_same_failure_after_a_fix_is_blocked(reviewed):
    fails(reviewed, "feed")
    reviewed.settle().begin().finish()
    fails(reviewed, "feed")
    reviewed.settle()
    assert reviewed.issues["feed"].disposition is Disposition.BLOCKED
    assert "failed again" in reviewed.said("feed", "blocked")[0]
    assert len(orders(reviewed, "feed", "fix")) == 1
    reviewed.comments("feed", "retry")
    reviewed.settle()
    assert len(orders(reviewed, "feed", "fix")) == 2


def test_what_a_person_says_to_a_repeated_failure_goes_to_the_next_fix(reviewed):
    fails(reviewed, "feed")
    reviewed.settle().begin().finish()
    fails(reviewed, "feed")
    reviewed.settle()
    assert reviewed.issues["feed"].disposition is Disposition.BLOCKED
    reviewed.comments("feed", "expect 41 instead")
    reviewed.settle()
    assert reviewed.issues["feed"].disposition is None
    assert [one.variables["guidance"] != [] for one in orders(reviewed, "feed", "fix")] == [False, True]


def test_another_failure_is_repaired_too_but_only_so_often(reviewed):
    for name in ("one", "two", "three"):
        fails(reviewed, "feed", name)
        reviewed.settle()
        if reviewed.issues["feed"].disposition is None:
            reviewed.begin().finish()
    assert len(orders(reviewed, "feed", "fix")) == 2
    assert reviewed.issues["feed"].disposition is Disposition.BLOCKED


def test_checks_that_were_green_in_between_count_anew(reviewed):
    for _ in range(4):
        fails(reviewed, "feed")
        reviewed.settle().begin().finish()
        green(reviewed, "feed")
        reviewed.settle()
    assert len(orders(reviewed, "feed", "fix")) == 4
    assert reviewed.issues["feed"].disposition is None


def test_a_conflict_is_merged_by_the_service_and_goes_to_a_worker_when_it_clashes(reviewed):
    reviewed.updates = False
    reviewed.pull(reviewed.pulls["feed"].number, mergeable=Mergeable.CONFLICT)
    reviewed.settle()
    assert orders(reviewed, "feed")[-1].prompt == "update"
    reviewed.begin().finish(conflict={"paths": ["a.py"], "with": "main", "commit": "m1"}, head="", carried=None)
    fix = orders(reviewed, "feed")[-1]
    assert (fix.prompt, fix.about["kind"]) == ("fix", "conflict")
    assert "a.py" in fix.variables["findings"][0]
    reviewed.begin().finish()
    reviewed.pull(reviewed.pulls["feed"].number, mergeable=Mergeable.YES)
    reviewed.settle()
    assert reviewed.stage("feed") is Stage.MERGE


def test_a_conflict_that_stays_is_given_to_a_person(reviewed):
    reviewed.pull(reviewed.pulls["feed"].number, mergeable=Mergeable.CONFLICT)
    reviewed.settle()
    assert reviewed.issues["feed"].disposition is Disposition.BLOCKED
    assert len(orders(reviewed, "feed", "update")) == 5


def test_the_branch_above_follows_when_the_one_below_gets_new_commits(approved):
    approved.work(6)
    assert approved.pulls["theme"].base_branch == "agent/YOU-2"
    approved.remarks("storage", "rename this")
    approved.settle().begin().finish()
    update = orders(approved, "theme", "update")[-1]
    assert (update.base, update.upstream) == ("agent/YOU-2", "sha-storage")
    assert approved.issues["theme"].record.base_at == approved.pulls["storage"].head


def approve_all(board):
    board.work(12)
    assert board.stage("epic") is Stage.CODE_REVIEW
    board.comments("epic", "approve")


def test_a_clean_update_keeps_the_approval_and_anything_else_does_not(approved):
    approve_all(approved)
    approved.settle()
    assert approved.stage("epic") is Stage.DONE
    heads = {one.number: one.head for one in approved.merges}
    assert heads[approved.pulls["theme"].number] == "sha-theme+"


def test_a_push_after_a_clean_update_is_not_covered(approved):
    approve_all(approved)
    number = approved.pulls["theme"].number
    approved.pull(number, mergeable=Mergeable.UNKNOWN)
    approved.settle()
    assert approved.pulls["theme"].head == "sha-theme+"
    approved.pull(number, mergeable=Mergeable.YES, head="sha-theme+evil")
    approved.settle()
    assert "theme" not in {key for key, one in approved.pulls.items() if one.merged}


def test_a_branch_behind_a_strict_rule_is_brought_up_to_date_when_its_turn_comes(approved):
    approved.updates = False
    approved.work(12)
    for pull in list(approved.pulls.values()):
        approved.pull(pull.number, behind=True)
    approved.comments("epic", "approve")
    approved.settle()
    assert approved.merges == []
    waiting = [one for one in approved.orders if one.prompt == "update" and one.issue in ("storage", "feed")]
    assert len(waiting) == 1, "one car after the other"


def test_the_merge_queue_takes_the_approved_head_and_an_ejection_waits_for_a_person(approved):
    approved.work(12)
    for pull in list(approved.pulls.values()):
        approved.pull(pull.number, merging=Merging(queue=True))
    approved.comments("epic", "approve")
    for _ in range(6):
        approved.step()
    queued = did(approved, Enqueue)
    assert {one.head for one in queued} >= {"sha-storage", "sha-feed"}
    assert approved.merges == []
    number = approved.pulls["feed"].number
    approved.pull(number, ejected=Ejection("checks failed", approved.now + timedelta(seconds=1)))
    before = len([one for one in did(approved, Enqueue) if one.number == number])
    for _ in range(4):
        approved.step()
    assert len([one for one in did(approved, Enqueue) if one.number == number]) <= before + 1
    assert "checks failed" in approved.why("feed")


def bot(board, key, word, *findings, reason=""):
    said = BotWord("coderabbitai[bot]", word, reason, None, findings)
    board.pull(board.pulls[key].number, bots=(said,))


@pytest.fixture
def with_bot(boards):
    board = boards(rules=Rules(review_bots=("coderabbitai[bot]",), review_bot_minutes=10))
    board.settle().work()
    board.comments("epic", "approve")
    board.settle()
    return board


def test_a_review_bot_is_waited_for_but_not_for_ever(with_bot):
    with_bot.work(2).begin()
    with_bot.finish()
    with_bot.moves("feed", Stage.CODE_REVIEW)
    bot(with_bot, "feed", "reviewing")
    with_bot.settle()
    assert with_bot.stage("feed") is Stage.CODE_REVIEW
    assert "has not ended its review" in with_bot.why("feed")
    with_bot.now += timedelta(minutes=11)
    with_bot.settle()
    assert with_bot.stage("feed") is Stage.MERGE


def test_a_bot_that_looks_only_when_asked_is_asked_once_for_each_head(with_bot):
    with_bot.work(3)
    number = with_bot.pulls["feed"].number
    silent = BotWord("copilot-pull-request-reviewer[bot]", "silent", on_request=True)
    for head in ("one", "two"):
        with_bot.pull(number, head=head, bots=(silent,))
        with_bot.moves("feed", Stage.CODE_REVIEW)
        with_bot.settle().settle()
    asked = [one for one in did(with_bot, RequestReview) if one.number == number]
    assert [one.logins for one in asked] == [("copilot-pull-request-reviewer[bot]",)] * 2


def test_a_bot_is_not_waited_for_again_when_only_the_base_came_in_on_the_way_to_the_merge(with_bot):
    with_bot.work(3)
    head = with_bot.pulls["feed"].head
    record = replace(with_bot.issues["feed"].record, carried=("before", head))
    with_bot.issues["feed"] = replace(with_bot.issues["feed"], record=record)
    bot(with_bot, "feed", "reviewing")
    with_bot.settle()
    assert "has not ended its review" not in with_bot.why("feed")
    with_bot.moves("feed", Stage.CODE_REVIEW)
    with_bot.settle()
    assert "has not ended its review" in with_bot.why("feed")


def test_what_a_review_bot_finds_is_worked_in_for_so_many_rounds(with_bot):
    with_bot.work(3)
    for number in range(4):
        bot(with_bot, "feed", "findings", BotFinding("", "a.py", 1, f"finding {number}"))
        with_bot.settle()
        if with_bot.live():
            with_bot.begin().finish()
    runs = orders(with_bot, "feed", "feedback")
    assert len(runs) == 2
    assert runs[0].variables["threads"][0]["finding"] == "finding 0"


@pytest.mark.parametrize("word", ["skipped", "failed", "rate_limited", "silent"])
def test_what_a_review_bot_found_on_an_older_head_is_answered_when_it_says_no_more_of_the_new_one(with_bot, word):
    with_bot.work(2).begin()
    with_bot.finish()
    with_bot.moves("feed", Stage.CODE_REVIEW)
    bot(with_bot, "feed", word, BotFinding("", "a.py", 1, "the list may be empty"))
    with_bot.now += timedelta(minutes=11)
    with_bot.settle()
    assert with_bot.stage("feed") is Stage.CODE_REVIEW
    (run,) = orders(with_bot, "feed", "feedback")
    assert run.variables["threads"][0]["finding"] == "the list may be empty"


@pytest.mark.parametrize("word", ["reviewing", "paused", "silent"])
def test_what_a_review_bot_found_on_an_older_head_waits_while_it_may_take_it_back(with_bot, word):
    with_bot.work(2).begin()
    with_bot.finish()
    with_bot.moves("feed", Stage.CODE_REVIEW)
    bot(with_bot, "feed", word, BotFinding("", "a.py", 1, "the list may be empty"))
    with_bot.settle()
    assert not orders(with_bot, "feed", "feedback")
    assert "has not ended its review" in with_bot.why("feed")


def test_a_wish_on_the_epic_that_names_a_ticket_starts_work_there(approved):
    approved.work(12)
    approved.comments("epic", "YOU-4 should paginate")
    approved.settle()
    assert approved.stage("feed") is Stage.DEV
    assert orders(approved, "feed")[-1].variables["guidance"][0]["body"] == "YOU-4 should paginate"
    assert "Handed on to YOU-4" in approved.said("epic", "reply")[-1]


def test_a_wish_on_the_epic_that_names_none_is_given_to_a_worker_to_place(approved):
    approved.work(12)
    approved.comments("epic", "the settings page needs a toggle")
    approved.settle()
    order = orders(approved, "epic")[-1]
    assert order.prompt == "concern"
    approved.begin().finish(outcome={"summary": "s", "tickets": ["YOU-3"]})
    assert approved.stage("theme") is Stage.DEV
    assert orders(approved, "theme")[-1].variables["guidance"][0]["body"] == "the settings page needs a toggle"


def test_a_wish_on_the_epic_about_a_plan_in_review_has_it_planned_anew(boards):
    board = boards(rules=Rules(plan_by_person=True))
    board.settle().work()
    board.comments("epic", "approve")
    board.settle().work(2)
    assert board.stage("feed") is Stage.PLAN_REVIEW
    said = board.comments("epic", "YOU-4 should paginate")
    board.settle()
    assert board.stage("feed") is Stage.PLAN
    assert [one.splitlines()[0] for one in board.answers(said)] == ["Handed on to YOU-4."]


def test_whose_wish_comes_too_late_for_the_ticket_that_it_is_about_is_told_so_on_that_ticket(approved):
    approved.work(12)
    said = approved.comments("epic", "the feed needs a toggle")
    approved.settle().begin()
    approved.moves("feed", Stage.DONE)
    approved.finish(outcome={"summary": "s", "tickets": ["YOU-4"]})
    assert "Handed on to YOU-4" in approved.said("epic", f"reply-{said.id}")[0]
    assert "This is over" in approved.said("feed", f"reply-{said.id}")[0]


def test_a_wish_that_is_about_no_ticket_is_asked_back(approved):
    approved.work(12)
    said = approved.comments("epic", "make it better")
    approved.settle().begin().finish()
    assert "which ticket" in approved.answers(said)[0]
    assert approved.stage("epic") is Stage.CODE_REVIEW


def test_pull_requests_are_held_back_while_enough_wait_for_a_person(boards):
    board = boards(rules=Rules(open_reviews=1))
    board.settle().work()
    board.comments("epic", "approve")
    board.settle().work(3)
    assert len([one for one in board.pulls.values() if one.open]) == 1
    held = next(key for key in ("storage", "feed") if key not in board.pulls)
    assert "already wait for a person" in board.why(held)


def test_a_pull_request_merged_into_the_branch_below_is_not_done_before_that_one(approved):
    approved.work(6)
    approved.pull(approved.pulls["theme"].number, open=False, merged=True)
    approved.settle()
    assert approved.stage("theme") is not Stage.DONE
    approved.pull(approved.pulls["storage"].number, open=False, merged=True)
    approved.settle()
    assert approved.stage("theme") is Stage.DONE


def test_what_was_merged_into_a_branch_whose_own_work_a_person_calls_done_is_asked_for_and_not_thrown_away(approved):
    approved.work(6)
    approved.pull(approved.pulls["theme"].number, open=False, merged=True)
    approved.pull(approved.pulls["storage"].number, open=False, merged=True, base_branch="somewhere")
    approved.settle()
    approved.moves("storage", Stage.DONE)
    approved.settle()
    assert "was merged into agent/YOU-2, not into main; merge that branch into main" in approved.why("theme")
    assert approved.cleaned == []
    approved.moves("theme", Stage.DONE)
    approved.settle()
    assert "agent/YOU-2" in approved.cleaned


def test_merging_always_names_the_head_that_was_approved(approved):
    approve_all(approved)
    approved.settle()
    assert all(isinstance(one, Merge) and one.head for one in approved.merges)


def test_an_approval_does_not_reach_what_came_in_from_a_branch_below(approved):
    approved.work(6)
    approved.comments("epic", "approve")
    before = approved.pulls["theme"].head
    approved.remarks("storage", "add a back door")
    approved.settle().begin().finish()
    theme = approved.pulls["theme"]
    assert theme.head == f"{before}+", "it follows what it stands on"
    assert approved.issues["theme"].record.carried is None


def test_what_followed_a_branch_with_new_commits_needs_a_new_approval(approved):
    approve_all(approved)
    approved.pull(approved.pulls["storage"].number, mergeable=Mergeable.UNKNOWN)
    approved.settle()
    approved.remarks("storage", "add a back door")
    approved.settle().begin().finish()
    approved.comments("storage", "cancel")
    approved.settle()
    assert not approved.pulls["theme"].merged
    assert approved.stage("epic") is Stage.CODE_REVIEW


def test_in_the_train_a_branch_moves_on_to_the_base_branch_only(approved):
    approve_all(approved)
    approved.settle()
    in_train = [one for one in orders(approved, "documentation", "update") if one.stage is Stage.MERGE]
    assert [one.base for one in in_train] == ["main"]


def test_an_answer_in_between_does_not_forget_that_the_base_changed(approved):
    approved.updates = False
    approved.work(6)
    approved.pull(approved.pulls["storage"].number, open=False, merged=True)
    approved.remarks("theme", "rename this")
    approved.settle().begin().finish()
    update = orders(approved, "theme")[-1]
    assert (update.prompt, update.base, update.upstream) == ("update", "main", "sha-storage")


def test_a_conflict_in_between_does_not_forget_what_the_branch_stood_on(approved):
    approved.updates = False
    approved.work(6)
    approved.pull(approved.pulls["storage"].number, open=False, merged=True)
    approved.settle()
    conflict = {"paths": ["a.py"], "with": "main", "commit": "m1"}
    approved.begin().finish(conflict=conflict, head="", carried=None)
    assert approved.issues["theme"].record.stands_on == "agent/YOU-2"
