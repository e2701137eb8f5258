"""A simulated CI: one that reports what it is told to, and one that works by itself after a script."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.simulator.github import checks, workflows
from bot.simulator.github.following import Follower
from bot.simulator.github.hooks import Event
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.model_checks import CheckRun, Status
from bot.simulator.github.people import App
from bot.simulator.github.world import GitHubWorld

CI_PERMISSIONS = {"metadata": "read", "contents": "read", "checks": "write", "pull_requests": "read"}
WAKES = {"opened", "synchronize", "reopened"}
"""The actions of a pull request after which there is a head to check."""


class CI:
    """A simulated CI: an App of its own that reports check runs when it is told to.

    As `github-actions` it also has workflow runs, jobs and logs; under another slug it has check runs alone.
    """

    def __init__(self, world: GitHubWorld, *, owner: str = "acme", slug: str = workflows.SLUG) -> None:
        self.world = world
        self.app: App = world.app(slug, owner=owner, permissions=CI_PERMISSIONS, events=())

    async def pending(self, pull: Pull, name: str = "test", *, sha: str | None = None) -> CheckRun:
        """Report a check as running."""
        return await self.report(pull.repository, sha or pull.head_sha, name, {"status": "in_progress"})

    async def passes(self, pull: Pull, name: str = "test", *, sha: str | None = None) -> CheckRun:
        """Report a check as passed on the head of a pull request, or on `sha`."""
        return await self.concludes(pull, "success", name, sha=sha)

    async def fails(
        self,
        pull: Pull,
        name: str = "test",
        summary: str = "Tests failed.",
        log: str = "",
        *,
        sha: str | None = None,
        annotations: Iterable[tuple[str, int, str]] = (),
    ) -> CheckRun:
        """Report a check as failed, with a log; `annotations` are (path, line, message)."""
        wish = _ended("failure", summary, log, annotations)
        return await self.report(pull.repository, sha or pull.head_sha, name, wish, log)

    async def concludes(
        self, pull: Pull, conclusion: str, name: str = "test", *, sha: str | None = None, log: str = ""
    ) -> CheckRun:
        """Report any end: success, failure, neutral, skipped, cancelled, timed_out, action_required or stale."""
        wish = _ended(conclusion, "All tests passed." if conclusion == "success" else conclusion, log)
        return await self.report(pull.repository, sha or pull.head_sha, name, wish, log)

    async def status(
        self, pull: Pull, context: str, state: str, description: str = "", *, sha: str | None = None
    ) -> Status:
        """Report a status of the older kind: error, failure, pending or success."""
        return await report_status(self.world, pull, self.app, context, state, description, sha=sha)

    async def report(
        self, repo: Repository, sha: str, name: str, wish: Mapping[str, Any], log: str | None = None
    ) -> CheckRun:
        """Make a check run on a commit, or bring the one that is still running there to its end."""
        if self.app.slug != workflows.SLUG:
            open_run = next((run for run in self._runs(repo, sha, name) if run.status != "completed"), None)
            if open_run is None:
                return await checks.create_run(self.world, repo, self.app, {"name": name, "head_sha": sha, **wish})
            checks.update_run(self.world, repo, open_run, wish)
            return open_run
        run = await workflows.run_on(self.world, repo, self.app, sha)
        for job in run.latest:
            if job.check.name == name and job.check.status != "completed":
                job.log = log
                checks.update_run(self.world, repo, job.check, wish)
                workflows.follow(self.world, run)
                return job.check
        return await workflows.start_job(self.world, run, {"name": name, "head_sha": sha, **wish}, log)

    def _runs(self, repo: Repository, sha: str, name: str) -> list[CheckRun]:
        own = [suite for suite in repo.check_suites if suite.app is self.app and suite.head_sha == sha]
        return [run for suite in own for run in suite.runs if run.name == name]


async def report_status(
    world: GitHubWorld, pull: Pull, app: App, context: str, state: str, description: str, *, sha: str | None = None
) -> Status:
    """Report a status of the older kind in an App's name."""
    wish = {"context": context, "state": state, "description": description}
    one = checks.create_status(world, pull.repository, sha or pull.head_sha, app.user, wish)
    await checks.announce_status(world, pull.repository, one)
    return one


def _ended(
    conclusion: str, summary: str, log: str, annotations: Iterable[tuple[str, int, str]] = ()
) -> dict[str, object]:
    notes = [
        {
            "path": path,
            "start_line": line,
            "end_line": line,
            "start_column": None,
            "end_column": None,
            "annotation_level": "failure",
            "title": None,
            "message": message,
            "raw_details": None,
        }
        for path, line, message in annotations
    ]
    title = {"success": "Passed", "failure": "Failed"}.get(conclusion, conclusion.replace("_", " ").capitalize())
    output = {"title": title, "summary": summary, "text": log[-checks.LONGEST_TEXT :], "annotations": notes}
    return {"conclusion": conclusion, "output": output}


@dataclass(frozen=True)
class Trial:
    """One try of one check: `attempt` counts from 1 on each head, `head` the heads of that branch from 1."""

    repository: Repository
    sha: str
    name: str
    attempt: int
    head: int
    pull: Pull | None


Script = Sequence[str] | Callable[[Trial], str]


class ScriptedCI(Follower):
    """A CI that checks every head of every pull request and every merge group, and again when it is asked to.

    `jobs` says for each check how it ends: one conclusion for each attempt on a head (the last one for all further
    ones, so `["failure", "success"]` is a flaky check), or a function of the trial. Two words are no conclusions:
    `never` does not report at all, `hangs` runs for ever. `seconds` is how long a check takes to begin, and to end.
    """

    def __init__(
        self,
        world: GitHubWorld,
        jobs: Mapping[str, Script],
        *,
        logs: Mapping[str, str] | None = None,
        seconds: float = 0.01,
        owner: str = "acme",
    ) -> None:
        super().__init__(world)
        self.ci = CI(world, owner=owner)
        self.jobs, self.logs, self.seconds = jobs, logs or {}, seconds
        self.trials: list[Trial] = []

    def heard(self, event: Event) -> None:
        """Check a new head, a merge group, or what shall be done again."""
        repo, payload = event.repository, event.payload
        if event.name == "pull_request" and event.action in WAKES and event.pull:
            self._check(repo, event.pull.head_sha, event.pull)
        elif event.name == "merge_group" and event.action == "checks_requested":
            self._check(repo, payload["merge_group"]["head_sha"], None)
        elif event.name == "workflow_run" and event.action == "requested":
            run = next(one for one in repo.workflow_runs if one.id == payload["workflow_run"]["id"])
            for job in run.jobs:
                if run.attempt > 1 and job.attempt == run.attempt and job.check.name in self.jobs:
                    self.start(self._try(repo, run.suite.head_sha, job.check.name, event.pull))

    def _check(self, repo: Repository, sha: str, pull: Pull | None) -> None:
        if any(one.sha == sha for one in self.trials):
            return  # the same commit under another name
        for name in self.jobs:
            self.start(self._try(repo, sha, name, pull))

    async def _try(self, repo: Repository, sha: str, name: str, pull: Pull | None) -> None:
        before = [one for one in self.trials if (one.repository, one.name) == (repo, name)]
        heads = list(dict.fromkeys(one.sha for one in before if one.pull is pull and one.sha != sha))
        attempt = 1 + sum(one.sha == sha for one in before)
        trial = Trial(repo, sha, name, attempt, len(heads) + 1, pull)
        self.trials.append(trial)
        script = self.jobs[name]
        end = script(trial) if callable(script) else script[min(attempt, len(script)) - 1]
        if end == "never":
            return
        await asyncio.sleep(self.seconds)
        await self.ci.report(repo, sha, name, {"status": "in_progress"})
        if end != "hangs":
            await asyncio.sleep(self.seconds)
            log = self.logs.get(name, f"Run {name}\n{'' if end == 'success' else f'##[error]{name}: {end}'}")
            await self.ci.report(repo, sha, name, _ended(end, f"{name}: {end}", log), log)
