"""Workflow runs and jobs, as REST and webhooks show them."""

from typing import TYPE_CHECKING

from bot.simulator.github import render, render_checks
from bot.simulator.github.render import Json, api, stamp

if TYPE_CHECKING:
    from bot.simulator.github.workflows import Job, WorkflowRun
    from bot.simulator.github.world import GitHubWorld

_WORKFLOW = 7_000_000
"""Added to a repository's number for the number of its only workflow."""


def workflow(world: "GitHubWorld", run: "WorkflowRun") -> Json:
    """The workflow that a run belongs to."""
    repo = run.repository
    number = _WORKFLOW + repo.id
    url = api(world, f"/repos/{repo.full_name}/actions/workflows/{number}")
    page = f"{world.base_url}/{repo.full_name}"
    return {
        "id": number,
        "node_id": f"W_kwDO{number}",
        "name": run.name,
        "path": run.path,
        "state": "active",
        "created_at": stamp(repo.created_at),
        "updated_at": stamp(repo.created_at),
        "url": url,
        "html_url": f"{page}/blob/{repo.default_branch}/{run.path}",
        "badge_url": f"{page}/workflows/{run.name}/badge.svg",
    }


def workflow_run(world: "GitHubWorld", run: "WorkflowRun") -> Json:
    """A run of a workflow."""
    repo, suite = run.repository, run.suite
    url = api(world, f"/repos/{repo.full_name}/actions/runs/{run.id}")
    shown = render_checks.check_suite(world, repo, suite)
    return {
        "id": run.id,
        "name": run.name,
        "node_id": run.node,
        "head_branch": suite.head_branch,
        "head_sha": suite.head_sha,
        "path": run.path,
        "display_title": suite.commit.message.split("\n", 1)[0],
        "run_number": run.number,
        "run_attempt": run.attempt,
        "event": run.event,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": workflow(world, run)["id"],
        "check_suite_id": suite.id,
        "check_suite_node_id": suite.node,
        "url": url,
        "html_url": f"{world.base_url}/{repo.full_name}/actions/runs/{run.id}",
        "pull_requests": shown["pull_requests"],
        "created_at": stamp(run.created_at),
        "updated_at": stamp(run.updated_at),
        "run_started_at": stamp(run.created_at),
        "actor": render.user(world, run.actor),
        "triggering_actor": render.user(world, run.triggered_by or run.actor),
        "referenced_workflows": [],
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": shown["url"],
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": f"{url}/attempts/{run.attempt - 1}" if run.attempt > 1 else None,
        "workflow_url": workflow(world, run)["url"],
        "head_commit": shown["head_commit"],
        "repository": render.repository(world, repo),
        "head_repository": render.repository(world, repo),
    }


def job(world: "GitHubWorld", run: "WorkflowRun", one: "Job") -> Json:
    """A job of a run."""
    repo, check = run.repository, one.check
    url = api(world, f"/repos/{repo.full_name}")
    ran = check.status != "queued"
    step = {
        "name": f"Run {check.name}",
        "status": check.status,
        "conclusion": check.conclusion,
        "number": 1,
        "started_at": stamp(check.started_at) if ran else None,
        "completed_at": stamp(check.completed_at),
    }
    return {
        "id": check.id,
        "run_id": run.id,
        "run_url": f"{url}/actions/runs/{run.id}",
        "run_attempt": one.attempt,
        "node_id": check.node,
        "head_sha": run.suite.head_sha,
        "head_branch": run.suite.head_branch,
        "workflow_name": run.name,
        "url": f"{url}/actions/jobs/{check.id}",
        "html_url": check.details_url,
        "status": check.status,
        "conclusion": check.conclusion,
        "created_at": stamp(check.started_at),
        "started_at": stamp(check.started_at),
        "completed_at": stamp(check.completed_at),
        "name": check.name,
        "steps": [step] if ran else [],
        "check_run_url": f"{url}/check-runs/{check.id}",
        "labels": ["ubuntu-latest"],
        "runner_id": 1 if ran else None,
        "runner_name": "GitHub Actions 1" if ran else None,
        "runner_group_id": 0 if ran else None,
        "runner_group_name": "GitHub Actions" if ran else None,
    }
