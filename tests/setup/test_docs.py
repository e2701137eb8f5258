"""docs/setup.md says what is so: names, permissions, events, options and files."""

import re
from pathlib import Path

import pytest

from bot.cli import main
from bot.config import SECRETS
from bot.github.hook import EVERY, LOOK_BACK, MOST_TRIES
from bot.github.manifest import EVENTS, PERMISSIONS, USEFUL, manifest
from bot.linear.hooks import RESOURCE_TYPES
from bot.setup.steps import CREDENTIALS, TITLES

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "setup.md").read_text()


def test_permissions_and_events_are_those_of_the_manifest():
    wanted = {**PERMISSIONS, **{name: level for name, (level, _) in USEFUL.items()}}
    made = manifest("Callboard", "https://c.example.org", "https://c.example.org/setup/github/back", hooks=True)
    assert dict(re.findall(r"^\| `(\w+)` \| (\w+) \|$", GUIDE, re.M)) == wanted == made["default_permissions"]
    told = re.search(r"^Events: (.+?)\.", GUIDE, re.M | re.S)[1]
    assert re.findall(r"`(\w+)`", told) == made["default_events"] == [*EVENTS, "merge_group"]


def test_steps_types_and_settings_are_named():
    assert re.findall(r"^\d\. \*\*(.+?)\*\*", GUIDE, re.M) == list(TITLES.values())
    for name in (*RESOURCE_TYPES, *CREDENTIALS, "CALLBOARD_SECRET_KEY", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"):
        assert f"`{name}`" in GUIDE
    assert set(CREDENTIALS) - {"LINEAR_CLIENT_ID", "GITHUB_APP_ID"} <= set(SECRETS)


def test_the_options_exist(capsys):
    with pytest.raises(SystemExit):
        main(["setup", "--help"])
    said = capsys.readouterr().out
    assert all(option in said for option in re.findall(r"--(?:yes|base-url|repository|team|base)\b", GUIDE))


def test_how_failed_webhooks_are_asked_for_is_what_is_said():
    assert (EVERY.total_seconds() / 60, LOOK_BACK.total_seconds() / 3600, MOST_TRIES) == (2, 3, 3)
    assert "every two minutes for those of the last three hours" in GUIDE
    assert "three tries in all" in GUIDE


def test_the_readme_leads_there():
    assert "docs/setup.md" in (ROOT / "README.md").read_text()
