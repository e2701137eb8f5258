"""The pull requests of tickets as the service finds them, where no story brings it there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from bot.config import Policy
from bot.machine.facts import Issue
from bot.machine.pull_request import PullRequest
from bot.machine.record import Record
from bot.machine.stages import Stage
from bot.policy import RepositoryPolicy
from bot.pulls import Pulls, work_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PULL = PullRequest(7, "https://github/pull/7", "node", True, False, "sha", "agent/YOU-2", "main")
PLACE = RepositoryPolicy(name="acme/youlab")
WORK = Issue(
    "feed", "YOU-2", "Feed", "", "https://linear/YOU-2", "YOU", Stage.CODE_REVIEW, "Code Review", "started",
    frozenset(), 0, NOW, record=Record("feed", stage=Stage.CODE_REVIEW, head="sha", head_at=NOW),
)  # fmt: skip


class GitHub:
    """Has one pull request, of the branch `agent/YOU-2`; and the branches that it is told."""

    def __init__(self, *branches: str) -> None:
        self.branches = branches

    async def has_branch(self, _repository: str, branch: str) -> bool:
        return branch in self.branches

    async def find_pull(self, _repository: str, branch: str) -> int | None:
        return PULL.number if branch == PULL.head_branch else None

    async def observe_pulls(self, _repository: str, numbers: Any) -> dict[int, PullRequest]:
        return {PULL.number: PULL} if PULL.number in numbers else {}


def pulls(github: GitHub, later: timedelta = timedelta()) -> Pulls:
    return Pulls(github, lambda: Policy.model_validate({}), lambda: NOW + later)


async def test_the_pull_request_of_work_that_was_given_up_and_taken_up_again_is_found() -> None:
    """Giving up forgets the branch; found by the simulation: a pull request was opened, and never seen."""
    for branch in ("", PULL.head_branch):
        issue = replace(WORK, record=replace(cast("Record", WORK.record), branch=branch))
        found = await pulls(GitHub()).of(PLACE, (work_of(issue),))
        assert [one.number for one in found.values()] == [PULL.number]


async def test_the_pull_request_of_done_work_is_found_whatever_is_known_of_a_push() -> None:
    """A record that is not believed may be begun anew any moment: then what is left of merged work is taken away."""
    done = replace(WORK, stage=Stage.DONE, state_name="Done", state_type="completed")
    anew = Record("feed", stage=Stage.DONE, branch=PULL.head_branch)
    for issue in (replace(done, record=anew), replace(done, record=None, record_refused="it is not signed")):
        assert await pulls(GitHub()).of(PLACE, (work_of(issue),)), issue
    nothing_left = replace(done, record=replace(anew, branch=""))
    assert not await pulls(GitHub()).of(PLACE, (work_of(nothing_left),))


async def test_an_older_pull_request_that_somebody_reopened_is_seen_in_the_place_of_the_closed_one() -> None:
    closed = replace(PULL, number=PULL.number + 1, open=False)

    class Reopened(GitHub):
        async def observe_pulls(self, _repository: str, numbers: Any) -> dict[int, PullRequest]:
            return {one.number: one for one in (PULL, closed) if one.number in numbers}

    issue = replace(WORK, record=replace(cast("Record", WORK.record), pull_request=closed.number))
    found = await pulls(Reopened()).of(PLACE, (work_of(issue),))
    assert [one.number for one in found.values()] == [PULL.number]


async def test_a_branch_that_somebody_deleted_is_gone_once_github_had_time_to_show_it() -> None:
    late = timedelta(minutes=2)
    assert await pulls(GitHub(), late).is_branch_gone(PLACE, work_of(WORK), None)
    assert not await pulls(GitHub()).is_branch_gone(PLACE, work_of(WORK), None)
    assert not await pulls(GitHub(PULL.head_branch), late).is_branch_gone(PLACE, work_of(WORK), None)
    assert not await pulls(GitHub(), late).is_branch_gone(PLACE, work_of(WORK), PULL)
    assert not await pulls(GitHub(), late).is_branch_gone(PLACE, work_of(replace(WORK, stage=Stage.DEV)), None)


async def test_a_number_of_another_repository_is_not_looked_for() -> None:
    """There it is somebody else's pull request."""
    elsewhere = replace(WORK, record=replace(cast("Record", WORK.record), pull_request=7, repository="acme/other"))
    assert await pulls(GitHub()).of(PLACE, (work_of(elsewhere),)) == {}
    assert await pulls(GitHub()).of(RepositoryPolicy(name="acme/other"), (work_of(elsewhere),))
    assert not await pulls(GitHub(), timedelta(hours=1)).is_branch_gone(PLACE, work_of(elsewhere), None)
