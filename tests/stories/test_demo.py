"""The demo as a newcomer runs it: the real agent program, real git, the repository's own tests."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def git(repository, *arguments):
    return subprocess.run(
        ["git", *arguments], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.slow
async def test_the_demo_ends_with_every_ticket_merged(tmp_path):
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "bot.cli", "demo", "--yes", "--report", str(report)]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=env, stdout=-1, stderr=-2)
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    told = json.loads(report.read_text())
    assert len(told["tickets"]) >= 6
    assert all(one["merged"] and one["stage"] == "done" for one in told["tickets"])
    assert told["turns"] <= 3
    assert told["max_parallel"] >= 3
    home = tmp_path / ".callboard" / "demo"
    repository = home / "github" / "acme" / "youlab.git"
    first = git(repository, "log", "--first-parent", "--format=%s", "main").splitlines()
    assert len(first) == len(told["tickets"]) + 1  # one merge per ticket, and the commit that was there
    assert all(subject.startswith("Merge pull request") or re.match(r"YOU-\d+: ", subject) for subject in first[:-1])
    transcripts = [path.read_text() for path in home.rglob("transcript.jsonl")]
    assert len(transcripts) == told["runs"]
    assert all('"session_id"' in transcript for transcript in transcripts)
    merged = tmp_path / "merged"
    git(tmp_path, "clone", "-q", str(repository), str(merged))
    tests = subprocess.run(
        [sys.executable, "-m", "unittest", "discover", "-s", "tests", "-t", "."], cwd=merged, capture_output=True
    )
    assert tests.returncode == 0, tests.stderr.decode()
    log = (home / "service.log").read_text()
    assert "Traceback" not in log
