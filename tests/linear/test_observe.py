"""The simulated workspace, read over real sockets: an epic in one request, long lists to the end."""

from datetime import timedelta
from typing import Any

import pytest

from bot.linear.errors import NotFound
from bot.machine.errors import Refused, Transient, UserError
from bot.machine.record import Record
from bot.machine.stages import ORCHESTRATE, WORKER, Stage
from bot.simulator.faults import Fault
from bot.simulator.linear import Integration


async def test_an_epic_with_six_tickets_costs_one_request(office: Any) -> None:
    alice = office.person("alice")
    epic = alice.creates("YOU", "Dashboard", "The spec", labels=("orchestrate",), state="In Dev")
    tickets = [alice.creates("YOU", f"Ticket {n}", parent=epic, state="Todo") for n in range(6)]
    alice.blocks(tickets[0], tickets[1])
    alice.comments(epic, "approve")
    alice.comments(tickets[2], "retry")
    await office.directory.teams()
    office.forgets()
    picture = await office.sees(epic)
    assert len(office.asked) == 1
    assert (picture.epic.title, picture.epic.stage, picture.epic.team) == ("Dashboard", Stage.DEV, "YOU")
    assert picture.epic.labels == {ORCHESTRATE}
    assert sorted(one.identifier for one in picture.tickets) == [f"YOU-{n}" for n in range(2, 8)]
    seen = {one.identifier: one for one in picture.tickets}
    assert all(one.parent == epic.id and one.stage is Stage.TODO for one in picture.tickets)
    assert [one.identifier for one in seen["YOU-3"].blocked_by] == ["YOU-2"]
    [said] = picture.epic.comments
    assert (said.body, said.ours, said.edited) == ("approve", False, False)
    assert said.author is not None
    assert (said.author.name, said.author.person, said.author.teams) == ("Alice", True, ("YOU",))
    assert [one.body for one in seen["YOU-4"].comments] == ["retry"]
    assert picture.viewer == office.world.user("callboard").id


async def test_no_request_is_dearer_than_linear_allows(office: Any) -> None:
    alice = office.person("alice")
    epic = alice.creates("YOU", "Dashboard")
    for _ in range(3):
        alice.creates("YOU", "Ticket", parent=epic)
        await office.sees(epic)
    await office.observer.resolve(epic.identifier)
    await office.observer.observe_roots([ORCHESTRATE], ["YOU"], office.world.moment())
    assert 0 < max(request.complexity for request in office.world.requests) <= 10_000
    assert office.client.budget.complexity == office.world.requests[-1].complexity


async def test_120_tickets_are_read_to_the_last_in_three_requests(office: Any) -> None:
    alice = office.person("alice")
    epic = alice.creates("YOU", "Everything")
    made = {alice.creates("YOU", f"Ticket {n}", parent=epic).identifier for n in range(120)}
    await office.directory.teams()
    office.forgets()
    picture = await office.sees(epic)
    assert {one.identifier for one in picture.tickets} == made
    assert len(office.asked) == 3


async def test_long_lists_are_read_to_the_end_in_one_more_request(office: Any) -> None:
    alice = office.person("alice")
    epic = alice.creates("YOU", "Talkative")
    tickets = [alice.creates("YOU", f"Ticket {n}", parent=epic) for n in range(3)]
    for n in range(60):
        alice.comments(epic, f"epic {n}")
        alice.comments(tickets[0], f"ticket {n}")
    for blocker in (alice.creates("YOU", f"Blocker {n}") for n in range(9)):
        alice.blocks(blocker, tickets[1])
    for n in range(13):
        office.world.add_label(f"label {n}")
    alice.labels(tickets[2], *(f"label {n}" for n in range(13)))
    await office.directory.teams()
    office.forgets()
    picture = await office.sees(epic)
    seen = {one.title: one for one in picture.tickets}
    assert sorted(one.body for one in picture.epic.comments) == sorted(f"epic {n}" for n in range(60))
    assert sorted(one.body for one in seen["Ticket 0"].comments) == sorted(f"ticket {n}" for n in range(60))
    assert len(seen["Ticket 1"].blocked_by) == 9
    assert len(seen["Ticket 2"].labels) == 13
    assert len(office.asked) == 2


async def test_a_small_epic_that_was_seen_before_gets_longer_lists(office: Any) -> None:
    alice = office.person("alice")
    epic = alice.creates("YOU", "Talkative")
    ticket = alice.creates("YOU", "Ticket", parent=epic)
    for n in range(30):
        alice.comments(ticket, f"{n}")
    await office.sees(epic)
    office.forgets()
    picture = await office.sees(epic)
    assert len(picture.tickets[0].comments) == 30
    assert len(office.asked) == 1


async def test_an_epic_that_grew_since_is_still_read_whole(office: Any) -> None:
    alice = office.person("alice")
    epic = alice.creates("YOU", "Growing")
    await office.sees(epic)
    for n in range(70):
        alice.creates("YOU", f"Ticket {n}", parent=epic)
    assert len((await office.sees(epic)).tickets) == 70


async def test_archived_tickets_are_still_the_epics(office: Any) -> None:
    alice = office.person("alice")
    epic = alice.creates("YOU", "Epic")
    done, gone = (alice.creates("YOU", name, parent=epic) for name in ("done", "gone"))
    alice.archives(done)
    alice.deletes_issue(gone)
    picture = await office.sees(epic)
    assert {one.title: one.archived for one in picture.tickets} == {"done": True, "gone": True}


async def test_what_guests_and_integrations_say_is_not_a_persons_word(office: Any) -> None:
    epic = office.person("alice").creates("YOU", "Epic")
    office.person("gina").comments(epic, "approve")
    Integration(office.world, "slack").comments(epic, "approve", by=office.world.user("bob"))
    Integration(office.world, "github").comments(epic, "approve")
    picture = await office.sees(epic)
    assert len(picture.epic.comments) == 3
    assert not any(one.author and one.author.person for one in picture.epic.comments)


async def test_an_edited_comment_and_an_answer_say_so(office: Any) -> None:
    alice, bob = office.person("alice"), office.person("bob")
    epic = alice.creates("YOU", "Epic")
    said = alice.comments(epic, "no")
    alice.edits(said, "approve")
    bob.replies(said, "sure?")
    seen = {one.body: one for one in (await office.sees(epic)).epic.comments}
    first, second = seen["approve"], seen["sure?"]
    assert (first.edited, second.edited, second.parent) == (True, False, first.id)


async def test_an_issue_that_is_not_there_is_not_found(office: Any) -> None:
    with pytest.raises(NotFound):
        await office.observer.observe_epic("YOU-99")


async def test_a_subject_is_traced_to_its_epic(office: Any) -> None:
    alice = office.person("alice")
    epic = alice.creates("YOU", "Epic", labels=("orchestrate",))
    ticket = alice.creates("YOU", "Ticket", parent=epic)
    below = alice.creates("YOU", "Detail", parent=ticket)
    document = alice.writes(epic, "Breakdown", "text")
    for reference in (epic.id, ticket.id, ticket.identifier, below.id, document.id):
        root = await office.observer.resolve(reference)
        assert (root.id, root.called, root.lone) == (epic.id, True, False)


async def test_a_lone_ticket_is_its_own_root_unless_an_epic_has_it(office: Any) -> None:
    alice = office.person("alice")
    plain = alice.creates("YOU", "Plain parent")
    lone = alice.creates("YOU", "Lone", parent=plain, labels=("worker",))
    epic = alice.creates("YOU", "Epic", labels=("orchestrate",))
    owned = alice.creates("YOU", "Owned", parent=epic, labels=("worker",))
    root = await office.observer.resolve(lone.id)
    assert (root.id, root.lone, root.labels) == (lone.id, True, {WORKER})
    assert (await office.observer.resolve(owned.id)).id == epic.id


@pytest.mark.attack("S-10")
async def test_a_label_on_what_is_above_takes_nothing_away_from_what_was_called_already(office: Any) -> None:
    alice, gina = office.person("alice"), office.person("gina")
    above = alice.creates("YOU", "Above")
    other = alice.creates("YOU", "Other", parent=above)
    epic = alice.creates("YOU", "Epic", labels=("orchestrate",), parent=above, state="Todo")
    ticket = alice.creates("YOU", "Ticket", parent=epic)
    lone = alice.creates("YOU", "Lone", labels=("worker",), parent=above, state="Todo")
    for issue, label in ((epic, "orchestrate"), (lone, "worker")):
        writes, record = office.writes(), Record(issue.id, called=label)
        writes.record((await office.sees(issue)).epic, record, title="Callboard", url="https://c.test")
        await writes.send()
    gina.labels(above, "orchestrate")
    roots = {one.id: (await office.observer.resolve(one.id)).id for one in (ticket, epic, lone, other)}
    assert roots == {ticket.id: epic.id, epic.id: epic.id, lone.id: lone.id, other.id: above.id}
    found = await office.observer.observe_roots([ORCHESTRATE, WORKER], ["YOU"], office.world.moment())
    assert {one.id for one in found} == {above.id, epic.id, lone.id}
    assert [one.id for one in (await office.sees(above)).tickets] == [other.id]
    assert [one.id for one in (await office.sees(epic)).tickets] == [ticket.id]
    alice.unlabels(epic, "orchestrate")
    assert (await office.observer.resolve(ticket.id)).id == above.id


async def test_what_bears_no_label_of_ours_resolves_to_its_parent_and_is_not_called(office: Any) -> None:
    alice = office.person("alice")
    parent = alice.creates("YOU", "Parent")
    child = alice.creates("YOU", "Child", parent=parent)
    root = await office.observer.resolve(child.id)
    assert (root.id, root.called) == (parent.id, False)
    assert (await office.observer.resolve(parent.identifier)).id == parent.id
    with pytest.raises(NotFound):
        await office.observer.resolve("00000000-0000-4000-8000-000000000000")


async def test_the_resync_finds_what_nobody_announced(office: Any) -> None:
    alice = office.person("alice")
    office.world.add_team("OPS", "Operations", with_stages=True)
    epic = alice.creates("YOU", "Epic", labels=("orchestrate",), state="Todo")
    lone = alice.creates("YOU", "Lone", labels=("worker",), state="In Dev")
    alice.creates("YOU", "Owned", labels=("worker",), parent=epic)
    alice.creates("YOU", "Not ours")
    alice.creates("OPS", "Elsewhere", labels=("orchestrate",))
    alice.creates("YOU", "Over, never ours", labels=("orchestrate",), state="Done")
    roots = await office.observer.observe_roots([ORCHESTRATE, WORKER], ["YOU"], office.world.moment())
    assert {root.id for root in roots} == {epic.id, lone.id}


async def test_the_resync_looks_again_at_what_was_closed_behind_our_back(office: Any) -> None:
    alice = office.person("alice")
    epics = [alice.creates("YOU", f"Epic {n}", labels=("orchestrate",), state="Todo") for n in range(3)]
    remembered = ((Stage.DEV, False), (Stage.DONE, False), (Stage.DONE, True))
    for epic, (stage, closed) in zip(epics, remembered, strict=True):
        writes, record = office.writes(), Record(epic.id, stage=stage, closed=closed)
        writes.record((await office.sees(epic)).epic, record, title="Callboard", url="https://c.test")
        await writes.send()
        alice.moves(epic, "Done")

    async def found(later: timedelta) -> set[str]:
        moment = office.world.moment() + later
        return {one.id for one in await office.observer.observe_roots([ORCHESTRATE], ["YOU"], moment)}

    assert await found(timedelta()) == {epics[0].id, epics[1].id}
    assert await found(timedelta(days=30)) == set()


async def test_the_resync_reads_many_roots_to_the_end(office: Any) -> None:
    alice = office.person("alice")
    made = {alice.creates("YOU", f"Epic {n}", labels=("orchestrate",), state="Todo").id for n in range(60)}
    roots = await office.observer.observe_roots([ORCHESTRATE], ["YOU"], office.world.moment())
    assert {root.id for root in roots} == made


async def test_we_know_who_we_are(office: Any) -> None:
    viewer = await office.observer.viewer()
    assert (viewer.id, viewer.app, viewer.workspace_key) == (office.world.user("callboard").id, True, "acme")


async def test_a_directory_knows_a_team_and_what_it_lacks(office: Any) -> None:
    [team] = await office.directory.teams()
    states = {stage: f"{stage} state" for stage in Stage} | {Stage.TODO: "todo", Stage.DEV: "Done"}
    assert set(team.missing_states(states)) == set(Stage) - {Stage.TODO, Stage.DEV}
    assert team.wrong_states(states) == {Stage.DEV: "completed"}
    assert team.missing_labels(["Orchestrate", "blocked"]) == ("blocked",)
    members = {member.name: member for member in team.members}
    assert members["Gina"].guest
    assert members["Callboard"].app


async def test_a_directory_asks_once_and_pages_long_lists(office: Any) -> None:
    team = office.world.team("YOU")
    for n in range(150):
        office.world.add_label(f"team {n}", team=team)
        office.world.add_label(f"workspace {n}")
        office.world.add_user(f"user{n}", teams=(team,))
    first = await office.directory.team("YOU")
    assert all(first.label(f"{where} {n}") for where in ("team", "workspace") for n in range(150))
    assert len(first.members) == 154
    office.forgets()
    await office.directory.team("YOU")
    assert office.asked == []


async def test_a_team_that_linear_does_not_know_is_said_in_words(office: Any) -> None:
    with pytest.raises(UserError, match="no team NO"):
        await office.directory.team("NO")


async def test_faults_of_linear_come_through_as_ours(office: Any) -> None:
    office.world.faults.plant(Fault(0))
    with pytest.raises(Transient, match="can't be reached"):
        await office.observer.viewer()
    office.world.faults.plant(Fault(503, body="<html>"))
    with pytest.raises(Transient):
        await office.observer.viewer()
    office.world.faults.plant(Fault(403, body="<html>"))
    with pytest.raises(Refused):
        await office.observer.viewer()
    assert (await office.observer.viewer()).app


async def test_the_bottom_of_the_bucket_says_when_to_come_back(office: Any) -> None:
    await office.observer.viewer()
    for bucket in office.world.limits._buckets.values():
        bucket.left = 0.0
    with pytest.raises(Transient) as caught:
        await office.observer.viewer()
    assert caught.value.retry_after is not None
    assert 30 < caught.value.retry_after <= 36, "until there is enough for some requests, not until it is full"


async def test_what_left_its_epic_is_found_and_whose_it_is_now(office: Any) -> None:
    alice = office.person("alice")
    epic = alice.creates("YOU", "Epic", labels=("orchestrate",))
    other = alice.creates("YOU", "Another epic", labels=("orchestrate",))
    plain = alice.creates("YOU", "Plain", parent=other)
    lone = alice.creates("YOU", "Lone", labels=("worker",))
    ticket = alice.creates("YOU", "Ticket", parent=epic, state="Todo")
    record = Record(ticket.id, branch="agent/YOU-4", epic=epic.id)
    writes = office.writes()
    writes.record((await office.sees(ticket)).epic, record, title="Callboard", url="https://c.test")
    await writes.send()

    async def whose(parent: Any) -> str:
        alice.reparents(ticket, parent)
        found, has_it = await office.observer.find(ticket.id)
        assert (found.identifier, found.record) == (ticket.identifier, record)
        return str(has_it)

    await office.directory.teams()
    office.forgets()
    assert await whose(None) == ""
    assert len(office.asked) == 2
    assert await whose(plain) == "", "an epic has what is right below it, and no more"
    assert await whose(lone) == "", "a single ticket has none"
    assert await whose(other) == other.id
    assert await whose(epic) == epic.id
    alice.labels(ticket, "worker")
    assert await whose(plain) == "", "whoever labels what is below an epic takes nothing away from it"
    assert await whose(None) == ticket.id
    assert await office.observer.find("00000000-0000-4000-8000-000000000000") == (None, "")
