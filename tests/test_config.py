"""Settings and policy: what a person gets wrong is said in one sentence at start."""

import re
from pathlib import Path

import pytest

from bot.config import PolicyFile, read_policy, read_settings, require_for_serving
from bot.machine.errors import UserError
from bot.machine.stages import Stage
from bot.policy import AgentChoice

KEY = "k" * 32
PAGE = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text()


def test_a_short_secret_key_refuses_to_start():
    with pytest.raises(UserError, match="at least 32"):
        read_settings({"CALLBOARD_SECRET_KEY": "short", "HOME": "/h"})


def test_a_secret_can_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text("lin_api_x\n")
    settings = read_settings({"CALLBOARD_SECRET_KEY": KEY, "HOME": "/h", "LINEAR_API_KEY_FILE": str(tmp_path / "key")})
    assert settings.linear_api_key == "lin_api_x"
    with pytest.raises(UserError, match="can't be read"):
        read_settings({"CALLBOARD_SECRET_KEY": KEY, "HOME": "/h", "LINEAR_API_KEY_FILE": str(tmp_path / "none")})


def test_half_a_pair_is_a_mistake():
    with pytest.raises(UserError, match="belong together"):
        read_settings({"CALLBOARD_SECRET_KEY": KEY, "HOME": "/h", "GITHUB_APP_ID": "1"})


def test_what_serving_needs_is_named_all_at_once():
    with pytest.raises(UserError) as error:
        require_for_serving(read_settings({"CALLBOARD_SECRET_KEY": KEY, "HOME": "/h"}))
    for name in ("LINEAR_API_KEY", "LINEAR_WEBHOOK_SECRET", "GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET"):
        assert name in str(error.value)


def test_the_policy_that_is_shown_is_valid(tmp_path):
    path = tmp_path / "callboard.toml"
    path.write_text(re.search(r"```toml\n(.+?)```", PAGE, re.S)[1])
    policy = read_policy(path)
    assert policy.repositories[0].name == "acme/youlab"
    assert policy.agent.for_stage("research") == AgentChoice("claude", "sonnet", 5, "ALL_FOUND")
    assert policy.state_names()[Stage.DEV] == "In Dev"


def test_every_setting_is_explained():
    source = "".join(
        (Path(__file__).parents[1] / "bot" / f"{name}.py").read_text() for name in ("config", "environment")
    )
    names = set(re.findall(r'"((?:CALLBOARD|LINEAR|GITHUB|ANTHROPIC|CLAUDE|DATABASE|HOST|PORT)[A-Z_]*)"', source))
    table = PAGE.split("## Settings")[1].split("## Who may look")[0]
    assert names
    assert [name for name in sorted(names) if f"`{name}`" not in table] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[limits]\nworkerz = 1", "limits.workerz"),
        ("[limits]\nworkers = 0", "limits.workers"),
        ("[states]\nnonsense = 'x'", "states"),
        ("not toml", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_policy_is_named(tmp_path, text, says):
    path = tmp_path / "callboard.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(says)):
        read_policy(path)


def test_a_changed_policy_is_read_again_and_the_last_good_one_kept(tmp_path):
    import os

    path = tmp_path / "callboard.toml"
    path.write_text("[limits]\nworkers = 3")
    policy = PolicyFile(path)
    path.write_text("[limits]\nworkers = 4")
    os.utime(path, (1, 1))
    assert policy.current().limits.workers == 4
    path.write_text("[limits]\nworkers = -1")
    os.utime(path, (2, 2))
    assert policy.current().limits.workers == 4
    assert "limits.workers" in policy.mistake


def test_the_repository_is_found_by_label_then_project_then_team(tmp_path):
    path = tmp_path / "callboard.toml"
    path.write_text(
        """
        [[repositories]]
        name = "acme/web"
        teams = ["YOU"]
        [[repositories]]
        name = "acme/mobile"
        teams = ["YOU"]
        projects = ["Mobile"]
        [[repositories]]
        name = "acme/infra"
        teams = ["YOU"]
        label = "infra"
        """
    )
    policy = read_policy(path)
    assert policy.repository_for("YOU", "", frozenset()).name == "acme/web"
    assert policy.repository_for("YOU", "Mobile", frozenset()).name == "acme/mobile"
    assert policy.repository_for("YOU", "Mobile", frozenset({"infra"})).name == "acme/infra"
    assert policy.repository_for("OTHER", "", frozenset()) is None


def test_the_example_policy_is_valid():
    assert read_policy(Path(__file__).parents[1] / "deploy" / "callboard.toml").repositories


def test_the_example_environment_names_only_settings_that_exist():
    lines = (Path(__file__).parents[1] / "deploy" / "environment.example").read_text().splitlines()
    names = {line.partition("=")[0].removesuffix("_FILE") for line in lines if "=" in line and not line.startswith("#")}
    assert all(f"`{name}`" in PAGE for name in names)
