"""Loops and floods: the pause, the day's money, the circuit breakers, and those who answer everything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.machine.conversation import open_points, refusals
from bot.machine.echo import HOP, Line, is_echo
from bot.machine.facts import Author, Rules, Service
from bot.machine.pull_request import PullRequest, Remark, Review, Thread
from bot.machine.stages import Stage

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SOON = timedelta(seconds=2)


def _service(board: Any, **changes: Any) -> None:
    facts = board.facts
    board.facts = lambda: replace(facts(), service=Service(**changes))


def test_a_pause_starts_nothing_says_until_when_and_lifts_itself(board: Any) -> None:
    until = board.now + timedelta(hours=2)
    _service(board, paused_until=until, paused_why="The model's account is at its usage limit")
    board.settle()
    assert board.orders == []
    assert "everything is paused until 2026-11-21T02:00" in board.why("epic")
    assert board.decision.recheck_after == pytest.approx((until - board.now).total_seconds())
    assert "paused until" in board.said("epic", "panel")[0]
    board.now = until
    board.settle()
    assert [one.prompt for one in board.orders] == ["breakdown"]


def test_a_run_that_waits_for_a_worker_says_that_everything_is_paused(board: Any) -> None:
    board.settle()
    _service(board, paused_until=board.now + timedelta(hours=1), paused_why="At its limit")
    board.settle()
    assert "everything is paused" in board.why("epic")


@pytest.mark.attack("S-60")
def test_the_money_of_a_day_is_for_all_epics_and_comes_back_at_midnight(board: Any) -> None:
    board.rules = Rules(day_usd=10)
    _service(board, today_usd=10.0)
    board.settle()
    assert board.orders == []
    assert "has spent $10.00 of $10.00 today; it goes on at 2026-11-22T00:00" in board.why("epic")
    assert 0 < board.decision.recheck_after <= 86_400


@pytest.mark.attack("S-60")
def test_a_run_under_way_counts_against_the_budget_of_its_epic(approved: Any) -> None:
    """Also one that has not ended: what it costs is known while it runs."""
    approved.rules = replace(approved.rules, epic_usd=10)
    approved.begin()
    first = approved.live()[0]
    approved.set_run(first.id, spent_usd=9.9)
    second = next(run for run in approved.live() if run.issue != first.issue)
    approved.end(second, approved._result(second))
    approved.settle()
    assert [one.prompt for one in approved.orders if one.issue == second.issue] == ["research"]
    assert "of $10.00" in approved.why(second.issue)


@pytest.mark.attack("S-60")
def test_what_counts_when_a_model_is_called_counts_before_a_run_begins(approved: Any) -> None:
    """A record begun anew knows less than the database: runs would begin, be turned away, and begin again."""
    facts = approved.facts
    approved.facts = lambda: replace(facts(), spent_usd=approved.rules.epic_usd + 1)
    before = len(approved.orders)
    approved.begin().finish(kind="out_of_budget", error="This epic has spent $101.00 of $100.00.")
    approved.now += timedelta(minutes=1)
    approved.settle()
    assert len(approved.orders) == before
    assert "has spent $101.00 of $100.00" in approved.why("feed")
    approved.comments("epic", "budget $200")
    approved.settle()
    assert len(approved.orders) > before


@pytest.mark.attack("S-60")
def test_a_ticket_whose_runs_never_end_stops_at_the_breaker_until_a_person_says_retry(board: Any) -> None:
    board.rules = Rules(runs_per_ticket=5, max_retries=1_000)
    board.settle()
    for _ in range(40):
        board.begin().finish(kind="work_failed", error="again")
    assert len(board.orders) == 5
    assert "YOU-1 had 5 runs since somebody last looked at it" in board.why("epic")
    assert "say `retry`" in board.why("epic")
    stranger = Author("user-x", "x", person=False, app=True)
    board.comments("epic", "retry", stranger)
    board.settle()
    assert len(board.orders) == 5
    board.comments("epic", "retry")
    board.settle()
    assert len(board.orders) == 6
    for _ in range(40):
        board.begin().finish(kind="transport_failed")
        board.now += timedelta(minutes=10)
    assert len(board.orders) == 10


@pytest.mark.attack("S-60")
def test_the_service_orders_only_so_many_runs_within_an_hour(board: Any) -> None:
    board.rules = Rules(runs_per_hour=7)
    _service(board, runs_lately=7)
    board.settle()
    assert board.orders == []
    assert "ordered 7 runs within an hour" in board.why("epic")
    assert board.decision.recheck_after == 60


def test_money_that_others_spent_meanwhile_is_no_failure_of_the_work(board: Any) -> None:
    board.settle().begin().finish(kind="out_of_budget", error="This epic has spent $100.00 of $100.00.")
    record = board.issues["epic"].record
    assert (record.attempts, record.hiccups) == (0, 0)
    assert board.stage("epic") is Stage.PLAN
    board.now += timedelta(minutes=1)
    board.settle()
    assert [one.prompt for one in board.orders] == ["breakdown", "breakdown"]


def _row(*seconds: float, who: str = "echo") -> list[Line]:
    """Ours and theirs in turn."""
    return [Line("" if index % 2 == 0 else who, NOW + timedelta(seconds=at)) for index, at in enumerate(seconds)]


def test_three_quick_answers_in_a_row_are_an_echo_and_a_pause_ends_the_row() -> None:
    row = _row(0, 1, 10, 11, 20, 21)
    assert is_echo(row[-1], row)
    assert not is_echo(row[3], row[:4])
    slow = _row(0, 1, 10, 10 + HOP.total_seconds() + 1, 20, 21)
    assert not is_echo(slow[-1], slow)
    assert not is_echo(Line("alice", NOW), [Line("alice", NOW)])
    other = [*_row(0, 1, 10, 11), *_row(20, 21, who="alice")]
    assert not is_echo(other[-1], other)


@pytest.mark.attack("S-15")
def test_what_answers_everything_in_linear_gets_three_runs_at_most_and_one_word_that_nobody_listens(board: Any) -> None:
    """A program that posts with a member's key: it looks like a person, and answers each of our comments at once."""
    mallory = Author("user-mallory", "mallory", person=True)
    board.settle().work()
    seen: set[str] = set()
    for _ in range(60):
        for one in board.issues["epic"].comments:
            if one.ours and one.topic != "panel" and one.id not in seen:
                seen.add(one.id)
                board.comments("epic", f"Thank you for comment {len(seen)}!", mallory)
        board.settle()
        board.begin().finish()
    assert len([one for one in board.orders if one.prompt == "breakdown"]) <= 1 + 3
    assert len(board.said("epic", "echo")) == 1
    assert len(board.issues["epic"].comments) < 20
    board.now += timedelta(minutes=5)
    said = board.comments("epic", "Split the feed in two")
    board.settle()
    assert board.answers(said)


@pytest.mark.attack("S-15")
@pytest.mark.parametrize("word", ["approve", "status", "pause", "retry", "help"])
def test_a_command_that_is_sent_again_upon_every_answer_is_no_flood(board: Any, word: str) -> None:
    mallory = Author("user-mallory", "mallory", person=True)
    board.settle()
    seen: set[str] = set()
    board.comments("epic", word, mallory)
    for _ in range(30):
        board.settle()
        for one in board.issues["epic"].comments:
            if one.ours and one.topic.startswith(("reply-", "echo")) and one.id not in seen:
                seen.add(one.id)
                board.comments("epic", word, mallory)
    assert len(seen) <= 9


PULL = PullRequest(1, "u", "n", True, False, "sha", "agent/YOU-2", "main")


def _remark(number: int, author: str = "echo", **more: Any) -> Remark:
    fields = {"person": True, "may": True} | more
    return Remark(f"r{number}", author, "@callboard again", NOW + timedelta(seconds=number * 60), **fields)


def _answered(remarks: list[Remark], points: Any, refused: bool = False) -> list[Remark]:
    """Answer what wants an answer as the service does; the echo comes two seconds later."""
    key = points[0].key
    at = remarks[-1].created_at + timedelta(minutes=1)
    ours = Remark(f"o{len(remarks)}", "callboard[bot]", "done", at, ours=True, topic=f"answer-{key}")
    who = {"person": True, "may": not refused}
    return [*remarks, ours, Remark(f"e{len(remarks)}", "echo", "@callboard again", at + SOON, **who)]


@pytest.mark.attack("S-15")
@pytest.mark.parametrize("place", ["thread", "conversation", "refused"])
def test_what_answers_everything_on_github_gets_three_answers(place: str) -> None:
    remarks, answers = [_remark(0, may=place != "refused")], 0
    while answers < 30:
        thread = Thread("t", "a.py", 1, remarks=tuple(remarks))
        pull = replace(PULL, threads=(thread,)) if place == "thread" else replace(PULL, conversation=tuple(remarks))
        points: Any = refusals(pull) if place == "refused" else open_points(pull)
        if not points:
            break
        remarks, answers = _answered(remarks, points, refused=place == "refused"), answers + 1
    assert answers == 3


@pytest.mark.attack("S-15")
def test_reviews_upon_every_answer_are_an_echo_too() -> None:
    at = NOW
    reviews, conversation, answers = [_review(0, at)], list[Remark](), 0
    while answers < 30 and (
        points := open_points(replace(PULL, reviews=tuple(reviews), conversation=tuple(conversation)))
    ):
        at += timedelta(minutes=1)
        for point in points:
            conversation.append(
                Remark(f"o{answers}", "callboard[bot]", "done", at, ours=True, topic=f"answer-{point.key}")
            )
        answers += 1
        reviews.append(_review(answers, at + SOON))
    assert answers == 3


def _review(number: int, at: datetime) -> Review:
    from bot.machine.pull_request import Opinion

    return Review(f"v{number}", "echo", Opinion.CHANGES_REQUESTED, "again", "sha", at, person=True, may=True)


@pytest.mark.attack("S-15")
def test_bots_that_say_what_they_are_start_nothing_whatever_they_write() -> None:
    remarks = tuple(_remark(number, "helper[bot]", person=False, may=False) for number in range(5))
    thread = Thread("t", "a.py", 1, remarks=remarks)
    pull = replace(PULL, threads=(thread,), conversation=remarks)
    assert (open_points(pull), refusals(pull)) == ((), ())
