"""A CI that really runs the tests of what was pushed."""

import asyncio
import io
import tarfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.simulator.github.ci import CI, WAKES
from bot.simulator.github.following import Follower
from bot.simulator.github.hooks import Event
from bot.simulator.github.model import Repository
from bot.simulator.github.world import GitHubWorld

Run = Callable[[list[str], Path], Awaitable[tuple[int, str]]]
_SUMMARY_LINES = 20


class RealCI(Follower):
    """Tests every head of every open pull request, and again when that is asked for, at most `parallel` at once.

    The tree of the commit is laid out in a folder of its own (from `git archive`, so no history and no hooks), then
    `run(command, folder)` is awaited: it is given by the caller, who can put a sandbox around it, and answers with
    the exit code and the output. What it raises is reported as a failed check.
    """

    def __init__(
        self,
        world: GitHubWorld,
        *,
        command: Sequence[str],
        run: Run,
        name: str = "test",
        parallel: int = 2,
        owner: str = "acme",
    ) -> None:
        super().__init__(world)
        self.command, self.name = list(command), name
        self.ci = CI(world, owner=owner)
        self._run = run
        self._free = asyncio.Semaphore(parallel)
        self._seen: set[tuple[int, str]] = set()

    def heard(self, event: Event) -> None:
        """Test a new head, a merge group, or what shall be done again."""
        repo, payload = event.repository, event.payload
        if event.name == "pull_request" and event.action in WAKES and event.pull:
            self._once(repo, event.pull.head_sha)
        elif event.name == "merge_group" and event.action == "checks_requested":
            self._once(repo, payload["merge_group"]["head_sha"])
        elif event.name == "workflow_run" and event.action == "requested":
            run = next(one for one in repo.workflow_runs if one.id == payload["workflow_run"]["id"])
            if run.attempt > 1 and any((job.check.name, job.attempt) == (self.name, run.attempt) for job in run.jobs):
                self.start(self._test(repo, run.suite.head_sha))

    def _once(self, repo: Repository, sha: str) -> None:
        if (repo.id, sha) not in self._seen:
            self._seen.add((repo.id, sha))
            self.start(self._test(repo, sha))

    async def _test(self, repo: Repository, sha: str) -> None:
        await self.ci.report(repo, sha, self.name, {"status": "queued"})
        async with self._free:
            await self.ci.report(repo, sha, self.name, {"status": "in_progress"})
            code, output = await self._try(repo, sha)
        verdict = "success" if code == 0 else "failure"
        last = "\n".join(output.strip().splitlines()[-_SUMMARY_LINES:]) or f"exit code {code}"
        shown = {"title": f"Exit code {code}", "summary": f"```\n{last}\n```", "text": output[-60_000:]}
        await self.ci.report(repo, sha, self.name, {"conclusion": verdict, "output": shown}, output)

    async def _try(self, repo: Repository, sha: str) -> tuple[int, str]:
        with TemporaryDirectory(prefix="ci-") as name:
            folder = Path(name)
            _, archive, _ = await self.world.git.attempt(repo.path, "archive", "--format=tar", sha)
            await asyncio.to_thread(_unpack, archive, folder)
            try:
                return await self._run(self.command, folder)
            except Exception as error:
                # The runner is the caller's; whatever breaks there is a red check, as on a broken CI machine.
                return 255, f"{type(error).__name__}: {error}"


def _unpack(archive: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="data")
        else:  # Python before 3.11.4, as in Debian 12; git's own paths stay inside, so only links could lead out
            tar.extractall(folder, [one for one in tar if one.isreg() or one.isdir()])  # noqa: S202
