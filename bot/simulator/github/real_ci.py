"""A CI that really runs the tests of what was pushed."""

import asyncio
import io
import tarfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from bot.simulator.github.actors import CI
from bot.simulator.github.hooks import Event
from bot.simulator.github.model import Pull
from bot.simulator.github.world import GitHubWorld

Run = Callable[[list[str], Path], Awaitable[tuple[int, str]]]
_WAKES = {"opened", "synchronize", "reopened"}
_SUMMARY_LINES = 20


class RealCI:
    """Tests every head of every open pull request, at most `parallel` at once, as an async context manager.

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
        self.world, self.command, self.name = world, list(command), name
        self.ci = CI(world, owner=owner)
        self._run = run
        self._free = asyncio.Semaphore(parallel)
        self._seen: set[tuple[int, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "RealCI":
        """Begin to listen."""
        self.world.listeners.append(self._heard)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, and stop what runs."""
        self.world.listeners.remove(self._heard)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def quiet(self) -> None:
        """Wait until nothing runs."""
        while self._tasks:
            await asyncio.gather(*tuple(self._tasks))

    def _heard(self, event: Event) -> None:
        pull = event.pull
        if event.name != "pull_request" or event.action not in _WAKES or pull is None:
            return
        key = (pull.repository.id, pull.head_sha)
        if key in self._seen:
            return
        self._seen.add(key)
        task = asyncio.get_running_loop().create_task(self._test(pull, pull.head_sha))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _test(self, pull: Pull, sha: str) -> None:
        repo = pull.repository
        await self.ci.report(repo, sha, self.name, {"status": "queued"})
        async with self._free:
            await self.ci.report(repo, sha, self.name, {"status": "in_progress"})
            code, output = await self._try(pull, sha)
        verdict = "success" if code == 0 else "failure"
        last = "\n".join(output.strip().splitlines()[-_SUMMARY_LINES:]) or f"exit code {code}"
        shown = {"title": f"Exit code {code}", "summary": f"```\n{last}\n```", "text": output[-60_000:]}
        await self.ci.report(repo, sha, self.name, {"conclusion": verdict, "output": shown})

    async def _try(self, pull: Pull, sha: str) -> tuple[int, str]:
        with TemporaryDirectory(prefix="ci-") as name:
            folder = Path(name)
            _, archive, _ = await self.world.git.attempt(pull.repository.path, "archive", "--format=tar", sha)
            await asyncio.to_thread(_unpack, archive, folder)
            try:
                return await self._run(self.command, folder)
            except Exception as error:
                # The runner is the caller's; whatever breaks there is a red check, as on a broken CI machine.
                return 255, f"{type(error).__name__}: {error}"


def _unpack(archive: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
