"""What was lost and what was done twice, counted in the simulated services and in the service's own database."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import psycopg

from bot.simulator.kill.people import People
from bot.simulator.post_office import PostOffice
from bot.simulator.theatre import REPOSITORY, Theatre

OPEN = "SELECT source, delivery FROM callboard.deliveries WHERE done_at IS NULL"
KNOWN = "SELECT delivery FROM callboard.deliveries"


def accepted(office: PostOffice) -> set[str]:
    """The deliveries that the service answered with 200."""
    return {one.letter.delivery for one in office.attempts if one.status == 200}


async def lost_deliveries(theatre: Theatre, database: str) -> list[str]:
    """Deliveries that were answered with 200 and are not in the inbox, or are there and were never served."""
    async with await psycopg.AsyncConnection.connect(database) as connection:
        known = {row[0] for row in await (await connection.execute(KNOWN)).fetchall()}
        still_open = await (await connection.execute(OPEN)).fetchall()
    offices = (theatre.linear.post_office, theatre.github.post_office)
    gone = set().union(*(accepted(one) for one in offices)) - known
    return [
        *(f"delivery {one} was accepted and is gone" for one in sorted(gone)),
        *(f"delivery {delivery} of {source} was never served" for source, delivery in still_open),
    ]


async def lost_work(people: People) -> list[str]:
    """Epics that are not done, tickets that are not, and modules that are not on the base branch."""
    theatre = people.theatre
    files = set((await _git(theatre, "ls-tree", "-r", "--name-only", "main")).splitlines())
    lost = [f"{one.identifier} is in {one.state.name}" for one in people.unfinished()]
    tickets = [one for epic in people.epics for one in theatre.linear.children(epic)]
    lost += [f"{one.identifier} is in {one.state.name}" for one in tickets if one.state.name != "Done"]
    return lost + [f"{one} is not on main" for one in sorted(people.wanted() - files)]


async def doubled(people: People) -> list[str]:
    """Comments, tickets, documents, pull requests and merges that are there more than once."""
    theatre, found = people.theatre, list[str]()
    for epic in people.epics:
        tickets = theatre.linear.children(epic)
        found += _twice(f"ticket of {epic.identifier}", (one.title for one in tickets))
        found += _twice(f"document of {epic.identifier}", (one.title for one in epic.documents))
        for issue in (epic, *tickets):
            said = [one.body for one in theatre.linear.comments(issue) if one.user and one.user.app]
            found += _twice(f"comment on {issue.identifier}", said)
            found += _twice(f"attachment of {issue.identifier}", (one.url for one in issue.attachments))
    pulls = theatre.github.repository(REPOSITORY).pulls.values()
    found += _twice("pull request of", (one.head_ref for one in pulls))
    merges = (await _git(theatre, "log", "--first-parent", "--merges", "--format=%s", "main")).splitlines()
    return found + _twice("merge", merges)


def running_database(home: Path) -> str:
    """The address of the service's own PostgreSQL, as its pid file tells it.

    Raises:
        FileNotFoundError: it does not run.
    """
    file = next((home / "database").glob("postgres-*/postmaster.pid"), None)
    if file is None:
        raise FileNotFoundError(home / "database")
    return psycopg.conninfo.make_conninfo(host=file.read_text().splitlines()[4], user="callboard", dbname="postgres")


def _twice(what: str, names: Iterable[str]) -> list[str]:
    return [f"{what} {name[:80]!r}: {count} times" for name, count in Counter(names).items() if count > 1]


async def _git(theatre: Theatre, *arguments: str) -> str:
    place = theatre.github.repository(REPOSITORY).path
    return (await theatre.github.git.run(place, *arguments)).strip()
