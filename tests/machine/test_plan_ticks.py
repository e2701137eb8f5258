"""Ticks and signatures: what is written into a plan, and what is believed of a worker's copy."""

import pytest

from bot.machine import plan
from bot.machine.plan import Item

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
    above = "## Phase 1: a\n#### Automated Verification:\n"
    document = above + "- [ ] a: `b`\n- [ ] a: `b`\n- [ ] a: `b`\n"
    other = above + "- [ ] a: `b`\n* [x] c: `d`\n* [x] a: `b`\n"
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
    phases = PLAN[: PLAN.index("## Testing")]
    for document in (PLAN, phases, phases.replace("##", "#").rstrip()):
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
