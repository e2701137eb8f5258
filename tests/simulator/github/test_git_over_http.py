"""Git over HTTP, with the real client."""

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_clone_a_push_and_a_fetch_go_through_the_real_git(stage: Any) -> None:
    token = stage.app_token()
    code, said = await stage.git("clone", "REMOTE", "work", token=token)
    assert code == 0, said
    work = stage.folder / "work"
    (work / "new.txt").write_text("new")
    await stage.git("checkout", "-b", "topic", cwd=work)
    await stage.git("add", ".", cwd=work)
    await stage.git("commit", "-m", "Add new", cwd=work)
    code, said = await stage.git("push", "origin", "topic", cwd=work)
    assert code == 0, said
    assert (await stage.world.git.text(stage.repo.path, "topic", "new.txt")) == b"new"
    assert (await stage.events())[-2:] == [("push", None), ("check_suite", "requested")]
    push = await stage.payload("push")
    assert push["ref"] == "refs/heads/topic"
    assert push["created"] is True
    assert push["head_commit"]["added"] == ["new.txt"]
    assert push["pusher"]["name"] == "callboard[bot]"


async def test_a_private_repository_asks_strangers_to_log_in(stage: Any) -> None:
    code, said = await stage.git("ls-remote", "REMOTE")
    assert code != 0
    assert "could not read Username" in said


async def test_a_wrong_token_is_refused(stage: Any) -> None:
    code, said = await stage.git("ls-remote", "REMOTE", token="ghs_nothing")
    assert code != 0
    assert "Authentication failed" in said


async def test_a_reader_can_clone_but_not_push(stage: Any) -> None:
    stage.world.grant(stage.repo, "eve", "read")
    token = stage.world.token_for("eve")
    assert (await stage.git("clone", "REMOTE", "work", token=token))[0] == 0
    code, said = await stage.git("push", "origin", "main:eve", cwd=stage.folder / "work")
    assert code != 0
    assert "403" in said
    assert "eve" not in await stage.world.git.branches(stage.repo.path)


async def test_an_expired_token_no_longer_pushes(stage: Any) -> None:
    from datetime import timedelta

    token = stage.app_token()
    assert (await stage.git("ls-remote", "REMOTE", token=token))[0] == 0
    stage.clock.ahead = timedelta(hours=1, seconds=1)
    assert (await stage.git("ls-remote", "REMOTE", token=token))[0] != 0


async def test_an_app_without_the_permission_cannot_push_a_workflow(stage: Any) -> None:
    await stage.git("clone", "REMOTE", "work", token=stage.app_token())
    work = stage.folder / "work"
    (work / ".github/workflows/more.yml").write_text("on: push\n")
    await stage.git("add", ".", cwd=work)
    await stage.git("commit", "-m", "Add a workflow", cwd=work)
    code, said = await stage.git("push", "origin", "HEAD:topic", cwd=work)
    assert code != 0
    assert "refusing to allow a GitHub App to create or update workflow `.github/workflows/more.yml`" in said
    stage.app.installations[0].permissions["workflows"] = "write"
    token = stage.app_token()
    assert (await stage.git("push", "REMOTE", "HEAD:topic", token=token, cwd=work))[0] == 0


async def test_an_app_may_push_a_merge_of_what_is_there_already(stage: Any) -> None:
    await stage.alice.pushes(stage.repo, "flows", {".github/workflows/more.yml": "on: push\n"}, "More")
    await stage.git("clone", "REMOTE", "work", token=stage.app_token())
    work = stage.folder / "work"
    await stage.git("checkout", "-b", "both", cwd=work)
    (work / "a.txt").write_text("a")
    await stage.git("add", ".", cwd=work)
    await stage.git("commit", "-m", "Add a", cwd=work)
    await stage.git("merge", "origin/flows", "-m", "Both", cwd=work)
    code, said = await stage.git("push", "origin", "both", cwd=work)
    assert code == 0, said


async def test_a_protected_branch_takes_no_push(stage: Any) -> None:
    from bot.simulator.github import Protection

    stage.world.protect(stage.repo, "main", Protection(approvals=1))
    await stage.git("clone", "REMOTE", "work", token=stage.app_token())
    work = stage.folder / "work"
    await stage.git("commit", "--allow-empty", "-m", "Past the rules", cwd=work)
    code, said = await stage.git("push", "origin", "main", cwd=work)
    assert code != 0
    assert "GH006: Protected branch update failed for refs/heads/main." in said


async def test_a_push_to_the_head_of_a_pull_request_is_a_synchronize(stage: Any) -> None:
    pull = await stage.opened()
    before = pull.head_sha
    await stage.git("clone", "--branch", "topic", "REMOTE", "work", token=stage.app_token())
    work = stage.folder / "work"
    await stage.git("commit", "--allow-empty", "-m", "More", cwd=work)
    await stage.git("push", "origin", "topic", cwd=work)
    told = await stage.payload("pull_request", "synchronize")
    assert (told["before"], told["after"]) == (before, pull.head_sha)
    assert told["pull_request"]["head"]["sha"] == pull.head_sha != before
    assert (await stage.events())[-3:] == [
        ("push", None),
        ("pull_request", "synchronize"),
        ("check_suite", "requested"),
    ]
