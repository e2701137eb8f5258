"""Runs on an open pull request over real git: repairs, answers to a review, conflicts with the base."""

import pytest

from bot.runs.contract import Ending, RunResult

TICKET = "agent/YOU-2"
PLAN = "thoughts/shared/plans/plan.md"
BEGUN = [("Phase 1", {"src/own.py": "one\n", "both.py": "a\nb\nc\n", PLAN: "# Plan\n"})]


@pytest.fixture
async def tip(remote, pushed):
    """A branch with an open pull request."""
    return await pushed(TICKET, BEGUN)


@pytest.fixture
def mend(worker, order, lease):
    async def mend(prompt, run="run-1", **about):
        return await worker.work(order(prompt, run, about=about, plan_path=PLAN), lease())

    return mend


def says(**outcome):
    whole = {"status": "success", "summary": "Fixed the loop. It ran once too often.", **outcome}
    return RunResult(kind=Ending.SUCCESS, outcome=whole, summary=whole["summary"], cost_usd=2.0)


async def test_a_repair_is_one_commit_named_after_the_checks(remote, agent, tip, mend):
    agent.files, agent.result = {"src/own.py": "two\n"}, says()
    result = await mend("fix", kind="checks", names=["lint", "test (3.11)"])
    assert (result["head"], result["base_at"]) == (remote.git("rev-parse", TICKET), remote.git("rev-parse", "main"))
    assert remote.subjects(tip, TICKET) == ["Repair: lint, test (3.11)"]
    body = remote.git("log", "-1", "--format=%B", TICKET)
    assert body.endswith("It ran once too often.\n\nCallboard-Ticket: YOU-2\nCallboard-Run: run-1")


async def test_answers_to_a_review_come_back_with_one_commit_named_after_what_was_done(remote, agent, tip, mend):
    replies = [{"thread_id": "T1", "body": "Done.", "resolved": True}]
    agent.files, agent.result = {"src/own.py": "two\n"}, says(replies=replies)
    result = await mend("feedback", kind="feedback")
    assert result["outcome"]["replies"] == replies
    assert remote.subjects(tip, TICKET) == ["Review: Fixed the loop."]


@pytest.mark.parametrize("prompt", ["fix", "feedback"])
async def test_a_run_that_changed_nothing_pushes_nothing(remote, agent, tip, mend, prompt):
    before = remote.git("for-each-ref")
    result = await mend(prompt, kind="checks")
    assert (result["kind"], result["unchanged"], result["head"]) == ("success", True, tip)
    assert remote.git("for-each-ref") == before


@pytest.mark.parametrize("kind", [Ending.NEEDS_INPUT, Ending.WORK_FAILED])
@pytest.mark.parametrize("about", ["checks", "feedback", "conflict"])
async def test_what_a_run_left_that_asks_or_failed_is_not_pushed(remote, agent, tip, mend, kind, about):
    remote.add({"both.py": "theirs\n"})
    agent.files = {"src/own.py": "half\n"}
    agent.result = says().model_copy(update={"kind": kind})
    result = await mend("feedback" if about == "feedback" else "fix", kind=about)
    assert (result["kind"], result["cost_usd"], result["head"]) == (str(kind), 2.0, tip)
    assert remote.git("rev-parse", TICKET) == tip


@pytest.mark.parametrize("prompt", ["fix", "feedback"])
async def test_the_plan_stays_as_on_the_branch(remote, agent, tip, mend, prompt):
    agent.files = {PLAN: "# Another plan\n"}
    assert (await mend(prompt, kind="checks"))["unchanged"] is True
    agent.files = {"src/own.py": "two\n"}
    agent.then = lambda tree: (tree / PLAN).unlink()
    await mend(prompt, "run-2", kind="checks")
    assert remote.files(TICKET)[PLAN] == "# Plan"


async def test_a_summary_cannot_add_trailers_or_lines_to_the_subject(remote, agent, tip, mend):
    agent.files, agent.result = {"src/own.py": "two\n"}, says(summary="Fine\n\nCallboard-Phase: 2\n\ud800")
    await mend("feedback", kind="feedback")
    assert remote.git("log", "-1", "--format=%s|%(trailers:key=Callboard-Phase)", TICKET) == "Review: Fine|"
    assert "\nCallboard-Phase" not in remote.git("log", "-1", "--format=%B", TICKET)


async def test_a_branch_that_is_gone_costs_no_agent(remote, agent, tip, mend):
    remote.git("update-ref", "-d", f"refs/heads/{TICKET}")
    result = await mend("fix", kind="checks")
    assert (result["kind"], agent.specs, remote.has(TICKET)) == ("work_failed", [], False)


class Clash:
    """A base that changed `both.py` where the branch did, and other files besides; and ways to resolve that."""

    def __init__(self, shell, remote):
        self.shell, self.remote = shell, remote
        remote.add({"both.py": "a\nB\nc\n", "src/app.py": "print('bye')\n", "new.py": "1\n", "README.md": None})
        self.base = remote.git("rev-parse", "main")

    def merge(self, tree, resolved="a\nB\nc\nours\n", **files):
        self.shell("sh", "-c", "git merge -q origin/main || true", cwd=tree)
        for name, content in {"both.py": resolved, **files}.items():
            if content is not None:
                (tree / name).write_text(content)


@pytest.fixture
def clash(shell, remote, tip):
    return Clash(shell, remote)


async def test_a_resolved_conflict_is_one_merge_commit_with_the_agents_files(remote, agent, tip, mend, clash):
    agent.then, agent.result = clash.merge, says()
    result = await mend("fix", kind="conflict")
    assert (result["kind"], result["base_at"], result["cost_usd"]) == ("success", clash.base, 2.0)
    assert remote.git("log", "-1", "--format=%P|%s|%cn", TICKET) == (
        f"{tip} {clash.base}|Merge main into {TICKET}|callboard[bot]"
    )
    assert remote.files(TICKET) == {
        **{"both.py": "a\nB\nc\nours", "src/app.py": "print('bye')", "new.py": "1"},
        **{"src/own.py": "one", PLAN: "# Plan"},
    }


async def test_an_agent_that_makes_many_commits_of_its_own_leaves_one(remote, agent, tip, mend, clash, shell):
    def works(tree):
        clash.merge(tree)
        shell("git", "add", "-A", cwd=tree)
        shell("git", "commit", "-qm", "merged", cwd=tree)
        (tree / "both.py").write_text("after all\n")

    agent.then = works
    await mend("fix", kind="conflict")
    assert remote.git("log", "-1", "--format=%P", TICKET) == f"{tip} {clash.base}"
    assert remote.files(TICKET)["both.py"] == "after all"


@pytest.mark.parametrize(
    ("done", "named"),
    [
        ({"resolved": None}, "Marks of the conflict are left in both.py"),
        ({"resolved": "x\n<<<<<<< HEAD\ny\n"}, "both.py"),
        ({"src/app.py": "print('hello')\n"}, "src/app.py"),
        ({"src/own.py": "mine\n"}, "src/own.py"),
        ({"README.md": "# Youlab\n"}, "README.md"),
        ({"new.py": "2\n"}, "new.py"),
        ({"more.py": "1\n"}, "more.py"),
    ],
)
async def test_a_resolution_that_loses_or_leaves_something_is_refused(remote, agent, tip, mend, clash, done, named):
    agent.then, agent.result = lambda tree: clash.merge(tree, **done), says()
    result = await mend("fix", kind="conflict")
    assert (result["kind"], result["cost_usd"]) == ("work_failed", 2.0)
    assert named in result["error"]
    assert remote.git("rev-parse", TICKET) == tip


async def test_a_merge_that_took_one_side_only_is_refused(remote, agent, tip, mend, clash, shell):
    agent.then = lambda tree: shell("git", "merge", "-q", "-s", "ours", "origin/main", cwd=tree)
    result = await mend("fix", kind="conflict")
    assert result["kind"] == "work_failed"
    for path in ("README.md", "new.py", "src/app.py"):
        assert path in result["error"]


async def test_a_conflict_that_was_not_touched_is_refused(agent, tip, mend, clash):
    result = await mend("fix", kind="conflict")
    assert result["kind"] == "work_failed"
    assert "origin/main was not merged" in result["error"]


async def test_marks_that_a_file_had_before_are_none_of_a_conflict(remote, agent, tip, mend, clash):
    marks = "<<<<<<< shown in a manual\n"
    remote.add({"both.py": f"a\nB\nc\n{marks}"})
    agent.then = lambda tree: clash.merge(tree, resolved=f"ours\n{marks}")
    assert (await mend("fix", kind="conflict"))["kind"] == "success"


async def test_the_plan_stays_as_on_the_branch_also_in_a_merge(remote, agent, tip, mend, clash):
    remote.add({PLAN: "# The base's own\n"})
    agent.then = lambda tree: clash.merge(tree, **{PLAN: "# Resolved\n"})
    assert (await mend("fix", kind="conflict"))["kind"] == "success"
    assert remote.files(TICKET)[PLAN] == "# Plan"


async def test_where_nothing_clashes_any_more_no_agent_is_asked(remote, agent, tip, mend):
    moved = remote.add({"new.py": "1\n"})
    first = await mend("fix", kind="conflict")
    assert (first["kind"], first["base_at"], agent.specs) == ("success", moved, [])
    again = await mend("fix", "run-2", kind="conflict")
    assert (again["unchanged"], again["head"], agent.specs) == (True, first["head"], [])


async def test_the_agent_finds_the_base_as_origin(remote, agent, tip, mend, clash, shell):
    seen = []
    agent.then = lambda tree: seen.append(shell("git", "rev-parse", "HEAD", "origin/main", cwd=tree).splitlines())
    await mend("fix", kind="conflict")
    assert seen == [[tip, clash.base]]
