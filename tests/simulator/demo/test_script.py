"""What the scripted model does in a step of the implementation loop."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.machine import plan
from bot.simulator.demo.long_plan import EXPORT, PLAN
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
