"""The frame of `make walls`: what it counts, and what it says in the end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TABLE = Path(__file__).with_name("walls.py")
CONFTEST = Path(__file__).with_name("conftest.py")
ATTACKS = """
import pytest

@pytest.mark.attack("S-33")
@pytest.mark.parametrize("way", [1, 2, 3])
def test_it_gets_out(way):
    assert way != {succeeds}

@pytest.mark.attack("S-35")
def test_it_gets_out_otherwise():
    if {skips}:
        pytest.skip("no walls here")

@pytest.mark.proves("S-35")
def test_no_attack():
    pass
"""


def ends(folder: Path, text: str, *more: str) -> tuple[int, list[str]]:
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "test_them.py").write_text(text)
    marks = ["-o", "markers=attack(*ids)\nproves(*ids)", "-o", "addopts=--import-mode=importlib"]
    argv = [sys.executable, "-m", "pytest", "-q", "-m", "attack", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    # The usual one it would close to other users, such as the database of the tests beside it.
    apart = ["--basetemp", str(folder / "made")]
    plain = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [*argv, *marks, *apart, *more, str(folder)], env=plain, cwd=folder, stdout=-1, stderr=-2, text=True, timeout=300
    )
    return done.returncode, done.stdout.splitlines()


def test_every_case_is_an_attack_and_the_last_line_says_how_many_succeeded(tmp_path):
    code, said = ends(tmp_path, ATTACKS.format(succeeds=2, skips=False))
    assert (code, said[-1]) == (1, "4 attacks, 1 succeeded")
    assert "  succeeded: test_them.py::test_it_gets_out[2]" in said
    code, said = ends(tmp_path, ATTACKS.format(succeeds=0, skips=False), "-p", "xdist.plugin", "-n", "2")
    assert (code, said[-1]) == (0, "4 attacks, 0 succeeded")


def test_an_attack_that_could_not_be_tried_is_no_wall_that_stood(tmp_path):
    code, said = ends(tmp_path, ATTACKS.format(succeeds=0, skips=True))
    assert code == 1
    assert said[-2:] == ["  not tried: test_them.py::test_it_gets_out_otherwise", "3 attacks, 0 succeeded"]


def test_an_attack_whose_preparation_fails_is_not_a_wall_that_stood(tmp_path):
    text = (
        "import pytest\n@pytest.fixture\ndef broken(): 1 / 0\n@pytest.mark.attack('S-33')\ndef test_it(broken): pass\n"
    )
    code, said = ends(tmp_path, text)
    assert (code, said[-1]) == (1, "1 attacks, 1 succeeded")


def test_an_attack_bears_the_name_of_its_requirement(tmp_path):
    code, said = ends(tmp_path, "import pytest\n@pytest.mark.attack\ndef test_it(): pass\n")
    assert code == 4
    assert "names no requirement" in "\n".join(said)


@pytest.mark.skipif(not TABLE.parents[1].joinpath("docs").exists(), reason="no docs beside these tests")
def test_the_table_of_requirements_is_what_the_marks_say():
    done = subprocess.run([sys.executable, str(TABLE), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
