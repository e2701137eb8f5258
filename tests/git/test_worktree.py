"""Worktrees by hand."""

import pytest

from bot.git import worktree
from bot.machine.errors import UserError


@pytest.fixture
def repository(begun, tmp_path, shell):
    folder = tmp_path / "youlab"
    shell("git", "clone", "-q", str(begun / "youlab.git"), str(folder), cwd=tmp_path)
    (folder / ".claude").mkdir()
    (folder / ".claude/settings.json").write_text("{}")
    return folder


async def test_a_worktree_stands_on_its_branch_with_the_claude_folder_and_a_place_for_thoughts(repository, shell):
    path = await worktree.create("feature/x", repository=repository)
    assert path == repository / ".trees/feature/x"
    assert shell("git", "branch", "--show-current", cwd=path) == "feature/x"
    assert (path / "src/app.py").exists()
    assert (path / ".claude/settings.json").read_text() == "{}"
    assert (path / "thoughts").is_dir()
    assert ".trees" not in shell("git", "status", "--porcelain", cwd=repository)


async def test_it_can_start_from_another_base_and_from_inside_a_folder(repository, shell):
    first = await worktree.create("one", repository=repository / "src")
    (first / "new.txt").write_text("new")
    shell("git", "add", "new.txt", cwd=first)
    shell("git", "commit", "-qm", "new", cwd=first)
    second = await worktree.create("two", "one", repository=first)
    assert second == repository / ".trees/two"
    assert (second / "new.txt").exists()


async def test_cleaning_up_removes_the_folder_and_keeps_the_branch(repository, shell):
    path = await worktree.create("feature/x", repository=repository)
    assert await worktree.cleanup("feature/x", repository=repository) == path
    assert not path.exists()
    assert not (repository / ".trees/feature").exists()
    assert "feature/x" in shell("git", "branch", cwd=repository)
    assert shell("git", "worktree", "list", cwd=repository).count("\n") == 0


async def test_cleaning_up_what_is_not_there_says_so(repository):
    with pytest.raises(UserError, match="There is no worktree for nothing"):
        await worktree.cleanup("nothing", repository=repository)


async def test_work_that_is_not_committed_is_not_thrown_away(repository):
    path = await worktree.create("x", repository=repository)
    (path / "thoughts/shared/research/found.md").write_text("found")
    with pytest.raises(UserError, match=r"found\.md"):
        await worktree.cleanup("x", repository=repository)
    assert path.exists()
    await worktree.cleanup("x", repository=repository, force=True)
    assert not path.exists()


async def test_every_mistake_gets_its_sentence(repository, tmp_path):
    await worktree.create("x", repository=repository)
    for branch, base, where, sentence in (
        ("x", "main", repository, "already there"),
        ("main", "main", repository, "exists already"),
        ("y", "nowhere", repository, "no branch or commit 'nowhere'"),
        ("y", "--help", repository, "no branch or commit"),
        ("--help", "main", repository, "can't be the name"),
        ("y", "main", tmp_path, "not in a git repository"),
    ):
        with pytest.raises(UserError, match=sentence):
            await worktree.create(branch, base, repository=where)
