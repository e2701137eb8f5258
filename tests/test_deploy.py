"""What lies in `deploy/` speaks of things that exist: settings, files, routes and commands."""

import re
import tomllib
from pathlib import Path

import pytest

from bot.policy import Policy

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SOURCES = "".join((ROOT / "bot" / f"{name}.py").read_text() for name in ("config", "environment"))
KNOWN = set(re.findall(r'"([A-Z][A-Z_]{3,}|HOST|PORT)"', SOURCES))
OURS = re.compile(r"^(CALLBOARD|LINEAR|GITHUB|ANTHROPIC|OPENAI|CLAUDE|DATABASE)_|^(HOST|PORT)$")


def settings(text):
    """The names in a file that look like settings of ours, without `_FILE`."""
    names = set(re.findall(r"^\s*(?:Environment=|- )?([A-Z][A-Z_]+)[=:]", text, re.M))
    return {name.removesuffix("_FILE") for name in names if OURS.match(name)} - {"CALLBOARD_HOST"}


@pytest.mark.parametrize("name", ["environment.example", "compose.yaml", "callboard.service"])
def test_every_setting_that_is_written_down_is_one_that_is_read(name):
    found = settings((DEPLOY / name).read_text())
    assert found
    assert found <= KNOWN


def test_the_example_policy_is_a_policy():
    assert Policy.model_validate(tomllib.loads((DEPLOY / "callboard.toml").read_text())).repositories


def test_every_secret_that_a_service_is_given_has_its_file():
    text = (DEPLOY / "compose.yaml").read_text()
    given = set(re.findall(r"/run/secrets/(\w+)", text))
    assert given == set(re.findall(r"^  (\w+):(?:  #.*)?\n    file: secrets/", text, re.M))


def test_the_image_takes_only_what_is_there_and_what_is_not_left_out():
    text = (DEPLOY / "Dockerfile").read_text()
    taken = {name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M) for name in line.split()}
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert taken == let_through
    assert all((ROOT / name).exists() for name in taken)


def test_the_image_runs_as_nobody_special_and_shows_its_health():
    text = (DEPLOY / "Dockerfile").read_text()
    last = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001$", last, re.M)
    assert "/healthz" in last
    assert "--require-hashes" in text
    assert "--only-binary :all:" in text


def test_nothing_in_front_lets_the_figures_out():
    assert re.search(r"@inside path /metrics\b.*\n\s*respond @inside 404", (DEPLOY / "Caddyfile").read_text())
