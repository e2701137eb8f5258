"""REST for GitHub Actions: runs, jobs, logs, and doing them again."""

from bot.simulator.github import render_workflows, workflows
from bot.simulator.github.errors import ApiError, not_found
from bot.simulator.github.rest.routing import Answer, Call, route
from bot.simulator.github.workflows import Job, WorkflowRun

ACTIONS = "/repos/{owner}/{repo}/actions"
RUN = f"{ACTIONS}/runs/{{id}}"
JOB = f"{ACTIONS}/jobs/{{id}}"


@route(f"GET {ACTIONS}/runs", need="actions:read")
async def listed(call: Call) -> Answer:
    """Runs, newest first. `status` may name a status or a conclusion."""
    found = [one for one in reversed(call.repository.workflow_runs) if _wanted(call, one)]
    return call.page(found, lambda one: render_workflows.workflow_run(call.world, one), under="workflow_runs")


def _wanted(call: Call, run: WorkflowRun) -> bool:
    said: dict[str, set[str | None]] = {
        "head_sha": {run.suite.head_sha},
        "branch": {run.suite.head_branch},
        "event": {run.event},
    }
    said |= {"status": {run.status, run.conclusion}, "check_suite_id": {str(run.suite.id)}}
    said |= {"actor": {run.actor.login}}
    return all(call.query[name] in values for name, values in said.items() if name in call.query)


def _run(call: Call) -> WorkflowRun:
    for run in call.repository.workflow_runs:
        if run.id == call.number("id"):
            return run
    raise not_found()


def _job(call: Call) -> tuple[WorkflowRun, Job]:
    for run in call.repository.workflow_runs:
        for job in run.jobs:
            if job.check.id == call.number("id"):
                return run, job
    raise not_found()


@route(f"GET {RUN}", need="actions:read")
async def get(call: Call) -> Answer:
    """One run."""
    return Answer(render_workflows.workflow_run(call.world, _run(call)))


@route(f"GET {RUN}/jobs", need="actions:read")
async def jobs(call: Call) -> Answer:
    """The jobs of a run: the newest of each name, or with `filter=all` those of every attempt."""
    run = _run(call)
    found = run.jobs if call.query.get("filter") == "all" else run.latest
    return call.page(found, lambda one: render_workflows.job(call.world, run, one), under="jobs")


@route(f"GET {RUN}/attempts/{{attempt}}/jobs", need="actions:read")
async def jobs_of_attempt(call: Call) -> Answer:
    """The jobs that one attempt did."""
    run, attempt = _run(call), call.number("attempt")
    found = [one for one in run.jobs if one.attempt == attempt]
    return call.page(found, lambda one: render_workflows.job(call.world, run, one), under="jobs")


@route(f"GET {JOB}", need="actions:read")
async def job(call: Call) -> Answer:
    """One job; its number is that of its check run."""
    return Answer(render_workflows.job(call.world, *_job(call)))


@route(f"GET {JOB}/logs", need="actions:read")
async def logs(call: Call) -> Answer:
    """Where the log of a job lies for the next minute: on another host, which wants no token."""
    _, one = _job(call)
    if one.check.status != "completed":
        raise not_found()
    if one.log is None:
        raise ApiError(410, "The logs for this run have expired and are no longer available.")
    text = workflows.written(one.log, lambda: one.check.completed_at or call.world.now())
    return Answer(None, 302, {"Location": call.world.lend(text.encode())})


@route(f"POST {RUN}/rerun", need="actions:write", role="write")
async def rerun(call: Call) -> Answer:
    """Do all of a run again."""
    await workflows.rerun(call.world, _run(call), call.actor, _run(call).latest)
    return Answer({}, 201)


@route(f"POST {RUN}/rerun-failed-jobs", need="actions:write", role="write")
async def rerun_failed(call: Call) -> Answer:
    """Do the failed jobs of a run again."""
    run = _run(call)
    await workflows.rerun(call.world, run, call.actor, [one for one in run.latest if one.failed])
    return Answer({}, 201)


@route(f"POST {JOB}/rerun", need="actions:write", role="write")
async def rerun_job(call: Call) -> Answer:
    """Do one job again."""
    run, one = _job(call)
    await workflows.rerun(call.world, run, call.actor, [one])
    return Answer({}, 201)


@route(f"POST {RUN}/cancel", need="actions:write", role="write")
async def cancel(call: Call) -> Answer:
    """Stop a run."""
    run = _run(call)
    if run.status == "completed":
        raise ApiError(409, "Cannot cancel a workflow run that is completed.")
    workflows.cancel(call.world, run)
    return Answer({}, 202)
