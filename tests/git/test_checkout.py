"""Checkouts for agents, and what a hostile one can do to the service: nothing."""

import os
import tempfile
from pathlib import Path

import pytest

from bot.git import checkout
from bot.git.bundle import Imported, bundle_command, import_bundle
from bot.git.commit import commit_file, merge, squash
from bot.git.mirror import Pushed

HOOKS = (
    "applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "prepare-commit-msg",
    "commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push", "post-rewrite",
    "reference-transaction", "pre-receive", "update", "post-receive", "post-update", "post-index-change",
)  # fmt: skip
KEYS = (
    "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.gitProxy",
    "diff.external", "diff.evil.command", "diff.evil.textconv", "filter.evil.clean", "filter.evil.smudge",
    "filter.evil.process", "merge.evil.driver", "credential.helper", "gpg.program", "sequence.editor", "alias.status",
    "remote.origin.receivepack", "remote.origin.uploadpack", "uploadpack.packObjectsHook", "core.alternateRefsCommand",
)  # fmt: skip


@pytest.fixture
async def folder(mirror, main, tmp_path) -> Path:
    path = tmp_path / ".trees" / "agent" / "YOU-1"
    await checkout.make(mirror, "agent/YOU-1", main, path, others={"main": main})
    return path


async def test_a_checkout_stands_on_its_branch_with_its_files(folder, main, shell):
    assert (folder / "src/app.py").read_text() == "print('hello')\n"
    assert shell("git", "status", "--porcelain", "--branch", cwd=folder) == "## agent/YOU-1"
    assert shell("git", "rev-parse", "HEAD", "origin/main", cwd=folder).split() == [main, main]


@pytest.mark.attack("S-30")
async def test_a_checkout_points_nowhere_and_holds_no_token(folder, shell):
    assert shell("git", "remote", cwd=folder) == ""
    config = (folder / ".git/config").read_text()
    assert "url" not in config
    assert "http" not in config
    assert not (folder / ".git/hooks").exists()


async def test_the_agent_can_commit_and_bundle_but_not_its_outcome(folder, mirror, main, shell, tmp_path):
    (folder / ".callboard").mkdir()
    (folder / ".callboard/outcome.json").write_text("{}")
    (folder / "a.txt").write_text("a")
    nobody = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
    shell("git", "add", "-A", cwd=folder)
    shell("env", *(f"-u{name}" for name in nobody), "git", "commit", "-qm", "work", cwd=folder)
    shell(*bundle_command(main, str(tmp_path / "work.bundle")), cwd=folder)
    found = await import_bundle(mirror, tmp_path / "work.bundle", "run-1", main)
    assert isinstance(found, Imported)
    assert found.files == ("a.txt",)
    assert (await mirror.git("log", "-1", "--format=%an", found.commit)).line == "Callboard agent"


async def test_making_it_again_starts_from_nothing(folder, mirror, main):
    (folder / "left.txt").write_text("left")
    await checkout.make(mirror, "agent/YOU-1", main, folder)
    assert not (folder / "left.txt").exists()


@pytest.mark.attack("S-44")
async def test_removing_follows_no_link_and_minds_no_missing_rights(folder, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "kept.txt").write_text("kept")
    (folder / "link").symlink_to(precious)
    (folder / "locked").mkdir()
    (folder / "locked/file").write_text("x")
    (folder / "locked").chmod(0)
    await checkout.remove(folder)
    assert not folder.exists()
    assert (precious / "kept.txt").read_text() == "kept"
    folder.symlink_to(precious)
    await checkout.remove(folder)
    assert not folder.is_symlink()
    assert (precious / "kept.txt").exists()
    await checkout.remove(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="changing to another user needs root")
def test_a_folder_without_rights_is_removed_by_a_plain_user():
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o777)
        child = os.fork()
        if child == 0:
            code = 4
            try:
                os.setuid(65534)
                tree = place / "tree"
                (tree / "a" / "b").mkdir(parents=True)
                (tree / "a" / "b" / "file").write_text("x")
                (tree / "a" / "b").chmod(0)
                (tree / "a").chmod(0o500)
                checkout._remove(tree)
                code = 3 if tree.exists() else 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def arm(folder: Path, canary: Path) -> None:
    """Everything in a repository that can start a program, each writing its name into `canary`."""
    hooks = folder / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in HOOKS:
        (hooks / hook).write_text(f"#!/bin/sh\necho hook {hook} >> {canary}\n")
        (hooks / hook).chmod(0o755)
    with (folder / ".git/config").open("a") as config:
        for key in KEYS:
            section, _, name = key.rpartition(".")
            head, _, sub = section.partition(".")
            section = f'{head} "{sub}"' if sub else head
            config.write(f"[{section}]\n\t{name} = \"sh -c 'echo {key} >> {canary}'\"\n")
        config.write("[protocol]\n\tallow = always\n[core]\n\tbare = false\n")
    (folder / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (folder / ".git/info/attributes").write_text("* filter=evil diff=evil merge=evil\n")


@pytest.mark.attack("S-44")
async def test_nothing_in_a_hostile_checkout_ever_runs(remote, folder, mirror, main, shell, tmp_path, token, person):
    canary = tmp_path / "canary"
    (folder / "a.txt").write_text("a")
    (folder / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    shell("git", "add", "-A", cwd=folder)
    shell("git", "commit", "-qm", "work", cwd=folder)
    bundle = folder / ".callboard/unfinished.bundle"
    bundle.parent.mkdir()
    shell(*bundle_command(main, str(bundle)), cwd=folder)
    arm(folder, canary)

    shell("sh", "-c", "git status || true; git checkout -q -b x || true", cwd=folder)
    assert "core.fsmonitor" in canary.read_text(), "the canaries must be alive for this test to mean anything"
    canary.unlink()

    found = await import_bundle(mirror, bundle, "run-1", main)
    assert isinstance(found, Imported)
    one = await squash(mirror, main, found.commit, message="Phase 1", author=person)
    other = await commit_file(mirror, main, "b.txt", b"b", message="Add", author=person)
    merged = await merge(mirror, one, [other], message="Merge", author=person)
    assert isinstance(merged, str)
    assert await mirror.read(merged, ".gitattributes")
    assert await mirror.push("agent/YOU-1", merged, None, token) is Pushed.PUSHED
    await mirror.fetch(token)
    await checkout.make(mirror, "agent/YOU-1", merged, folder)  # with the hostile .gitattributes in its tree
    assert (folder / "b.txt").read_text() == "b"
    await checkout.remove(folder)
    assert await mirror.delete("agent/YOU-1", merged, token) is Pushed.PUSHED
    assert not canary.exists(), canary.read_text()
