"""Checks: a flaky one runs again, a failing one is repaired by what it printed, and no circle goes round for ever."""

import pytest

from bot.simulator.github.actors import CI, ScriptedCI
from bot.simulator.github.model import Protection

pytestmark = pytest.mark.asyncio(loop_scope="module")
REPOSITORY = "acme/youlab"
LOG = """\
Run python3 -m unittest
setting up, line {0}
FAIL: test_totals (test_it.Totals)
AssertionError: 41 != 42 CANARY
##[error]Process completed with exit code 1.
""".replace("{0}", "\n".join(f"fetched package {number}" for number in range(4_000)))


async def test_a_flaky_check_runs_once_more_and_costs_no_run(shared):
    async with ScriptedCI(shared.github, {"test": ["failure", "success"]}) as ci:
        ticket, pull = await shared.stands("Write flaky.py")
        assert [(one.name, one.attempt, one.sha) for one in ci.trials] == [
            ("test", 1, pull.head_sha),
            ("test", 2, pull.head_sha),
        ]
        assert shared.prompts(ticket, "fix") == []


async def test_a_check_that_fails_again_is_repaired_by_what_it_printed(shared):
    jobs = {"test": lambda trial: "failure" if trial.head == 1 else "success", "lint": ["success"]}
    async with ScriptedCI(shared.github, jobs, logs={"test": LOG}) as ci:
        ticket, pull = await shared.stands("Write broken.py")
        [run] = shared.prompts(ticket, "fix")
        assert "AssertionError: 41 != 42 CANARY" in run
        assert "fetched package 200\n" not in run, "only the relevant part of the log"
        assert run.index("data written by others, begins here") < run.index("CANARY") < run.index("data ends here")
        assert [one.attempt for one in ci.trials if one.name == "test"] == [1, 2, 1]
        subject = await shared.log("log", "-1", "--format=%s", pull.head_ref)
        assert subject == "Repair: test"


async def test_the_same_failure_twice_is_blocked_with_its_reason_until_a_person_has_a_say(shared):
    async with ScriptedCI(shared.github, {"test": ["failure"]}) as ci:
        ticket, _ = await shared.reviewed("Write stubborn.py")
        reason = await shared.says(ticket, "**Blocked**")
        assert "The same checks failed again" in reason
        assert "test: failure" in reason
        await shared.until(lambda: "blocked" in ticket.label_names, "the label")
        assert len(shared.prompts(ticket, "fix")) == 1
        ci.jobs = {"test": ["success"]}
        shared.alice.comments(ticket, "Expect 41 instead")
        await shared.is_in(ticket, "Ready to Merge")
        assert "blocked" not in ticket.label_names
        assert any("Expect 41 instead" in run for run in shared.prompts(ticket))


async def test_ever_new_failures_are_repaired_only_so_often(shared):
    async with ScriptedCI(shared.github, {}) as ci:
        ci.jobs = {name: lambda trial: _only(trial) for name in ("one", "two", "three")}
        ticket, _ = await shared.reviewed("Write hydra.py")
        reason = await shared.says(ticket, "**Blocked**")
        assert "after 2 attempts" in reason
        assert "“three”" in reason
        runs = shared.prompts(ticket, "fix")
        assert ["“one”" in run for run in runs] == [True, False]
        assert ["“two”" in run for run in runs] == [False, True]


def _only(trial):
    return "failure" if trial.name == {1: "one", 2: "two", 3: "three"}.get(trial.head) else "success"


async def test_that_a_required_check_never_reports_is_told_and_nothing_merges(shared):
    shared.github.protect(REPOSITORY, "main", Protection(checks=("e2e",)))
    try:
        async with ScriptedCI(shared.github, {"test": ["success"], "e2e": ["never"]}):
            ticket, pull = await shared.reviewed("Write silent.py")
            await shared.waits(pull, "a rule of the repository keeps")
            shared.alice.comments(ticket, "approve")
            await shared.says(ticket, "Nothing stands in review here")
            assert not pull.merged
            assert shared.prompts(ticket, "fix") == []
    finally:
        shared.github.protect(REPOSITORY, "main", Protection())


async def test_a_check_that_runs_for_ever_is_waited_for_by_name(shared):
    async with ScriptedCI(shared.github, {"test": ["success"], "soak": ["hangs"]}) as ci:
        ticket, pull = await shared.reviewed("Write slow.py")
        await shared.until(lambda: _running(pull, "soak"), "the check begins")
        await shared.is_in(ticket, "Code Review")
        await shared.waits(pull, "for: soak")
        await ci.ci.passes(pull, "soak")
        await shared.is_in(ticket, "Ready to Merge")


def _running(pull, name):
    return any(one.name == name and one.status == "in_progress" for one in pull.repository.check_runs)


async def test_a_commit_status_counts_like_a_check_run_and_cannot_run_again(shared):
    ci = CI(shared.github, slug="jenkins")
    shared.github.protect(REPOSITORY, "main", Protection(checks=("build",)))
    try:
        ticket, pull = await shared.reviewed("Write old.py")
        first = pull.head_sha
        await ci.status(pull, "build", "failure", "3 tests failed")
        await shared.until(lambda: pull.head_sha != first, "a repair")
        [run] = shared.prompts(ticket, "fix")
        assert "3 tests failed" in run
        await ci.status(pull, "build", "success")
        await shared.is_in(ticket, "Ready to Merge")
    finally:
        shared.github.protect(REPOSITORY, "main", Protection())


async def test_a_failure_of_an_older_head_is_nobodys(shared):
    ci = CI(shared.github)
    ticket, pull = await shared.stands("Write moved.py")
    old = pull.head_sha
    await shared.on_github("bob").pushes(pull.repository, pull.head_ref, {"theirs.txt": "x"}, "By hand")
    await ci.fails(pull, "test", sha=old)
    await ci.passes(pull, "test")
    await shared.quiet(0.5)
    await shared.is_in(ticket, "Ready to Merge")
    assert shared.prompts(ticket, "fix") == []


async def test_our_own_check_shows_the_progress_and_gates_nothing(shared):
    async with ScriptedCI(shared.github, {"test": ["hangs"]}) as ci:
        ticket, pull = await shared.reviewed("Write shown.py")
        await shared.waits(pull, "waiting on pull request")
        assert shared.our_check(pull).status == "in_progress"
        await ci.ci.passes(pull, "test")
        await shared.is_in(ticket, "Ready to Merge")
        await shared.until(lambda: shared.our_check(pull).conclusion == "neutral", "our check ends")
        await shared.waits(pull, "turns 2 and 3")
        await shared.says(ticket, "**Turns 2 and 3.**")
        shared.alice.comments(ticket, "merge")
        await shared.is_in(ticket, "Done")
