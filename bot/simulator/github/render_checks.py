"""Check runs, check suites and commit statuses, as REST and webhooks show them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bot.simulator.github import render, render_apps
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.model_checks import CheckRun, CheckSuite, Status
from bot.simulator.github.render import Json, api, stamp

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld


def pulls_of(repo: Repository, suite: CheckSuite) -> list[Pull]:
    """The open pull requests whose head is the commit of a suite."""
    return [pull for pull in repo.pulls.values() if pull.open and pull.head_sha == suite.head_sha]


def _pull(world: "GitHubWorld", pull: Pull) -> Json:
    repo = pull.repository
    place = {"id": repo.id, "url": api(world, f"/repos/{repo.full_name}"), "name": repo.name}
    return {
        "url": api(world, f"/repos/{repo.full_name}/pulls/{pull.number}"),
        "id": pull.id,
        "number": pull.number,
        "head": {"ref": pull.head_ref, "sha": pull.head_sha, "repo": place},
        "base": {"ref": pull.base_ref, "sha": pull.base_sha, "repo": place},
    }


def check_run(world: "GitHubWorld", repo: Repository, run: CheckRun) -> Json:
    """A check run."""
    url = api(world, f"/repos/{repo.full_name}/check-runs/{run.id}")
    page = f"{world.base_url}/{repo.full_name}/runs/{run.id}"
    return {
        "id": run.id,
        "name": run.name,
        "node_id": run.node,
        "head_sha": run.suite.head_sha,
        "external_id": run.external_id,
        "url": url,
        "html_url": page,
        "details_url": run.details_url or page,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": stamp(run.started_at),
        "completed_at": stamp(run.completed_at),
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": run.suite.id},
        "app": render_apps.app(world, run.suite.app),
        "pull_requests": [_pull(world, pull) for pull in pulls_of(repo, run.suite)],
    }


def check_run_event(world: "GitHubWorld", repo: Repository, run: CheckRun) -> Json:
    """A check run as its webhook shows it: with its suite."""
    suite = check_suite(world, repo, run.suite)
    kept = ("id", "node_id", "head_branch", "head_sha", "status", "conclusion", "url", "before", "after")
    more = ("pull_requests", "app", "created_at", "updated_at")
    return {**check_run(world, repo, run), "check_suite": {key: suite[key] for key in (*kept, *more)}}


def check_suite(world: "GitHubWorld", repo: Repository, suite: CheckSuite) -> Json:
    """A check suite."""
    url = api(world, f"/repos/{repo.full_name}/check-suites/{suite.id}")
    return {
        "id": suite.id,
        "node_id": suite.node,
        "head_branch": suite.head_branch,
        "head_sha": suite.head_sha,
        "status": suite.status,
        "conclusion": suite.conclusion,
        "url": url,
        "before": None,
        "after": suite.head_sha,
        "pull_requests": [_pull(world, pull) for pull in pulls_of(repo, suite)],
        "app": render_apps.app(world, suite.app),
        "created_at": stamp(suite.created_at),
        "updated_at": stamp(suite.updated_at),
        "rerequestable": True,
        "runs_rerequestable": True,
        "latest_check_runs_count": len(suite.runs),
        "check_runs_url": f"{url}/check-runs",
        "head_commit": render.simple_commit(suite.commit),
    }


def status(world: "GitHubWorld", repo: Repository, one: Status) -> Json:
    """A commit status."""
    return {
        "url": api(world, f"/repos/{repo.full_name}/statuses/{one.sha}"),
        "avatar_url": f"{world.base_url}/avatars/u/{one.creator.id}",
        "id": one.id,
        "node_id": one.node,
        "state": one.state,
        "description": one.description,
        "target_url": one.target_url,
        "context": one.context,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "creator": render.user(world, one.creator),
    }


def combined(world: "GitHubWorld", repo: Repository, sha: str, latest: Iterable[Status]) -> Json:
    """The combined status of a commit: statuses only, check runs don't count. With none it is `pending`."""
    statuses = list(latest)
    states = {one.state for one in statuses}
    worst = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    return {
        "state": worst,
        "statuses": [status(world, repo, one) for one in statuses],
        "sha": sha,
        "total_count": len(statuses),
        "repository": render.repository(world, repo),
        "commit_url": api(world, f"/repos/{repo.full_name}/commits/{sha}"),
        "url": api(world, f"/repos/{repo.full_name}/commits/{sha}/status"),
    }
