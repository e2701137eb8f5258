"""The demo as a newcomer runs it: the real agent program, real git, the repository's own tests."""

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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


async def play(folder: Path, *arguments: str) -> Played:
    command = [sys.executable, "-m", "bot.cli", "demo", "--yes", "--report", "report.json", *arguments]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=env, stdout=-1, stderr=-2)
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return Played(json.loads((folder / "report.json").read_text()), folder / ".callboard" / "demo", out.decode())


@pytest.mark.slow
async def test_the_demo_ends_with_every_ticket_merged(tmp_path):
    played = await play(tmp_path)
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
    played = await play(tmp_path, "--scenario", "plan")
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
