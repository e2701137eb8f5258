"""What the checks of a commit say, together and each alone."""

from typing import Any

import pytest

from bot.github.checks import read_checks
from bot.machine.pull_request import Checks, CheckSeen, Failure

HEAD, OLD = "a" * 40, "b" * 40


def run(
    name: str,
    conclusion: str | None = "SUCCESS",
    *,
    status="COMPLETED",
    required=False,
    app="ci",
    number=1,
    suite=5,
    **more,
) -> dict[str, Any]:
    return {
        "__typename": "CheckRun", "name": name, "status": status, "conclusion": conclusion, "isRequired": required,
        "databaseId": number, "title": None, "summary": None, "detailsUrl": None,
        "checkSuite": {"databaseId": suite, "app": {"slug": app}}, **more,
    }  # fmt: skip


def status(name: str, state: str = "SUCCESS", *, required: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "__typename": "StatusContext", "context": name, "state": state, "isRequired": required, "description": None,
        "targetUrl": None, "creator": {"__typename": "User", "login": "jenkins"}, **more,
    }  # fmt: skip


def commit(*contexts: dict[str, Any], oid: str = HEAD, state: str = "SUCCESS", more: bool = False) -> dict[str, Any]:
    rollup = {"state": state, "contexts": {"pageInfo": {"hasNextPage": more}, "nodes": list(contexts)}}
    return {"oid": oid, "statusCheckRollup": rollup if contexts or state == "EXPECTED" else None}


@pytest.mark.parametrize(
    ("contexts", "expected", "failing", "waiting"),
    [
        ([], Checks.NONE, (), ()),
        ([run("test")], Checks.GREEN, (), ()),
        ([run("a", "NEUTRAL"), run("b", "SKIPPED"), status("c")], Checks.GREEN, (), ()),
        ([run("a", None, status="IN_PROGRESS")], Checks.PENDING, (), ("a",)),
        ([run("a", None, status="QUEUED"), run("b")], Checks.PENDING, (), ("a",)),
        ([status("a", "PENDING")], Checks.PENDING, (), ("a",)),
        ([status("a", "EXPECTED")], Checks.PENDING, (), ("a",)),
        ([run("a", "FAILURE"), run("b", None, status="QUEUED")], Checks.RED, ("a",), ("b",)),
        ([status("a", "ERROR"), status("b", "FAILURE")], Checks.RED, ("a", "b"), ()),
        *[([run("a", bad)], Checks.RED, ("a",), ()) for bad in ("CANCELLED", "TIMED_OUT", "ACTION_REQUIRED", "STALE")],
        ([run("a", "SOMETHING_NEW")], Checks.UNKNOWN, (), ()),
        ([run("needed", required=True), run("optional", "FAILURE")], Checks.GREEN, (), ()),
        ([run("needed", "FAILURE", required=True), run("optional")], Checks.RED, ("needed",), ()),
        ([run("ours", "FAILURE", app="callboard"), run("test")], Checks.GREEN, (), ()),
        ([run("ours", None, status="IN_PROGRESS", app="callboard")], Checks.NONE, (), ()),
        ([run("ours", required=True, app="callboard"), run("test", "FAILURE")], Checks.RED, ("test",), ()),
        ([run("a", "FAILURE", number=1), run("a", number=2)], Checks.GREEN, (), ()),
        ([run("a", number=2), run("a", "FAILURE", number=1)], Checks.GREEN, (), ()),
        ([run("a", number=1), run("a", None, status="QUEUED", number=2)], Checks.PENDING, (), ("a",)),
        ([run("a", "FAILURE", number=1, suite=5), run("a", number=2, suite=6)], Checks.RED, ("a",), ()),
    ],
)  # fmt: skip
def test_the_checks_of_a_commit_say_together(contexts, expected, failing, waiting):
    verdict = read_checks(commit(*contexts), HEAD, "callboard")
    assert (verdict.checks, verdict.failing, verdict.waiting) == (expected, failing, waiting)
    assert tuple(sorted({one.name for one in verdict.failures})) == failing


def test_the_checks_of_another_commit_say_nothing():
    verdict = read_checks(commit(run("test", "FAILURE"), oid=OLD), HEAD, None)
    assert (verdict.checks, verdict.failures, verdict.seen) == (Checks.UNKNOWN, (), ())


def test_more_checks_than_were_read_are_never_green():
    assert read_checks(commit(run("test"), more=True), HEAD, None).checks is Checks.UNKNOWN


def test_a_required_check_that_nobody_has_reported_is_waited_for():
    assert read_checks(commit(run("other"), state="EXPECTED"), HEAD, None).checks is Checks.PENDING
    assert read_checks(commit(state="EXPECTED"), HEAD, None).checks is Checks.PENDING


def test_a_failure_says_who_made_it_and_how_it_could_run_again():
    url = "https://github.com/acme/youlab/actions/runs/123456/job/77"
    job = run(
        "test", "TIMED_OUT", app="github-actions", number=77, suite=9, title="Oh", summary=" no \n", detailsUrl=url
    )
    other = run("scan", "FAILURE", app="scanner", number=78, suite=10, detailsUrl=url)
    red = status("lint", "ERROR", description="2 errors", targetUrl="https://ci/1")
    lint, scan, test = read_checks(commit(job, other, red), HEAD, None).failures
    assert test == Failure(
        "test", "check_run", HEAD, 77, "github-actions[bot]", "timed_out", url, "Oh\n\nno", suite=9, actions_run=123456
    )
    assert (scan.actions_run, scan.suite, scan.can_rerun) == (0, 10, True)
    assert lint == Failure(
        "lint", "status", HEAD, by="jenkins", conclusion="error", details_url="https://ci/1", summary="2 errors"
    )
    assert (test.can_rerun, lint.can_rerun) == (True, False)


def test_every_check_is_seen_but_our_own_with_its_word():
    bot = {"__typename": "Bot", "login": "coderabbitai"}
    contexts = [
        run("test", "FAILURE", required=True), run("slow", None, status="IN_PROGRESS", app=""),
        run("Callboard", app="callboard"),
        status("CodeRabbit", "PENDING", description="Review in progress", creator=bot),
        status("gone", creator=None),
    ]  # fmt: skip
    assert read_checks(commit(*contexts), HEAD, "callboard").seen == (
        CheckSeen("CodeRabbit", "coderabbitai[bot]", "pending", False, "Review in progress"),
        CheckSeen("gone", "", "success"),
        CheckSeen("slow", "", "pending"),
        CheckSeen("test", "ci[bot]", "failure", True),
    )


def test_a_failure_can_not_run_again_while_others_of_its_suite_run():
    slow = run("slow", None, status="IN_PROGRESS", number=2)
    (busy,) = read_checks(commit(run("test", "FAILURE"), slow), HEAD, None).failures
    (free,) = read_checks(
        commit(run("test", "FAILURE"), {**slow, "checkSuite": {"databaseId": 6}}), HEAD, None
    ).failures
    assert (busy.can_rerun, free.can_rerun) == (False, True)
