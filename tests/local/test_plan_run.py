"""A plan in a person's own repository, run to one of its ends."""

import asyncio
import re
from datetime import timedelta

import pytest

from bot.local import driving
from bot.local.driving import Drive
from bot.machine.progress import Kind
from bot.simulator.model import Log, by_key, calls, concludes, model_app, writes
from bot.simulator.serving import serve

FILE = "plans/parser.md"
OTHER = "# Another\n\n## Phase 1: Write docs\n\n#### Automated Verification:\n- [ ] Docs: `test -f docs.md`\n"
ASKS = "outcome = {'status': 'needs_input', 'summary': '?', 'question': 'Which grammar?', 'options': ['LL', 'LR']}"


def meanwhile(monkeypatch, kind, does):
    """Something happens when a step of this kind begins for the first time."""
    note, left = Drive.note, [does]

    def noted(self, began, phase, attempt):
        if began is kind and left:
            left.pop()()
        note(self, began, phase, attempt)

    monkeypatch.setattr(Drive, "note", noted)
    monkeypatch.setattr(driving, "FIRST_WAIT", timedelta(0))


def test_a_plan_runs_to_its_end_and_the_working_tree_has_what_it_made(desk):
    (desk.root / "untracked.txt").write_text("mine\n")
    code, said = desk.run()
    assert code == 0, said
    assert desk.log() == ["Begin", "Phase 1: Add the lexer", "Phase 2: Add the parser"]
    assert desk.log("%an <%ae> %cn")[1:] == ["Dora <dora@example.org> Dora"] * 2
    assert (desk.root / "parser.py").read_text() == "1\n"
    assert desk.git("status", "--porcelain") == "?? untracked.txt"
    assert "[x] Parser tests pass" in (desk.root / "plans/parser.md").read_text()
    assert desk.runs() == ["implement 1", "review 1", "implement 2", "review 2"]
    first, second = desk.log("%H")[1:]
    for part in (
        "phase 1 of 2: Add the lexer · implement\n    working on implement 1\n",
        "phase 2 of 2: Add the parser · verify\n",
        f"Stopped: completed. All 2 phases of plans/parser.md are done.\n\nCommitted:\n  {first[:10]}  Phase 1: Add",
        f"{second[:10]}  Phase 2: Add the parser",
        "passed:\n  test ! -f ugly  (exit code 0, 0.",
        "Ticked by the worker only, and believed:\n  test -f lexer.py\n\n",
        "For you to try by hand:\n  Add the parser: It feels quick",
    ):
        assert part in said, said
    assert "Verifying, 1 of 1: test -f lexer.py" not in said, "what the worker ticked was run again"
    state = desk.state
    assert state["plan_path"] == "plans/parser.md"
    assert (state["total_phases"], state["current_phase"], state["phase_status"]) == (2, None, "completed")
    assert (state["retry_count"], state["max_retries"], state["last_error"]) == (0, 3, None)
    assert state["completed_phases"] == [1, 2]
    assert state["commits"] == [
        {"phase": 1, "hash": first, "message": "Phase 1: Add the lexer"},
        {"phase": 2, "hash": second, "message": "Phase 2: Add the parser"},
    ]
    assert (state["branch"], state["head"]) == ("main", second)
    again, said = desk.run()
    assert (again, "All 2 phases are committed already." in said) == (0, True)
    assert "Run here, behind the walls, and passed:" in said
    assert len(desk.runs()) == 4, "what is done was done again"
    desk.script(fix="write('wish.py')")
    code, said = desk.run("--answer", "Add a wish, please")
    assert code == 0, said
    assert desk.log()[-1] == "parser: what was asked for after the last phase"
    assert (desk.root / "wish.py").exists()
    assert desk.state["guidance"] == []


def test_blocked_says_what_was_tried_and_goes_on_from_there(desk):
    desk.small()
    desk.script(implement_1="write('ugly'); write('lexer.py')", fix="outcome['summary'] = 'tried'")
    code, said = desk.run("--max-retries", "1")
    assert code == 3
    assert "Stopped: blocked. Phase 1 of 1: Add the lexer, after 2 attempts." in said
    assert "Last error:\n  The command `test ! -f ugly` failed (exit code 1)" in said
    assert "What was tried:\n  1. Verification failed: `test ! -f ugly`\n  2. Verification failed" in said
    assert "callboard plan run plans/parser.md [--answer" in said
    assert "+++ b/ugly" in desk.git("diff", "HEAD", "refs/callboard/unfinished/main")
    state = desk.state
    assert (state["phase_status"], state["current_phase"], state["max_retries"]) == ("blocked", 1, 1)
    assert "test ! -f ugly" in state["last_error"]
    checked = desk.check()[1]
    assert "> Phase 1: Add the lexer (in hand, attempt 1)" in checked
    assert "It would begin with phase 1 of 1: Add the lexer (fix)." in checked
    assert "It stopped with:\n  The command `test ! -f ugly` failed" in checked
    desk.script(fix="os.remove('ugly')")
    code, said = desk.run("--answer", "Just delete the file.")
    assert code == 0, said
    assert desk.runs() == ["implement 1", "fix 1", "fix 1", "review 1"]
    assert "Just delete the file." in desk.prompt(2)
    assert "Just delete the file." not in desk.prompt(3), "a hint that was acted upon is not given again"
    assert not (desk.root / "ugly").exists()
    assert desk.state["resume"] is False, "attempts would be counted anew for ever"


def test_a_question_is_asked_and_its_answer_waits_for_a_run_that_acts_upon_it(desk, monkeypatch):
    desk.small()
    desk.script(implement_1=f"write('half.py'); {ASKS}")
    code, said = desk.run()
    assert code == 4
    assert "Stopped: needs input. Phase 1 of 1: Add the lexer.\n\nQuestion:\n  Which grammar?" in said
    assert "Options:\n  1. LL\n  2. LR" in said
    assert (desk.state["phase_status"], desk.state["last_error"]) == ("needs_input", "Which grammar?")
    assert "It stopped with:\n  Which grammar?" in desk.check()[1]
    desk.script(implement_1="sys.exit(75)")
    monkeypatch.setattr(driving, "FIRST_WAIT", timedelta(0))
    monkeypatch.setattr(driving, "MOST_HICCUPS", 2)
    code, said = desk.run("--answer", "LR, as ever")
    assert (code, "It failed 2 times in a row for a reason outside of the work" in said) == (3, True)
    desk.script()
    code, said = desk.run()
    assert code == 0, said
    assert re.search(r"comment by Dora at 20.*\nLR, as ever", desk.prompt(3))
    assert "LR, as ever" not in desk.prompt(-1), "it is told once"
    assert (desk.root / "half.py").exists(), "what stood before the question is kept"
    assert "Callboard-Attempt: 1" in desk.git("log", "-1", "--format=%B"), "a failure outside is no attempt"


@pytest.mark.slow
async def test_the_real_agent_and_what_it_costs(desk, monkeypatch):
    """Its model is scripted; the first run is ended in the middle, because its money is spent."""
    desk.small()
    (desk.tools / "callboard.toml").write_text("")
    answers = {
        ("parser", "implement"): [
            calls(writes("lexer.py", "1\n")),
            concludes({"status": "success", "summary": "done"}),
        ],
        ("parser", "review"): [concludes({"verdict": "approved", "summary": "fine", "blockers": []})],
    }
    async with serve(model_app(by_key(answers), Log())) as url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary-7d1f")
        code, said = await asyncio.to_thread(desk.types, "plan", "run", FILE, "--budget", "0.01")
        assert code == 3, said
        assert "phase 1 of 1: Add the lexer · implement · " in said
        assert " · $0.02" in said
        assert "The budget of $0.01 is spent ($0.02), so no further run starts." in said
        assert desk.state["last_error"] == "A run was ended when it had spent its $0.01."
        assert 0.01 <= desk.state["spent_usd"] < 0.03
        code, said = await asyncio.to_thread(desk.types, "plan", "run", FILE, "--budget", "1")
    assert code == 0, said
    assert desk.runs() == ["implement 1", "implement 1", "review 1"]
    for file in (desk.root / ".callboard").rglob("*"):
        assert not file.is_file() or b"sk-canary" not in file.read_bytes(), file


def test_no_run_starts_once_the_money_is_spent(desk):
    desk.check()
    desk.has_spent(7.5)
    desk.script(implement_1=ASKS)
    code, said = desk.run("--budget", "5")
    assert code == 3
    assert "The budget of $5.00 is spent ($7.50), so no further run starts." in said
    assert "--budget 15" in said
    assert desk.runs() == []
    assert desk.run("--budget", "15")[0] == 4
    assert desk.runs() == ["implement 1"]


def test_a_first_phase_can_be_chosen_and_is_remembered(desk):
    desk.script(implement_2=ASKS)
    assert desk.run("--start-phase", "2")[0] == 4
    assert desk.runs() == ["implement 2"]
    assert "- Phase 1: Add the lexer (left out)" in desk.check()[1]


def test_with_verify_all_a_tick_that_was_not_earned_is_found_and_repaired(desk):
    desk.small()
    desk.script(implement_1="tick('Lexer tests pass')", fix="write('lexer.py')")
    code, said = desk.run("--verify", "all")
    assert code == 0, said
    assert "after the last phase · verify\n" in said
    assert desk.log()[-1] == "parser: repairs after everything was verified once more"
    assert (desk.root / "lexer.py").exists()


def test_a_working_tree_that_is_changed_meanwhile_keeps_its_changes_and_the_commit_waits(desk, monkeypatch):
    desk.small()
    meanwhile(monkeypatch, Kind.REVIEW, lambda: (desk.root / "README.md").write_text("# In the middle of it\n"))
    code, said = desk.run()
    assert code == 3
    assert "The working tree has changes that are not committed (README.md), so the phase's commit" in said
    assert desk.log()[-1] == "A smaller plan"
    desk.git("commit", "-qam", "By hand")
    code, said = desk.run()
    assert code == 0, said
    assert desk.log()[-2:] == ["By hand", "Phase 1: Add the lexer"]
    assert desk.runs().count("implement 1") == 1
    assert "In the middle of it" in (desk.root / "README.md").read_text()


def test_a_plan_that_is_changed_meanwhile_stops_the_command(desk, monkeypatch):
    desk.small()
    text = (desk.root / "plans/parser.md").read_text().replace("test -f lexer.py", "true")
    meanwhile(monkeypatch, Kind.IMPLEMENT, lambda: desk.commit({"plans/parser.md": text}, "Mend the plan"))
    code, said = desk.run()
    assert code == 1
    assert "was changed on main meanwhile: accept it with `callboard plan check plans/parser.md`" in said


def test_one_plan_after_another_on_a_branch_inherits_nothing_of_the_first(desk):
    desk.small()
    desk.commit({"plans/other.md": OTHER}, "Another plan")
    desk.script(implement_1=ASKS)
    desk.run()
    code, said = desk.plan("run", "plans/other.md")
    assert code == 1
    assert "Another plan (parser) is in the middle of its phase 1 of 1: Add the lexer on main: finish that one" in said
    desk.script()
    assert desk.run("--verify", "all")[0] == 0
    desk.script(implement_1="write('docs.md')")
    code, said = desk.plan("run", "plans/other.md", "--verify", "all")
    assert code == 0, said
    assert "after the last phase · verify" in said, "that the first plan is closed closes no other"
    assert "test ! -f ugly" not in said, "receipts of the first plan are not the second's"
    assert desk.log()[-1] == "Phase 1: Write docs"


def test_in_a_linked_worktree_a_commit_made_meanwhile_stays_and_the_work_goes_on_on_top(desk, monkeypatch):
    topic = desk.home / "topic"
    desk.small()
    desk.git("worktree", "add", "-q", "-b", "topic", str(topic))
    monkeypatch.chdir(topic / "plans")

    def commits():
        (topic / "mine.py").write_text("2\n")
        desk.git("-C", str(topic), "add", "mine.py")
        desk.git("-C", str(topic), "commit", "-q", "-m", "By hand")

    meanwhile(monkeypatch, Kind.REVIEW, commits)
    code, said = desk.plan("run", "parser.md")
    assert code == 0, said
    log = desk.git("-C", str(topic), "log", "--reverse", "--format=%s").splitlines()
    assert log[-3:] == ["A smaller plan", "By hand", "Phase 1: Add the lexer"]
    assert (topic / "lexer.py").exists()
    assert desk.git("-C", str(topic), "status", "--porcelain") == ""
    assert not (desk.root / "lexer.py").exists()
    assert desk.log()[-1] == "A smaller plan"
