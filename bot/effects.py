"""What a decision is carried out with: the verbs of GitHub and of the engine that it needs."""

from collections.abc import Mapping
from typing import Protocol

from bot.engine.port import RunOrder
from bot.machine.pull_request import Failure


class GitHubEffects(Protocol):
    """The verbs of `bot/github/ensure.py` that decisions need."""

    async def ensure_pull(self, repository: str, branch: str, base: str, title: str, body: str) -> int:
        """The branch has an open pull request."""

    async def retarget(self, repository: str, number: int, base: str) -> None:
        """The pull request goes into `base`."""

    async def merge(self, repository: str, number: int, head: str, title: str, methods: tuple[str, ...]) -> None:
        """The pull request is merged at this head, by the first of these methods that GitHub takes."""

    async def enqueue(self, repository: str, number: int, head: str) -> None:
        """The pull request is in the merge queue at this head."""

    async def dequeue(self, repository: str, number: int) -> None:
        """The pull request is in no merge queue."""

    async def rerun(self, repository: str, failure: Failure) -> bool:
        """The failed check runs once more; False: it can't."""

    async def reply(self, repository: str, thread: str, body: str, topic: str) -> None:
        """The thread has our reply about a topic."""

    async def resolve(self, repository: str, thread: str) -> None:
        """The thread is resolved."""

    async def answer(self, repository: str, number: int, body: str, topic: str) -> int:
        """The conversation has our comment about a topic."""

    async def request_review(self, repository: str, number: int, logins: tuple[str, ...]) -> tuple[str, ...]:
        """These people are asked to look again; returns those that GitHub refused."""

    async def our_check(
        self, repository: str, head: str, status: str, conclusion: str, title: str, summary: str, url: str
    ) -> None:
        """Our own check on a head says this."""

    async def close_pull(self, repository: str, number: int) -> None:
        """The pull request is closed."""

    async def delete_branch(self, repository: str, branch: str, merged: str) -> None:
        """The branch is gone, unless it has something else than this commit; empty: whatever it has."""


class Runs(Protocol):
    """The verbs of the engine that decisions need."""

    async def start_run(self, order: RunOrder) -> None:
        """Queue a run, once."""

    async def allow(self, key: str, budget_usd: float, recorded_usd: float) -> None:
        """What an epic may cost, and what it has cost by its records."""

    async def cancel_run(self, run_id: str, reason: str) -> None:
        """Stop a run."""

    async def intend(
        self, key: str, above: Mapping[str, int], known: Mapping[str, tuple[int, int]]
    ) -> Mapping[str, int]:
        """Numbers for records that are about to be written."""

    async def wrote(self, key: str, seen: Mapping[str, tuple[int, str]]) -> None:
        """These records stand on Linear."""
