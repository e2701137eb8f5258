"""Which repository the work of an epic is in: the one it began in, whatever label, project or team name since.

Pull requests are known by their numbers. In another repository those are other people's, and would be closed, answered
and merged as if they were ours.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from bot.machine.errors import Refused, UserError
from bot.machine.facts import Issue
from bot.policy import Policy, RepositoryPolicy


class Names(Protocol):
    """What is asked of `bot/github/observe.py`."""

    async def name_now(self, repository: str) -> str | None:
        """What a repository is called by now; None when there is none, or none that we may see."""


@dataclass(frozen=True)
class Whereabouts:
    """`place` is None where callboard.toml does not name the repository."""

    place: RepositoryPolicy | None
    began_in: str
    """Name of the repository that the work is in, as the records tell; empty while nothing has begun."""
    named_now: str
    """Name of the repository that label, project or team name now; empty when they name none."""


async def whereabouts(github: Names, policy: Policy, epic: Issue, issues: Iterable[Issue]) -> Whereabouts:
    """Where an epic's work is. GitHub is asked only about a name that callboard.toml does not have."""
    named = policy.repository_for(epic.team, epic.project, epic.labels)
    named_now = named.name if named else ""
    began_in = next((one.record.repository for one in (epic, *issues) if one.record and one.record.repository), "")
    if not began_in:
        return Whereabouts(named, "", named_now)
    place = policy.repository_named(began_in)
    if place is None:
        with suppress(Refused, UserError):  # then nobody knows that it is one of those that are named
            renamed = await github.name_now(began_in)
            place = policy.repository_named(renamed) if renamed else None
    return Whereabouts(place, began_in, named_now)


def with_new_name(issue: Issue, where: Whereabouts) -> Issue:
    """The issue whose record knows a repository that was renamed by its new name, which is to be remembered."""
    record = issue.record
    if where.place is None or record is None or record.repository in ("", where.place.name):
        return issue
    if record.repository != where.began_in:
        return issue
    return replace(issue, record=replace(record, repository=where.place.name), outdated=True)
