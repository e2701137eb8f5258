"""What `callboard plan run` refuses: one sentence that says what to do, exit code 1, and nothing is started."""

import fcntl
import json

import pytest

from bot.runs.sandbox import Bubblewrap

FILE = "plans/parser.md"


def refused(desk, sentence, *arguments):
    code, said = desk.plan("run", *(arguments or (FILE,)))
    assert code == 1
    assert said.startswith("callboard: ")
    assert said.count("\n") == 1, said
    assert sentence in said
    assert desk.runs() == []


def accepted(desk):
    """Nothing is refused any more: it stops where the first run would start."""
    desk.has_spent(200)
    assert desk.run()[0] == 3


def test_outside_of_a_repository(desk, monkeypatch):
    monkeypatch.chdir(desk.tools)
    refused(desk, "is not in a git repository: go to the one that the plan is for")


def test_a_plan_that_is_not_there_or_lies_outside(desk):
    refused(desk, "There is no file plans/none.md", "plans/none.md")
    (desk.home / "plan.md").write_text("# A plan\n")
    refused(desk, "../plan.md lies outside of the repository", "../plan.md")


def test_a_plan_that_is_not_committed(desk):
    (desk.root / "new plan.md").write_text((desk.root / FILE).read_text())
    refused(desk, "'new plan.md' is not committed on main: `git add 'new plan.md'` and `git commit` it", "new plan.md")


def test_no_branch_and_no_commit(desk):
    desk.git("checkout", "-q", "--detach")
    refused(desk, "No branch is checked out (HEAD is detached): `git switch`")
    desk.git("checkout", "-q", "--orphan", "fresh")
    refused(desk, "The branch fresh has no commit yet")


def test_a_dirty_working_tree_but_not_for_files_that_git_does_not_know(desk):
    (desk.root / "README.md").write_text("# Half\n")
    refused(desk, "The working tree has changes that are not committed (README.md): commit or stash them first.")


def test_a_shallow_clone(desk, monkeypatch):
    desk.commit({}, "more")
    desk.git("clone", "-q", "--depth", "1", f"file://{desk.root}", str(desk.home / "shallow"))
    monkeypatch.chdir(desk.home / "shallow")
    refused(desk, "`git fetch --unshallow`")


def test_another_branch_than_last_time(desk):
    desk.check()
    desk.git("switch", "-q", "-c", "other")
    refused(desk, "on the branch main, and this is other: `git switch main`, or accept this one with `callboard plan")
    desk.check()
    desk.git("switch", "-q", "main")
    refused(desk, "on the branch other, and this is main")


def test_a_branch_that_was_rewritten_but_not_one_with_commits_on_top(desk):
    desk.commit({}, "one")
    desk.check()
    desk.git("commit", "-q", "--allow-empty", "--amend", "-m", "another")
    refused(desk, "The branch main moved: ")
    desk.check()
    desk.commit({}, "on top")
    accepted(desk)


def test_a_plan_that_was_changed_since(desk):
    desk.check()
    text = (desk.root / FILE).read_text()
    desk.commit({FILE: text.replace("- [ ] Style", "- [x] Style")}, "A tick is no change")
    desk.commit({FILE: text.replace("test -f lexer.py", "true")}, "mend")
    refused(
        desk, "The plan was changed since it was last looked at: read it, then accept it with `callboard plan check"
    )
    assert desk.check()[0] == 0
    accepted(desk)


def test_a_policy_that_was_changed_since(desk):
    desk.check()
    desk.policy('[gates]\nverify = "all"\n')
    refused(desk, "callboard.toml was changed since it was last looked at")


def test_a_plan_that_cannot_be_run(desk):
    desk.commit({FILE: "# Nothing\n"})
    refused(desk, "can't be run as a plan: `callboard plan check plans/parser.md` says why")


def test_another_run_under_way(desk):
    desk.check()
    with (desk.root / ".callboard/plan.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(desk, "is under way here: wait for it")


def test_no_key_for_the_model_and_no_such_runtime(desk):
    (desk.tools / "callboard.toml").write_text("")
    refused(desk, "There is no key for the model: set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN.")
    (desk.tools / "callboard.toml").write_text('[agent]\nruntime = "wizard"\n')
    refused(desk, "There is no runtime `wizard`: callboard.toml can name `claude` or `command` in `[agent] runtime`.")
    (desk.tools / "callboard.toml").write_text('[agent]\nruntime = "command"\n')
    refused(desk, "The runtime `command` needs a program")


def test_no_walls(desk, monkeypatch):
    async def missing(self):
        return "bubblewrap is not installed."

    monkeypatch.setattr(Bubblewrap, "missing", missing)
    refused(desk, "bubblewrap is not installed. Without walls no agent is started")


def test_a_state_file_that_cannot_be_read(desk):
    desk.check()
    (desk.root / ".callboard/orchestrator-state.json").write_text(json.dumps({"plan_path": FILE}))
    refused(desk, "orchestrator-state.json can't be read (total_phases): delete it; `callboard plan check")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--start-phase", "9"), "The plan has no phase 9 to start with: choose one of 1, 2."),
        (("--max-retries", "-1"), "--max-retries must be 0 or more."),
        (("--budget", "0"), "--budget must be more than 0"),
    ],
)
def test_a_number_that_makes_no_sense(desk, arguments, sentence):
    refused(desk, sentence, FILE, *arguments)
