"""Plans as people and agents write them: what is read, what is ticked, and what is wrong with them."""

import re
from pathlib import Path

import pytest

import bot.simulator
from bot.machine import plan
from bot.machine.plan import Finding, Item, Phase

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


def findings_of(*lines: str) -> list[tuple[int, bool]]:
    """Line and weight of what is wrong with these items; the first stands in line 5."""
    document = "# Plan\n## Phase 1: Read\nText.\n#### Automated Verification:\n" + "\n".join(lines) + "\n"
    return [(finding.line, finding.fatal) for finding in plan.read(document).findings]


def one(document: str) -> Finding:
    (finding,) = plan.read(document).findings
    return finding


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
    ):
        assert plan.read(same).digest == digest
    changes = [("Text", "Test"), ("make types", "make type"), ("Phase 2: Write", "Phase 2: Right"), ("looks", "is")]
    for old, new in changes:
        assert plan.read(PLAN.replace(old, new)).digest != digest
    assert plan.read(PLAN.replace("Text", "    [ ]")).digest != plan.read(PLAN.replace("Text", "    [x]")).digest


def test_a_phase_s_digest_is_its_own():
    before, after = plan.read(PLAN), plan.read(PLAN.replace("Phase 2: Write", "Phase 2: Right"))
    assert before.phase(1).digest == after.phase(1).digest
    assert before.phase(2).digest != after.phase(2).digest


def test_a_phase_ends_where_the_next_section_of_its_level_begins():
    document = "## Plan\n### Phase 1: a\n#### More\nThis.\n#### Phase 1.1: part\nThat.\n## Else\nOther.\n"
    (phase,) = plan.read(document).phases
    assert phase.text == document[document.index("### P") : document.index("## Else")]


# What is wrong with a plan


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
    finding = one(PLAN.replace("Phase 1", "Phase 3").replace("Phase 2", "Phase 1").replace("Phase 3", "Phase 2"))
    assert (finding.line, finding.fatal) == (18, False)
    assert "in the order of their numbers" in finding.message


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
        ("- [✓] Tests pass: `make test`",),
        ("- Tests pass:", "  ```", "  make test", "  ```"),
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
        ("- [ ] a: `b`", "##### Backend", "- [ ] c: `d`", "", "All of `this` is run with [x](y)."),
    ],
)
def test_what_says_more_about_an_item_is_no_finding(lines):
    assert findings_of(*lines) == []


def test_an_automated_item_without_a_command_is_left_to_a_person():
    phase = phase_of(automated("- [ ] Types are right", "- [ ] a: `b`") + "\n#### Manual Verification\n- [ ] c")
    assert [item.label for item in phase.manual] == ["Types are right", "c"]
    assert [item.command for item in phase.automated] == ["b"]


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
    document = PLAN.replace("Text.", "#### Phase 1.1: part\n#### Phase 1 notes\n**Phase 1: first**\n")
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


# Ticks and signatures


def test_a_tick_changes_one_character():
    (item,) = plan.read(PLAN).phase(1).unticked
    ticked = plan.tick(PLAN, [item])
    assert ticked == PLAN.replace("[ ] Types", "[x] Types")
    assert plan.tick(ticked, [item]) == ticked
    assert plan.tick(ticked, [item], ticked=False) == PLAN


def test_manual_items_are_ticked_the_same_way():
    assert plan.tick(PLAN, plan.read(PLAN).phase(1).manual) == PLAN.replace("[ ] With", "[x] With")


def test_an_item_of_another_plan_is_refused():
    (item,) = plan.read(PLAN).phase(1).unticked
    for document in ("", "\n" + PLAN, PLAN.replace("make types", "make type")):
        with pytest.raises(ValueError, match="Types are right"):
            plan.tick(document, [item])


def test_a_worker_s_ticks_are_taken_and_nothing_else():
    other = PLAN.replace("[ ]", "[x]").replace("Text.", "Other text.\n\n- [x] more").replace("## Overview", "## Else")
    taken, items = plan.take_ticks(PLAN, other, 1)
    assert taken == PLAN.replace("[ ] Types", "[x] Types")
    assert items == (Item("Types are right", "make types", True, 13),)
    assert plan.take_ticks(taken, other, 1) == (taken, ())


def test_a_tick_that_a_worker_took_away_stays():
    assert plan.take_ticks(PLAN, PLAN.replace("[x]", "[ ]"), 1) == (PLAN, ())


@pytest.mark.parametrize(
    "other",
    [
        "",
        "\udcff\0",
        PLAN.replace("[ ] Types are right: `make types`", "[x] Types are right: `true`"),
        PLAN.replace("[ ] Types are right: `make types`", "[x] Types are fine: `make types`"),
        PLAN.replace("[ ] Types", "[x] Types").replace("Phase 1", "Phase 3"),
        PLAN.replace("[ ] Types", "[x] Types").replace("Phase 2", "Phase 1"),
        PLAN.replace("- [ ] Types are", "> - [x] Types are"),
        PLAN.replace("#### Automated Verification:\n- [x]", "#### Notes\n- [x]").replace("[ ] Types", "[x] Types"),
    ],
)
def test_ticks_beside_anything_else_are_not_believed(other):
    assert plan.take_ticks(PLAN, other, 1) == (PLAN, ())


def test_a_phase_that_is_not_there_takes_no_ticks():
    assert plan.take_ticks(PLAN, PLAN.replace("[ ]", "[x]"), 9) == (PLAN, ())


def test_the_same_item_twice_is_matched_in_order():
    document = "## Phase 1: a\n" + automated("- [ ] a: `b`", "- [ ] a: `b`", "- [ ] a: `b`")
    other = "## Phase 1: a\n" + automated("- [ ] a: `b`", "* [x] c: `d`", "* [x] a: `b`")
    taken, items = plan.take_ticks(document, other, 1)
    assert [item.line for item in items] == [4]
    assert [item.ticked for item in plan.read(taken).phases[0].automated] == [False, True, False]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_signatures_stand_in_one_section_at_the_end(end):
    document = PLAN.replace("\n", end)
    once = plan.sign(document, ["service: `make types`", "worker:\n  # Phase 3: `make test`"])
    added = "\n## Who ticked what\n\n- service: `make types`\n- worker: # Phase 3: `make test`\n"
    assert once == document + added.replace("\n", end)
    assert plan.sign(once, ["# Phase 7: a"]) == once + f"- # Phase 7: a{end}"
    assert plan.read(plan.sign(once, ["# Phase 7: a"])).findings == ()


def test_signatures_are_part_of_no_phase():
    for document in (PLAN, PLAN[: PLAN.index("## Testing")], PLAN.replace("##", "#").rstrip()):
        signed = plan.sign(plan.sign(document, ["- [x] a: `b`"]), ["c"])
        assert plan.read(signed).digest == plan.read(document).digest
        assert plan.read(signed).phases[0] == plan.read(document).phases[0]
        assert "ticked" not in plan.read(signed).phases[-1].text
        assert signed.count("Who ticked what") == 1


def test_signatures_go_into_their_section_where_more_was_written_behind_it():
    signed = plan.sign(PLAN, ["a"]) + "\n## More\nText.\n"
    assert plan.sign(signed, ["b"]) == signed.replace("- a\n", "- a\n- b\n")
    empty = PLAN + "\n## Who ticked what"
    assert plan.sign(empty, ["a"]) == empty + "\n\n- a\n"


def test_nothing_to_sign_changes_nothing():
    assert plan.sign(PLAN.rstrip(), []) == PLAN.rstrip()
    assert plan.sign("", ["a"]) == "## Who ticked what\n\n- a\n"
