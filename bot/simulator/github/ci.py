"""A simulated CI that reports what it is told to."""

from collections.abc import Mapping

from bot.simulator.github import checks
from bot.simulator.github.model import CheckRun, Pull, Repository
from bot.simulator.github.people import App
from bot.simulator.github.world import GitHubWorld

CI_PERMISSIONS = {"metadata": "read", "contents": "read", "checks": "write", "pull_requests": "read"}


class CI:
    """A simulated CI: an App of its own that reports check runs when it is told to."""

    def __init__(self, world: GitHubWorld, *, owner: str = "acme", slug: str = "github-actions") -> None:
        self.world = world
        self.app: App = world.app(slug, owner=owner, permissions=CI_PERMISSIONS, events=())

    async def pending(self, pull: Pull, name: str = "test") -> CheckRun:
        """Report a check as running."""
        return await self.report(pull.repository, pull.head_sha, name, {"status": "in_progress"})

    async def passes(self, pull: Pull, name: str = "test", *, sha: str | None = None) -> CheckRun:
        """Report a check as passed on the head of a pull request, or on `sha`."""
        output = {"title": "Passed", "summary": "All tests passed."}
        return await self.report(
            pull.repository, sha or pull.head_sha, name, {"conclusion": "success", "output": output}
        )

    async def fails(
        self, pull: Pull, name: str = "test", summary: str = "Tests failed.", log: str = "", *, sha: str | None = None
    ) -> CheckRun:
        """Report a check as failed, with a log."""
        output = {"title": "Failed", "summary": summary, "text": log[-checks.LONGEST_TEXT :]}
        return await self.report(
            pull.repository, sha or pull.head_sha, name, {"conclusion": "failure", "output": output}
        )

    async def report(self, repo: Repository, sha: str, name: str, wish: Mapping[str, object]) -> CheckRun:
        """Make a check run on a commit, or bring the one that is still running there to its end."""
        for run in repo.check_runs:
            same = run.suite.app is self.app and run.suite.head_sha == sha and run.name == name
            if same and run.status != "completed":
                checks.update_run(self.world, repo, run, wish)
                return run
        return await checks.create_run(self.world, repo, self.app, {"name": name, "head_sha": sha, **wish})
