"""REST for check runs, check suites and commit statuses."""

from bot.simulator.github import checks, render_checks, rules, workflows
from bot.simulator.github.errors import forbidden, invalid, not_found
from bot.simulator.github.model_checks import CheckRun, CheckSuite
from bot.simulator.github.people import App
from bot.simulator.github.rest.routing import Answer, Call, route

REPO = "/repos/{owner}/{repo}"


def _own_app(call: Call) -> App:
    if call.caller.via is None:
        raise forbidden("You must authenticate via a GitHub App.")
    return call.caller.via


@route(f"POST {REPO}/check-runs", need="checks:write")
async def create(call: Call) -> Answer:
    """Make a check run; Apps only."""
    _refuse_stale(call)
    run = await checks.create_run(call.world, call.repository, _own_app(call), call.body)
    return Answer(render_checks.check_run(call.world, call.repository, run), 201)


def _run(call: Call) -> CheckRun:
    for run in call.repository.check_runs:
        if run.id == call.number("id"):
            return run
    raise not_found()


@route(f"GET {REPO}/check-runs/{{id}}", need="checks:read")
async def get(call: Call) -> Answer:
    """One check run."""
    return Answer(render_checks.check_run(call.world, call.repository, _run(call)))


@route(f"PATCH {REPO}/check-runs/{{id}}", need="checks:write")
async def update(call: Call) -> Answer:
    """Change a check run; only the App that made it may."""
    run = _run(call)
    if _own_app(call) is not run.suite.app:
        raise forbidden(f"Invalid app_id `{_own_app(call).id}` - check run can only be modified by the GitHub App that")
    _refuse_stale(call)
    checks.update_run(call.world, call.repository, run, call.body)
    return Answer(render_checks.check_run(call.world, call.repository, run))


def _refuse_stale(call: Call) -> None:
    if call.body.get("conclusion") == "stale":  # GitHub says that itself, of what was left lying for 14 days
        raise invalid("CheckRun", "conclusion", value="stale")


@route(f"POST {REPO}/check-runs/{{id}}/rerequest", need="checks:write", role="write")
async def rerequest(call: Call) -> Answer:
    """Do a check again. An App may ask this of its own checks only."""
    run = _run(call)
    if call.caller.via not in {None, run.suite.app}:
        raise forbidden("This check run is not rerequestable or does not belong to the authenticated GitHub App.")
    if not await workflows.rerun_check(call.world, call.repository, run, call.actor):
        checks.rerequest(call.world, call.repository, run, call.actor)
    return Answer({}, 201)


def _suite(call: Call) -> CheckSuite:
    for suite in call.repository.check_suites:
        if suite.id == call.number("id"):
            return suite
    raise not_found()


@route(f"GET {REPO}/check-suites/{{id}}", need="checks:read")
async def suite(call: Call) -> Answer:
    """One check suite."""
    return Answer(render_checks.check_suite(call.world, call.repository, _suite(call)))


@route(f"GET {REPO}/check-suites/{{id}}/check-runs", need="checks:read")
async def of_suite(call: Call) -> Answer:
    """The check runs of one suite."""
    return call.page(
        _suite(call).runs, lambda run: render_checks.check_run(call.world, call.repository, run), under="check_runs"
    )


@route(f"POST {REPO}/check-suites/{{id}}/rerequest", need="checks:write", role="write")
async def rerequest_suite(call: Call) -> Answer:
    """Do all checks of a suite again."""
    checks.rerequest_suite(call.world, call.repository, _suite(call), call.actor)
    return Answer({}, 201)


@route(f"GET {REPO}/commits/{{sha...}}/check-runs", need="checks:read")
async def of_commit(call: Call) -> Answer:
    """The check runs of a commit: the newest of each name, or with `filter=all` every one."""
    sha = await call.sha()
    found = rules.latest_runs(call.repository, sha)
    if call.query.get("filter") == "all":
        found = [run for run in call.repository.check_runs if run.suite.head_sha == sha]
    for name, value in call.query.items():
        if name == "check_name":
            found = [run for run in found if run.name == value]
        if name == "status":
            found = [run for run in found if run.status == value]
        if name == "app_id":
            found = [run for run in found if str(run.suite.app.id) == value]
    return call.page(found, lambda run: render_checks.check_run(call.world, call.repository, run), under="check_runs")


@route(f"GET {REPO}/commits/{{sha...}}/check-suites", need="checks:read")
async def suites(call: Call) -> Answer:
    """The check suites of a commit: one for each App, filled or not."""
    sha = await call.sha()
    found = rules.visible_suites(call.world, call.repository, sha)
    return call.page(
        found, lambda suite: render_checks.check_suite(call.world, call.repository, suite), under="check_suites"
    )


@route(f"GET {REPO}/check-runs/{{id}}/annotations", need="checks:read")
async def annotations(call: Call) -> Answer:
    """What a check run says about lines."""
    return call.page(_run(call).annotations, lambda one: one)


@route(f"POST {REPO}/statuses/{{sha}}", need="statuses:write", role="write")
async def create_status(call: Call) -> Answer:
    """Report a status."""
    one = checks.create_status(call.world, call.repository, await call.sha(), call.actor, call.body)
    await checks.announce_status(call.world, call.repository, one)
    return Answer(render_checks.status(call.world, call.repository, one), 201)


@route(f"GET {REPO}/commits/{{sha...}}/status", need="statuses:read")
async def combined(call: Call) -> Answer:
    """The combined status of a commit, check runs not counted."""
    sha = await call.sha()
    return Answer(render_checks.combined(call.world, call.repository, sha, rules.latest_statuses(call.repository, sha)))


@route(f"GET {REPO}/commits/{{sha...}}/statuses", need="statuses:read")
async def statuses(call: Call) -> Answer:
    """Every status of a commit, newest first."""
    sha = await call.sha()
    found = [one for one in reversed(call.repository.statuses) if one.sha == sha]
    return call.page(found, lambda one: render_checks.status(call.world, call.repository, one))
