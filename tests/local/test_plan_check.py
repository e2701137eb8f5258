"""`callboard plan check`: what a run would do, the state file, and nothing started."""

from pathlib import Path

from bot.local.repository import STRANGER, open_repository

BROKEN = "# A parser\n\n## Phase 1: One\n\n#### Automated Verification:\n- [ ] a: `true`\n\n## Phase 1: Two\n"


def test_a_check_shows_what_would_run_and_starts_nothing(desk):
    text = (desk.root / "plans/parser.md").read_text()
    desk.commit({"plans/parser.md": text.replace("- [ ] Style", "- [x] Style")}, "Tick by hand")
    code, said = desk.check("--max-retries", "2", "--start-phase", "1")
    assert code == 0
    for part in (
        "A parser\nplans/parser.md, on main\n",
        "  Phase 1: Add the lexer (to do)\n    [ ] test -f lexer.py\n    [x] test ! -f ugly\n",
        "    [ ] test -f parser.py\n    by hand: It feels quick\n",
        "It would begin with phase 1 of 2: Add the lexer (implement).",
        "At most 12 runs with 2 retries per phase, 60 minutes and $20 each, $100 in all.",
        "To start it:\n  callboard plan run plans/parser.md\n",
        "The state is in .callboard/orchestrator-state.json. Nothing was started.",
    ):
        assert part in said, said
    assert "Before it can start" not in said
    state = desk.state
    assert (state["phase_status"], state["current_phase"], state["max_retries"]) == ("pending", 1, 2)
    assert (state["branch"], state["head"]) == ("main", desk.git("rev-parse", "HEAD"))
    assert not (desk.root / ".callboard/runs").exists()
    assert desk.git("status", "--porcelain") == ""
    assert "/.callboard/" in (desk.root / ".git/info/exclude").read_text().splitlines()


def test_a_plan_that_cannot_be_run_is_shown_with_its_lines_and_exit_code_one(desk):
    desk.commit({"plans/parser.md": BROKEN})
    code, said = desk.check()
    assert code == 1
    assert "line 8: Phase 1 stands in line 3 and in line 8: give each phase a number of its own." in said
    assert not (desk.root / ".callboard/orchestrator-state.json").exists()


def test_what_is_in_the_way_of_a_run_is_shown_all_at_once(desk, monkeypatch):
    (desk.root / "README.md").write_text("# Half\n")
    (desk.root / "plans/new.md").write_text((desk.root / "plans/parser.md").read_text())
    monkeypatch.delenv("CALLBOARD_CONFIG")
    code, said = desk.plan("check", "plans/new.md")
    assert code == 0
    for part in ("- plans/new.md is not committed on main", "(README.md): commit or stash them", "ANTHROPIC_API_KEY"):
        assert part in said.split("Before it can start:")[1]


def test_what_the_plan_says_can_not_play_with_the_terminal(desk):
    desk.commit({"plans/parser.md": "# A \x1b]0;owned\x07\n\n## Phase 1: B [red]\x1b[31m\n\n- [ ] a: `true`\n"})
    _, said = desk.check()
    assert "\x1b" not in said
    assert "[red]" in said


async def test_without_an_identity_commits_bear_callboard_s_name(desk):
    repository = await open_repository(Path("plans/parser.md"))
    assert (await repository.author()).email == "dora@example.org"
    desk.git("config", "--unset", "user.email")
    assert await repository.author() == STRANGER
