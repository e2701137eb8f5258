"""The report of an epic: who worked when and at what cost, what was merged, what review bots said last."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.machine.account import SLICES, account
from bot.machine.pull_request import BotWord, PullRequest
from bot.machine.record import MOST_RAN, Ran, Record
from bot.machine.stages import Stage
from bot.words import say


@pytest.fixture
def done(board):
    """Two tickets, side by side for half of their time, and the documentation after them."""
    ran = {
        "epic": (Ran("plan", 0, 60, 0.5),),
        "t2": (Ran("research", 100, 50, 0.25), Ran("dev", 150, 50, 1.0)),
        "t3": (Ran("dev", 150, 100, 2.0),),
        "t4": (Ran("dev", 250, 50, 0.25),),
    }
    for number in (2, 3, 4):
        board.add(f"t{number}", f"YOU-{number}", f"Ticket {number}")
    for key, runs in ran.items():
        task = "documentation" if key == "t4" else ""
        record = Record(key, stage=Stage.DONE, ran=runs, cost_usd=sum(one.usd for one in runs), task=task, turns=1)
        board.change(key, stage=Stage.DONE, state_name="Done", record=record)
    return board


def merged(board, key, number, *words):
    bots = tuple(BotWord(f"bot{each}", word) for each, word in enumerate(words))
    board.pulls[key] = PullRequest(
        number, "https://github/pull", "node", False, True, "sha", f"agent/{key}", "main", bots=bots
    )


def test_time_money_and_runs_side_by_side(done):
    made = account(done.facts())
    assert (made.runs, made.seconds, made.worked_seconds, made.usd) == (5, 300, 310, 4.0)
    assert (made.parallel_most, made.parallel_mean) == (2, 1.03)
    assert [(one.stage, one.runs, one.seconds, one.usd) for one in made.stages] == [
        ("research", 1, 50, 0.25),
        ("plan", 1, 60, 0.5),
        ("dev", 3, 200, 3.25),
    ]
    assert len(made.parallel_over_time) == SLICES
    assert made.parallel_over_time[0] == 1
    assert made.parallel_over_time[7] == 0  # from 70 to 80 s nobody worked
    assert made.parallel_over_time[17] == 2
    assert (made.turns, made.documentation) == (4, "Done")


def test_one_that_begins_as_another_ends_is_not_beside_it(done):
    for key in ("t2", "t3"):
        done.change(key, record=replace(done.issues[key].record, ran=()))
    assert account(done.facts()).parallel_most == 1


def test_shares_of_what_was_merged_and_of_what_bots_approved(done):
    assert (account(done.facts()).tracked, account(done.facts()).bots_approved) == (0.0, None)
    merged(done, "t2", 1, "approved", "findings")
    merged(done, "t3", 2, "approved")
    assert (account(done.facts()).tracked, account(done.facts()).bots_approved) == (0.667, 0.667)


def test_it_reads_well_and_is_json_too(done):
    merged(done, "t2", 7, "approved")
    values = account(done.facts()).values()
    said = say("report", values)
    assert said.startswith("# YOU-1: User dashboard\n\nDone: 1 of 3 tickets merged, 4 turns, $4.00 spent.")
    assert "| runs | 5, 5:10 min of work in 5:00 min |" in said
    assert "| YOU-2 Ticket 2 | #7 merged | 2 | 1:40 | $1.25 |" in said
    assert "| YOU-3 Ticket 3 | – | 1 | 1:40 | $2.00 |" in said
    assert "\n\n| stage | runs | min | cost |\n| --- |" in said
    assert json.loads(json.dumps(values))["tickets"][0]["id"] == "YOU-2"
    assert say("account", values).strip() in say("closing", values)


def test_an_epic_of_which_nothing_is_known_yet(board):
    made = account(board.facts())
    assert (made.runs, made.seconds, made.parallel_over_time, made.tracked) == (0, 0, (), None)
    assert "| runs | 0, 0:00 min of work in 0:00 min |" in say("report", made.values())


def test_a_run_is_remembered_when_its_result_is_taken_in_and_only_the_newest_are_kept(board):
    board.settle()
    began = board.now
    board.set_run(board.runs["epic"][-1].id, started_at=began, finished_at=began + timedelta(seconds=90))
    older = tuple(Ran("plan", each, 1, 0.0) for each in range(MOST_RAN))
    board.change("epic", record=replace(board.issues["epic"].record, ran=older))
    board.end(board.runs["epic"][-1], {"kind": "work_failed", "cost_usd": 0.75, "error": "no"})
    board.settle()
    ran = board.issues["epic"].record.ran
    assert len(ran) == MOST_RAN
    assert ran[-1] == Ran("plan", int(began.timestamp()), 90, 0.75)
