"""What Linear shows is held against what was written last: an old read, a lost write, a late write, a loss."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.engine.memory_ledger import MemoryLedger
from bot.linear.newest import text_of, with_newest
from bot.linear.reading import GONE
from bot.machine.errors import Transient
from bot.machine.facts import Issue
from bot.machine.record import Record
from bot.machine.stages import Stage

KEYS = ["k" * 32]
LAG = 25.0


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self):
        return self.now

    def passes(self, seconds):
        self.now += timedelta(seconds=seconds)


class Ledger:
    """The engine's verbs, on the ledger in memory."""

    def __init__(self, clock):
        self.ledger = MemoryLedger(clock, LAG)

    def intends(self, issue):
        known = self.ledger.records("epic:e").issues
        numbers = {one: kept.numbers for one, kept in known.items()}
        return self.ledger.intend("epic:e", {issue: 0}, numbers)[issue]

    async def records(self, key):
        return self.ledger.records(key)

    async def wrote(self, key, seen):
        self.ledger.wrote(key, seen)

    async def text_of(self, issue):
        return self.ledger.text_of(issue)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(clock):
    return Ledger(clock)


@pytest.fixture
def shows(clock):
    """An epic as Linear shows it, with its record of this number."""

    def shows(number, **record):
        made = clock.now - timedelta(days=1) if record.pop("old", False) else clock.now + timedelta(days=1)
        issue = Issue("e", "YOU-1", "T", "", "", "YOU", Stage.TODO, "", "", frozenset(), 0, made)
        if number is None:
            return issue
        return replace(issue, record=Record("e", number, **record), shown=number)

    return shows


@pytest.fixture
def writes(ledger):
    """A record is given a number; it comes to stand on Linear, or nobody learns whether it does."""

    def writes(*, noted, **record):
        number = ledger.intends("e")
        if noted:
            ledger.ledger.wrote("epic:e", {"e": (number, text_of(Record("e", number, **record), KEYS[0]))})
        return number

    return writes


async def test_the_newest_record_is_believed_at_once(ledger, shows, writes):
    number = writes(noted=True)
    assert (await with_newest(ledger, KEYS, [shows(number)])).issues == [shows(number)]


@pytest.mark.parametrize("noted", [True, False])
async def test_an_older_record_just_after_a_write_may_be_an_old_read_so_nothing_is_done(
    ledger, shows, writes, clock, noted
):
    writes(noted=True)
    clock.passes(60)
    writes(noted=noted)
    clock.passes(5)
    with pytest.raises(Transient) as put_off:
        await with_newest(ledger, KEYS, [shows(1)])
    assert put_off.value.retry_after == LAG - 5


async def test_no_record_just_after_the_first_was_written_may_be_an_old_read(ledger, shows, writes):
    writes(noted=False)
    with pytest.raises(Transient):
        await with_newest(ledger, KEYS, [shows(None)])


async def test_a_ticket_that_is_not_shown_just_after_it_was_made_may_be_missing_in_an_old_read(ledger, shows, writes):
    number = writes(noted=True)
    ledger.intends("ticket")
    with pytest.raises(Transient):
        await with_newest(ledger, KEYS, [shows(number)])


async def test_a_write_that_never_came_is_given_up_after_the_lag(ledger, shows, writes, clock):
    number = writes(noted=True)
    writes(noted=False)
    clock.passes(LAG)
    assert (await with_newest(ledger, KEYS, [shows(number)])).issues == [shows(number)]


async def test_a_write_whose_answer_was_lost_is_noted_when_it_is_seen(ledger, shows, writes):
    number = writes(noted=False, stage=Stage.DEV)
    await with_newest(ledger, KEYS, [shows(number, stage=Stage.DEV)])
    assert ledger.ledger.records("epic:e").issues["e"].written == number
    assert ledger.ledger.text_of("e") == text_of(Record("e", number, stage=Stage.DEV), KEYS[0])


async def test_an_older_record_that_stays_is_replaced_by_the_newest_and_has_to_be_written_again(
    ledger, shows, writes, clock
):
    writes(noted=False)
    newest = writes(noted=True, heard=("word",))
    clock.passes(LAG)
    [epic], _ = await with_newest(
        ledger, KEYS, [replace(shows(1), record=None, record_refused="older than what was said")]
    )
    assert epic.record == Record("e", newest, heard=("word",))
    assert epic.outdated
    assert not epic.record_refused


async def test_a_record_that_is_taken_away_is_refused(ledger, shows, writes, clock):
    writes(noted=True)
    clock.passes(LAG)
    [epic], _ = await with_newest(ledger, KEYS, [shows(None)])
    assert epic.record_refused == GONE


async def test_a_forged_record_is_refused_at_once_and_the_database_puts_nothing_in_its_place(ledger, shows, writes):
    writes(noted=True)
    forged = replace(shows(None), record_refused="not signed with this service's key")
    assert (await with_newest(ledger, KEYS, [forged])).issues == [forged]


async def test_a_database_that_was_made_anew_waits_one_lag_for_what_is_older_than_itself(ledger, shows, clock):
    with pytest.raises(Transient):
        await with_newest(ledger, KEYS, [shows(7, old=True)])
    clock.passes(LAG)
    assert (await with_newest(ledger, KEYS, [shows(7, old=True)])).issues == [shows(7, old=True)]


async def test_an_epic_that_is_newer_than_the_database_waits_for_nothing(ledger, shows):
    assert (await with_newest(ledger, KEYS, [shows(None)])).issues == [shows(None)]


async def test_the_numbers_that_were_given_out_and_noted_are_told_with_what_is_read(ledger, shows, writes, clock):
    number = writes(noted=False)
    clock.passes(LAG)
    assert (await with_newest(ledger, KEYS, [shows(number - 1)])).numbers == {"e": (number, number - 1)}
    assert (await with_newest(ledger, KEYS, [shows(number)])).numbers == {"e": (number, number)}
    assert (await with_newest(ledger, KEYS, [shows(number + 7)])).numbers == {"e": (number + 7, number + 7)}
    assert ledger.intends("e") == number + 8
