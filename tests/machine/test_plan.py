"""Plans as people and agents write them, and what is read from them."""

import time
from pathlib import Path

import pytest

import bot.simulator
from bot.machine import plan
from bot.machine.plan import Item, Phase

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
DEMO = sorted((Path(bot.simulator.__file__).parent / "demo/repository/tasks").glob("*/plan.md"))


def phase_of(body: str, heading: str = "## Phase 1: Read") -> Phase:
    """The only phase of a plan."""
    (phase,) = plan.read(f"# Plan\n\n{heading}\n\n{body}\n").phases
    return phase


def automated(*lines: str) -> str:
    return "#### Automated Verification:\n" + "\n".join(lines)


def commands(body: str) -> list[str]:
    return [item.command for item in phase_of(body).automated]


def test_a_plan_is_read_as_it_is_written():
    read = plan.read(PLAN)
    assert read.title == "Plan: parser"
    assert read.findings == ()
    assert [(phase.number, phase.name, phase.line) for phase in read.phases] == [(1, "Read", 6), (2, "Write", 18)]
    first, second = read.phases
    assert first.automated == (
        Item("Unit tests pass", "make test", True, 12),
        Item("Types are right", "make types", False, 13),
    )
    assert first.unticked == (Item("Types are right", "make types", False, 13),)
    assert first.manual == (Item("With `make run`, the page looks right", "", False, 16),)
    assert second.text.startswith("## Phase 2: Write\n")
    assert second.text.endswith("`make test`\n\n")
    assert read.phase(2) is second


def test_the_title_is_the_first_heading_of_the_highest_level_that_is_no_phase():
    assert plan.read("## Draft\n# Phase 1: a\n# The **plan**\n# Notes\n").title == "The plan"
    assert plan.read("## Draft\n").title == ""


def test_a_phase_that_is_not_there_is_a_key_error():
    with pytest.raises(KeyError):
        plan.read(PLAN).phase(3)


@pytest.mark.parametrize("path", DEMO, ids=lambda path: path.parent.name)
def test_the_plans_of_the_demo_have_no_finding(path):
    read = plan.read(path.read_text())
    assert read.phases
    assert read.findings == ()
    assert all(phase.automated for phase in read.phases)


def test_there_are_plans_in_the_demo():
    assert DEMO


@pytest.mark.parametrize(
    "heading",
    [
        "# Phase 2: Read it",
        "### Phase 2: Read it",
        "#### Phase 2: Read it ####",
        "## Phase 2 - Read it",
        "## Phase 2 — Read it",
        "## Phase 2. Read it",
        "## Phase 2) Read it",
        "## **Phase 2**: Read it",
        "## **Phase 2: Read it**",
        "## PHASE 02: Read it",
        "## Phase #2: Read it",
        "## ✅ Phase 2: Read it",
        "## Phase 2 Read it",
        "Phase 2: Read it\n---",
        "Phase 2: Read\nit\n=====",
        "   ## Phase 2:\tRead  it",
        "##\tPhase\u00a02: Read it",
    ],
)
def test_a_phase_s_heading_may_be_written_in_many_ways(heading):
    phase = phase_of("##### Automated Verification\n- [ ] a: `b`", heading)
    assert (phase.number, phase.name, phase.line) == (2, "Read it", 3)
    assert len(phase.automated) == 1


@pytest.mark.parametrize(
    "name",
    [
        "### Automated Verification",
        "### Automated Verification:",
        "###### AUTOMATED CHECKS:",
        "#### **Automated Verification:**",
        "#### Automated Verification (run from the root):",
        "#### Automated success criteria",
        "#### Automated:",
        "**Automated Verification:**",
        "**Automated Checks**:",
        "__Automated Verification__ (must pass):",
        "Automated Verification:",
        "- **Automated Verification:**\n",
    ],
)
def test_the_automated_section_may_be_written_in_many_ways(name):
    body = f"{name}\n  - [ ] a: `b`\n\n**Manual Verification:**\n\n- [ ] by hand"
    phase = phase_of(body)
    assert [item.command for item in phase.automated] == ["b"]
    assert [item.label for item in phase.manual] == ["by hand"]


@pytest.mark.parametrize(
    "name", ["#### Automated tests to write", "**Automated** things:", "Automated verification is hard."]
)
def test_other_words_open_no_automated_section(name):
    assert phase_of(f"{name}\n\n- [ ] a: `b`").automated == ()


def test_a_section_goes_on_below_deeper_headings_and_ends_at_its_own_level():
    body = "### Automated Verification\n#### Backend\n- [ ] a: `b`\n### Notes\n- [ ] c: `d`"
    assert commands(body) == ["b"]


@pytest.mark.parametrize("list_item", ["-", "*", "+", "1.", "2)", "- -", "- 1.", "-  ", "-\t"])
def test_an_item_may_stand_in_any_list(list_item):
    phase = phase_of(automated("", f"{list_item} [X] Tests pass: `make test`"))
    assert phase.automated == (Item("Tests pass", "make test", True, 7),)


def test_nested_items_count_and_what_groups_them_does_not():
    body = automated("- Backend", "  - [ ] a: `b`", "    1. [x] c: `d`", "- [ ] Frontend", "  - [ ] e: `f`")
    assert commands(body) == ["b", "d", "f"]
    assert plan.read("## Phase 1: a\n" + body).findings == ()


@pytest.mark.parametrize(
    ("text", "label", "command"),
    [
        ("Tests pass: `make test`", "Tests pass", "make test"),
        ("Tests pass:`make test`", "Tests pass", "make test"),
        ("Tests pass – `make test`", "Tests pass", "make test"),
        ("Tests pass (`make test`)", "Tests pass", "make test"),
        ("**Tests pass:** `make test`", "Tests pass", "make test"),
        ("**Unit** tests pass: `make test`", "Unit tests pass", "make test"),
        ("Tests pass: `make test` (all of them)", "Tests pass", "make test"),
        ("`make test` passes", "passes", "make test"),
        ("`make test`: the tests", "the tests", "make test"),
        ("`make test`", "", "make test"),
        ("The `parse` function is right: `make test`", "The `parse` function is right", "make test"),
        ("`parse` and `write`: see: `make test`", "`parse` and `write`: see", "make test"),
        ("Shell: `` echo `date` ``", "Shell", "echo `date`"),
        ("The `` `a` `` of ``b`` is right: `make test`", "The `` `a` `` of ``b`` is right", "make test"),
        ("Shell: ``echo `date` | cat``", "Shell", "echo `date` | cat"),
        ("See http://host:80/a: `curl http://host:80/a: b`", "See http://host:80/a", "curl http://host:80/a: b"),
        ("A label that\n  goes on: `make test`", "A label that goes on", "make test"),
        ("Tests <!-- not `this` --> pass: `make test`", "Tests pass", "make test"),
        ("Tests \\`pass: `a \\*`", None, "a \\*"),
        ("See [docs](a_b_c): `a && b < c`", "See [docs](a_b_c)", "a && b < c"),
    ],
)
def test_label_and_command_are_told_apart(text, label, command):
    (item,) = phase_of(automated(f"- [ ] {text}")).automated
    assert item.command == command
    if label is not None:
        assert item.label == label


@pytest.mark.parametrize(
    "example",
    [
        "```markdown\n## Phase 2: No\n#### Automated Verification:\n- [ ] c: `d`\n```",
        "~~~~\n```\n## Phase 2: No\n~~~~",
        "> ## Phase 2: No\n> #### Manual Verification\n> - [ ] c: `d`",
        "<!--\n## Phase 2: No\n\n- [ ] c: `d`\n-->",
        "    ## Phase 2: No\n    - [ ] c: `d`",
        "\\## Phase 2: No",
    ],
)
def test_examples_quotes_and_comments_do_not_count(example):
    read = plan.read(f"## Phase 1: a\n{automated('- [ ] a: `b`')}\n\nText.\n\n{example}\n\n- [ ] e: `f`\n")
    (phase,) = read.phases
    assert [item.command for item in phase.automated] == ["b", "f"]
    assert phase.manual == ()
    assert read.findings == ()


def test_boxes_outside_of_both_sections_are_nobody_s_items():
    phase = phase_of("- [ ] do this: `rm x`\n\n" + automated("- [ ] a: `b`") + "\n\n### Notes\n- [x] and: `that`")
    assert [item.command for item in phase.automated] == ["b"]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_change_neither_meaning_nor_lines(end):
    read, here = plan.read(PLAN.replace("\n", end)), plan.read(PLAN)
    assert read.digest == here.digest
    assert [phase.automated for phase in read.phases] == [phase.automated for phase in here.phases]
    assert [phase.text.replace(end, "\n") for phase in read.phases] == [phase.text for phase in here.phases]


def test_characters_that_only_python_takes_for_line_ends_do_not_shift_lines():
    document = PLAN.replace("Text.", "Te\x0bx\x0ct\u2028.\x85\x1c")
    ticked = plan.tick(document, plan.read(document).phase(2).unticked)
    assert plan.read(ticked).phase(2).unticked == ()


@pytest.mark.parametrize("before", ["\ufeff", "\0\n", "\t\n", "\udcff\n"])
def test_odd_characters_in_front_do_no_harm(before):
    document = f"{before}## Phase 1: a\n{automated('- [ ] a: `b`')}"
    read = plan.read(document)
    assert read.findings == ()
    assert plan.tick(document, read.phases[0].automated) == document.replace("[ ]", "[x]")


def test_text_that_cannot_be_encoded_has_a_digest_of_its_own():
    digests = {plan.read(PLAN.replace("Text", text)).digest for text in ("\udcff", "\udcfe", "\ufffd", "?")}
    assert len(digests) == 4


def test_ticks_and_blanks_change_no_digest_but_every_word_does():
    digest = plan.read(PLAN).digest
    for same in (
        PLAN.replace("[ ]", "[X]"),
        PLAN.replace("\n", " \t\n"),
        PLAN + "\n\n",
        "\ufeff" + PLAN,
        "Hello.\n\n" + PLAN,
        "\ufeff" + PLAN[PLAN.index("## Phase 1") :],
    ):
        assert plan.read(same).digest == digest
    changes = [("Text", "Test"), ("make types", "make type"), ("Phase 2: Write", "Phase 2: Right"), ("looks", "is")]
    for old, new in changes:
        assert plan.read(PLAN.replace(old, new)).digest != digest
    phases = PLAN[: PLAN.index("## Testing")]
    assert plan.read(phases + "\n \n").digest == plan.read(phases.rstrip()).digest == digest
    assert plan.read(PLAN.replace("Text", "    [ ]")).digest != plan.read(PLAN.replace("Text", "    [x]")).digest


def test_a_phase_s_digest_is_its_own():
    before, after = plan.read(PLAN), plan.read(PLAN.replace("Phase 2: Write", "Phase 2: Right"))
    assert before.phase(1).digest == after.phase(1).digest
    assert before.phase(2).digest != after.phase(2).digest


def test_a_phase_ends_where_the_next_section_of_its_level_begins():
    document = "## Plan\n### Phase 1: a\n#### More\nThis.\n#### Phase 1.1: part\nThat.\n## Else\nOther.\n"
    (phase,) = plan.read(document).phases
    assert phase.text == document[document.index("### P") : document.index("## Else")]


@pytest.mark.parametrize(
    ("row", "times"),
    [
        *(
            (row, 3000)
            for row in ("- a\n", "- [ ] a\n", "## Phase 1: a\n", "- a\n\n  b\n", "*a* ", "`a` ", "> ", "<!--")
        ),
        *((row, 15000) for row in ("\x0b\n", "phase 1 ")),
        ("(", 60000),
    ],
)
def test_a_hostile_text_is_read_in_the_time_of_its_length(row, times):
    document = "## Phase 1: a\n### Automated Verification\nautomated checks " + row * times + "a"
    start = time.process_time()
    plan.read(document)
    assert time.process_time() - start < 2
