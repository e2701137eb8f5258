"""Programs are started by argument lists: nothing that others wrote is ever read by a shell of ours."""

import ast
from pathlib import Path

import pytest

from bot.github.manifest import PERMISSIONS, USEFUL

HERE = Path(__file__).parents[1]
SHELLS = {"system", "popen", "create_subprocess_shell", "getoutput", "getstatusoutput", "spawnlp", "spawnvp"}
SOURCES = [path for room in ("bot", "handlers") for path in sorted((HERE / room).rglob("*.py"))]


def starts_a_shell(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        by_flag = any(
            word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
            for word in node.keywords
        )
        if name in SHELLS or by_flag:
            found.append(f"{path.relative_to(HERE)}:{node.lineno}")
    return found


@pytest.mark.proves("S-41")
def test_no_program_is_started_through_a_shell_string() -> None:
    assert len(SOURCES) > 100
    repository_of_the_demo = HERE / "bot/simulator/demo/repository"
    checked = [path for path in SOURCES if not path.is_relative_to(repository_of_the_demo)]
    assert [line for path in checked for line in starts_a_shell(path)] == []


def test_one_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "HERE", tmp_path)
    (tmp_path / "bad.py").write_text(
        "import os, subprocess\nos.system(x)\nsubprocess.run(x, shell=True)\nrun(shell=False)\n"
    )
    assert starts_a_shell(tmp_path / "bad.py") == ["bad.py:2", "bad.py:3"]


@pytest.mark.proves("S-24")
def test_nothing_that_people_attached_is_fetched() -> None:
    """What would fetch an attachment would have to name the host that Linear keeps them at."""
    assert [path.name for path in SOURCES if "uploads.linear.app" in path.read_text()] == []


@pytest.mark.proves("S-46")
def test_our_app_asks_for_nothing_by_which_checks_or_people_could_be_changed() -> None:
    asked = {**PERMISSIONS, **USEFUL}
    dangerous = {
        "workflows",
        "secrets",
        "environments",
        "administration",
        "actions_variables",
        "members",
        "deployments",
    }
    assert not dangerous & {name.replace("repository_", "").replace("organization_", "") for name in asked}
