"""The implementation loop with the real agent: how a plan gets done, phase by phase."""

from typing import Any

import pytest

from bot.simulator.model import runs, writes

pytestmark = pytest.mark.slow
Lab = Any


async def test_all_green_at_once(lab: Lab) -> None:
    lab.has_real_reviews()
    lab.plan(lexer=["test -f lexer.py", "grep lexer README.md"], parser=["test -f parser.py"])
    lab.agent("implement 1", writes("lexer.py", "1\n"), runs("echo lexer >> README.md"), lab.ticks("test -f lexer.py"))
    lab.agent("implement 2", writes("parser.py", "2\n"), summary="It parses.")
    result = await lab.goes_on()
    assert lab.model.steps == ["implement 1", "review 1", "implement 2", "review 2"]
    assert lab.remote.log() == ["YOU-2: plan", "Phase 1: Add the lexer", "Phase 2: Add the parser"]
    assert lab.remote.log("%an <%ae>")[1:] == ["callboard[bot] <1+callboard[bot]@users.noreply.github.com>"] * 2
    assert lab.remote.files("agent/YOU-2~1") == ["lexer.py"]
    assert lab.remote.files() == ["lexer.py", "parser.py"]
    assert not any(phase.unticked for phase in lab.read_plan().phases)
    assert lab.ran == ["grep lexer README.md", "test -f parser.py"], "what the worker ticked is believed"
    completed = result["completed"]
    assert completed["by_worker"] == ["test -f lexer.py"]
    assert [(one["phase"], one["code"], one["output"]) for one in completed["receipts"]] == [
        (1, 0, "lexer"),
        (2, 0, ""),
    ]
    assert [one["commit"] for one in completed["receipts"]] == lab.remote.log("%H")[1:]
    assert "It parses." in lab.remote.git("log", "-1", "--format=%b", "agent/YOU-2")
    assert result["cost_usd"] > 0


async def test_a_failing_command_is_fixed_on_the_second_attempt(lab: Lab) -> None:
    lab.plan(lexer=["test -f lexer.py", "cat tests.txt"])
    lab.agent("implement 1", writes("lexer.py", "1\n"))
    lab.agent("fix 1", writes("tests.txt", "4 passed\n"))
    result = await lab.goes_on()
    assert lab.model.steps == ["implement 1", "fix 1"]
    told = lab.model.asked[1].text
    assert "The command `cat tests.txt` failed (exit code 1)" in told
    assert "cat: tests.txt: No such file or directory" in told
    assert "# Plan: a parser" not in told, "a fix gets only the findings"
    assert lab.ran == ["test -f lexer.py", "cat tests.txt", "cat tests.txt"]
    assert [one["attempts"] for one in result["loop"]["phases"]] == [2]
    assert "Callboard-Attempt: 2" in lab.remote.git("log", "-1", "--format=%B", "agent/YOU-2")
    assert lab.remote.log() == ["YOU-2: plan", "Phase 1: Add the lexer"]


async def test_blockers_of_the_review_are_fixed_and_reviewed_again(lab: Lab) -> None:
    lab.has_real_reviews()
    lab.plan(lexer=["test -f lexer.py"])
    lab.agent("implement 1", writes("lexer.py", "1 / 0\n"))
    lab.agent("review 1", runs("git diff HEAD~1...HEAD"), verdict="blockers", blockers=["lexer.py:1 divides by zero"])
    lab.agent("review 1", runs("cat lexer.py"), verdict="approved")
    lab.agent("fix 1", writes("lexer.py", "1 / 1\n"))
    result = await lab.goes_on()
    assert lab.model.steps == ["implement 1", "review 1", "fix 1", "review 1"]
    assert "+1 / 0" in "\n".join(lab.model.tools), "a review sees the work in hand"
    assert "lexer.py:1 divides by zero" in lab.model.asked[2].text
    assert lab.model.tools[-1] == "1 / 1"
    assert lab.remote.show("lexer.py") == "1 / 1"
    assert [one["attempts"] for one in result["loop"]["phases"]] == [2]


async def test_retries_used_up_is_blocked_and_a_persons_retry_goes_on_from_there(lab: Lab) -> None:
    lab.rules["max_retries"] = 1
    lab.plan(lexer=["test -f lexer.py", "cat tests.txt"])
    lab.agent("implement 1", writes("lexer.py", "1\n"))
    lab.agent("fix 1", runs("echo looked >> notes.txt"))
    lab.agent("fix 1", runs("cat notes.txt"), writes("tests.txt", "4 passed\n"))
    result = await lab.goes_on()
    assert (result["kind"], result["attempts"]) == ("blocked", 2)
    assert result["tried"] == ["Verification failed: `cat tests.txt`"] * 2
    assert "No such file or directory" in result["error"]
    assert lab.remote.log() == ["YOU-2: plan"]
    lab.starts_anew()
    assert (await lab.once())["kind"] == "blocked", "without a person's word nothing is tried again"
    result = await lab.goes_on(resume=True)
    assert lab.model.steps == ["implement 1", "fix 1", "fix 1"], "what is done is not done again"
    assert lab.model.tools[-2] == "looked", "also what a failed attempt left is there"
    assert lab.ran.count("test -f lexer.py") == 1
    assert lab.remote.files() == ["lexer.py", "notes.txt", "tests.txt"]
    assert "completed" in result


async def test_a_question_is_answered_by_a_comment(lab: Lab) -> None:
    lab.plan(lexer=["test -f lexer.py"])
    question = {"status": "needs_input", "question": "Which grammar?", "options": ["LL", "LR"]}
    lab.agent("implement 1", writes("half.py", "half\n"), **question)
    lab.agent("implement 1", runs("mv half.py lexer.py; cat lexer.py"))
    result = await lab.goes_on()
    assert (result["kind"], result["outcome"]) == (
        "needs_input",
        {"question": "Which grammar?", "options": ["LL", "LR"]},
    )
    assert result["told"] is True
    lab.starts_anew()
    assert (await lab.once())["kind"] == "needs_input", "a question stands until somebody answers"
    lab.guidance = [{"author": "Alice", "body": "LL, it is small.", "at": "2026-11-21T10:00:00+00:00"}]
    assert (await lab.once(resume=True, wishes=("comment-1",)))["told"] is True
    lab.guidance = []
    result = await lab.goes_on()
    assert lab.model.steps == ["implement 1", "implement 1"]
    assert "LL, it is small." in lab.model.asked[1].text
    assert "half" in lab.model.tools, "what stood is kept"
    assert lab.remote.files() == ["lexer.py"]
    assert [one["attempts"] for one in result["loop"]["phases"]] == [1], "to ask is not to fail"


async def test_it_is_one_commit_per_phase_whether_the_agent_makes_none_or_five_or_has_nothing_to_do(lab: Lab) -> None:
    lab.plan(lexer=["test -f lexer.py"], parser=["test -f parser.py"], nothing=["test -f README.md"])
    lab.agent("implement 1", writes("lexer.py", "1\n"))
    five = "for n in 1 2 3 4 5; do echo $n >> parser.py; git add -A; git commit -qm 'Phase 3: mine'; done"
    lab.agent("implement 2", runs(five))
    lab.agent("implement 3", summary="It was there already.")
    result = await lab.goes_on()
    assert lab.remote.log() == [
        "YOU-2: plan", "Phase 1: Add the lexer", "Phase 2: Add the parser", "Phase 3: Add the nothing"
    ]  # fmt: skip
    assert lab.remote.show("parser.py").split() == ["1", "2", "3", "4", "5"]
    assert lab.remote.git("diff", "--name-only", "agent/YOU-2~1", "agent/YOU-2") == "thoughts/shared/plans/plan.md"
    assert [one["attempts"] for one in result["loop"]["phases"]] == [1, 1, 1], "nothing to change is no failure"


async def test_a_stage_keeps_going_until_the_promise(lab: Lab) -> None:
    lab.rules["agents"]["implement"] = {"max_iterations": 4, "completion_promise": "ALL_DONE"}
    lab.plan(lexer=["test -f lexer.py"])
    lab.agent("implement 1", runs("echo half > lexer.py; echo x > ~/left"), summary="Half of it; ALL_DONE soon.")
    lab.agent("implement 1", runs("cat lexer.py; ls ~; echo whole > lexer.py"), promise="ALL_DONE")
    first = await lab.once()
    assert (first["iterations"], first["stopped_because"]) == (2, "completed")
    result = await lab.goes_on()
    assert lab.model.steps == ["implement 1", "implement 1"]
    assert lab.model.asked[0].text == lab.model.asked[1].text
    assert "ALL_DONE" in lab.model.asked[0].text
    assert lab.model.tools[-1] == "half\ntmp", "the files of the one before, and nothing else of it"
    assert lab.remote.log() == ["YOU-2: plan", "Phase 1: Add the lexer"]
    assert lab.remote.show("lexer.py") == "whole"
    assert [one["attempts"] for one in result["loop"]["phases"]] == [1]


async def test_a_stage_that_never_keeps_its_promise_is_out_of_iterations(lab: Lab) -> None:
    lab.rules["agents"]["implement"] = {"max_iterations": 2, "completion_promise": "ALL_DONE"}
    lab.rules["max_retries"] = 0
    lab.plan(lexer=["test -f lexer.py"])
    lab.agent("implement 1", runs("echo more >> lexer.py"))
    result = await lab.once()
    assert (result["kind"], result["iterations"]) == ("blocked", 2)
    assert "out of iterations: the agent ended 2 times" in result["error"]
    assert lab.ran == []
    assert lab.remote.log() == ["YOU-2: plan"]
