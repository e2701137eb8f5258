"""What a run made comes in as a bundle, and only if nothing speaks against it."""

import base64
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.git.bundle import Bars, Imported, Limits, Rejected, bundle_command, import_bundle
from bot.git.tree import Change, introduced, looks_like_git, parse
from bot.machine.secrets import pattern_of


@dataclass
class Agent:
    """An agent at work in a clone, and its bundle."""

    folder: Path
    base: str
    sh: object

    def git(self, *arguments: str, **variables: str) -> str:
        return self.sh("git", *arguments, cwd=self.folder, **variables)

    def write(self, files: dict[str, str | bytes]) -> "Agent":
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self

    def commit(self, message: str = "work") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, entries: str) -> str:
        """A commit with exactly these entries, which no work tree could have given."""
        tree = self.sh("sh", "-c", 'printf "$ENTRIES" | git mktree -z', cwd=self.folder, ENTRIES=entries)
        commit = self.git("commit-tree", tree, "-p", self.base, "-m", "evil")
        self.git("update-ref", "HEAD", commit)
        return commit

    def blob(self, content: str) -> str:
        return self.sh(
            "sh", "-c", 'printf %s "$CONTENT" | git hash-object -w --stdin', cwd=self.folder, CONTENT=content
        )

    @property
    def bundle(self) -> Path:
        file = self.folder.parent / "work.bundle"
        self.sh(*bundle_command(self.base, str(file)), cwd=self.folder)
        return file


@pytest.fixture
def agent(begun, tmp_path, main, shell) -> Agent:
    shell("git", "clone", "-q", "--template=", str(begun / "youlab.git"), str(tmp_path / "agent"), cwd=tmp_path)
    return Agent(tmp_path / "agent", main, shell)


async def refs(mirror) -> str:
    return (await mirror.git("for-each-ref", "refs/callboard")).text


async def refused(mirror, agent: Agent, **options) -> str:
    """Import, expect a refusal that leaves nothing behind, and return its reasons."""
    before = sorted(path for path in mirror.path.rglob("*"))
    found = await import_bundle(mirror, agent.bundle, "run-1", agent.base, **options)
    assert isinstance(found, Rejected), found
    assert sorted(path for path in mirror.path.rglob("*")) == before
    return "; ".join(found.reasons)


async def test_good_work_comes_in(mirror, main, agent):
    agent.write({"src/app.py": "print('one')\n", "src/new.py": "pass\n"}).commit("one")
    tip = agent.write({"docs/a b.md": "ä"}).commit("two")
    found = await import_bundle(mirror, agent.bundle, "run-1", main)
    assert found == Imported(tip, 2, ("docs/a b.md", "src/app.py", "src/new.py"))
    assert (await mirror.git("rev-parse", "refs/callboard/runs/run-1")).line == tip
    assert await mirror.read(tip, "src/new.py") == b"pass\n"


async def test_the_same_bundle_twice_is_once(mirror, main, agent):
    agent.write({"a": "a"}).commit()
    assert await import_bundle(mirror, agent.bundle, "r", main) == await import_bundle(mirror, agent.bundle, "r", main)


async def test_a_touched_workflow_is_told(mirror, main, agent):
    agent.write({".github/workflows/ci.yml": "x", "sub/.gitattributes": "*.x filter=y", "a": "a"}).commit()
    found = await import_bundle(mirror, agent.bundle, "run-1", main)
    assert isinstance(found, Imported)
    assert found.protected == (".github/workflows/ci.yml", "sub/.gitattributes")
    found = await import_bundle(mirror, agent.bundle, "run-1", main, bars=Bars(protected=("src/",)))
    assert isinstance(found, Imported)
    assert found.protected == ()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../secret", "README.md", "/proc/self/environ"])
@pytest.mark.attack("S-45")
async def test_a_new_symbolic_link_is_refused(mirror, agent, target):
    (agent.folder / "link").symlink_to(target)
    agent.commit()
    assert "link is a symbolic link" in await refused(mirror, agent)


@pytest.mark.attack("S-45")
async def test_a_link_that_a_later_commit_removed_is_refused_too(mirror, agent):
    (agent.folder / "link").symlink_to("/etc/passwd")
    agent.commit()
    (agent.folder / "link").unlink()
    agent.commit()
    assert "link is a symbolic link" in await refused(mirror, agent)


@pytest.mark.attack("S-45")
async def test_a_file_that_became_a_link_is_refused(mirror, agent):
    (agent.folder / "README.md").unlink()
    (agent.folder / "README.md").symlink_to("/etc/passwd")
    agent.commit()
    assert "README.md is a symbolic link" in await refused(mirror, agent)


async def test_a_link_that_the_base_has_may_stay(mirror, agent):
    (agent.folder / "link").symlink_to("README.md")
    base = agent.commit()
    await mirror.git(
        "fetch", "-q", str(agent.folder), "HEAD:refs/heads/links", config={"protocol.file.allow": "always"}
    )
    agent.base = base
    agent.write({"a": "a"}).commit()
    assert isinstance(await import_bundle(mirror, agent.bundle, "run-1", base), Imported)


async def test_merging_the_base_branch_does_not_make_its_links_new(mirror, main, agent):
    (agent.folder / "link").symlink_to("README.md")
    agent.commit("a person's link")
    await mirror.git("fetch", "-q", str(agent.folder), "HEAD:refs/heads/main", config={"protocol.file.allow": "always"})
    agent.git("checkout", "-q", "-b", "work", main)
    agent.write({"a": "a"}).commit()
    agent.git("merge", "-q", "--no-edit", "main")
    found = await import_bundle(mirror, agent.bundle, "run-1", main)
    assert isinstance(found, Imported), found


@pytest.mark.attack("S-45")
async def test_a_merge_that_smuggles_a_link_is_refused(mirror, main, agent):
    agent.git("checkout", "-q", "-b", "side")
    agent.write({"b": "b"}).commit()
    agent.git("checkout", "-q", "main")
    agent.write({"a": "a"}).commit()
    agent.git("merge", "-q", "--no-commit", "side")
    (agent.folder / "link").symlink_to("/etc/passwd")
    agent.commit()
    assert "link is a symbolic link" in await refused(mirror, agent)


@pytest.mark.attack("S-45")
async def test_a_submodule_is_refused(mirror, agent):
    agent.git("update-index", "--add", "--cacheinfo", f"160000,{agent.base},vendor/lib")
    agent.git("commit", "-q", "-m", "x")
    assert "vendor/lib is a submodule" in await refused(mirror, agent)


@pytest.mark.parametrize(
    "name", [".git", ".GIT", ".Git", "git~1", "GIT~1", ".g\u200cit", ".git ", ".git.", ".git\u200d"]
)
@pytest.mark.attack("S-45")
async def test_what_could_be_gits_own_folder_is_refused(mirror, agent, name):
    blob = agent.blob("[core] fsmonitor = touch /tmp/x")
    agent.commit_tree(f"100644 blob {blob}\\t{name}\\0")
    assert await refused(mirror, agent)


@pytest.mark.parametrize("entry", ["..", "."])
@pytest.mark.attack("S-45")
async def test_a_name_that_leaves_its_folder_is_refused(mirror, agent, entry):
    agent.commit_tree(f"100644 blob {agent.blob('x')}\\t{entry}\\0")
    assert await refused(mirror, agent)


@pytest.mark.attack("S-45")
async def test_control_characters_in_a_name_are_refused(mirror, agent):
    agent.write({"a\x1b[2Jb": "x"}).commit()
    reasons = await refused(mirror, agent)
    assert "control characters" in reasons
    assert "\x1b" not in reasons


@pytest.mark.attack("S-45")
async def test_a_file_over_the_limit_is_refused_even_if_it_is_gone_again(mirror, agent):
    agent.write({"big.bin": b"\0" * 2_000_000}).commit()
    (agent.folder / "big.bin").unlink()
    agent.commit()
    assert "'big.bin' has 2 MB" in await refused(mirror, agent, limits=Limits(file_bytes=1_000_000))


@pytest.mark.attack("S-45")
async def test_too_many_files_are_refused(mirror, agent):
    agent.write({f"f{number}": "x" for number in range(6)}).commit()
    assert "6 files changed, more than 5" in await refused(mirror, agent, limits=Limits(files=5))


@pytest.mark.attack("S-44")
async def test_a_bundle_over_the_limit_is_not_even_read(mirror, agent):
    agent.write({"a": os.urandom(2_000_000)}).commit()
    assert "more than 1 MB" in await refused(mirror, agent, limits=Limits(bundle_bytes=1_000_000))


@pytest.mark.attack("S-44")
async def test_work_from_another_base_is_refused(mirror, main, agent, write):
    other = await write(main, "x.txt", "x")
    agent.write({"a": "a"}).commit()
    found = await import_bundle(mirror, agent.bundle, "run-1", other)
    assert isinstance(found, Rejected)
    assert "does not descend" in found.reasons[0]


@pytest.mark.attack("S-44")
async def test_work_on_commits_nobody_knows_is_refused(mirror, agent):
    agent.base = agent.write({"a": "a"}).commit()
    agent.write({"b": "b"}).commit()
    assert "not in the repository" in await refused(mirror, agent)


@pytest.mark.attack("S-44")
async def test_history_of_its_own_is_refused(mirror, main, agent):
    agent.git("checkout", "-q", "--orphan", "fresh")
    agent.write({"a": "a"}).commit()
    agent.sh("git", "bundle", "create", "-q", str(agent.folder.parent / "o.bundle"), "HEAD", cwd=agent.folder)
    found = await import_bundle(mirror, agent.folder.parent / "o.bundle", "run-1", main)
    assert isinstance(found, Rejected)


@pytest.mark.attack("S-44")
async def test_two_tips_are_refused(mirror, main, agent):
    agent.write({"a": "a"}).commit()
    agent.git("branch", "other")
    agent.write({"b": "b"}).commit()
    file = agent.folder.parent / "two.bundle"
    agent.git("bundle", "create", "-q", str(file), f"{main}..main", f"{main}..other")
    found = await import_bundle(mirror, file, "run-1", main)
    assert found == Rejected(("the bundle has 2 tips, one is wanted",))


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"# v2 git bundle\n", b"# v3 git bundle\n@filter=blob:none\n\nPACK", b"\0" * 100,
     b"# v2 git bundle\n" + b"x" * 3_000_000, b"# v2 git bundle\n-zz\n\nPACK"],
)  # fmt: skip
@pytest.mark.attack("S-44")
async def test_what_is_no_bundle_is_refused(mirror, main, tmp_path, content):
    file = tmp_path / "work.bundle"
    file.write_bytes(content)
    assert isinstance(await import_bundle(mirror, file, "run-1", main), Rejected)


@pytest.mark.attack("S-44")
async def test_a_damaged_pack_is_refused(mirror, main, agent):
    agent.write({"a": "a" * 1000}).commit()
    file = agent.bundle
    content = bytearray(file.read_bytes())
    content[-30] ^= 0xFF
    file.write_bytes(content)
    found = await import_bundle(mirror, file, "run-1", main)
    assert isinstance(found, Rejected)
    assert not await refs(mirror)


@pytest.mark.attack("S-44")
async def test_a_link_a_folder_a_pipe_or_nothing_in_place_of_the_bundle_is_refused(mirror, main, agent, tmp_path):
    agent.write({"a": "a"}).commit()
    (tmp_path / "link").symlink_to(agent.bundle)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "agent", "nothing"):
        assert isinstance(await import_bundle(mirror, tmp_path / name, "run-1", main), Rejected)


@pytest.mark.parametrize("run", ["", "../heads/main", "a/b", "-x", "a.lock", "x" * 101, "ü"])
@pytest.mark.attack("S-40")
async def test_a_run_that_can_not_name_a_ref_is_a_bug(mirror, main, agent, run):
    with pytest.raises(ValueError):
        await import_bundle(mirror, agent.folder / "x", run, main)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (".git", True), (".GIT", True), (".gIt", True), ("git~1", True), ("GIT~2", True), (".git.", True),
        (".git ", True), (".git...  ", True), (".git::$INDEX_ALLOCATION", True), (".git:x", True), ("a\\.git", True),
        (".git\\config", True), (".g\u200cit", True), ("\ufeff.git", True), (".gi\u00adt", True), (".git\ufe0f", True),
        (".ｇｉｔ", True), (".gitignore", False), (".github", False), ("git", False), ("git~", False), ("x.git", False),
        ("digit~1", False), (".gitattributes", False), ("", False),
    ],
)  # fmt: skip
@pytest.mark.attack("S-45")
def test_gits_folder_is_recognised_in_every_disguise(name, answer):
    assert looks_like_git(name) is answer


def test_of_a_merge_only_what_differs_from_every_parent_is_its_own():
    a, b = "a" * 40, "b" * 40
    raw = (
        f"{a}\0:000000 100644 {'0' * 40} {b} A\0x\0:000000 100644 {'0' * 40} {b} A\0y\0"
        f"{a}\0:000000 100644 {'0' * 40} {b} A\0y\0{b}\0"
    )
    assert introduced(parse(raw)) == {Change("y", "100644", b)}


OURS = "k3y-0f-the-s3rvice-" + "9d2c41"
TOKENS = {
    "a token of GitHub": "ghp_" + "A1b2C3d4E5f6G7h8I9j0",
    "a key of Linear": "lin_api_" + "A1b2C3d4E5f6G7h8",
    "a key of Anthropic": "sk-ant-" + "api03-A1b2C3d4E5f6",
    "a private key": "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEow1BAAKCAQEA7\n-----END RSA PRIVATE KEY-----",
    "our own": OURS,
    "our own in base64": base64.b64encode(f"x{OURS}".encode()).decode(),
    "our own in hex": OURS.encode().hex(),
    "our own backwards": OURS[::-1],
    "our own without its beginning": OURS[7:],
}
PLACES = {
    "a file": lambda agent, text: agent.write({"notes.txt": f"first\nkey = {text}\n"}).commit(),
    "a file of bytes": lambda agent, text: agent.write({"a.bin": b"\0\xff" + text.encode() + b"\0"}).commit(),
    "a file that is gone again": lambda agent, text: (
        agent.write({"notes.txt": text}).commit(), agent.write({"notes.txt": "nothing"}).commit()),
    "the words of a commit": lambda agent, text: agent.commit(f"work\n\nfound {text}"),
    "who made a commit": lambda agent, text: agent.git(
        "commit", "-q", "--allow-empty", "-m", "x", GIT_AUTHOR_NAME=text.replace("\n", " ")),
    "the name of a file": lambda agent, text: agent.write({f"found/{text.replace(chr(10), ' ')}.txt": "x"}).commit(),
}  # fmt: skip


@pytest.mark.attack("S-25", "S-51")
@pytest.mark.parametrize("place", PLACES)
async def test_no_secret_comes_in_wherever_it_stands(mirror, agent, place):
    bars = Bars(secret=pattern_of([OURS]))
    for name, text in TOKENS.items():
        if (name, place) in {("a private key", "who made a commit"), ("a private key", "the name of a file")}:
            continue
        agent.git("reset", "-q", "--hard", agent.base)
        PLACES[place](agent, text)
        found = await import_bundle(mirror, agent.bundle, "run-1", agent.base, bars=bars)
        assert isinstance(found, Rejected), name
        said = " ".join(found.reasons)
        assert ("shaped like" in said) or ("service's own secrets" in said), said
        assert text not in said
        assert OURS not in said
        assert not await mirror.has(agent.git("rev-parse", "HEAD"))


async def test_what_only_looks_like_a_secret_comes_in_and_so_does_what_the_base_has(
    mirror, agent, remote, main, token: str
):
    known = TOKENS["a token of GitHub"]
    agent.write({"README.md": "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxx\nANTHROPIC_API_KEY=sk-ant-your-key\n"}).commit()
    assert isinstance(await import_bundle(mirror, agent.bundle, "run-1", main), Imported)
    base = agent.write({"tests/fixture.py": f"TOKEN = '{known}'\n"}).commit()
    agent.git("push", "-q", str(remote.bare), "HEAD:refs/heads/fixtures")
    await mirror.git("fetch", "-q", remote.url, "+refs/heads/fixtures:refs/heads/fixtures", token=token)
    agent.base = base
    agent.write({"tests/moved.py": f"# moved\nTOKEN = '{known}'\n"}).commit()
    assert isinstance(await import_bundle(mirror, agent.bundle, "run-2", base), Imported)
    agent.write({"tests/moved.py": f"TOKEN = '{known}z9'\nOTHER = '{TOKENS['a key of Linear']}'\n"}).commit()
    assert isinstance(await import_bundle(mirror, agent.bundle, "run-3", base), Rejected)
