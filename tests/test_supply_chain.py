"""What Callboard is made of: pinned by hash, from no address of anybody's, installed without running anything."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "deploy/audit.lock")


@pytest.fixture(scope="module")
def supply() -> Any:
    spec = importlib.util.spec_from_file_location("supply_chain", ROOT / "deploy" / "supply_chain.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.proves("S-72")
@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_hashes_and_no_address(supply: Any, lock: str) -> None:
    text = (ROOT / lock).read_text()
    pins = supply.read_lock(text)  # a line that is anything else raises
    assert len(pins) > 20
    assert [pin.name for pin in pins if not pin.hashes] == []
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|\s@\s|^-e", text, re.M)


@pytest.mark.attack("S-72")
@pytest.mark.parametrize(
    "line",
    [
        "evil @ https://evil.example/evil-1.0.whl",
        "--index-url https://evil.example/simple",
        "--extra-index-url https://evil.example/simple",
        "git+https://evil.example/evil.git",
        "-e ./evil",
        "evil>=1.0",
        "evil",
        "--hash=md5:0123",
    ],
)
def test_a_line_that_would_bring_something_else_is_no_lock(supply: Any, line: str) -> None:
    good = "good==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    assert supply.read_lock(good)[0].hashes == ("0" * 64,)
    with pytest.raises(ValueError, match="line 3"):
        supply.read_lock(good + line)


@pytest.mark.proves("S-72")
def test_the_development_lock_holds_the_runtime_lock_and_both_hold_what_the_project_names(supply: Any) -> None:
    runtime, development = (
        {pin.name: pin.version for pin in supply.read_lock((ROOT / name).read_text())} for name in LOCKS[:2]
    )
    assert runtime.items() <= development.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=~! ]", one)[0].lower() for one in project["dependencies"]}
    assert names <= runtime.keys()


@pytest.mark.proves("S-72")
def test_wherever_packages_are_installed_they_are_wheels_with_hashes() -> None:
    """A wheel runs nothing when it is installed. Our own folder is installed too, without asking an index."""
    for name in ("Makefile", "deploy/Dockerfile"):
        text = (ROOT / name).read_text().replace("\\\n", " ")
        for line in (one for one in text.splitlines() if "pip install" in one and "venv-lock" not in one):
            own = "--no-deps --no-build-isolation" in line
            assert own or ("--require-hashes" in line and "--only-binary :all:" in line), line


def test_the_bill_of_materials_names_every_package_once_and_says_what_it_is_for(supply: Any) -> None:
    locks = {name: (ROOT / name).read_text() for name in LOCKS[:2]}
    bill = supply.sbom(locks, "1.0")
    assert bill == json.loads(json.dumps(supply.sbom(locks, "1.0")))
    components = {one["name"]: one for one in bill["components"]}
    assert len(components) == len(bill["components"]) == len(supply.read_lock(locks[LOCKS[1]]))
    assert components["starlette"]["scope"] == "required"
    assert components["pytest"]["scope"] == "excluded"
    assert components["starlette"]["purl"].startswith("pkg:pypi/starlette@")
    refs = {one["bom-ref"] for one in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert {one["ref"] for one in bill["dependencies"]} == refs
    assert all(ref in refs for one in bill["dependencies"] for ref in one["dependsOn"])
    assert components["starlette"]["purl"] in bill["dependencies"][0]["dependsOn"]


def test_every_change_is_audited_and_its_materials_are_written_down() -> None:
    steps = (ROOT / ".ci" / "run").read_text().split("\n")
    assert {"make audit", "make sbom"} <= set(steps)


def test_an_audit_fails_for_a_hole_and_says_plainly_what_was_not_audited(supply: Any) -> None:
    good = {"name": "a", "version": "1", "vulns": []}
    bad = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
    unknown = {"name": "c", "skip_reason": "not found"}

    def judged(*found: dict[str, Any]) -> tuple[int, str]:
        code, lines = supply.judge(json.dumps({"dependencies": found}), "")
        return code, "\n".join(lines)

    assert judged(good) == (0, "1 of 1 packages audited, 0 vulnerabilities.")
    assert judged(good, bad)[0] == 1
    assert "b 2: PYSEC-1, mended in 2.1" in judged(good, bad)[1]
    assert judged(good, unknown) == (0, "1 of 2 packages audited, 0 vulnerabilities.\nNOT AUDITED: c.")
    assert judged(unknown, bad)[0] == 1
    assert "NOT AUDITED" in judged(unknown)[1]
    code, lines = supply.judge("", "Traceback\nConnectionError: nobody there\n")
    assert code == 0
    assert "NOT AUDITED" in lines[0]
    assert "nobody there" in lines[0]
