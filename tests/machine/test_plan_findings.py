"""What is wrong with a plan is said with its line, and never makes a command vanish without a word."""

import re

import pytest

from bot.machine import plan
from bot.machine.plan import Finding

PLAN = """\
# Plan: parser

## Overview
- [ ] a list of its own, with `make nothing`

## Phase 1: Read
Text.

### Success Criteria

#### Automated Verification:
- [x] Unit tests pass: `make test`
- [ ] Types are right: `make types`

#### Manual Verification:
- [ ] With `make run`, the page looks right

## Phase 2: Write

### Success Criteria

#### Automated Verification:
- [ ] Unit tests pass: `make test`

## Testing Strategy
Nothing of this is a phase.
"""


def findings_of(*lines: str) -> list[tuple[int, bool]]:
    """Line and weight of what is wrong with these items; the first stands in line 5."""
    document = "# Plan\n## Phase 1: Read\nText.\n#### Automated Verification:\n" + "\n".join(lines) + "\n"
    return [(finding.line, finding.fatal) for finding in plan.read(document).findings]


def one(document: str) -> Finding:
    (finding,) = plan.read(document).findings
    return finding


@pytest.mark.parametrize(
    "document", ["", "\ufeff", "# Plan\n", "no plan", "> ## Phase 1: quoted\n", "# Phases\n## Overview\n"]
)
def test_a_plan_without_a_phase_cannot_run(document):
    finding = one(document)
    assert (finding.line, finding.fatal) == (1, True)
    assert "## Phase 1: Name" in finding.message


def test_a_number_that_stands_twice_is_fatal_and_names_both_lines():
    finding = one(PLAN.replace("Phase 2", "Phase 1"))
    assert finding == Finding(18, "Phase 1 stands in line 6 and in line 18: give each phase a number of its own.", True)


def test_zero_is_no_number_of_a_phase():
    assert (6, True) in [
        (finding.line, finding.fatal) for finding in plan.read(PLAN.replace("Phase 1", "Phase 0")).findings
    ]


def test_a_gap_is_told_and_does_no_harm():
    finding = one(PLAN.replace("Phase 2", "Phase 4"))
    assert (finding.line, finding.fatal) == (18, False)
    assert "no phase 2 before phase 4" in finding.message


def test_phases_out_of_order_are_told():
    document = "".join(f"## Phase {number}: a\n**Automated Checks**\n- [ ] b: `c`\n" for number in (3, 1, 2))
    found = plan.read(document).findings
    assert [(finding.line, finding.fatal) for finding in found] == [(4, False), (7, False)]
    assert all("after phase 3, but they run in the order of their numbers" in finding.message for finding in found)


def test_of_several_commands_the_last_is_shown():
    (item,) = plan.read("## Phase 1: a\n**Automated Checks**\n- [ ] `a` and: `b`, `c`\n").phases[0].automated
    assert (item.label, item.command) == ("`a` and: `b`,", "c")


@pytest.mark.parametrize(
    ("body", "words"),
    [("Text.", "nothing verifies it"), ("#### Manual Verification\n- [ ] a", "only a person can verify it")],
)
def test_a_phase_without_an_automated_item_is_told(body, words):
    finding = one(f"# Plan\n\n## Phase 1: a\n{body}\n")
    assert (finding.line, finding.fatal) == (3, False)
    assert words in finding.message


def test_a_phase_without_a_name_is_told():
    finding = one(PLAN.replace("Phase 1: Read", "Phase 1"))
    assert (finding.line, finding.fatal) == (6, False)


@pytest.mark.parametrize(
    "lines",
    [
        ("- [ ] Tests pass: `make test \\", "  --all`"),
        ("- [ ] Tests pass: `make test", "--all`"),
        ("- [ ] Tests pass: `make test", "", "  --all`"),
        ("- [ ] Tests pass:", "  ```", "  make test", "  ```"),
        ("- [ ] Tests pass:", "```", "make test", "```"),
        ("- [ ] Tests pass:", "", "      make test"),
        ("- [ ] Tests pass:", "", "  `make test`"),
        ("- [ ] Tests pass:", "  - `make test`"),
        ("- [ ] Tests pass: `` ` ``", "- [ ] More: `make test"),
    ],
)
def test_a_command_split_over_lines_is_fatal(lines):
    found = findings_of(*lines, "- [ ] a: `b`")
    assert found == [(6 if "More" in lines[-1] else 5, True)]


@pytest.mark.parametrize(
    "lines",
    [
        ("- Tests pass: `make test`",),
        ("- [] Tests pass: `make test`",),
        ("- [x](tests.md) pass: `make test`",),
        ("- [✓] Tests pass: `make test`",),
        ("- Tests pass:", "  ```", "  make test", "  ```"),
        ("- Tests pass:", "```", "make test", "```"),
        ("- Tests pass:", "", "  `make test`"),
        ("- Tests pass:", "  - `make test`"),
        ("[ ] Tests pass: `make test`",),
        ("Run:", "- [ ] a: `b`", "[ ] Tests pass: `make test`"),
        ("```", "make test", "```"),
        ("- [ ] Tests pass: `make test` and `make lint`",),
        ("- [ ] `make test` and `make lint` pass",),
        ("- [ ] Tests pass: `make\x1b[2Jtest`",),
        ("- [ ] Tests pass: `make\ttest`",),
        ("- [ ] Tests pass: `make\u00a0test`",),
        ("- [ ] Tests pass: `make \u202etset`",),
        ("- [ ] Tests pass: `make \udcff`",),
        ("- [ ] Tests pass: `make \0`",),
        ("- [ ] Tests pass: `make` `test",),
    ],
)
def test_a_command_that_would_not_run_as_it_is_meant_is_fatal(lines):
    assert True in [fatal for _, fatal in findings_of(*lines)]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (("- [ ] Types are right", "- [ ] a: `b`"), 5),
        (("- [ ] Types are right", "- [ ] a: `b`", "```", "ok", "```"), 5),
        (("- [ ] Manual checks", "- [ ] a: `b`"), 5),
        (("- [ ] a: `b`", "- Mind the gap"), 6),
        (("- [ ] a: `b`", "- [ ]"), 6),
        (("- [ ] a: `b`", "#### Manual Verification", "- Look at it, with `make run`"), 7),
        (("- [ ] a: `b`", "#### Manual Verification", "- [ ] "), 7),
        (("- [ ] a: `b`", "## Else", "### Automated Verification"), 7),
    ],
)
def test_what_runs_all_the_same_is_told(lines, line):
    assert findings_of(*lines) == [(line, False)]


@pytest.mark.parametrize(
    "lines",
    [
        ("Run from the root:", "- [ ] a: `b`", "  - needs `make`", "  which is there."),
        ("- [ ] a: `b`", "  ```", "  ok", "  ```"),
        ("- [ ] a: `b`", "> - [ ] quoted"),
        ("- [ ] a: `b`", "##### Backend", "- [ ] c: `d`", "", "[x](y) says more about `this`."),
    ],
)
def test_what_says_more_about_an_item_is_no_finding(lines):
    assert findings_of(*lines) == []


def test_an_automated_item_without_a_command_is_left_to_a_person():
    document = PLAN.replace("right: `make types`", "right").replace("#### Manual", "- [ ] a: `b`\n\n#### Manual")
    phase = plan.read(document).phase(1)
    assert [item.label for item in phase.manual] == ["Types are right", "With `make run`, the page looks right"]
    assert [item.command for item in phase.automated] == ["make test", "b"]


def test_every_finding_is_a_sentence_with_a_line_of_the_document():
    document = PLAN.replace(
        "- [ ] Types are right: `make types`", "- a: `b`\n- [ ] c\n- [ ] d: `e` `f`\n- [ ] g: `h\x07`"
    )
    found = plan.read(document).findings
    assert [finding.line for finding in found] == [13, 14, 15, 16]
    assert all(re.fullmatch(r"[“\w].+\.", finding.message) and finding.message.isprintable() for finding in found)


@pytest.mark.parametrize(
    "lost",
    [
        "##Phase 3: Test\n\nText.",
        "**Phase 3: Test**\n\nText.",
        "## Phase 3a: Test",
        "## Phase 3.1: Test",
        "- item\n  ## Phase 3: Test",
    ],
)
def test_a_phase_that_would_be_lost_without_a_word_is_fatal(lost):
    finding = one(f"{PLAN}\n{lost}\n")
    assert finding.fatal
    assert "## Phase 3: Name" in finding.message


def test_parts_of_a_phase_are_no_phases():
    document = PLAN.replace("Text.", "## Phase 1.1: part\n#### Phase 1 notes\n**Phase 1: first**\n")
    read = plan.read(document)
    assert [phase.number for phase in read.phases] == [1, 2]
    assert read.findings == ()
    assert len(read.phase(1).automated) == 2


def test_verification_that_belongs_to_no_phase_is_fatal():
    finding = one(f"{PLAN}\n### Automated Verification\n- [ ] All: `make all`\n")
    assert (finding.line, finding.fatal) == (28, True)


@pytest.mark.parametrize("opening", ["```", "~~~", "<!--", "<pre>", "````\n```"])
def test_what_has_no_end_hides_the_rest_and_is_fatal(opening):
    document = PLAN.replace("Text.", opening)
    found = plan.read(document).findings
    assert (7, True) in [(finding.line, finding.fatal) for finding in found]
