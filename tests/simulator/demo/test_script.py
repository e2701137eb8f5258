"""What the scripted model does in a step of the implementation loop."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.machine import plan
from bot.runs.prompting import quoted
from bot.simulator.demo.long_plan import EXPORT, PLAN
from bot.simulator.demo.review_story import HELP, MILESTONES, PANEL, REVIEW, STREAKS
from bot.simulator.demo.scenario import Task
from bot.simulator.demo.script import script
from bot.simulator.model import Answer, Asked


def answers(prompt: str, phase: int, *, attempt: int = 1, said: int = 0, results: Sequence[str] = ()) -> list[Answer]:
    """Everything the model says in a run; `said` is how many answers it gave already."""
    header = {"TITLE": EXPORT.title, "PROMPT": prompt, "SCOPE": f"phase {phase} of 7: Name", "ATTEMPT": str(attempt)}
    text = f"The change is `git diff {'a' * 40}...HEAD`. The plan file is `thoughts/plan.md`."
    given = script(PLAN)(Asked(header, text, "/", said, (), "opus", tuple(results)))
    assert given is not None
    return list(given)


def written(answer: Answer) -> dict[str, str]:
    return {block.path: block.input["content"] for block in answer.blocks}


@pytest.mark.parametrize("phase", EXPORT.phases, ids=lambda phase: str(phase.number))
def test_the_worker_ticks_exactly_the_boxes_of_what_it_ran(phase, tmp_path: Path) -> None:
    (tmp_path / "thoughts").mkdir()
    file = tmp_path / "thoughts" / "plan.md"
    file.write_text(EXPORT.plan)
    for item, block in zip(phase.run, answers("implement", phase.number)[1].blocks, strict=True):
        command = block.input["command"]
        assert command.startswith(f"{item.command} && ")
        subprocess.run(command.replace(item.command, "true", 1), shell=True, cwd=tmp_path, check=True)
    assert file.read_text() == plan.tick(EXPORT.plan, phase.run)


def test_a_box_stays_empty_when_its_command_fails(tmp_path: Path) -> None:
    (tmp_path / "thoughts").mkdir()
    file = tmp_path / "thoughts" / "plan.md"
    file.write_text(EXPORT.plan)
    item, block = EXPORT.phases[0].run[0], answers("implement", 1)[1].blocks[0]
    subprocess.run(block.input["command"].replace(item.command, "false", 1), shell=True, cwd=tmp_path)
    assert file.read_text() == EXPORT.plan


def test_what_is_implemented_has_the_mistake_and_what_is_fixed_has_not() -> None:
    phase = EXPORT.phases[2]
    first, repaired = written(answers("implement", 3)[0]), written(answers("fix", 3, attempt=2)[0])
    assert first == {**phase.files, **phase.first}
    assert repaired == {path: phase.files[path] for path in phase.first}


def test_the_first_review_of_phase_5_finds_blockers_and_the_second_approves() -> None:
    first, second = answers("review", 5)[-1], answers("review", 5, attempt=2)[-1]
    assert [answer.blocks[0].input["verdict"] for answer in (first, second)] == ["blockers", "approved"]
    assert len(first.blocks[0].input["blockers"]) == 2
    assert answers("review", 3)[-1].blocks[0].input["verdict"] == "approved"


def test_a_failing_command_is_no_success() -> None:
    outcomes = [
        answers("implement", 1, said=2, results=[result])[-1].blocks[0].input["status"]
        for result in ("Ran 4 tests\n\nOK", "Ran 4 tests\n\nFAILED (failures=1)")
    ]
    assert outcomes == ["success", "failure"]


def on_the_pull_request(
    prompt: str, task: Task, text: str, *, said: int = 0, results: Sequence[str] = ()
) -> list[Answer]:
    """Everything the model says in a run on the pull request of a task."""
    asked = Asked({"TITLE": task.title, "PROMPT": prompt}, text, "/", said, (), "opus", tuple(results))
    given = script(REVIEW)(asked)
    assert given is not None
    return list(given)


def shown(*threads: dict[str, object]) -> str:
    return "\n\n".join(quoted(thread, f"thread {number}") for number, thread in enumerate(threads, 1))


def test_a_review_is_answered_thread_by_thread_and_its_files_are_written_once() -> None:
    [review] = PANEL.reviews
    threads = [
        {"thread_id": f"T{number}", "remarks": [{"by": "bob", "says": one.text}]}
        for number, one in enumerate(review.remarks)
    ]
    answers = on_the_pull_request("feedback", PANEL, shown(*threads, {"thread_id": "R", "review": review.body}))
    assert written(answers[0]) == PANEL.later["bob"]
    outcome = answers[-1].blocks[0].input
    told = {one["thread_id"]: (one["body"], one["resolved"]) for one in outcome["replies"]}
    assert told == {
        "T0": (review.remarks[0].answer, True),
        "T1": (review.remarks[1].answer, True),
        "R": (review.answer, True),
    }
    assert (outcome["status"], outcome["summary"]) == ("success", review.summary)


def test_a_finding_of_the_review_bot_is_known_among_its_own_words() -> None:
    [remark] = STREAKS.reviews[0].remarks
    finding = {"thread_id": "F", "path": remark.path, "finding": f"**{remark.text}**\n\nPrompt: …"}
    answers = on_the_pull_request("feedback", STREAKS, shown(finding))
    assert written(answers[0]) == STREAKS.later["coderabbit"]


def test_a_question_is_answered_and_nothing_is_written() -> None:
    [remark] = MILESTONES.reviews[0].remarks
    asked = {"thread_id": "Q", "remarks": [{"by": "alice", "says": remark.text}]}
    answers = on_the_pull_request("feedback", MILESTONES, shown(asked))
    assert not any(block.path for answer in answers for block in answer.blocks)
    [reply] = answers[-1].blocks[0].input["replies"]
    assert (reply["body"], reply["resolved"]) == (remark.answer, False)


def test_what_nobody_prepared_is_not_claimed_to_be_done() -> None:
    answers = on_the_pull_request("feedback", HELP, shown({"thread_id": "X", "remarks": [{"says": "Paint it red"}]}))
    [reply] = answers[-1].blocks[0].input["replies"]
    assert reply["resolved"] is False


@pytest.mark.parametrize(
    ("finding", "kind", "look"),
    [
        ("The check “test” ended with failure.", "checks", "unittest discover"),
        ("It conflicts. Merge `origin/main` and resolve it.", "conflict", "git merge origin/main"),
    ],
)
def test_checks_are_repaired_and_conflicts_resolved(finding: str, kind: str, look: str) -> None:
    answers = on_the_pull_request("fix", HELP, finding)
    assert look in answers[0].blocks[0].input["command"]
    assert written(answers[1]) == HELP.later[kind]
    assert answers[-1].blocks[0].input["summary"] == HELP.repairs[kind]
    failed = on_the_pull_request("fix", HELP, finding, said=3, results=["FAILED (failures=1)"])
    assert failed[-1].blocks[0].input["status"] == "failure"
