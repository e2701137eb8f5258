"""Hostile repositories, one row each: what an agent leaves in its checkout, and the canary that would tell (S-44).

Each goes through every path of git that the service has: import, commit, push, update of the branch with its base, a
new checkout over the old one, the removal, and the deletion of what was kept of it. The trap is set after the agent's
own commit, so that only the service could walk into it.
"""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from bot.git.commit import Author, transplant
from bot.git.mirror import Mirror

pytestmark = pytest.mark.attack("S-44", "S-45")

ATTRIBUTES = "* filter=x diff=x merge=x\n"
Trap = Callable[[Path, str], None]
"""Arms a checkout; the second is a command line that wakes the canary."""


def configured(*lines: str) -> Trap:
    """Keys of the repository's own configuration; `CANARY` stands for the command."""

    def arm(tree: Path, canary: str) -> None:
        with (tree / ".git/config").open("a") as config:
            config.write("\n".join(lines).replace("CANARY", canary) + "\n")

    return arm


def hooked(*names: str) -> Trap:
    """Hooks in the usual place."""

    def arm(tree: Path, canary: str) -> None:
        for name in names:
            _program(tree / ".git/hooks" / name, canary)

    return arm


def written(path: str, content: str) -> Trap:
    """A file beside the objects or in the tree."""

    def arm(tree: Path, canary: str) -> None:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content.replace("CANARY", canary))

    return arm


def both(*traps: Trap) -> Trap:
    """One after the other."""

    def arm(tree: Path, canary: str) -> None:
        for trap in traps:
            trap(tree, canary)

    return arm


def linked_git(tree: Path, _canary: str) -> None:
    """The git folder is a link to somewhere else."""
    elsewhere = Path(tempfile.mkdtemp(dir=tree.parent)) / "git"
    (tree / ".git").rename(elsewhere)
    (tree / ".git").symlink_to(elsewhere)


def linked_tree(tree: Path, _canary: str) -> None:
    """A link in the tree points at what must not be deleted."""
    (tree / "link").symlink_to(tree.parents[4] / "precious")


def _program(path: Path, canary: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{canary}\n")
    path.chmod(0o755)


HOSTILE: dict[str, Trap] = {
    "hooks at commits": hooked("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"),
    "hooks at checkouts": hooked("post-checkout", "post-merge", "post-rewrite", "post-index-change"),
    "hooks at pushes": hooked("pre-push", "pre-receive", "update", "post-receive", "post-update", "push-to-checkout"),
    "hooks at rebases": hooked("pre-rebase", "applypatch-msg", "pre-applypatch", "post-applypatch"),
    "hooks at references": hooked("reference-transaction", "pre-auto-gc", "fsmonitor-watchman", "sendemail-validate"),
    "hooks elsewhere": both(
        lambda tree, canary: _program(tree / "evil/pre-commit", canary), configured("[core]", "hooksPath = evil")
    ),
    "a file monitor": configured("[core]", 'fsmonitor = "CANARY"'),
    "a shell of ssh": configured("[core]", 'sshCommand = "CANARY"'),
    "a pager": configured("[core]", 'pager = "CANARY"', "[pager]", "log = true", "diff = true"),
    "an editor": configured("[core]", 'editor = "CANARY"', "[sequence]", 'editor = "CANARY"'),
    "who asks for passwords": configured("[core]", 'askPass = "CANARY"'),
    "a helper for passwords": configured("[credential]", 'helper = "!CANARY"'),
    "a proxy": configured("[core]", 'gitProxy = "CANARY"', "[http]", "proxy = http://127.0.0.1:9"),
    "who lists alternates": configured("[core]", 'alternateRefsCommand = "CANARY"'),
    "a program that compares": both(configured("[diff]", 'external = "CANARY"'), written(".gitattributes", ATTRIBUTES)),
    "a text filter": both(configured('[diff "x"]', 'textconv = "CANARY"'), written(".git/info/attributes", ATTRIBUTES)),
    "a clean filter": both(configured('[filter "x"]', 'clean = "CANARY"'), written(".gitattributes", ATTRIBUTES)),
    "a smudge filter": both(
        configured('[filter "x"]', 'smudge = "CANARY"', "required = true"), written(".gitattributes", ATTRIBUTES)
    ),
    "a filter process": both(configured('[filter "x"]', 'process = "CANARY"'), written(".gitattributes", ATTRIBUTES)),
    "a merge driver": both(configured('[merge "x"]', 'driver = "CANARY"'), written(".gitattributes", ATTRIBUTES)),
    "the other side's programs": configured(
        '[remote "origin"]', "url = .", 'uploadpack = "CANARY"', 'receivepack = "CANARY"'
    ),
    "a packer": configured("[uploadpack]", 'packObjectsHook = "CANARY"'),
    "a signer": configured("[commit]", "gpgSign = true", "[gpg]", 'program = "CANARY"', "[push]", "gpgSign = true"),
    "an include": both(
        written("evil.inc", '[core]\n\tfsmonitor = "CANARY"\n'), configured("[include]", "path = ../evil.inc")
    ),
    "an include under a condition": both(
        written("evil.inc", '[core]\n\tfsmonitor = "CANARY"\n'),
        configured('[includeIf "gitdir:/"]', "path = ../evil.inc"),
    ),
    "another address": configured('[url "ext::sh -c CANARY% "]', "insteadOf = http", "[protocol]", "allow = always"),
    "an alias": configured("[alias]", 'push = "!CANARY"', 'fetch = "!CANARY"', 'update-ref = "!CANARY"'),
    "a work tree elsewhere": configured("[core]", "worktree = /", "bare = false"),
    "alternates": written(".git/objects/info/alternates", "/proc/self/cwd\n"),
    "grafts and replacements": written(".git/info/grafts", f"{'a' * 40}\n"),
    "a submodule's settings": both(
        written(".gitmodules", '[submodule "x"]\n\tpath = x\n\turl = .\n\tupdate = !CANARY\n'),
        configured('[submodule "x"]', 'update = "!CANARY"', "active = true"),
    ),
    "a folder that is taken for bare": both(
        written("x/HEAD", "ref: refs/heads/main\n"), written("x/config", '[core]\n\tfsmonitor = "CANARY"\n')
    ),
    "a git folder that is a link": linked_git,
    "a link to what is precious": linked_tree,
}


def test_there_are_as_many_as_were_asked_for():
    assert len(HOSTILE) >= 25


def set_all(traps: Iterable[str], tree: Path, woken: Path) -> None:
    """Set traps; each has a canary of its own, a file that bears its number."""
    for name in traps:
        HOSTILE[name](tree, f"touch {woken / str(list(HOSTILE).index(name))}")


@pytest.fixture
def trapped(agent, tmp_path) -> Callable[[int], None]:
    """From now on the agent leaves a quarter of the traps in its checkout, after every run."""
    for folder in ("woken", "precious"):
        (tmp_path / folder).mkdir()
    (tmp_path / "precious/kept.txt").write_text("kept")

    def trapped(part: int) -> None:
        leave = agent.run

        async def leaves_traps(spec, *, tree, mirror, base_commit):
            handed = await leave(spec, tree=tree, mirror=mirror, base_commit=base_commit)
            set_all(list(HOSTILE)[part::4], tree, tmp_path / "woken")
            return handed

        agent.run = leaves_traps

    return trapped


def fired(folder: Path) -> list[str]:
    """The names of the traps that did something."""
    lost = [] if (folder / "precious/kept.txt").read_text() == "kept" else ["a link to what is precious"]
    return [*(list(HOSTILE)[int(one.name)] for one in (folder / "woken").iterdir()), *lost]


@pytest.mark.parametrize("part", range(4))
async def test_none_of_them_fires(remote, worker, agent, order, lease, tmp_path, trapped, part):
    trapped(part)
    agent.files = {"src/b.py": "2\n", ".gitattributes": ATTRIBUTES}
    first = await worker.work(order(), lease())
    assert first["kind"] == "success", first
    remote.add({"c.txt": "3\n"}, "main")
    updated = await worker.work(order("update", run="run-2", head=first["head"]), lease())
    assert updated["kind"] == "success", updated
    agent.files = {"src/d.py": "4\n"}
    again = await worker.work(order("feedback", run="run-3"), lease())
    assert again["kind"] == "success", again
    await worker.clean_up("acme/youlab", "agent/YOU-2")
    assert fired(tmp_path) == []
    assert {"src/b.py", "src/d.py", "c.txt"} <= set(remote.files(again["head"]))
    assert not list((tmp_path / "repositories/acme/youlab/.trees").rglob("*.py"))


@pytest.mark.parametrize("part", range(4))
async def test_none_of_them_fires_when_what_is_below_moves(
    remote, worker, agent, order, lease, tmp_path, trapped, part
):
    """Branches are taken to another base, work in hand is moved, and several branches become one base."""
    trapped(part)

    async def made(run: str, files: dict[str, str], **more: Any) -> dict[str, Any]:
        agent.files = files
        result = await worker.work(order(more.pop("prompt", "documentation"), run=run, **more), lease())
        assert result["kind"] == "success", result
        return result

    hostile = {".gitattributes": ATTRIBUTES, ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ./x\n'}
    below = await made("run-1", {"src/b.py": "2\n", **hostile}, branch="agent/YOU-1")
    above = await made("run-2", {"src/c.py": "3\n"}, base="agent/YOU-1")
    remote.land("agent/YOU-1", "squash")
    rebased = await made("run-3", {}, prompt="update", head=above["head"], upstream=below["head"])
    assert remote.subjects("main", rebased["head"]) == ["YOU-2: Store settings"]
    other = await made("run-4", {"src/e.py": "5\n", ".gitattributes": f"{ATTRIBUTES}\n"}, branch="agent/YOU-3")
    both_below = {"base": "agent/YOU-4-base", "merges": ("agent/YOU-2", "agent/YOU-3")}
    whole = await made("run-5", {"src/f.py": "6\n"}, branch="agent/YOU-4", **both_below)
    assert {"src/c.py", "src/e.py", "src/f.py"} <= set(remote.files(whole["head"]))
    mirror = Mirror(tmp_path / "repositories/acme/youlab/mirror.git", remote.url)
    onto, author = other["head"], Author("Callboard", "callboard@example.org")
    moved = await transplant(
        mirror, rebased["head"], upstream=f"{rebased['head']}^", onto=onto, message="work", author=author
    )
    assert isinstance(moved, str)
    assert fired(tmp_path) == []


@pytest.mark.proves("S-44")
def test_the_traps_are_sharp(begun, shell, tmp_path):
    """A git that works in such a checkout walks into them."""
    (tmp_path / "woken").mkdir()
    for part in range(4):
        tree = tmp_path / "a/b/c/d" / str(part)
        shell("git", "clone", "-q", "--template=", str(begun / "youlab.git"), str(tree), cwd=tmp_path)
        traps = [name for name in list(HOSTILE)[part::4] if "link" not in name and "work tree" not in name]
        set_all(traps, tree, tmp_path / "woken")
        for command in (
            "status",
            "diff",
            "add -A",
            "commit -qm x",
            "checkout -q -b y",
            "push -q origin y",
            "log -p -1",
        ):
            shell(
                "sh", "-c", f"echo >> README.md; timeout 5 git {command} >/dev/null 2>&1 </dev/null || true", cwd=tree
            )
    assert len(list((tmp_path / "woken").iterdir())) >= 6
