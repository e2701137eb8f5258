"""The demo as a newcomer runs it: the real agent program, real git, the repository's own tests."""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from rich.console import Console

from bot.alone import alone
from bot.machine.errors import UserError
from bot.runs.sandbox import Bubblewrap
from bot.simulator.demo.command import add_arguments, play, run
from bot.simulator.demo.report import report
from bot.simulator.demo.review_story import HELP, MILESTONES, PANEL, REVIEW, STREAKS
from bot.simulator.demo.script import model
from bot.simulator.theatre import POLICY, Plan

ROOT = Path(__file__).parents[2]


def git(repository, *arguments):
    return subprocess.run(
        ["git", *arguments], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()


@dataclass(frozen=True)
class Played:
    """A demo that was played to its end: its report, its folder, what it printed, and the merged repository."""

    report: dict[str, Any]
    home: Path
    output: str

    @property
    def repository(self) -> Path:
        return self.home / "github" / "acme" / "youlab.git"

    def prompts(self) -> list[dict[str, str]]:
        """The header lines of every run, oldest first."""
        files = sorted(self.home.rglob("prompt.md"), key=lambda path: path.stat().st_mtime)
        return [dict(re.findall(r"^([A-Z_]+): ?(.*)$", file.read_text(), re.M)[:9]) for file in files]

    def assert_all_is_well(self, folder: Path) -> None:
        """The merged repository passes its own tests, every run was a real agent's, and nothing broke on the way."""
        transcripts = [path.read_text() for path in self.home.rglob("transcript.jsonl")]
        assert len(transcripts) == self.report["runs"]
        assert all('"session_id"' in transcript for transcript in transcripts)
        git(folder, "clone", "-q", str(self.repository), "merged")
        command = [sys.executable, "-m", "unittest", "discover", "-s", "tests", "-t", "."]
        tests = subprocess.run(command, cwd=folder / "merged", capture_output=True)
        assert tests.returncode == 0, tests.stderr.decode()
        assert "Traceback" not in (self.home / "service.log").read_text()


async def run_demo(folder: Path, *arguments: str) -> Played:
    command = [sys.executable, "-m", "bot.cli", "demo", "--yes", "--report", "report.json", *arguments]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=env, stdout=-1, stderr=-2)
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return Played(json.loads((folder / "report.json").read_text()), folder / ".callboard" / "demo", out.decode())


@pytest.mark.slow
async def test_the_demo_ends_with_every_ticket_merged(tmp_path):
    played = await run_demo(tmp_path)
    told = played.report
    assert len(told["tickets"]) >= 6
    assert all(one["merged"] and one["stage"] == "done" for one in told["tickets"])
    assert told["turns"] <= 3
    assert told["max_parallel"] >= 3
    first = git(played.repository, "log", "--first-parent", "--format=%s", "main").splitlines()
    assert len(first) == len(told["tickets"]) + 1  # one merge per ticket, and the commit that was there
    assert all(subject.startswith("Merge pull request") or re.match(r"YOU-\d+: ", subject) for subject in first[:-1])
    planned = {one["ticket"] for one in told["phases"]}
    assert planned == {one["id"] for one in told["tickets"]} - {told["tickets"][-1]["id"]}  # documentation has no plan
    assert all(one["verified"] and one["commit"] and one["attempts"] == 1 for one in told["phases"])
    played.assert_all_is_well(tmp_path)


@pytest.mark.slow
async def test_a_plan_of_seven_phases_runs_to_its_end_through_a_failing_command_and_a_blocker(tmp_path):
    played = await run_demo(tmp_path, "--scenario", "plan")
    phases = played.report["phases"]
    assert [one["number"] for one in phases] == [1, 2, 3, 4, 5, 6, 7]
    assert [one["attempts"] for one in phases] == [1, 1, 2, 1, 2, 1, 1]
    assert all(one["verified"] and one["commands"] for one in phases)
    assert [(one["stage"], one["merged"]) for one in played.report["tickets"]] == [("done", True)]
    assert played.report["turns"] == 2

    log = git(played.repository, "log", "--reverse", "--format=%H %s", "main").splitlines()
    committed = [tuple(line.split(" ", 1)) for line in log if " Phase " in line]
    assert committed == [(one["commit"], f"Phase {one['number']}: {one['name']}") for one in phases]
    steps = [(one["PROMPT"], one["SCOPE"][:12], one["ATTEMPT"]) for one in played.prompts() if one["SCOPE"]]
    assert [step for step in steps if step[1] == "phase 3 of 7"] == [
        ("implement", "phase 3 of 7", "1"),
        ("fix", "phase 3 of 7", "2"),
        ("review", "phase 3 of 7", "2"),
    ]
    assert [step for step in steps if step[1] == "phase 5 of 7"] == [
        ("implement", "phase 5 of 7", "1"),
        ("review", "phase 5 of 7", "1"),
        ("fix", "phase 5 of 7", "2"),
        ("review", "phase 5 of 7", "2"),
    ]
    assert len(steps) == 5 * 2 + 3 + 4
    plan = git(played.repository, "grep", "-h", "Phase [0-9]: `", "main", "--", "thoughts/shared/plans")
    assert plan.count("was run by the service and passed") == 2  # the slow ones; the worker ticked the others
    assert plan.count("was ticked by the worker") == sum(len(one["commands"]) for one in phases) - 2
    assert "In Dev: fix phase 3 of 7: Write each session as a text file" in played.output
    played.assert_all_is_well(tmp_path)


@dataclass(frozen=True)
class Seen:
    """A demo that was played in this process, so that its simulated worlds can be looked at."""

    show: Any
    report: dict[str, Any]
    home: Path
    logged: list[Any]

    def ticket(self, task):
        return next(one for one in self.show.tickets if one.title == task.title)

    def pull(self, task):
        return self.show.pulls[self.ticket(task).identifier]

    def prompts(self, task, name):
        """What the workers of a task were told by this prompt, oldest first."""
        header = f"TASK_ID: {self.ticket(task).identifier}\n"
        files = sorted(self.home.rglob("prompt.md"), key=lambda path: path.stat().st_mtime)
        texts = [file.read_text() for file in files]
        return [text for text in texts if text.startswith(header) and f"\nPROMPT: {name}\n" in text]

    def git(self, *arguments):
        return git(self.home / "github" / "acme" / "youlab.git", *arguments)


async def watch(folder: Path, scenario: Any) -> Seen:
    walls = "off" if await Bubblewrap().missing() else "bwrap"
    plan = Plan(folder, model(scenario), scenario.files, policy=POLICY + scenario.gates, sandbox=walls)
    with structlog.testing.capture_logs() as logged:
        show = await play(scenario, plan, Console(quiet=True), yes=True, limit=400)
    return Seen(show, await report(show), folder, logged)


def words(said):
    """Who said what, without the hidden marks of our answers."""
    return [(one.user.login, re.sub(r"\s*<!--.*?-->", "", one.body, flags=re.S)) for one in said]


def ends(checks, name):
    """How a check ended on each head, its runs in their order."""
    found: dict[str, list[str]] = {}
    for one in checks:
        if one.name == name:
            found.setdefault(one.suite.head_sha, []).append(one.conclusion)
    return found


@pytest.mark.slow
async def test_all_that_happens_to_pull_requests_in_one_go(tmp_path):
    seen = await watch(tmp_path, REVIEW)
    told, show = seen.report, seen.show
    names = [seen.ticket(task).identifier for task in (STREAKS, PANEL, MILESTONES, HELP)]
    documentation = show.tickets[-1].identifier

    assert show.epic.state.name == "Done"
    assert all(one["merged"] and one["stage"] == "done" for one in told["tickets"])
    assert told["turns"] == 2
    assert told["review_rounds"] == 3
    assert told["fix_runs"] == {"checks": 1, "conflict": 1}
    assert sorted(told["merge_order"]) == sorted([*names, documentation])
    assert told["merge_order"][-1] == documentation
    assert [one for one in told["merge_order"] if one in names[:3]] == names[:3]  # the stack, from below
    assert [one.base_ref for one in show.pulls.values()] == ["main"] * 5
    assert told["runs"] == len(list(tmp_path.rglob("transcript.jsonl")))

    [finding] = seen.pull(STREAKS).threads
    assert finding.comments[0].user.login == "coderabbitai[bot]"
    assert finding.resolved_by
    assert any(STREAKS.reviews[0].remarks[0].answer in text for _, text in words(finding.comments))
    assert "today - last <= DAY" in seen.git("show", "main:youlab/streaks.py")

    bob = [one.state for one in seen.pull(PANEL).reviews if one.user.login == "bob"]
    assert bob == ["CHANGES_REQUESTED", "APPROVED"]
    for thread, remark in zip(seen.pull(PANEL).threads, PANEL.reviews[0].remarks, strict=True):
        (who, said), (we, answered) = words(thread.comments)
        assert (who, said, we) == ("bob", remark.text, "callboard[bot]")
        assert answered.startswith(remark.answer)
    assert len(seen.prompts(PANEL, "feedback")) == 1, "one run for the whole review"
    assert "Ask something today" in seen.git("show", "main:youlab/panels/streak.py")

    [question] = seen.pull(MILESTONES).threads
    (asks, _), (answers, answer) = words(question.comments)
    assert (asks, answers, question.resolved_by.login) == ("alice", "callboard[bot]", "alice")
    assert answer == MILESTONES.reviews[0].remarks[0].answer, "no commit is named, since there is none"

    checks = list(show.theatre.github.repository("acme/youlab").check_runs)
    flaky = [conclusions for conclusions in ends(checks, "browser").values() if "failure" in conclusions]
    assert flaky[-1] == ["failure", "success"]
    assert seen.prompts(PANEL, "fix") == []
    broken = [conclusions for conclusions in ends(checks, "test").values() if "failure" in conclusions]
    assert broken == [["failure", "failure"]], "it was run again before a worker was sent"
    repair, conflict = seen.prompts(HELP, "fix")
    assert "FAIL: test_every_page_of_the_menu_answers" in repair, "the log is told"

    assert "Merge `origin/main` and resolve it" in conflict
    readme = seen.git("show", "main:README.md")
    assert "youlab/pages/help.py" in readme
    assert "`youlab/schema/` | the tables" in readme

    body = show.pulls[documentation].body
    assert "`docs/streaks.md`" in body
    assert "the word streak was missing" in body

    git(tmp_path, "clone", "-q", str(tmp_path / "github" / "acme" / "youlab.git"), "merged")
    command = [sys.executable, "-m", "unittest", "discover", "-s", "tests", "-t", "."]
    tests = subprocess.run(command, cwd=tmp_path / "merged", capture_output=True)
    assert tests.returncode == 0, tests.stderr.decode()
    assert [one for one in seen.logged if one["log_level"] in ("error", "critical")] == []


async def test_a_second_demo_in_the_same_folder_refuses_and_leaves_the_first_one_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    played = tmp_path / ".callboard" / "demo" / "service.log"
    played.parent.mkdir(parents=True)
    played.write_text("the first one's")
    options = argparse.ArgumentParser()
    add_arguments(options)
    with (
        alone(tmp_path / ".callboard" / "demo.lock", "callboard demo"),
        pytest.raises(UserError, match=rf"Another `callboard demo` \(process {os.getpid()}\) is under way here"),
    ):
        await run(options.parse_args(["--yes"]))
    assert played.read_text() == "the first one's"
