"""The demo's repository works: before the epic, after every phase of every task, and when all is merged.

The mistakes of the long plan are mistakes: what is to find them does.
"""

import importlib
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.machine import plan
from bot.simulator.demo import review_story
from bot.simulator.demo.long_plan import EXPORT, PLAN
from bot.simulator.demo.review_story import HELP, REVIEW
from bot.simulator.demo.scenario import Phase, Task
from bot.simulator.demo.story import DOCUMENTATION, EPIC, STORY

ALL_TESTS = "python3 -m unittest discover -s tests -t ."
BY_KEY = {task.key: task for task in (*STORY, *REVIEW.tasks)}


def write(folder: Path, files: Mapping[str, str]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")


def write_with_dependencies(folder: Path, task: Task) -> None:
    for key in task.depends_on:
        write_with_dependencies(folder, BY_KEY[key])
        write(folder, BY_KEY[key].files)


def assert_tests_pass(folder: Path) -> int:
    """Run the repository's own tests as its plans say; return how many there were."""
    ended = run(ALL_TESTS, folder)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stderr.partition("Ran ")[2].split()[0])


def run(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command of a plan, with this Python."""
    command = command.replace("python3", shlex.quote(sys.executable))
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def written_tests(folder: Path) -> int:
    return sum(path.read_text(encoding="utf-8").count("    def test_") for path in folder.glob("tests/*.py"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write(tmp_path, EPIC.files)
    return tmp_path


def test_the_repository_passes_its_tests_before_the_epic(repository: Path) -> None:
    assert assert_tests_pass(repository) > 20


@pytest.mark.parametrize("task", STORY, ids=lambda task: task.key)
def test_after_each_phase_of_a_task_there_are_more_tests_and_they_pass(repository: Path, task: Task) -> None:
    write_with_dependencies(repository, task)
    for phase in task.phases:
        count = written_tests(repository)
        write(repository, phase.files)
        assert assert_tests_pass(repository) == written_tests(repository) > count, f"phase {phase.number}"


def test_tasks_can_be_merged_in_another_order_and_pass_every_time(repository: Path) -> None:
    waiting, merged = list(reversed(STORY)), set[str]()
    while waiting:
        task = next(task for task in waiting if set(task.depends_on) <= merged)
        waiting.remove(task)
        write(repository, task.files)
        merged.add(task.key)
        assert_tests_pass(repository)
    write(repository, DOCUMENTATION.files)
    assert assert_tests_pass(repository) > 80


def test_each_phase_of_the_long_plan_passes_its_verification_on_top_of_the_one_before(repository: Path) -> None:
    count = written_tests(repository)
    for phase in plan.read(EXPORT.plan).phases:
        write(repository, EXPORT.phases[phase.number - 1].files)
        for command in dict.fromkeys([*(item.command for item in phase.automated), ALL_TESTS]):
            ended = run(command, repository)
            assert ended.returncode == 0, ended.stderr
        before, count = count, written_tests(repository)
        assert count > before, f"phase {phase.number} brings no test"
    everything = {**PLAN.files, **EXPORT.files}
    assert all((repository / path).read_text(encoding="utf-8") == content for path, content in everything.items())


def until(repository: Path, number: int) -> Phase:
    """The repository as the first run of a phase leaves it, mistakes included."""
    for phase in EXPORT.phases[:number]:
        write(repository, phase.files)
    phase = EXPORT.phases[number - 1]
    write(repository, phase.first)
    return phase


def test_the_mistake_in_phase_3_passes_what_the_worker_ticks_and_fails_what_the_service_runs(repository: Path) -> None:
    phase = until(repository, 3)
    codes = {item: run(item.command, repository).returncode for item in plan.read(EXPORT.plan).phase(3).automated}
    assert [codes.pop(item) for item in phase.run] == [0]
    assert list(codes.values()) == [1]
    assert_tests_pass(repository)


def test_the_mistake_in_phase_5_passes_every_command_and_the_review_can_show_it(repository: Path) -> None:
    phase = until(repository, 5)
    assert phase.mistake is not None
    assert [run(item.command, repository).returncode for item in plan.read(EXPORT.plan).phase(5).automated] == [0]
    assert_tests_pass(repository)
    assert run(phase.mistake.shown_by, repository).stdout.startswith("=HYPERLINK(")
    write(repository, phase.files)
    assert run(phase.mistake.shown_by, repository).stdout.startswith("'=HYPERLINK(")


@pytest.mark.parametrize("number", [3, 5])
def test_the_tests_that_a_repair_brings_fail_without_the_repair(repository: Path, number: int) -> None:
    phase = until(repository, number)
    write(repository, {path: content for path, content in phase.files.items() if path.startswith("tests/test_")})
    assert [run(item.command, repository).returncode for item in phase.run] == [1]


def test_the_stack_of_the_review_passes_its_tests_from_below_and_after_every_review(repository: Path) -> None:
    counts = [written_tests(repository)]
    for task in REVIEW.tasks[:3]:
        for files in (task.files, *task.later.values()):
            write(repository, files)
            counts.append(assert_tests_pass(repository))
    assert counts == sorted(set(counts)), "each brings tests of its own"


@pytest.mark.parametrize("task", [task for task in REVIEW.tasks if task.reviews], ids=lambda task: task.key)
def test_the_tests_that_a_review_brings_fail_without_what_it_changes(repository: Path, task: Task) -> None:
    write_with_dependencies(repository, task)
    write(repository, task.files)
    for files in task.later.values():
        write(repository, {path: content for path, content in files.items() if path.startswith("tests/")})
        assert run(ALL_TESTS, repository).returncode == 1


def test_the_page_of_help_passes_what_its_plan_asks_for_and_breaks_the_test_of_the_menu(repository: Path) -> None:
    write(repository, HELP.files)
    assert [run(item.command, repository).returncode for item in HELP.phases[0].run] == [0]
    failed = run(ALL_TESTS, repository)
    assert failed.returncode == 1
    assert "FAIL: test_every_page_of_the_menu_answers" in failed.stderr
    write(repository, HELP.later["checks"])
    assert_tests_pass(repository)


def test_what_bob_pushes_clashes_with_the_page_of_help_and_its_solution_keeps_both(tmp_path: Path) -> None:
    def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
        identity = ("-c", "user.name=x", "-c", "user.email=x@localhost")
        return subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True)

    def commit(files: Mapping[str, str]) -> None:
        write(tmp_path, files)
        git("add", "-A")
        git("commit", "-q", "-m", "x")

    assert HELP.push is not None
    git("init", "-q", "-b", "main")
    commit(REVIEW.files)
    git("switch", "-q", "-c", "help")
    commit(HELP.files)
    git("switch", "-q", "main")
    commit(HELP.push.files)
    clash = git("merge", "help")
    assert (clash.returncode, "CONFLICT (content): Merge conflict in README.md" in clash.stdout) == (1, True)
    [(path, solved)] = HELP.later["conflict"].items()
    lines = [set(one.splitlines()) for one in (HELP.files[path], HELP.push.files[path], REVIEW.files[path])]
    assert set(solved.splitlines()) == lines[0] | lines[1]
    assert lines[0] - lines[1]
    assert lines[1] - lines[2]


def test_the_documentation_of_the_streaks_fits_what_bob_pushed(repository: Path) -> None:
    assert HELP.push is not None
    assert not HELP.push.files.keys() & review_story.DOCUMENTATION.files.keys()
    write_with_dependencies(repository, review_story.DOCUMENTATION)
    write(repository, {**HELP.later["checks"], **review_story.DOCUMENTATION.files})
    for item in review_story.DOCUMENTATION.phases[0].run:
        assert run(item.command, repository).returncode == 0, item.command


@pytest.fixture
def youlab(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The finished application's test support, imported into this process and out of it again."""
    for task in STORY:
        write(repository, task.files)
    others = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in {"youlab", "tests"}}
    for name in others:
        del sys.modules[name]
    monkeypatch.syspath_prepend(repository)
    try:
        yield importlib.import_module
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in {"youlab", "tests"}]:
            del sys.modules[name]
        sys.modules.update(others)


def test_the_finished_dashboard_shows_figures_chart_and_feed(repository: Path, youlab: Any) -> None:
    support, sample = youlab("tests.support"), youlab("youlab.sample")
    path = repository / "demo.db"
    app = youlab("youlab.app").App(path, clock=lambda: support.NOW)
    with youlab("youlab.database").opened(path) as connection:
        sample.fill_if_empty(connection, support.NOW)
    browser = support.Browser(app)
    assert browser.post("/login", name="ada", password="lovelace").location == "/dashboard"

    text = browser.get("/dashboard").text

    panels = ["<h2>Your sessions</h2>", "<h2>Activity</h2>", "<h2>Recent conversations</h2>"]
    places = [text.index(panel) for panel in panels]
    assert places == sorted(places)
    assert "<dt>Total sessions</dt><dd>55</dd>" in text
    assert text.count("<rect ") > 10
    assert text.count('<a href="/conversation?id=') == 5
    settings = browser.get("/settings").text
    assert [name in settings for name in ("<h2>Theme</h2>", "<h2>Notifications</h2>", "<h2>API keys</h2>")] == [
        True
    ] * 3
    assert "Search" in browser.get("/activity").text
