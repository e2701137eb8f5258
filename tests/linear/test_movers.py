"""Who moved an issue that stands elsewhere than we remember: asked once, and only then."""

from datetime import timedelta
from typing import Any

import pytest

from bot.linear import wire
from bot.linear.movers import mover_of
from bot.machine.facts import Mover
from bot.machine.record import Record
from bot.machine.stages import Stage
from bot.simulator.linear import Integration


@pytest.fixture
async def epic(office: Any) -> Any:
    """An epic with three tickets in Code Review, all remembered as they are; history is written from the start."""
    office.world.knobs.folded = timedelta()
    alice = office.person("alice")
    epic = alice.creates("YOU", "Epic", labels=("orchestrate",), state="In Dev")
    tickets = [alice.creates("YOU", f"Ticket {n}", parent=epic, state="Code Review") for n in range(3)]
    seen = await office.sees(epic)
    writes = office.writes()
    for one in (seen.epic, *seen.tickets):
        stage = one.stage or Stage.TODO
        writes.record(one, Record(one.id, stage=stage), title="Callboard", url=f"https://c.test/{one.id}")
    await writes.send()
    assert len(tickets) == 3
    office.forgets()
    return epic


def ticket(picture: Any, title: str = "Ticket 0") -> Any:
    return next(one for one in picture.tickets if one.title == title)


async def test_while_everything_stands_where_we_remember_nothing_more_is_asked(office: Any, epic: Any) -> None:
    picture = await office.sees(epic)
    assert len(office.asked) == 1
    assert {one.mover for one in (picture.epic, *picture.tickets)} == {Mover.UNKNOWN}


async def test_one_way_of_being_over_is_as_good_as_another(office: Any, epic: Any) -> None:
    first, second, _ = office.world.children(epic)
    writes = office.writes()
    writes.record(first.id, Record(first.id, stage=Stage.CANCELED), title="Callboard", url=f"https://c.test/{first.id}")
    await writes.send()
    office.person("alice").duplicates(first, second)
    assert first.state.name == "Duplicate"
    office.forgets()
    await office.sees(epic)
    assert len(office.asked) == 1


async def test_what_is_over_and_stands_in_a_state_that_means_nothing_is_elsewhere(office: Any, epic: Any) -> None:
    """It was taken for over all the same, so nobody ever put it back."""
    first, *_ = office.world.children(epic)
    writes = office.writes()
    writes.record(first.id, Record(first.id, stage=Stage.DONE), title="Callboard", url=f"https://c.test/{first.id}")
    await writes.send()
    Integration(office.world).moves(first, "In Progress")
    office.forgets()
    assert ticket(await office.sees(epic)).mover is Mover.AUTOMATION


async def test_who_ended_what_has_no_record_to_believe_is_asked_too(office: Any, epic: Any) -> None:
    """It may be begun anew at its end: what automation calls done is no end."""
    first, *_ = office.world.children(epic)
    writes = office.writes()
    forged = Record("another issue", stage=Stage.CODE_REVIEW)
    writes.record(first.id, forged, title="Callboard", url=f"https://c.test/{first.id}")
    await writes.send()
    Integration(office.world).moves(first, "Done")
    seen = ticket(await office.sees(epic))
    assert seen.record_refused
    assert seen.mover is Mover.AUTOMATION


async def test_one_more_request_tells_who_moved_any_number_of_issues(office: Any, epic: Any) -> None:
    github, alice, gina = Integration(office.world), office.person("alice"), office.person("gina")
    first, second, third = office.world.children(epic)
    github.moves(first, "In Progress")
    alice.moves(second, "In Dev")
    gina.moves(third, "Done")
    office.forgets()
    picture = await office.sees(epic)
    assert len(office.asked) == 2
    seen = ticket(picture)
    assert (seen.stage, seen.state_name, seen.mover) == (None, "In Progress", Mover.AUTOMATION)
    assert seen.moved_by.name == "Github"
    by_person = ticket(picture, "Ticket 1")
    assert (by_person.stage, by_person.mover, by_person.moved_by.name) == (Stage.DEV, Mover.PERSON, "Alice")
    by_guest = ticket(picture, "Ticket 2")
    assert (by_guest.mover, by_guest.moved_by.guest, by_guest.moved_by.person) == (Mover.PERSON, True, False)
    assert picture.epic.mover is Mover.UNKNOWN


async def test_a_move_of_ours_is_told_from_a_person_s(office: Any, epic: Any) -> None:
    writes = office.writes()
    writes.move((await office.sees(epic)).tickets[0], Stage.MERGE)
    await writes.send()
    [moved] = [one for one in (await office.sees(epic)).tickets if one.stage is Stage.MERGE]
    assert (moved.mover, moved.moved_by) == (Mover.US, None)


async def test_the_last_one_who_brought_it_there_counts(office: Any, epic: Any) -> None:
    github, alice = Integration(office.world), office.person("alice")
    first = office.world.children(epic)[0]
    github.moves(first, "In Progress")
    alice.moves(first, "Code Review")
    alice.moves(first, "In Progress")
    assert ticket(await office.sees(epic)).mover is Mover.PERSON
    alice.moves(first, "Done")
    github.moves(first, "In Progress")
    assert ticket(await office.sees(epic)).mover is Mover.AUTOMATION


async def test_what_happened_in_the_first_three_minutes_is_told_by_nobody(office: Any, epic: Any) -> None:
    office.world.knobs.folded = timedelta(minutes=3)
    office.person("alice").moves(office.world.children(epic)[0], "In Dev")
    assert ticket(await office.sees(epic)).mover is Mover.UNKNOWN


async def test_a_move_below_many_other_changes_is_found(office: Any, epic: Any) -> None:
    first = office.world.children(epic)[0]
    Integration(office.world).moves(first, "In Progress")
    alice = office.person("alice")
    for n in range(50):
        alice.retitles(first, f"Title {n}")
    office.forgets()
    assert ticket(await office.sees(epic), "Title 49").mover is Mover.AUTOMATION
    assert len(office.asked) == 4


async def test_a_state_that_changed_between_the_two_requests_is_the_later_one(office: Any, epic: Any) -> None:
    github, alice = Integration(office.world), office.person("alice")
    first, second, _ = office.world.children(epic)
    github.moves(first, "In Progress")
    github.moves(second, "In Progress")
    sent = office.client.send

    async def slowly(*arguments: Any) -> Any:
        if "history" in arguments[0]:
            alice.moves(first, "Todo")
            alice.moves(second, "Code Review")
        return await sent(*arguments)

    office.client.send = slowly
    picture = await office.sees(epic)
    moved, back = ticket(picture), ticket(picture, "Ticket 1")
    assert (moved.stage, moved.mover, moved.moved_by.name) == (Stage.TODO, Mover.PERSON, "Alice")
    assert (back.stage, back.mover) == (Stage.CODE_REVIEW, Mover.UNKNOWN)


async def test_what_closes_with_its_epic_was_closed_by_whoever_closed_the_epic(office: Any, epic: Any) -> None:
    office.world.team("YOU").auto_close_child_issues = True
    office.person("alice").moves(epic, "Done")
    picture = await office.sees(epic)
    assert {one.state_name for one in picture.tickets} == {"Done"}
    assert {(one.mover, one.moved_by.name) for one in picture.tickets} == {(Mover.PERSON, "Alice")}


async def test_an_epic_that_closes_with_its_last_ticket_was_closed_by_linear(office: Any, epic: Any) -> None:
    office.world.team("YOU").auto_close_parent_issues = True
    for one in office.world.children(epic):
        office.person("alice").moves(one, "Done")
    picture = await office.sees(epic)
    assert (picture.epic.mover, picture.epic.moved_by.name) == (Mover.AUTOMATION, "Linear")
    assert {one.mover for one in picture.tickets} == {Mover.PERSON}


async def test_fifty_moved_tickets_are_asked_about_within_what_a_query_may_cost(office: Any) -> None:
    office.world.knobs.folded = timedelta()
    alice = office.person("alice")
    epic = alice.creates("YOU", "Epic", state="In Dev")
    made = [alice.creates("YOU", f"Ticket {n}", parent=epic, state="Todo") for n in range(50)]
    writes = office.writes()
    for one in made:
        writes.record(one.id, Record(one.id, stage=Stage.DEV), title="Callboard", url=f"https://c.test/{one.id}")
    await writes.send()
    await office.directory.teams()
    office.forgets()
    await office.sees(epic)
    assert len(office.asked) == 3, "the first look at so large an epic takes two"
    assert max(request.complexity for request in office.world.requests) <= 10_000


ALICE = {"id": "alice", "name": "Alice", "active": True, "guest": False, "app": False}
GITHUB = {"type": "github", "name": "GitHub"}


@pytest.mark.parametrize(
    ("actor", "bot", "mover"),
    [
        (ALICE, None, Mover.PERSON),
        (ALICE, GITHUB, Mover.AUTOMATION),
        (None, GITHUB, Mover.AUTOMATION),
        (None, None, Mover.AUTOMATION),
        (ALICE | {"id": "us", "app": True}, None, Mover.US),
        (ALICE | {"id": "other", "app": True}, None, Mover.AUTOMATION),
        (ALICE | {"guest": True}, None, Mover.PERSON),
    ],
)
def test_the_mover_is_told_by_actor_and_bot_together(actor: Any, bot: Any, mover: Mover) -> None:
    change = wire.Change(createdAt="2026-11-21T10:00:00Z", toStateId="s", actor=actor, botActor=bot)
    moved = wire.Moved(id="i", state={"id": "s", "name": "Done", "type": "completed"}, history={"nodes": [change]})
    assert mover_of(moved, "us")[0] is mover
    elsewhere = replace_state(moved, "t")
    assert mover_of(elsewhere, "us") == (Mover.UNKNOWN, None)


def replace_state(moved: wire.Moved, state: str) -> wire.Moved:
    return moved.model_copy(update={"state": moved.state.model_copy(update={"id": state})})
