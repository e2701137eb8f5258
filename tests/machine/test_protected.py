"""What changes protected files is merged only when a person named them, for exactly these heads (security S-43)."""

import pytest

from bot.machine.comments import Word, parse
from bot.machine.protected import DEFAULT, among
from bot.machine.stages import Stage

pytestmark = pytest.mark.attack("S-43")

WORKFLOW = ".github/workflows/ci.yml"


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml", ".GitHub/workflows/x.yml", ".gitlab-ci.yml", ".circleci/config.yml", "Jenkinsfile",
        "uv.lock", "web/package-lock.json", "go.sum", "Cargo.lock", "CODEOWNERS", ".github/CODEOWNERS",
        "docs/CODEOWNERS", ".claude/settings.json", "sub/.claude/settings.json", ".Claude/settings.json", ".mcp.json",
        ".claude.json", "CLAUDE.md", "sub/CLAUDE.local.md", "AGENTS.md", "AGENTS.override.md", ".codex/config.toml",
        ".cursor/rules", ".gemini/settings.json", ".husky/pre-commit", ".vscode/tasks.json", ".envrc", "sub/.env",
        ".gitmodules", "src/.gitattributes", ".ripgreprc",
    ],
)  # fmt: skip
def test_these_are_protected_wherever_they_are(path):
    assert among([path], DEFAULT) == (path,)


@pytest.mark.parametrize("path", ["src/app.py", "README.md", "github/x", "lock.py", "docs/claude.md.txt", "src/env.py"])
def test_ordinary_files_are_not(path):
    assert among([path], DEFAULT) == ()


@pytest.mark.parametrize(
    ("pattern", "means", "not_this"),
    [
        ("src/auth/", "src/auth/a/b.py", "lib/src/auth/a.py"),
        ("src/*.sql", "src/a.sql", "a.sql"),
        ("deploy/", "x/deploy/y", "x/deploy"),
        ("*.tf", "a/b/c.tf", "a/b/c.tfx"),
    ],
)
def test_a_pattern_is_read_as_in_a_gitignore(pattern, means, not_this):
    assert among([means, not_this], [pattern]) == (means,)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (f"approve with {WORKFLOW}", (WORKFLOW,)),
        (f"Approve with `{WORKFLOW}` and uv.lock.", (WORKFLOW, "uv.lock")),
        ("approve with .github/, `a b.lock`", (".github/", "a b.lock")),
        ("approve with [deploy.sh](<http://deploy.sh>)", ("deploy.sh",)),
        ("approve with package\\_lock.json", ("package_lock.json",)),
    ],
)
def test_paths_are_named_in_words(body, names):
    assert (parse(body).word, parse(body).names) == (Word.APPROVE_WITH, names)


@pytest.mark.parametrize(
    "body", ["approve with", f"> approve with {WORKFLOW}", f"`approve with {WORKFLOW}`", f"approve with {WORKFLOW}\nno"]
)
def test_anything_beside_it_is_text(body):
    assert parse(body).word is Word.TEXT


@pytest.fixture
def ready(approved):
    """Everything stands ready; the storage ticket changes a workflow and a lock file."""
    board = approved.work(8)
    board.pull(board.pulls["storage"].number, protected=(WORKFLOW, "uv.lock"))
    return board.settle()


def merged(board) -> set[str]:
    return {key for key, one in board.pulls.items() if one.merged}


def test_the_summary_and_the_ticket_name_the_paths(ready):
    summary = ready.said("epic", "summary")[-1]
    assert f"`{WORKFLOW}`, `uv.lock`" in summary
    assert "approve with" in summary
    assert f"say `approve with {WORKFLOW}, uv.lock` on YOU-1" in ready.why("storage")


def test_what_stands_on_it_names_its_paths_too(ready):
    """Who named those of the upper one only had approved what can't be merged, and was asked anew for ever."""
    ready.pull(ready.pulls["theme"].number, protected=(".env",))
    ready.settle()
    assert f"say `approve with {WORKFLOW}, uv.lock, .env` on YOU-1" in ready.why("theme")
    ready.comments("epic", f"approve with {WORKFLOW}, uv.lock, .env")
    ready.settle()
    assert {"storage", "theme"} <= merged(ready)


def test_a_plain_approval_leaves_it_out_with_what_stands_on_it_and_says_so(ready):
    said = ready.comments("epic", "approve")
    ready.settle()
    assert "feed" in merged(ready)
    assert not {"storage", "theme"} & merged(ready)
    assert WORKFLOW in ready.answers(said)[0]
    assert ready.stage("epic") is Stage.CODE_REVIEW, "it is asked for anew"


def test_naming_all_of_them_merges_it(ready):
    ready.comments("epic", f"approve with {WORKFLOW}, uv.lock")
    ready.settle()
    assert {"storage", "feed"} <= merged(ready)


@pytest.mark.parametrize(
    "body",
    [
        f"approve with {WORKFLOW}", "approve with uv.lock", "approve with .github/", "approve with reservations",
        f"approve with {WORKFLOW}, uv.lock, everything", "approve with /", "approve with *", "approve with .",
        f"approve with {WORKFLOW.upper()}, uv.lock",
    ],
)  # fmt: skip
def test_naming_less_or_something_else_does_not(ready, body):
    ready.comments("epic", body)
    ready.settle()
    assert "storage" not in merged(ready)


def test_who_names_them_a_moment_after_a_plain_approval_has_approved_all_of_it(ready):
    """The plain one was taken, the other was told that there is nothing to approve, and everything was asked anew."""
    ready.comments("epic", "approve")
    named = ready.comments("epic", f"approve with {WORKFLOW}, uv.lock")
    ready.settle()
    assert {"storage", "feed"} <= merged(ready)
    assert not ready.answers(named)


def test_a_folder_names_what_lies_in_it(ready):
    ready.comments("epic", "approve with .github/ and uv.lock")
    ready.settle()
    assert "storage" in merged(ready)


def test_a_path_that_comes_later_needs_a_new_approval(ready):
    ready.updates = False
    ready.comments("epic", f"approve with {WORKFLOW}, uv.lock")
    ready.pull(ready.pulls["storage"].number, protected=(WORKFLOW, "uv.lock", ".env"))
    ready.settle()
    assert "storage" not in merged(ready)
    assert "`.env`" in ready.said("epic", "summary")[-1]


def test_a_new_head_needs_a_new_approval_that_names_them_again(ready):
    ready.pull(ready.pulls["storage"].number, head="pushed")
    ready.comments("epic", f"approve with {WORKFLOW}, uv.lock")
    ready.settle()
    assert "storage" not in merged(ready)


def test_when_nobody_knows_what_is_changed_it_is_not_merged(ready):
    ready.pull(ready.pulls["feed"].number, protected=None)
    ready.settle()
    ready.comments("epic", f"approve with {WORKFLOW}, uv.lock")
    ready.settle()
    assert "feed" not in merged(ready)
    assert "can't be told" in ready.why("feed")


def test_the_breakdown_is_not_approved_by_it(board):
    board.settle().work()
    board.comments("epic", "approve with uv.lock")
    board.settle()
    assert board.stage("epic") is Stage.PLAN_REVIEW


def test_a_lone_ticket_asks_for_the_names_too(boards):
    board = boards(lone=True)
    board.settle().work(8)
    assert board.stage("epic") is Stage.MERGE, board.stages()
    board.pull(board.pulls["epic"].number, protected=(WORKFLOW,))
    board.settle()
    board.comments("epic", "approve")
    board.settle()
    assert not board.merges
    board.comments("epic", f"approve with {WORKFLOW}")
    board.settle()
    assert [one.number for one in board.merges] == [1]


def test_what_becomes_protected_after_the_approval_is_not_merged_by_it(ready):
    ready.comments("epic", f"approve with {WORKFLOW}, uv.lock")
    ready.step()
    assert ready.stage("epic") is Stage.MERGE
    assert not merged(ready)
    ready.pull(ready.pulls["storage"].number, protected=(WORKFLOW, "uv.lock", ".env"))
    ready.settle()
    assert "storage" not in merged(ready)


def test_what_is_unknown_after_the_approval_is_not_merged_by_it(ready):
    ready.comments("epic", f"approve with {WORKFLOW}, uv.lock")
    ready.step()
    ready.pull(ready.pulls["storage"].number, protected=None)
    ready.settle()
    assert "storage" not in merged(ready)
