"""GitHub Actions: runs of a workflow, their jobs with logs, and doing them again.

A job *is* a check run of the App `github-actions`, with the same number, and everything a workflow does on one commit
is one check suite. A run that is done again keeps its number and counts its attempts; the jobs that are done again are
new check runs. Nothing here runs by itself: a simulated CI takes the jobs that are queued.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.simulator.github import checks, hooks, render_workflows
from bot.simulator.github.errors import forbidden
from bot.simulator.github.model import Repository
from bot.simulator.github.model_checks import CheckRun, CheckSuite
from bot.simulator.github.people import App, User, node_id
from bot.simulator.github.rules import PASSING

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

SLUG = "github-actions"


@dataclass(eq=False)
class Job:
    """One job of one attempt. `log` is None while it runs, and once it was thrown away."""

    check: CheckRun
    attempt: int
    log: str | None = None

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.check.status == "completed" and self.check.conclusion not in PASSING


@dataclass(eq=False)
class WorkflowRun:
    """A run of a workflow on a commit."""

    id: int
    repository: Repository
    suite: CheckSuite
    event: str
    actor: User
    number: int
    created_at: datetime
    updated_at: datetime
    name: str = "CI"
    path: str = ".github/workflows/ci.yml"
    attempt: int = 1
    triggered_by: User | None = None
    jobs: list[Job] = field(default_factory=list)

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("WFR", self.id)

    @property
    def latest(self) -> list[Job]:
        """The newest job of each name: what the run consists of now."""
        return list({job.check.name: job for job in self.jobs}.values())

    @property
    def status(self) -> str:
        """`queued`, `in_progress` or `completed`."""
        states = {job.check.status for job in self.latest}
        if states == {"completed"}:
            return "completed"
        return "queued" if states <= {"queued"} else "in_progress"

    @property
    def conclusion(self) -> str | None:
        """How it ended, or None."""
        if self.status != "completed":
            return None
        ends = [job.check.conclusion or "failure" for job in self.latest]
        bad = [end for end in ends if end not in PASSING]
        return ("failure" if "failure" in bad else bad[0]) if bad else ("success" if "success" in ends else "skipped")


async def run_on(world: "GitHubWorld", repo: Repository, app: App, sha: str) -> WorkflowRun:
    """The run on a commit, begun when there is none."""
    for one in repo.workflow_runs:
        if one.suite.app is app and one.suite.head_sha == sha:
            return one
    suite, now = await checks.suite_of(world, repo, app, sha), world.now()
    pull = next((pull for pull in repo.pulls.values() if pull.head_sha == sha), None)
    queued = (suite.head_branch or "").startswith("gh-readonly-queue/")
    event = "pull_request" if pull else "merge_group" if queued else "push"
    actor = (pull.pushed_by or pull.author) if pull else repo.owner
    run = WorkflowRun(world.id(), repo, suite, event, actor, len(repo.workflow_runs) + 1, now, now)
    repo.workflow_runs.append(world.keep(run))
    announce(world, run, "requested")
    return run


async def start_job(
    world: "GitHubWorld", run: WorkflowRun, wish: Mapping[str, Any], log: str | None = None
) -> CheckRun:
    """Add a job to a run, from the fields of a check run."""

    def page(check: CheckRun) -> str:
        run.jobs.append(Job(check, run.attempt, log))
        return f"{world.base_url}/{run.repository.full_name}/actions/runs/{run.id}/job/{check.id}"

    check = await checks.create_run(world, run.repository, run.suite.app, wish, page)
    follow(world, run)
    return check


def follow(world: "GitHubWorld", run: WorkflowRun) -> None:
    """After one of its jobs changed: say so where the whole run ended."""
    run.updated_at = world.now()
    if run.status == "completed":
        announce(world, run, "completed")


def announce(world: "GitHubWorld", run: WorkflowRun, action: str) -> None:
    """Send a `workflow_run` event."""
    payload = {
        "workflow_run": render_workflows.workflow_run(world, run),
        "workflow": render_workflows.workflow(world, run),
    }
    pull = next((one for one in run.repository.pulls.values() if one.head_sha == run.suite.head_sha), None)
    hooks.emit(world, run.repository, run.actor, "workflow_run", payload, action=action, pull=pull)


async def rerun(world: "GitHubWorld", run: WorkflowRun, actor: User, jobs: Sequence[Job]) -> None:
    """Do some jobs of a run again, as its next attempt.

    Raises:
        ApiError: 403, it is still running, or there is nothing to do again.
    """
    if run.status != "completed":
        raise forbidden("This workflow is already running")
    if not jobs:
        raise forbidden("This workflow run cannot be retried")
    run.attempt, run.triggered_by = run.attempt + 1, actor
    for job in jobs:
        wish = {"name": job.check.name, "head_sha": run.suite.head_sha, "status": "queued"}
        await start_job(world, run, wish)
    announce(world, run, "requested")


async def rerun_check(world: "GitHubWorld", repo: Repository, check: CheckRun, actor: User) -> bool:
    """Do the job behind a check run again; False when there is none, and its App must be asked."""
    for run in repo.workflow_runs:
        for job in run.jobs:
            if job.check is check:
                await rerun(world, run, actor, [job])
                return True
    return False


def cancel(world: "GitHubWorld", run: WorkflowRun) -> None:
    """Stop what still runs."""
    for job in run.latest:
        if job.check.status != "completed":
            checks.update_run(world, run.repository, job.check, {"conclusion": "cancelled"})
    follow(world, run)


def written(log: str, stamp: Callable[[], datetime]) -> str:
    """A log as Actions keeps it: a byte order mark at the front, and the time before each line."""
    at = stamp().strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
    return "\ufeff" + "".join(f"{at} {line}\n" for line in log.splitlines())
