"""The tasks of the demo's scenarios fit together: keys, dependencies, files, plans and research."""

import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from bot.machine import plan
from bot.runs.contract import BreakdownOutcome
from bot.simulator.demo import review_story
from bot.simulator.demo.cast import line_of
from bot.simulator.demo.long_plan import EXPORT, PLAN
from bot.simulator.demo.review_story import REVIEW
from bot.simulator.demo.scenario import CODERABBIT, Task
from bot.simulator.demo.story import DOCUMENTATION, EPIC, SPEC, STORY

BY_KEY = {task.key: task for task in STORY}
ALL = BY_KEY | {task.key: task for task in REVIEW.tasks}
REFERENCE = re.compile(r"`([^`\s]+)`\s+\(`([^`]+):(\d+)`")
PATH = re.compile(r"`((?:youlab|tests|docs)/[\w./-]+\.\w+)`")
COMMAND = re.compile(r"^- \[ \] .+: `([^`]+)`$", re.MULTILINE)

every_task_of_the_epic = pytest.mark.parametrize("task", [*STORY, DOCUMENTATION], ids=lambda task: task.key)
reviewed = (*REVIEW.tasks, review_story.DOCUMENTATION)
every_task_of_one_phase_per_file = pytest.mark.parametrize(
    "task", [*STORY, DOCUMENTATION, *reviewed], ids=lambda task: task.key
)
every_task = pytest.mark.parametrize("task", [*STORY, DOCUMENTATION, EXPORT, *reviewed], ids=lambda task: task.key)


def ancestors(task: Task) -> Iterator[Task]:
    """Everything that comes before a task, what comes first first."""
    for key in task.depends_on:
        yield from ancestors(ALL[key])
        yield ALL[key]


def before(task: Task) -> dict[str, str]:
    """The repository as the task finds it."""
    files = dict(EPIC.files)
    for done in ancestors(task):
        files |= done.files
    return files


def test_the_breakdown_is_a_valid_outcome_with_the_tasks_of_the_story() -> None:
    outcome = BreakdownOutcome.model_validate(EPIC.breakdown)
    assert [task.key for task in outcome.tasks] == list(BY_KEY)
    assert outcome.questions == []


def test_keys_are_unique_and_dependencies_come_earlier_in_the_story() -> None:
    assert len(BY_KEY) == len(STORY) == 7
    for index, task in enumerate(STORY):
        assert set(task.depends_on) <= {earlier.key for earlier in STORY[:index]}
    assert DOCUMENTATION.depends_on == tuple(BY_KEY)


def test_several_tasks_can_start_at_once_and_several_wait_for_another() -> None:
    assert sum(not task.depends_on for task in STORY) >= 3
    assert sum(bool(task.depends_on) for task in STORY) >= 2


def test_tasks_that_do_not_depend_on_each_other_touch_no_file_in_common() -> None:
    for one, other in itertools.combinations(STORY, 2):
        if one not in ancestors(other):
            assert not one.files.keys() & other.files.keys(), f"{one.key} and {other.key}"


@every_task
def test_a_task_changes_something_and_stays_inside_the_repository(task: Task) -> None:
    found = before(task)
    for path, content in task.files.items():
        assert not PurePosixPath(path).is_absolute()
        assert ".." not in PurePosixPath(path).parts
        assert content.endswith("\n")
        assert content != found.get(path), f"{path} is as it was"


@every_task_of_one_phase_per_file
def test_each_file_belongs_to_one_phase_of_the_plan(task: Task) -> None:
    named = [path for phase in task.phases for path in phase.files]
    assert sorted(named) == sorted(task.files)
    assert [phase.number for phase in task.phases] == list(range(1, len(task.phases) + 1))


@pytest.mark.parametrize("task", STORY, ids=lambda task: task.key)
def test_a_plan_has_a_few_phases_and_each_brings_tests(task: Task) -> None:
    assert len(task.phases) in {1, 2, 3}
    for phase in task.phases:
        assert any(path.startswith("tests/test_") for path in phase.files), phase.name


@every_task_of_the_epic
def test_each_phase_says_how_it_is_verified(task: Task) -> None:
    first, *rest = re.split(r"^## Phase ", task.plan, flags=re.MULTILINE)
    assert "- [ ]" not in first
    for phase in rest:
        criteria = phase.partition("### Success Criteria\n\n#### Automated Verification:\n")[2]
        commands = COMMAND.findall(criteria)
        assert commands[-1] == "python3 -m unittest discover -s tests -t ."
        assert len(commands) >= 2
    assert "#### Manual Verification:\n- [ ] " in task.plan
    assert "[x]" not in task.plan


@every_task
def test_the_tests_that_a_plan_names_are_there(task: Task) -> None:
    there = before(task) | task.files
    modules = re.findall(r"\btests\.((?:test|check)_\w+)", task.plan)
    assert {f"tests/{name}.py" for name in modules} <= there.keys()
    assert {f"tests/{name}.py" for name in modules} >= {
        path for path in task.files if path.startswith(("tests/test_", "tests/check_"))
    }


@every_task
def test_research_refers_to_lines_that_say_what_it_says(task: Task) -> None:
    documents = task in (DOCUMENTATION, review_story.DOCUMENTATION)
    files = before(task) | dict(task.files) if documents else before(task)
    references = REFERENCE.findall(task.research)
    assert references or documents
    for name, path, line in references:
        assert name in files[path].splitlines()[int(line) - 1], f"{path}:{line} is not about {name}"
    for path in PATH.findall(task.research):
        assert path in files


@pytest.mark.parametrize("task", [DOCUMENTATION, review_story.DOCUMENTATION], ids=lambda task: task.key)
def test_the_documentation_names_only_files_that_are_there(task: Task) -> None:
    there = before(task) | dict(task.files)
    for path in task.files:
        for named in PATH.findall(there[path]):
            assert named in there, f"{path} names {named}"


def test_the_spec_asks_for_what_the_story_builds() -> None:
    assert SPEC.startswith("# User Dashboard\n")
    words = ("total sessions", "average", "chart", "theme", "notification", "api key", "recent", "date", "search")
    story = " ".join(f"{task.title} {task.description}".lower() for task in STORY)
    for word in words:
        assert word in SPEC.lower()
        assert word in story


def test_the_long_plan_has_seven_phases_and_no_finding() -> None:
    planned = plan.read(EXPORT.plan)
    assert [phase.number for phase in planned.phases] == [1, 2, 3, 4, 5, 6, 7]
    assert planned.findings == ()
    assert sum(bool(phase.manual) for phase in planned.phases) == 2
    assert PLAN.tasks == (EXPORT,)
    assert BreakdownOutcome.model_validate(PLAN.breakdown).tasks[0].title == EXPORT.title


def test_every_file_of_the_long_plan_is_named_by_its_phases() -> None:
    named = {path for phase in EXPORT.phases for path in phase.files}
    assert named == EXPORT.files.keys()
    for phase in EXPORT.phases:
        assert phase.first.keys() <= phase.files.keys()
        assert bool(phase.first) == bool(phase.mistake)
        for path, content in phase.first.items():
            assert content != phase.files[path], f"{path} has no mistake"


def test_a_file_that_two_phases_name_is_another_one_in_each() -> None:
    for one, later in itertools.combinations(EXPORT.phases, 2):
        for path in one.files.keys() & later.files.keys():
            assert one.files[path] != later.files[path], f"{path} in phases {one.number} and {later.number}"


def test_the_worker_leaves_the_slow_commands_to_the_service_and_ticks_at_least_one_of_each_phase() -> None:
    planned = plan.read(EXPORT.plan)
    left = {phase.number: set(phase.automated) - set(EXPORT.phases[phase.number - 1].run) for phase in planned.phases}
    assert [number for number, items in left.items() if items] == [3, 7]
    assert all(phase.run for phase in EXPORT.phases)


def test_blockers_point_at_the_line_they_are_about() -> None:
    phase = EXPORT.phases[4]
    assert phase.mistake is not None
    path, line = re.findall(r"(\S+\.py):(\d+):", phase.mistake.blockers[0])[0]
    assert "conversation.title" in phase.first[path].splitlines()[int(line) - 1]


def test_the_review_is_a_stack_of_three_and_one_that_stands_alone() -> None:
    assert [task.depends_on for task in REVIEW.tasks] == [(), ("streaks",), ("streak-panel",), ()]
    assert BreakdownOutcome.model_validate(REVIEW.breakdown).questions == []
    assert REVIEW.documentation is not None
    assert REVIEW.documentation.depends_on == tuple(task.key for task in REVIEW.tasks)


@pytest.mark.parametrize("task", REVIEW.tasks, ids=lambda task: task.key)
def test_a_remark_stands_on_one_line_and_what_is_changed_for_it_is_another_file_then(task: Task) -> None:
    used = set(task.repairs)
    for review in task.reviews:
        used |= {review.later} - {""}
        assert bool(review.later) == bool(review.summary) == any(one.resolved for one in review.remarks)
        for remark in review.remarks:
            lines = task.files[remark.path].splitlines()
            assert [number for number, line in enumerate(lines, 1) if remark.at in line] == [line_of(task, remark)]
    assert used == task.later.keys()
    for files in task.later.values():
        assert all(content != task.files.get(path) for path, content in files.items())


def test_only_a_scenario_with_a_review_bot_waits_for_its_word() -> None:
    assert tomllib.loads(REVIEW.gates)["review_bots"] == [CODERABBIT]
    assert tomllib.loads(EPIC.gates) == {"documentation": True}
