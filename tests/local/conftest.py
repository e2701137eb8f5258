"""A person's repository with a plan in it, and `callboard plan` as they type it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main

HERE = Path(__file__).parents[2]
AGENT = Path(__file__).with_name("agent.py")
PYTHON = Path(sys.base_prefix) / "bin" / "python3"
FILE = "plans/parser.md"
PLAN = """# A parser

## Phase 1: Add the lexer

#### Automated Verification:
- [ ] Lexer tests pass: `test -f lexer.py`
- [ ] Style: `test ! -f ugly`

## Phase 2: Add the parser

#### Automated Verification:
- [ ] Parser tests pass: `test -f parser.py`

#### Manual Verification:
- [ ] It feels quick
"""
SMALL = PLAN.split("\n## Phase 2")[0]
POLICY = """
[agent]
runtime = "command"
command = ["{python}", "{agent}"]
[sandbox]
read_only = ["{folder}"]
[limits]
verify_minutes = 1
"""
SCRIPT = {"implement 1": "write('lexer.py'); tick('Lexer tests pass')", "implement 2": "write('parser.py')"}


@dataclass
class Desk:
    """Where a person sits."""

    home: Path
    tools: Path
    capsys: Any

    @property
    def root(self) -> Path:
        return self.home / "youlab"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "CALLBOARD_CONFIG": str(self.tools / "callboard.toml"),
        }

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: dict[str, str], message: str = "change") -> str:
        for name, content in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(content)
            self.git("add", name)
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def script(self, **more: str) -> None:
        """What the agent does; in a key `_` stands for a blank."""
        steps = SCRIPT | {key.replace("_", " "): value for key, value in more.items()}
        (self.tools / "script.json").write_text(json.dumps(steps))

    def policy(self, more: str = "") -> None:
        text = POLICY.format(python=PYTHON, agent=self.tools / "agent.py", folder=self.tools)
        (self.tools / "callboard.toml").write_text(text + more)

    def small(self) -> None:
        """Only the first phase is planned."""
        self.commit({FILE: SMALL}, "A smaller plan")

    def plan(self, *arguments: str) -> tuple[int, str]:
        """Type `callboard plan …`: the exit code, and all that was printed."""
        self.capsys.readouterr()
        code = main(["plan", *arguments])
        out, err = self.capsys.readouterr()
        return code, out + err

    def types(self, *arguments: str) -> tuple[int, str]:
        """Type a command in a process of its own."""
        command = [sys.executable, "-P", "-m", "bot.cli", *arguments]
        environment = dict(os.environ) | {"PYTHONPATH": str(HERE)}
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def run(self, *arguments: str) -> tuple[int, str]:
        return self.plan("run", FILE, *arguments)

    def check(self, *arguments: str) -> tuple[int, str]:
        return self.plan("check", FILE, *arguments)

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.root / ".callboard" / "orchestrator-state.json").read_text())

    def has_spent(self, dollars: float) -> None:
        """What the plan cost so far."""
        (self.root / ".callboard/orchestrator-state.json").write_text(json.dumps(self.state | {"spent_usd": dollars}))

    def log(self, form: str = "%s") -> list[str]:
        return self.git("log", "--reverse", f"--format={form}").splitlines()

    def runs(self) -> list[str]:
        """What agents were started for, oldest first: “implement 1”."""
        found = []
        for folder in sorted((self.root / ".callboard" / "runs").glob("*")):
            if (folder / "prompt.md").exists():
                head = (folder / "prompt.md").read_text().splitlines()
                scope = next(line for line in head if line.startswith("SCOPE: "))
                prompt = next(line for line in head if line.startswith("PROMPT: "))
                number = scope.split()[2] if scope.startswith("SCOPE: phase") else "after"
                found.append(f"{prompt.split()[1]} {number}")
        return found

    def prompt(self, number: int) -> str:
        """What the agent of a run was told; -1 is the last one."""
        folders = [one for one in sorted((self.root / ".callboard/runs").glob("*")) if (one / "prompt.md").exists()]
        return (folders[number] / "prompt.md").read_text()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Desk:
    one = Desk(tmp_path / "home", tmp_path / "tools", capsys)
    one.root.mkdir(parents=True)
    one.tools.mkdir()
    shutil.copy(AGENT, one.tools / "agent.py")
    one.policy()
    one.script()
    for name in list(os.environ):
        if name.startswith(("GIT_", "CALLBOARD_", "ANTHROPIC_", "CLAUDE_CODE_OAUTH")):
            monkeypatch.delenv(name)
    for name, value in one.environment.items():
        monkeypatch.setenv(name, value)
    one.git("init", "-q", "-b", "main")
    one.git("config", "user.name", "Dora")
    one.git("config", "user.email", "dora@example.org")
    one.commit({"README.md": "# Youlab\n", FILE: PLAN}, "Begin")
    monkeypatch.chdir(one.root)
    return one
