"""The pull requests of an epic's tickets, and what became of their branches, as GitHub shows them."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from bot.machine import protected
from bot.machine.facts import Issue
from bot.machine.moving import stage_of
from bot.machine.pull_request import PullRequest
from bot.machine.stack import branch_of
from bot.machine.stages import Stage
from bot.places import Names, is_there
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


@dataclass
class Pulls:
    """Finds and reads pull requests for the observer."""

    github: GitHubReads
    policy: Callable[[], Policy]
    clock: Callable[[], datetime]
    reviewers: Reviewers = field(default_factory=Reviewers)

    async def of(self, place: RepositoryPolicy | None, issues: Iterable[Issue]) -> dict[str, PullRequest]:
        """The pull request of every ticket that may have one, by issue id."""
        if place is None:
            return {}
        issues = tuple(one for one in issues if is_there(place, one))
        numbers: dict[int, str] = {}
        for issue in issues:
            record = issue.record
            number = record.pull_request if record else None
            if number is None and (_has_work(issue, _MAY_HAVE_A_PULL_REQUEST) or _leaves_a_branch(issue)):
                number = await self.github.find_pull(place.name, _branch(issue))
            if number is not None:
                numbers[number] = issue.id
        pulls = await self._look(place, numbers, {one.id: one for one in issues})
        pushed = {issue.id: issue.record.head_at if issue.record else None for issue in issues}
        bots = self.policy().gates.review_bots
        stages = {issue.id: stage_of(issue) for issue in issues}
        return {
            (owner := numbers[number]): await self._with_protected(
                place, self.reviewers.hear(pull, bots, pushed[owner]), asked=stages[owner] is Stage.MERGE
            )
            for number, pull in pulls.items()
        }

    async def _look(
        self, place: RepositoryPolicy, numbers: dict[int, str], issues: Mapping[str, Issue]
    ) -> Mapping[int, PullRequest]:
        """These pull requests (number to issue id); in the place of a closed one the open one of the same branch.

        Somebody may have reopened an older one than that which the record knows.
        """
        pulls = await self.github.observe_pulls(place.name, tuple(numbers)) if numbers else {}
        for pull in [one for one in pulls.values() if not (one.open or one.merged)]:
            issue = issues[numbers[pull.number]]
            if issue.record is None or issue.record.pull_request != pull.number or stage_of(issue).over:
                continue
            other = await self.github.find_pull(place.name, pull.head_branch)
            if other is not None and other != pull.number:
                numbers[other] = issue.id
                pulls = {**pulls, **await self.github.observe_pulls(place.name, (other,))}
                del pulls[pull.number]
        return pulls

    async def is_branch_gone(self, place: RepositoryPolicy | None, issue: Issue, pull: PullRequest | None) -> bool:
        """Whether somebody deleted the branch of finished work; not asked when a pull request shows the work.

        GitHub may be slow to show what was pushed just now.
        """
        pushed = issue.record.head_at if issue.record else None
        if place is None or not is_there(place, issue):
            return False
        if pull is not None or pushed is None or not _has_work(issue, {Stage.CODE_REVIEW}):
            return False
        appeared = (self.clock() - pushed).total_seconds() > APPEARS_SECONDS
        return appeared and not await self.github.has_branch(place.name, _branch(issue))

    async def _with_protected(self, place: RepositoryPolicy, pull: PullRequest, *, asked: bool) -> PullRequest:
        """The pull request with the protected ones of the files that it changes, once it is about to be merged."""
        if not asked or not pull.open:
            return replace(pull, protected=None)
        changed = await self.github.changed_files(place.name, pull)
        patterns = self.policy().git.protected
        return replace(pull, protected=None if changed is None else protected.among(changed, patterns))


def _branch(issue: Issue) -> str:
    """The branch of its work; what was given up, and is taken up again, does not remember it."""
    known = issue.record.branch if issue.record else ""
    return known or branch_of(issue.identifier)


def _leaves_a_branch(issue: Issue) -> bool:
    """Whether it is done and its branch may still be there, whatever its record knows of a push.

    A record that is not believed may be begun anew any moment, and then knows of none.
    """
    left = bool(issue.record_refused) or (issue.record is not None and bool(issue.record.branch))
    return left and stage_of(issue) is Stage.DONE


def _has_work(issue: Issue, stages: Container[Stage | None]) -> bool:
    """Whether it is in one of these stages with something pushed."""
    return issue.record is not None and bool(issue.record.head) and stage_of(issue) in stages
