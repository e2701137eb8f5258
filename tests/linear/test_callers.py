"""Who put the label there that spends money: its history says, and in its first minutes its creator."""

from datetime import timedelta
from typing import Any

import pytest

from bot.linear.callers import call_of
from bot.machine.facts import Call
from bot.machine.stages import ORCHESTRATE, WORKER
from bot.simulator.linear import Integration


async def asks(office: Any, issue: Any, label: str = ORCHESTRATE) -> Call:
    picture = await office.sees(issue)
    office.forgets()
    return await office.observer.caller(issue.id, label, picture.viewer)


async def test_whoever_put_it_there_last_did(office: Any) -> None:
    office.world.knobs.folded = timedelta()
    alice, gina = office.person("alice"), office.person("gina")
    epic = alice.creates("YOU", "Epic")
    gina.labels(epic, "orchestrate")
    by_guest = await asks(office, epic)
    assert (by_guest.label, by_guest.by.name, by_guest.by.guest, by_guest.by.person) == (
        ORCHESTRATE, "Gina", True, False,
    )  # fmt: skip
    assert len(office.asked) == 1
    gina.unlabels(epic, "orchestrate")
    alice.labels(epic, "orchestrate")
    gina.labels(epic, "worker")
    assert (await asks(office, epic)).by.name == "Alice"
    assert (await asks(office, epic, WORKER)).by.name == "Gina"


async def test_what_came_with_the_issue_is_its_creator_s(office: Any) -> None:
    epic = office.person("gina").creates("YOU", "Epic", labels=("orchestrate",))
    assert (await asks(office, epic)).by.guest
    epic = office.person("alice").creates("YOU", "Epic")
    office.person("gina").labels(epic, "orchestrate")  # Linear tells this as part of the creation
    assert (await asks(office, epic)).by.name == "Alice"


async def test_a_long_history_is_read_until_it_says(office: Any) -> None:
    office.world.knobs.folded = timedelta()
    alice = office.person("alice")
    epic = office.person("gina").creates("YOU", "Epic")
    alice.labels(epic, "orchestrate")
    for number in range(120):
        alice.retitles(epic, f"Epic {number}")
    assert (await asks(office, epic)).by.name == "Alice"
    assert len(office.asked) == 3


async def test_an_integration_is_no_person_even_where_it_names_one(office: Any) -> None:
    office.world.knobs.folded = timedelta()
    epic = office.person("alice").creates("YOU", "Epic")
    Integration(office.world).labels(epic, "orchestrate")
    call = await asks(office, epic)
    assert (call.by.name, call.by.app, call.by.person) == ("Github", True, False)


async def test_what_our_own_command_line_labelled_is_ours(office: Any) -> None:
    office.world.knobs.folded = timedelta()
    epic = office.person("alice").creates("YOU", "Epic")
    writes = office.writes()
    writes.label((await office.sees(epic)).epic, add={ORCHESTRATE}, remove=set())
    await writes.send()
    assert (await asks(office, epic)).ours


@pytest.mark.proves("S-10")
def test_where_linear_names_nobody_nobody_did() -> None:
    assert call_of(ORCHESTRATE, None, None, "us") == Call(ORCHESTRATE)
