"""The commands as a person types them, against the same endpoints as the service."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli import main


def environment(world, tmp_path, port=0):
    settings = world.theatre.settings
    key = tmp_path / "app.pem"
    key.write_text(settings.github_app[1])
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "CALLBOARD_HOME": str(settings.home),
        "CALLBOARD_CONFIG": str(settings.config),
        "CALLBOARD_SECRET_KEY": settings.secret_key,
        "CALLBOARD_SANDBOX": settings.sandbox,
        "PORT": str(settings.port),
        "LINEAR_API_URL": settings.linear_api_url,
        "LINEAR_CLIENT_ID": "callboard",
        "LINEAR_CLIENT_SECRET": "callboard-secret",
        "LINEAR_WEBHOOK_SECRET": settings.linear_webhook_secrets[0],
        "GITHUB_API_URL": settings.github_api_url,
        "GITHUB_APP_ID": settings.github_app[0],
        "GITHUB_APP_PRIVATE_KEY_FILE": str(key),
        "GITHUB_WEBHOOK_SECRET": settings.github_webhook_secrets[0],
        "ANTHROPIC_API_KEY": "scripted-key-of-nobody",
        "ANTHROPIC_BASE_URL": settings.anthropic_base_url,
    }


async def callboard(env, *arguments, cwd=None):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.cli", *arguments, env=env, cwd=cwd or Path(__file__).parents[2], stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_an_epic_from_a_spec_file_its_status_why_and_dry_run(world, tmp_path):
    env = environment(world, tmp_path)
    spec = tmp_path / "modules.md"
    spec.write_text("Write three modules.")
    code, out, err = await callboard(env, "orchestrate", str(spec), "--team", "YOU")
    assert code == 0, err
    assert "/issue/YOU-1" in out
    again, _, _ = await callboard(env, "orchestrate", str(spec), "--team", "YOU")
    assert again == 0
    assert len(world.linear.issues()) == 1
    epic = world.linear.issue("YOU-1")
    await world.approved(epic)
    await world.until(lambda: len(world.linear.children(epic)) == 4, "the tickets")
    _, status, _ = await callboard(env, "status", "YOU-1")
    assert "Write two.py" in status
    two = next(one for one in world.linear.children(epic) if one.title == "Write two.py")
    code, why, _ = await callboard(env, "why", two.identifier)
    assert (code, bool(why.strip())) == (0, True)
    before = len(world.linear.events)
    await world.theatre.stop()
    _, dry, _ = await callboard(env, "dry-run", "YOU-1")
    assert "Nothing was written." in dry
    await world.theatre.start()
    assert before <= len(world.linear.events)


async def test_the_service_runs_as_a_process_of_its_own_against_any_endpoints(world, tmp_path):
    await world.theatre.stop()
    env = environment(world, tmp_path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.cli", "serve", env={**env, "CALLBOARD_LOG": "json"}, cwd=Path(__file__).parents[2],
        stdout=-3, stderr=(tmp_path / "log").open("w"),
    )  # fmt: skip
    try:
        epic = world.epic()
        world.alice.labels(epic, "orchestrate")
        await world.says(epic, "**Turn 1.**")
        log = (tmp_path / "log").read_text()
        assert '"event": "decision"' in log
        for secret in (
            env["CALLBOARD_SECRET_KEY"],
            env["LINEAR_WEBHOOK_SECRET"],
            "PRIVATE KEY",
            "scripted-key-of-nobody",
        ):
            assert secret not in log
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
        await world.theatre.start()


async def test_what_is_missing_is_said_in_one_line(tmp_path):
    half = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LINEAR_API_KEY": "lin_api_x"}
    code, _, err = await callboard(half, "serve")  # with nothing at all it offers to be set up
    assert (code, err.count("\n")) == (1, 1)
    assert "CALLBOARD_SECRET_KEY" in err


def test_a_worktree_is_made_and_cleaned_by_hand(tmp_path, monkeypatch, capsys):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    git("init", "-q", "-b", "main")
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text("{}")
    git("commit", "-q", "--allow-empty", "-m", "begin")
    monkeypatch.chdir(tmp_path)
    assert main(["worktree", "create", "topic"]) == 0
    assert (tmp_path / ".trees" / "topic" / ".claude" / "settings.json").exists()
    assert main(["worktree", "cleanup", "topic"]) == 0
    assert not (tmp_path / ".trees" / "topic").exists()
    assert main(["worktree", "cleanup", "topic"]) == 1
    assert "topic" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["demo", "serve", "web", "worker", "orchestrate", "status", "why", "dry-run", "setup"]
)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out
