"""The pull requests of an epic's tickets, and what became of their branches, as GitHub shows them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from bot.machine import protected
from bot.machine.facts import Departed, Issue
from bot.machine.moving import stage_of
from bot.machine.pull_request import PullRequest
from bot.machine.stack import branch_of
from bot.machine.stages import Stage
from bot.places import Names
from bot.policy import Policy, RepositoryPolicy
from bot.reviewing import Reviewers

APPEARS_SECONDS = 60.0
"""How long GitHub may take to show a branch that was pushed."""
_MAY_HAVE_A_PULL_REQUEST = frozenset({Stage.DEV, Stage.CODE_REVIEW, Stage.MERGE, Stage.DONE})


class GitHubReads(Names, Protocol):
    """What is asked of `bot/github/observe.py`."""

    async def observe_pulls(self, repository: str, numbers: Iterable[int]) -> Mapping[int, PullRequest]:
        """Pull requests as they are now, in one request."""

    async def changed_files(self, repository: str, pull: PullRequest) -> tuple[str, ...] | None:
        """The paths that a pull request changes; None when that can't be told."""

    async def find_pull(self, repository: str, branch: str) -> int | None:
        """The pull request of a branch: the open one, else the newest."""

    async def has_branch(self, repository: str, branch: str) -> bool:
        """Whether there is such a branch."""

    async def branch_of_pull(self, repository: str, number: int) -> str | None:
        """The head branch of a pull request; None when there is none."""


@dataclass(frozen=True)
class Work:
    """What is known of an issue's work where its pull request is looked for."""

    issue: str
    branch: str
    stage: Stage | None
    repository: str = ""
    """Where it is; empty: it has not begun."""
    number: int | None = None
    """The pull request that is known."""
    pushed_at: datetime | None = None
    """When its head was pushed; None: it has none."""
    is_expected: bool = False
    """Whether there may be a pull request that nobody knows yet."""

    def is_in(self, place: RepositoryPolicy) -> bool:
        """Whether it is in this repository, or has not begun."""
        return self.repository in ("", place.name)


def work_of(issue: Issue) -> Work:
    """The work of a ticket. What was given up, and is taken up again, does not remember its branch.

    What is done may have left its branch, whatever its record knows of a push: a record that is not believed may be
    begun anew any moment, and then knows of none.
    """
    stage, record = stage_of(issue), issue.record
    if record is None:
        expected = bool(issue.record_refused) and stage is Stage.DONE
        return Work(issue.id, branch_of(issue.identifier), stage, is_expected=expected)
    left = stage is Stage.DONE and bool(issue.record_refused or record.branch)
    return Work(
        issue.id,
        record.branch or branch_of(issue.identifier),
        stage,
        repository=record.repository,
        number=record.pull_request,
        pushed_at=record.head_at if record.head else None,
        is_expected=left or (bool(record.head) and stage in _MAY_HAVE_A_PULL_REQUEST),
    )


def work_left(departed: Departed) -> Work:
    """The work of what is no ticket of the epic any more; of what was deleted only the branch is known."""
    if departed.now is not None and departed.now.record is not None:
        return work_of(departed.now)
    return Work(departed.issue, departed.branch, None, is_expected=True)


@dataclass
class Pulls:
    """Finds and reads pull requests for the observer."""

    github: GitHubReads
    policy: Callable[[], Policy]
    clock: Callable[[], datetime]
    reviewers: Reviewers = field(default_factory=Reviewers)

    async def of(self, place: RepositoryPolicy | None, works: Iterable[Work]) -> dict[str, PullRequest]:
        """The pull request of all work that may have one, by issue id."""
        if place is None:
            return {}
        known = {one.issue: one for one in works if one.is_in(place)}
        numbers: dict[int, str] = {}
        for work in known.values():
            number = work.number
            if number is None and work.is_expected:
                number = await self.github.find_pull(place.name, work.branch)
            if number is not None:
                numbers[number] = work.issue
        pulls = await self._look(place, numbers, known)
        bots = self.policy().gates.review_bots
        return {
            (owner := numbers[number]): await self._with_protected(
                place,
                self.reviewers.hear(pull, bots, known[owner].pushed_at),
                asked=known[owner].stage is Stage.MERGE,
            )
            for number, pull in pulls.items()
        }

    async def _look(
        self, place: RepositoryPolicy, numbers: dict[int, str], works: Mapping[str, Work]
    ) -> Mapping[int, PullRequest]:
        """These pull requests (number to issue id); in the place of a closed one the open one of the same branch.

        Somebody may have reopened an older one than that which the record knows.
        """
        pulls = await self.github.observe_pulls(place.name, tuple(numbers)) if numbers else {}
        for pull in [one for one in pulls.values() if not (one.open or one.merged)]:
            work = works[numbers[pull.number]]
            if work.number != pull.number or (work.stage is not None and work.stage.over):
                continue
            other = await self.github.find_pull(place.name, pull.head_branch)
            if other is not None and other != pull.number:
                numbers[other] = work.issue
                pulls = {**pulls, **await self.github.observe_pulls(place.name, (other,))}
                del pulls[pull.number]
        return pulls

    async def is_branch_gone(self, place: RepositoryPolicy | None, work: Work, pull: PullRequest | None) -> bool:
        """Whether somebody deleted the branch of finished work; not asked when a pull request shows the work.

        GitHub may be slow to show what was pushed just now.
        """
        if place is None or pull is not None or not work.is_in(place):
            return False
        if work.pushed_at is None or work.stage is not Stage.CODE_REVIEW:
            return False
        appeared = (self.clock() - work.pushed_at).total_seconds() > APPEARS_SECONDS
        return appeared and not await self.github.has_branch(place.name, work.branch)

    async def _with_protected(self, place: RepositoryPolicy, pull: PullRequest, *, asked: bool) -> PullRequest:
        """The pull request with the protected ones of the files that it changes, once it is about to be merged."""
        if not asked or not pull.open:
            return replace(pull, protected=None)
        changed = await self.github.changed_files(place.name, pull)
        patterns = self.policy().git.protected
        return replace(pull, protected=None if changed is None else protected.among(changed, patterns))
