"""GitHub Actions: jobs with logs on another host, runs done again, flaky checks, checks that never report."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from github import GithubException

from bot.simulator.github import CI, Protection, ScriptedCI
from tests.simulator.github.conftest import changed, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
REPO = "/repos/acme/youlab"


async def raw(stage: Any, path: str, **options: Any) -> httpx2.Response:
    """One request with the App's token, redirects not followed."""
    headers = {"Authorization": f"Bearer {stage.app_token()}"}
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(f"{stage.world.base_url}/api/v3{path}", headers=headers, **options)


async def bare(address: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(address, headers=headers)


async def test_a_failed_check_leads_to_its_run_its_job_and_its_log(stage: Any) -> None:
    pull = await stage.opened()
    check = await stage.ci.fails(pull, "test", "1 failed", "collected 3 items\nE   assert 1 == 2")
    [run] = (await stage.rest("GET", f"{REPO}/actions/runs?head_sha={pull.head_sha}"))["workflow_runs"]
    assert (run["event"], run["status"], run["conclusion"], run["run_attempt"]) == (
        "pull_request",
        "completed",
        "failure",
        1,
    )
    [job] = (await stage.rest("GET", f"{REPO}/actions/runs/{run['id']}/jobs"))["jobs"]
    assert (job["id"], job["name"], job["conclusion"]) == (check.id, "test", "failure")
    assert check.details_url.endswith(f"/acme/youlab/actions/runs/{run['id']}/job/{check.id}")
    answer = await raw(stage, f"{REPO}/actions/jobs/{check.id}/logs")
    assert (answer.status_code, answer.content) == (302, b"")
    address = httpx2.URL(answer.headers["location"])
    assert address.host != httpx2.URL(stage.world.base_url).host
    text = (await bare(str(address))).text
    assert text.startswith("\ufeff20")
    assert "Z E   assert 1 == 2\n" in text


async def test_a_log_is_refused_to_who_brings_a_token_and_after_a_minute(stage: Any) -> None:
    pull = await stage.opened()
    check = await stage.ci.fails(pull, log="boom")
    address = (await raw(stage, f"{REPO}/actions/jobs/{check.id}/logs")).headers["location"]
    answer = await bare(address, Authorization=f"Bearer {stage.app_token()}")
    assert (answer.status_code, "InvalidAuthenticationInfo" in answer.text) == (400, True)
    stage.clock.ahead = timedelta(seconds=61)
    assert (await bare(address)).status_code == 403
    assert (await bare(f"{address}x")).status_code == 404


async def test_a_running_job_has_no_log_and_an_old_one_has_it_no_more(stage: Any) -> None:
    pull = await stage.opened()
    check = await stage.ci.pending(pull)
    assert (await raw(stage, f"{REPO}/actions/jobs/{check.id}/logs")).status_code == 404
    await stage.ci.fails(pull, log="boom")
    stage.repo.workflow_runs[0].jobs[0].log = None
    assert (await raw(stage, f"{REPO}/actions/jobs/{check.id}/logs")).status_code == 410


async def test_only_the_failed_jobs_run_again_as_a_second_attempt(stage: Any) -> None:
    pull = await stage.opened()
    await stage.ci.passes(pull, "lint")
    first = await stage.ci.fails(pull, "test")
    [run] = stage.repo.workflow_runs
    await stage.rest("POST", f"{REPO}/actions/runs/{run.id}/rerun-failed-jobs", stage.app_token())
    told = await stage.payload("workflow_run", "requested")
    assert (told["workflow_run"]["run_attempt"], told["workflow_run"]["status"]) == (2, "in_progress")
    runs = (await stage.rest("GET", f"{REPO}/commits/{pull.head_sha}/check-runs"))["check_runs"]
    states = {one["name"]: (one["status"], one["conclusion"]) for one in runs}
    assert states == {"lint": ("completed", "success"), "test": ("queued", None)}
    second = await stage.ci.passes(pull, "test")
    assert second.id != first.id
    assert (run.id, run.attempt, run.conclusion) == (run.id, 2, "success")
    jobs = await stage.rest("GET", f"{REPO}/actions/runs/{run.id}/jobs?filter=all")
    assert [(one["name"], one["run_attempt"]) for one in jobs["jobs"]] == [("lint", 1), ("test", 1), ("test", 2)]
    assert (await stage.payload("workflow_run", "completed"))["workflow_run"]["conclusion"] == "success"


async def test_doing_again_takes_the_permission_a_finished_run_and_a_failure(stage: Any) -> None:
    pull = await stage.opened()
    await stage.ci.pending(pull)
    path = f"{REPO}/actions/runs/{stage.repo.workflow_runs[0].id}/rerun-failed-jobs"
    with pytest.raises(GithubException, match="Resource not accessible by integration"):
        await stage.rest("POST", path, stage.app_token(permissions={"actions": "read"}))
    token = stage.app_token()
    with pytest.raises(GithubException, match="already running"):
        await stage.rest("POST", path, token)
    await stage.ci.passes(pull)
    with pytest.raises(GithubException, match="cannot be retried"):
        await stage.rest("POST", path, token)


async def test_a_flaky_check_fails_and_passes_when_it_runs_again(stage: Any) -> None:
    stage.world.protect(stage.repo, "main", Protection(checks=("test",)))
    async with ScriptedCI(stage.world, {"test": ["failure", "success"], "lint": ["success"]}) as ci:
        pull = await stage.opened()
        await ci.quiet()
        assert (await refused(lambda: stage.bot().get_pull(1).merge(sha=pull.head_sha))).status == 405
        [run] = stage.repo.workflow_runs
        await stage.rest("POST", f"{REPO}/actions/runs/{run.id}/rerun-failed-jobs", stage.app_token())
        await ci.quiet()
        assert [(one.name, one.attempt) for one in ci.trials] == [("test", 1), ("lint", 1), ("test", 2)]
    await stage.bob.merges(pull)


async def test_a_script_tells_heads_apart_and_knows_checks_that_never_report_or_never_end(stage: Any) -> None:
    jobs = {
        "test": lambda trial: "success" if trial.head == 2 else "failure",
        "never": ["never"],
        "hangs": ["hangs"],
        "skipped": ["skipped"],
    }
    async with ScriptedCI(stage.world, jobs) as ci:
        pull = await stage.opened()
        await ci.quiet()
        await stage.alice.pushes(stage.repo, "topic", {"app.py": changed(10, 11)}, "Fix")
        await ci.quiet()
    latest = {run.name: run.conclusion or run.status for run in stage.repo.check_runs}
    assert latest == {"test": "success", "hangs": "in_progress", "skipped": "skipped"}
    runs = (await stage.rest("GET", f"{REPO}/commits/{pull.head_sha}/check-runs"))["check_runs"]
    assert "never" not in {one["name"] for one in runs}


@pytest.mark.parametrize("conclusion", ["neutral", "skipped", "cancelled", "timed_out", "action_required", "stale"])
async def test_every_conclusion_has_its_weight(stage: Any, conclusion: str) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(checks=("test",)))
    await stage.ci.concludes(pull, conclusion)
    query = f"""{{ repository(owner: "acme", name: "youlab") {{ pullRequest(number: {pull.number}) {{
        statusCheckRollup {{ state contexts(first: 1) {{ nodes {{ ... on CheckRun {{ conclusion }} }} }} }} }} }} }}"""
    read = (await stage.graphql(query))["data"]["repository"]["pullRequest"]["statusCheckRollup"]
    good = conclusion in {"neutral", "skipped"}
    assert read["state"] == ("SUCCESS" if good else "FAILURE")
    assert read["contexts"]["nodes"] == [{"conclusion": conclusion.upper()}]
    if good:
        await stage.bob.merges(pull)
    else:
        assert (await refused(lambda: stage.bot().get_pull(1).merge())).status == 405


async def test_no_app_calls_a_check_stale(stage: Any) -> None:
    pull = await stage.opened()
    bot = stage.bot()
    assert (await refused(lambda: bot.create_check_run("mine", pull.head_sha, conclusion="stale"))).status == 422


async def test_an_app_asks_for_its_own_check_again_and_for_no_other(stage: Any) -> None:
    pull = await stage.opened()
    theirs = await stage.ci.fails(pull)
    with pytest.raises(GithubException, match="does not belong"):
        await stage.rest("POST", f"{REPO}/check-runs/{theirs.id}/rerequest", stage.app_token())
    ours = await asyncio.to_thread(
        lambda: stage.bot().create_check_run("callboard", pull.head_sha, conclusion="success")
    )
    await stage.rest("POST", f"{REPO}/check-runs/{ours.id}/rerequest", stage.app_token())
    told = await stage.payload("check_run", "rerequested")
    assert (told["check_run"]["id"], told["check_run"]["check_suite"]["status"]) == (ours.id, "queued")
    with pytest.raises(GithubException, match="already been rerequested"):
        await stage.rest("POST", f"{REPO}/check-runs/{ours.id}/rerequest", stage.app_token())


async def test_a_person_runs_one_check_again(stage: Any) -> None:
    pull = await stage.opened()
    check = await stage.ci.fails(pull)
    await stage.bob.reruns(check)
    assert [run.status for run in stage.repo.check_runs] == ["completed", "queued"]
    other = CI(stage.world, slug="circleci")
    await stage.bob.reruns(await other.fails(pull, "build"))
    assert len([run for run in stage.repo.check_runs if run.name == "build"]) == 1


async def test_annotations_say_what_failed_where(stage: Any) -> None:
    pull = await stage.opened()
    check = await stage.ci.fails(pull, annotations=[("app.py", 10, "assert 1 == 2")])
    [note] = await stage.rest("GET", f"{REPO}/check-runs/{check.id}/annotations")
    assert (note["path"], note["start_line"], note["annotation_level"], note["message"]) == (
        "app.py",
        10,
        "failure",
        "assert 1 == 2",
    )


async def test_empty_suites_take_a_moment_to_appear(stage: Any) -> None:
    pull = await stage.opened()
    path = f"{REPO}/commits/{pull.head_sha}/check-suites"
    assert (await stage.rest("GET", path))["total_count"] == 0
    stage.clock.ahead = timedelta(seconds=1)
    assert (await stage.rest("GET", path))["total_count"] == 2


async def test_a_cancelled_run_leaves_cancelled_jobs(stage: Any) -> None:
    pull = await stage.opened()
    await stage.ci.pending(pull)
    [run] = stage.repo.workflow_runs
    await stage.rest("POST", f"{REPO}/actions/runs/{run.id}/cancel", stage.app_token())
    assert (run.status, run.conclusion) == ("completed", "cancelled")
    with pytest.raises(GithubException, match="Cannot cancel"):
        await stage.rest("POST", f"{REPO}/actions/runs/{run.id}/cancel", stage.app_token())
