"""Whatever a run does to a branch and whenever a person pushes to it: the person's commit stays on it."""

import pytest

from bot.runs.contract import Ending, RunResult

BELOW, TICKET = "agent/YOU-1", "agent/YOU-2"
RUNS = {
    "rebase": ("update", {"kind": "update"}),
    "merge": ("update", {"kind": "update"}),
    "checks": ("fix", {"kind": "checks", "names": ["lint"]}),
    "conflict": ("fix", {"kind": "conflict"}),
    "feedback": ("feedback", {"kind": "feedback"}),
    "documentation": ("documentation", {}),
    "research": ("research", {}),
}


@pytest.fixture
async def tips(remote, pushed):
    """A branch on another that landed squashed, and the base changed what the branch changed, too."""
    below = await pushed(BELOW, [("Below", {"below.py": "1\n"})])
    tip = await pushed(TICKET, [("Own", {"own.py": "1\n"}), ("More", {"more.py": "1\n"})], base=BELOW)
    remote.land(BELOW, "squash")
    return below, tip


@pytest.fixture
def run(worker, agent, order, lease, remote, shell, tips):
    """One run of a kind; `head` is what the service takes for its last push."""
    number = iter(range(100))

    def works(tree):
        shell("sh", "-c", "git merge -q origin/main || true", cwd=tree)
        (tree / "own.py").write_text("resolved\n")

    async def run(kind, head, asked=lambda: None):
        prompt, about = RUNS[kind]
        count = next(number)
        agent.files = {} if kind == "conflict" else {f"made-{count}.py": "1\n"}
        agent.then = works if kind == "conflict" else lambda _tree: None
        outcome = {"status": "success", "summary": "s", "document": f"# {count}\n"}
        agent.result = RunResult(kind=Ending.SUCCESS, outcome=outcome, summary="s")
        upstream = tips[0] if kind == "rebase" else ""
        wanted = order(prompt, f"run-{count}", head=head, upstream=upstream, about=about)
        return await worker.work(wanted, lease(asked=asked))

    return run


@pytest.mark.parametrize("when", ["before", "during", "after"])
@pytest.mark.parametrize("kind", RUNS)
async def test_a_persons_commit_is_never_lost(remote, run, tips, kind, when):
    tip = tips[1]
    if kind == "conflict":
        remote.add({"own.py": "theirs\n"})
    pushes = iter([lambda: remote.add({"hand.py": "by hand\n"}, branch=TICKET, message="By hand")])
    theirs = []

    def push():
        theirs.extend(push() for push in pushes)

    if when == "before":
        push()
    result = await run(kind, tip, asked=push if when == "during" else lambda: None)
    if when == "during":
        assert result["kind"] == "transport_failed"
        assert remote.git("rev-parse", TICKET) == theirs[0]
        result = await run(kind, tip)
    push()
    assert result["kind"] == "success"
    assert remote.contains(TICKET, theirs[0])
    if kind != "rebase" or when != "after":
        assert remote.contains(TICKET, tip)
    head = remote.git("rev-parse", TICKET)
    remote.add({"README.md": "# Moved on\n"})
    last = await run("rebase", head)  # the service takes a person's push for its own
    assert (last["kind"], "carried" in last) == ("success", True)
    assert remote.contains(TICKET, theirs[0])
    assert remote.files(TICKET)["hand.py"] == "by hand"


async def test_only_an_update_of_an_untouched_branch_rewrites_it(remote, run, tips):
    tip = tips[1]
    await run("rebase", tip)
    assert not remote.contains(TICKET, tip)
    assert remote.subjects("main", TICKET) == ["Own", "More"]
