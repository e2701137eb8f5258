"""Why a check failed, and asking for it to run again: against the stand-in and the simulated GitHub."""

from dataclasses import replace

import pytest

from bot.github.ensure import Ensure
from bot.github.errors import StillRunning
from bot.github.observe import Observe
from bot.machine.errors import Transient
from bot.machine.pull_request import Annotation, Failure

PLACE = "acme/youlab"
HEAD = "a" * 40
JOB = Failure("test", "check_run", HEAD, 77, "github-actions[bot]", suite=9, actions_run=123, summary="Oh no")
SCAN = Failure("scan", "check_run", HEAD, 78, "scanner[bot]", suite=10)
LINT = Failure("lint", "status", HEAD, by="jenkins", summary="2 errors")
RUNS = f"GET /repos/{PLACE}/commits/{HEAD}/check-runs"


def runs(*pairs: tuple[int, int]):
    """Check runs as pairs of number and suite."""
    found = [{"id": number, "check_suite": {"id": suite}} for number, suite in pairs]
    return 200, {"total_count": len(found), "check_runs": found}


@pytest.fixture
def detailed(github, a_pull, page, repository):
    """What an observation says of one failing check."""
    github.answers["GET /user"] = (200, {"login": "callboard", "id": 5})
    check = {
        "__typename": "CheckRun", "name": "test", "status": "COMPLETED", "conclusion": "FAILURE", "isRequired": False,
        "databaseId": 77, "title": None, "summary": None, "detailsUrl": None,
        "checkSuite": {"databaseId": 9, "app": {"slug": "ci"}},
    }  # fmt: skip
    rollup = {"state": "FAILURE", "contexts": page(check)}
    node = a_pull(commits=page({"commit": {"oid": HEAD, "statusCheckRollup": rollup}}))
    github.answers["POST /api/graphql"] = (200, {"data": {"repository": {**repository, "p0": node}}})
    observe = Observe(github.github())

    async def detailed() -> Failure:
        (failure,) = (await observe.observe_pulls(PLACE, [7]))[7].failing_details
        return failure

    return detailed


async def test_a_failing_check_is_asked_for_its_details_once(github, detailed):
    note = {"path": "a.py", "start_line": 3, "message": "bad \x1b[31mthing\x1b[0m"}
    github.answers[f"GET /repos/{PLACE}/check-runs/77/annotations"] = (200, [note])
    github.answers[RUNS] = runs((70, 9), (77, 9), (71, 8), (80, 9))
    for _ in range(2):
        failure = await detailed()
        assert failure.attempt == 2
        assert failure.annotations == (Annotation("a.py", 3, "bad thing"),)
    assert len([one for one in github.operations() if "check-runs" in one]) == 2
    (asked,) = [one for one in github.asked if one.path.endswith(f"{HEAD}/check-runs")]
    assert asked.query == "check_name=test&filter=all&per_page=100"


async def test_a_failure_whose_details_we_may_not_see_is_a_failure_all_the_same(github, detailed):
    github.answers[RUNS] = (403, {"message": "Resource not accessible by integration"})
    failure = await detailed()
    assert (failure.name, failure.attempt, failure.annotations) == ("test", 1, ())


async def test_an_outage_while_details_are_read_is_an_outage(github, detailed):
    github.answers[RUNS] = (502, {})
    with pytest.raises(Transient):
        await detailed()


async def test_the_words_of_another_check_are_its_output_and_its_annotations(github):
    output = {"title": "Found", "summary": "1 thing", "text": "in\x1b[31m a.py"}
    github.answers[f"GET /repos/{PLACE}/check-runs/78"] = (200, {"output": output})
    failure = replace(SCAN, annotations=(Annotation("a.py", 3, "bad"),))
    assert await Observe(github.github()).log_of(PLACE, failure) == "Found\n\n1 thing\n\nin a.py\n\na.py:3: bad"


async def test_the_words_of_a_status_are_its_description(github):
    assert await Observe(github.github()).log_of(PLACE, LINT) == "2 errors"
    assert github.asked == []


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_where_a_log_is_gone_the_checks_own_words_are_taken(github, status):
    github.answers[f"GET /repos/{PLACE}/actions/jobs/77/logs"] = (status, {"message": "Gone"})
    github.answers[f"GET /repos/{PLACE}/check-runs/77"] = (404, {"message": "Not Found"})
    assert await Observe(github.github()).log_of(PLACE, JOB) == "Oh no"


RERUN = f"POST /repos/{PLACE}/actions/runs/123/rerun-failed-jobs"


async def test_a_failed_job_is_run_again_once(github):
    github.answers |= {RUNS: [runs((77, 9)), runs((77, 9), (80, 9))], RERUN: (201, {})}
    ensure = Ensure(github.github())
    assert [await ensure.rerun(PLACE, JOB) for _ in range(2)] == [True, True]
    assert github.operations("POST") == [RERUN]


async def test_what_ran_before_or_elsewhere_is_no_second_run(github):
    github.answers |= {RUNS: runs((70, 9), (77, 9), (90, 8)), RERUN: (201, {})}
    assert await Ensure(github.github()).rerun(PLACE, JOB)
    assert github.operations("POST") == [RERUN]


async def test_another_apps_check_is_asked_for_by_its_suite(github):
    ask = f"POST /repos/{PLACE}/check-suites/10/rerequest"
    github.answers |= {RUNS: runs((78, 10)), ask: (201, {})}
    assert await Ensure(github.github()).rerun(PLACE, SCAN)
    assert github.operations("POST") == [ask]


async def test_a_status_can_not_run_again(github):
    assert not await Ensure(github.github()).rerun(PLACE, LINT)
    assert github.asked == []


async def test_what_github_does_not_let_us_run_again_is_said_so(github):
    github.answers |= {RUNS: runs((77, 9)), RERUN: (403, {"message": "Resource not accessible by integration"})}
    assert not await Ensure(github.github()).rerun(PLACE, JOB)


async def test_a_run_that_has_not_ended_is_not_run_again_yet(github):
    github.answers |= {RUNS: runs((77, 9)), RERUN: (403, {"message": "This workflow is already running"})}
    with pytest.raises(StillRunning):
        await Ensure(github.github()).rerun(PLACE, JOB)
