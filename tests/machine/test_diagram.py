"""The README's picture of the stages is what the code does."""

import re
from pathlib import Path

from bot.machine.comments import SAYINGS
from bot.machine.facts import Rules
from bot.machine.pull_request import Checks
from bot.machine.stages import Stage

README = (Path(__file__).parents[2] / "README.md").read_text()


def drawn():
    arrows = re.findall(r"^ +(\w+) --> (\w+)", README, re.M)
    assert {name for arrow in arrows for name in arrow} == {str(stage) for stage in Stage} - {"canceled"}
    return set(arrows)


def test_every_arrow_is_walked_and_every_step_is_drawn(boards):
    walked = set()

    def play(**settings):
        board = boards(**settings)
        board.walked = walked
        return board

    def approve(board):
        board.settle().work()
        board.comments("epic", "approve")
        return board.settle()

    board = approve(play(rules=Rules(plan_by_person=True)))
    board.work(2)
    board.comments("feed", "smaller, please")
    board.settle().work()
    board.comments("feed", "approve")
    board.comments("storage", "approve")
    board.settle().begin()
    plan = {"path": "plan.md", "digest": "other", "commit": "c"}
    board.finish(changed_plan=plan, head=None)
    board = approve(play())
    board.checks = Checks.PENDING
    board.work(3)
    board.comments("feed", "again")
    board.settle().work()
    board.checks = Checks.GREEN
    for pull in list(board.pulls.values()):
        board.pull(pull.number, checks=Checks.GREEN)
    board.settle()
    board.comments("feed", "once more")
    board.settle().work()
    board.pull(board.pulls["feed"].number, checks=Checks.RED, failing=("tests",))
    board.settle()
    board.pull(board.pulls["feed"].number, checks=Checks.RED, merged=True, open=False)
    board.settle()
    while board.orders[-1].prompt != "documentation":
        board.work()
    board.begin().finish(nothing_to_do=True, head=None)
    board.comments("epic", "merge")
    board.settle()
    board = play()
    board.add("one", "YOU-2", "By hand", "By a person")
    board.settle()
    board.comments("epic", "approve")
    board.settle().work(4)
    board.comments("epic", "approve")
    board.settle()
    assert board.stage("epic") is Stage.DONE
    assert walked == drawn()


def test_the_words_for_comments_are_those_of_the_parser():
    rows = re.findall(r"^\| (`.+`) \| (.+) \|$", README.split("### Comments")[1].split("##")[0], re.M)
    said = [spelling for spellings, _ in rows for spelling in re.findall(r"`([^`]+)`", spellings)]
    assert said == [spelling for saying in SAYINGS for spelling in saying.spellings]
