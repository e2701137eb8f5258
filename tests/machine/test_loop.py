"""The implementation loop as values: what came of the last step in, what comes next out."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.machine import loop
from bot.machine.loop import next_step
from bot.machine.plan import read, tick
from bot.machine.progress import (
    AFTER,
    AGENT_STEPS,
    EXITS,
    Asked,
    Committed,
    Done,
    Failed,
    Kind,
    Progress,
    Receipt,
    Reviewed,
    Verified,
    Written,
)

TEXT = """# Plan: three steps

## Phase 1: One
#### Automated Verification:
- [ ] Quick: `quick 1`
- [ ] Slow: `slow 1`

## Phase 2: Two
#### Automated Verification:
- [ ] Quick: `quick 2`

## Phase 3: Three
#### Manual Verification:
- [ ] Look at it
"""
PLAN = read(TEXT)


def ticked(plan_text, *commands):
    items = [item for phase in read(plan_text).phases for item in phase.automated if item.command in commands]
    return tick(plan_text, items)


def receipt(command, code=0, ended="exited"):
    return Receipt(1, command, code, 0.1, ended, "some output")


def written(progress, *commands, changed=True):
    return Written(read(ticked(TEXT, *commands)), "did it", changed, commands)


def begun(**more):
    return next_step(Progress(PLAN, **more))


def test_a_plan_begins_with_its_first_phase():
    step = begun()
    assert (step.kind, step.phase, step.name) == (Kind.IMPLEMENT, 1, "phase 1 of 3: One")


def test_phases_run_in_the_order_of_their_numbers_whatever_the_document_says():
    mixed = read(TEXT.replace("Phase 1", "Phase 9"))
    assert next_step(Progress(mixed)).phase == 2


def test_only_what_nobody_ticked_is_verified():
    step = next_step(begun().progress, written(None, "quick 1"))
    assert (step.kind, step.commands) == (Kind.VERIFY, ("slow 1",))


def test_a_phase_with_everything_ticked_goes_straight_to_its_review():
    assert next_step(begun().progress, written(None, "quick 1", "slow 1")).kind is Kind.REVIEW


def test_a_review_without_blockers_commits_and_the_next_phase_begins():
    step = next_step(begun().progress, written(None, "quick 1", "slow 1"))
    step = next_step(step.progress, Reviewed())
    assert (step.kind, step.phase) == (Kind.COMMIT, 1)
    step = next_step(step.progress, Committed("abc"))
    assert (step.kind, step.phase) == (Kind.IMPLEMENT, 2)
    assert step.progress.done == (Done(1, "One", "abc", 1, "did it"),)


def test_a_failing_command_is_a_finding_with_its_output_and_an_attempt():
    step = next_step(begun().progress, written(None, "quick 1"))
    step = next_step(step.progress, Verified(step.progress.plan, (receipt("slow 1", 2),)))
    assert step.kind is Kind.FIX
    assert "exit code 2" in step.findings[0]
    assert "some output" in step.findings[0]
    assert step.progress.work.attempt == 2


def test_a_command_that_timed_out_with_code_zero_has_not_passed():
    step = next_step(begun().progress, written(None, "quick 1"))
    step = next_step(step.progress, Verified(step.progress.plan, (receipt("slow 1", 0, "timed out"),)))
    assert step.kind is Kind.FIX
    assert "timed out" in step.findings[0]


def test_after_a_fix_it_is_reviewed_again_and_ticked_commands_are_not_run_again():
    step = next_step(begun().progress, written(None, "quick 1", "slow 1"))
    step = next_step(step.progress, Reviewed(("a.py:1 crashes",)))
    assert (step.kind, step.findings) == (Kind.FIX, ("a.py:1 crashes",))
    step = next_step(step.progress, written(None, "quick 1", "slow 1"))
    assert step.kind is Kind.REVIEW


def test_a_fix_that_could_not_keeps_the_findings_and_says_what_the_last_attempt_came_to_once():
    step = next_step(begun().progress, written(None, "quick 1", "slow 1"))
    step = next_step(step.progress, Reviewed(("a.py:1 crashes",)))
    for number in range(2):
        step = next_step(step.progress, Failed(step.progress.plan, f"could not {number}"))
    assert step.findings[0] == "a.py:1 crashes"
    assert len(step.findings) == 2
    assert "could not 1" in step.findings[1]


def test_a_review_that_failed_is_tried_again_and_repairs_nothing():
    step = next_step(begun().progress, written(None, "quick 1", "slow 1"))
    step = next_step(step.progress, Failed(step.progress.plan, "no outcome"))
    assert (step.kind, step.progress.work.attempt) == (Kind.REVIEW, 2)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_it_is_blocked_after_so_many_retries_with_every_attempt_told(retries):
    step = begun(max_retries=retries)
    for number in range(retries + 1):
        assert step.kind is Kind.IMPLEMENT
        step = next_step(step.progress, Failed(PLAN, f"error {number}"))
    assert step.kind is Kind.BLOCKED
    assert f"error {retries}" in step.findings[0]
    assert len(step.progress.work.tried) == retries + 1
    again = next_step(loop.resume(step.progress))
    assert (again.kind, again.progress.work.attempt) == (Kind.IMPLEMENT, 1)


def test_a_question_ends_the_loop_until_a_person_had_a_say():
    step = next_step(begun().progress, Asked(PLAN, "Which one?", ("a", "b"), changed=True))
    assert step.kind is Kind.NEEDS_INPUT
    assert next_step(step.progress).kind is Kind.NEEDS_INPUT
    resumed = next_step(loop.resume(step.progress))
    assert resumed.kind is Kind.IMPLEMENT
    assert resumed.progress.work.changed


def finished(**more):
    done = tuple(Done(number, "x", f"c{number}", 1) for number in (1, 2, 3))
    return Progress(PLAN, done=done, **more)


def test_a_plan_with_every_phase_committed_is_completed():
    assert next_step(finished()).kind is Kind.COMPLETED


def test_verifying_everything_runs_each_command_once_more_and_changes_nothing_when_all_pass():
    step = next_step(finished(verify_all=True))
    assert (step.kind, step.phase, step.commands) == (Kind.VERIFY, AFTER, ("quick 1", "slow 1", "quick 2"))
    step = next_step(step.progress, Verified(PLAN, tuple(map(receipt, step.commands))))
    assert step.kind is Kind.COMPLETED


def test_what_fails_then_is_fixed_verified_reviewed_and_committed():
    step = next_step(finished(verify_all=True))
    step = next_step(step.progress, Verified(PLAN, (receipt("quick 1"), receipt("slow 1", 1), receipt("quick 2"))))
    assert step.kind is Kind.FIX
    step = next_step(step.progress, Written(PLAN, "mended"))
    assert step.kind is Kind.VERIFY
    step = next_step(step.progress, Verified(PLAN, tuple(map(receipt, step.commands))))
    assert step.kind is Kind.REVIEW
    step = next_step(step.progress, Reviewed())
    assert (step.kind, step.phase) == (Kind.COMMIT, AFTER)
    assert next_step(step.progress, Committed("end")).kind is Kind.COMPLETED


def test_a_wish_after_the_last_phase_is_worked_in_and_one_more_meanwhile_too():
    step = next_step(finished(wishes=("one",)))
    assert (step.kind, step.phase) == (Kind.FIX, AFTER)
    step = next_step(step.progress, Written(PLAN, "done"))
    assert step.kind is Kind.VERIFY
    more = replace(step.progress, wishes=("one", "two"))
    step = next_step(more)
    assert step.kind is Kind.FIX
    assert step.progress.work.wishes == ("one", "two")


def test_a_plan_changed_under_the_work_in_hand_keeps_its_files_and_looks_again():
    step = next_step(begun().progress, written(None, "quick 1", "slow 1"))
    other = read(TEXT.replace("slow 1", "slower 1"))
    step = next_step(replace(step.progress, plan=other))
    assert (step.kind, step.phase) == (Kind.IMPLEMENT, 1)
    assert step.progress.work.changed


def test_skipped_phases_are_left_out():
    assert begun(skipped=frozenset({1, 2})).phase == 3


class Simulated:
    """A world in which every step comes to whatever the draw says."""

    def __init__(self, draw, retries, verify_all):
        self.draw, self.text = draw, TEXT
        self.progress = Progress(PLAN, max_retries=retries, verify_all=verify_all)
        self.committed, self.verified, self.runs = [], [], 0
        self.failures: dict[int, int] = {}

    def outcome(self, step):
        plan, fate = read(self.text), self.draw(st.sampled_from(["good", "good", "good", "bad", "asks"]))
        self.runs += step.kind in AGENT_STEPS
        match step.kind:
            case Kind.COMMIT:
                self.committed.append(step.phase)
                return Committed(f"c{len(self.committed)}")
            case Kind.VERIFY:
                self.verified.append(step.commands)
                codes = {one: self.draw(st.sampled_from([0, 0, 1])) for one in step.commands}
                before = [item.command for phase in plan.phases for item in phase.automated if item.ticked]
                if step.phase != AFTER:
                    assert not set(step.commands) & set(before), "a ticked command was run again"
                    self.text = ticked(self.text, *(one for one, code in codes.items() if code == 0))
                return Verified(read(self.text), tuple(receipt(one, code) for one, code in codes.items()))
            case Kind.REVIEW:
                return {"good": Reviewed(), "bad": Reviewed(("no",)), "asks": Failed(plan, "broke")}[fate]
        if fate == "good":
            if step.phase != AFTER and self.draw(st.booleans()):
                self.text = ticked(self.text, *(one.command for one in plan.phase(step.phase).automated))
            return Written(read(self.text), "did")
        return Failed(plan, "bad") if fate == "bad" else Asked(plan, "what?")


@settings(deadline=None)
@given(st.data(), st.integers(0, 3), st.booleans())
def test_whatever_happens_the_loop_ends_and_no_phase_is_committed_twice(data, retries, verify_all):
    world = Simulated(data.draw, retries, verify_all)
    step, said = next_step(world.progress), 0
    while step.kind is not Kind.COMPLETED:
        if step.kind in EXITS:
            if said == 2:
                break
            said += 1
            step = next_step(loop.resume(step.progress))
            continue
        if data.draw(st.integers(0, 5)) == 0:  # killed here: everything but the progress is forgotten
            step = next_step(replace(step.progress))
        step = next_step(step.progress, world.outcome(step))
    phases = [number for number in world.committed if number != AFTER]
    assert phases == sorted(set(phases)), "each phase once, in order"
    assert world.runs <= (said + 1) * (len(PLAN.phases) + 1) * (2 + 2 * retries) + said
    if step.kind is Kind.COMPLETED:
        assert phases == [1, 2, 3]
        assert all(not phase.unticked for phase in step.progress.plan.phases)
        if verify_all:
            assert world.verified[-1] == ("quick 1", "slow 1", "quick 2")


def test_a_wish_that_comes_after_the_review_is_reviewed_too():
    step = next_step(finished(wishes=("one",)))
    step = next_step(step.progress, Written(PLAN, "done"))
    step = next_step(step.progress, Verified(PLAN, tuple(map(receipt, step.commands))))
    step = next_step(step.progress, Reviewed())
    assert step.kind is Kind.COMMIT
    step = next_step(replace(step.progress, wishes=("one", "two")))
    step = next_step(step.progress, Written(PLAN, "done, too"))
    step = next_step(step.progress, Verified(PLAN, tuple(map(receipt, step.commands))))
    assert step.kind is Kind.REVIEW
