"""GraphQL views of what was reported on a commit."""

from typing import Any

from bot.simulator.github import render, rules
from bot.simulator.github.errors import ApiError
from bot.simulator.github.graph import basics
from bot.simulator.github.graph.context import Context, View, connection
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.model_checks import CheckRun, CheckSuite, Status
from bot.simulator.github.people import node_id


def rollup(context: Context, repo: Repository, sha: str) -> View | None:
    """Everything that was reported on a commit; None when nothing was. Suites without runs don't count."""
    context.require(repo, "checks:read")
    state = rules.rollup(repo, sha)
    if state is None:
        return None
    found: list[CheckRun | Status] = [*rules.latest_runs(repo, sha), *rules.latest_statuses(repo, sha)]

    def show(one: CheckRun | Status) -> View:
        return check_run(context, repo, one) if isinstance(one, CheckRun) else status(context, repo, one)

    return {
        "__typename": "StatusCheckRollup",
        "id": node_id("SCR", int(sha[:10], 16)),
        "state": state,
        "commit": lambda: basics.commit(context, repo, sha),
        "contexts": lambda **args: connection("contexts", found, show, args),
    }


def _required(repo: Repository, name: str, args: dict[str, Any]) -> bool:
    pull: Pull | None = None
    if args.get("pullRequestNumber") is not None:
        pull = repo.pulls.get(args["pullRequestNumber"])
    elif args.get("pullRequestId"):
        pull = next((one for one in repo.pulls.values() if one.node == args["pullRequestId"]), None)
    else:
        raise ApiError(200, "Either pullRequestId or pullRequestNumber must be given", kind="UNPROCESSABLE")
    return pull is not None and name in rules.protection(pull).checks


def check_run(context: Context, repo: Repository, run: CheckRun) -> View:
    """A check run."""
    page = f"{context.world.base_url}/{repo.full_name}/runs/{run.id}"
    return {
        "__typename": "CheckRun",
        "id": run.node,
        "databaseId": run.id,
        "name": run.name,
        "status": run.status.upper(),
        "conclusion": run.conclusion.upper() if run.conclusion else None,
        "isRequired": lambda **args: _required(repo, run.name, args),
        "detailsUrl": run.details_url or page,
        "externalId": run.external_id or None,
        "title": run.title,
        "summary": run.summary,
        "text": run.text,
        "startedAt": render.stamp(run.started_at),
        "completedAt": render.stamp(run.completed_at),
        "url": page,
        "checkSuite": lambda: _suite(context, repo, run.suite),
    }


def _suite(context: Context, repo: Repository, suite: CheckSuite) -> View:
    async def branch() -> View | None:
        return await basics.ref(context, repo, suite.head_branch) if suite.head_branch else None

    return {
        "__typename": "CheckSuite",
        "id": suite.node,
        "databaseId": suite.id,
        "status": suite.status.upper(),
        "conclusion": suite.conclusion.upper() if suite.conclusion else None,
        "app": basics.app(suite.app),
        "branch": branch,
        "commit": lambda: basics.commit(context, repo, suite.head_sha),
    }


def status(context: Context, repo: Repository, one: Status) -> View:
    """A commit status of the older kind."""
    return {
        "__typename": "StatusContext",
        "id": one.node,
        "context": one.context,
        "state": one.state.upper(),
        "description": one.description,
        "targetUrl": one.target_url,
        "createdAt": render.stamp(one.created_at),
        "creator": lambda: basics.actor(context, one.creator),
        "isRequired": lambda **args: _required(repo, one.context, args),
    }
