"""Names of branches."""

import subprocess

import pytest

from bot.git.names import checked, identifier_of, is_safe
from bot.machine.errors import UserError
from bot.machine.stack import base_branch_of, branch_of

GOOD = [
    "main",
    "develop",
    "release/1.2",
    "feature/add-parser",
    "agent/YOU-12",
    "agent/YOU-12-base",
    "dependabot/npm_and_yarn/lodash-4.17.21",
    "user@host",
    "fix#12",
    "c++",
    "a=b",
    "v1.0",
    "gh-readonly-queue/main/pr-104-abc",
    "A_B",
]
BAD = [
    "",
    " ",
    "-main",
    "--upload-pack=touch x",
    "a/-b",
    "a b",
    "a\tb",
    "a\nb",
    "a\0b",
    "main\n",
    "a..b",
    "..",
    ".",
    ".hidden",
    "a/.b",
    "a//b",
    "/a",
    "a/",
    "a.",
    "a.lock",
    "a.lock/b",
    "@",
    "@{-1}",
    "a@{u}",
    "a~1",
    "a^",
    "a:b",
    "a?b",
    "a*b",
    "a[b",
    "a\\b",
    "HEAD",
    "refs/heads/main",
    "agent/YOU-1　;curl",  # U+3000
    "аgent/YOU-1",  # Cyrillic а
    "a\u200bb",
    "a\u202eb",
    "$(id)",
    "`id`",
    "a;id",
    "a|b",
    "a&b",
    "a'b",
    'a"b',
    "x" * 201,
]


@pytest.mark.parametrize("name", GOOD)
def test_a_plain_name_is_safe_and_git_agrees(name):
    assert is_safe(name)
    assert checked(name) == name
    assert subprocess.run(["git", "check-ref-format", "--branch", name], capture_output=True).returncode == 0


@pytest.mark.parametrize("name", BAD)
@pytest.mark.attack("S-40")
def test_any_other_name_is_refused(name):
    assert not is_safe(name)
    with pytest.raises(UserError):
        checked(name)


def test_a_tickets_branch_bears_its_identifier_and_nothing_of_its_title():
    assert branch_of("YOU-12") == "agent/YOU-12"
    assert base_branch_of("agent/YOU-12") == "agent/YOU-12-base"
    assert is_safe(branch_of("YOU-12"))


@pytest.mark.parametrize("identifier", ["you-12", "YOU12", "YOU-", "-12", "YOU-12 ", "YOU-12\n", "../YOU-1", "YOU-１"])
@pytest.mark.attack("S-40")
def test_what_is_no_identifier_makes_no_branch(identifier):
    with pytest.raises(ValueError):
        branch_of(identifier)


@pytest.mark.parametrize(
    ("branch", "identifier"),
    [
        ("agent/YOU-12", "YOU-12"),
        ("agent/YOU-12-base", "YOU-12"),
        ("agent/ENG2-7", "ENG2-7"),
        ("agent/YOU-12-" + "x" * 40, "YOU-12"),
        ("agent/YOU-12-" + "x" * 41, None),
        ("agent/YOU-12x", None),
        ("agent/you-12", None),
        ("agent/YOU-12/more", None),
        ("agent/YOU-12\n", None),
        ("feature/YOU-12", None),
        ("main", None),
        ("refs/heads/agent/YOU-12", None),
    ],
)
def test_a_branch_tells_its_ticket_only_when_it_is_ours(branch, identifier):
    assert identifier_of(branch) == identifier
