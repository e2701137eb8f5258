"""Where the work of an epic is, as its records, callboard.toml and GitHub tell together."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.machine.facts import Issue
from bot.machine.record import Record
from bot.machine.stages import Stage
from bot.places import whereabouts, with_new_name
from bot.policy import Policy, RepositoryPolicy
from bot.pulls import work_of

NOW = datetime(2026, 11, 22, tzinfo=UTC)
EPIC = Issue("e", "YOU-1", "T", "", "", "YOU", Stage.DEV, "In Dev", "started", frozenset(), 0, NOW, record=Record("e"))
TICKET = replace(EPIC, id="t", record=Record("t", repository="acme/youlab", pull_request=7))
POLICY = Policy.model_validate(
    {"repositories": [{"name": "acme/youlab", "teams": ["YOU"]}, {"name": "acme/other", "label": "other"}]}
)
MOVED = Policy.model_validate({"repositories": [{"name": "acme/lab", "teams": ["YOU"]}]})
OTHER = frozenset({"other"})


class GitHub:
    """Knows repositories by the names that they had, too."""

    def __init__(self, **names: str) -> None:
        self.names, self.asked = {old.replace("_", "/"): new for old, new in names.items()}, 0

    async def name_now(self, repository: str) -> str | None:
        self.asked += 1
        return self.names.get(repository)


async def test_what_has_not_begun_goes_where_its_label_project_or_team_says() -> None:
    for labels, name in ((frozenset[str](), "acme/youlab"), (OTHER, "acme/other")):
        where = await whereabouts(GitHub(), POLICY, replace(EPIC, labels=labels), ())
        assert where.place is not None
        assert (where.place.name, where.began_in, where.named_now) == (name, "", name)


@pytest.mark.parametrize("known", [(EPIC, TICKET), (replace(EPIC, record=replace(TICKET.record, issue="e")),)])
async def test_what_has_begun_stays_though_a_label_says_something_else(known: tuple[Issue, ...]) -> None:
    epic, *tickets = known
    github = GitHub()
    where = await whereabouts(github, POLICY, replace(epic, labels=OTHER), tickets)
    assert where.place is not None
    assert (where.place.name, where.began_in, where.named_now) == ("acme/youlab", "acme/youlab", "acme/other")
    assert github.asked == 0


async def test_a_repository_that_was_renamed_is_known_by_its_new_name_and_remembered_by_it() -> None:
    where = await whereabouts(GitHub(acme_youlab="acme/lab"), MOVED, EPIC, (TICKET,))
    assert where.place is not None
    assert where.place.name == "acme/lab"
    found = with_new_name(TICKET, where)
    assert found.record is not None
    assert found.record.repository == "acme/lab"
    assert found.outdated, "it is written"
    assert with_new_name(EPIC, where) is EPIC


async def test_a_repository_that_callboard_toml_names_no_more_is_none_and_nothing_else_takes_its_place() -> None:
    for github in (GitHub(), GitHub(acme_youlab="acme/elsewhere")):
        where = await whereabouts(github, MOVED, EPIC, (TICKET,))
        assert (where.place, where.began_in, where.named_now) == (None, "acme/youlab", "acme/lab")


async def test_upper_and_lower_case_are_the_same_name() -> None:
    loud = replace(TICKET, record=replace(TICKET.record, repository="Acme/YouLab"))
    where = await whereabouts(GitHub(), POLICY, EPIC, (loud,))
    assert where.place is not None
    found = with_new_name(loud, where)
    assert work_of(found).is_in(where.place)


def test_a_ticket_of_another_repository_is_not_there() -> None:
    assert work_of(TICKET).is_in(RepositoryPolicy(name="acme/youlab"))
    assert work_of(EPIC).is_in(RepositoryPolicy(name="acme/other"))
    assert not work_of(TICKET).is_in(RepositoryPolicy(name="acme/other"))
