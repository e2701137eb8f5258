"""The numbers of the records on Linear: none is given out twice, and an older one changes nothing. Both engines."""

from typing import Any

import pytest

from bot.machine.errors import Transient
from tests.engine.conftest import Bench


async def test_a_number_is_higher_than_all_that_were_given_out_or_seen(bench: Bench) -> None:
    await bench.open()
    born = int((await bench.engine.records("epic-1")).born.timestamp())
    far = born + 1_000
    first = await bench.engine.intend("epic-1", {"a": 0, "b": far}, {})
    assert first == {"a": born, "b": far + 1}
    assert await bench.engine.intend("epic-1", {"a": 0, "b": far}, await _numbers(bench)) == {
        "a": born + 1,
        "b": far + 2,
    }
    await bench.engine.wrote("epic-1", {"a": (far, "text")})
    assert await bench.engine.intend("epic-1", {"a": 0}, await _numbers(bench)) == {"a": far + 1}


@pytest.mark.parametrize("late", [{"a": 0}, {"a": 0, "b": 0}, {"b": 0, "a": 0}])
async def test_who_was_overtaken_by_another_process_gets_no_number_for_anything(bench: Bench, late: Any) -> None:
    """It was frozen in the middle of a round, was taken for dead, and wakes up with what it had decided long ago."""
    await bench.open()
    read_long_ago = await _numbers(bench)
    newest = await bench.engine.intend("epic-1", {"a": 0}, read_long_ago)
    with pytest.raises(Transient, match="another process has gone on with this meanwhile: a"):
        await bench.engine.intend("epic-1", late, read_long_ago)
    assert await _numbers(bench) == {"a": (newest["a"], 0)}
    await bench.engine.wrote("epic-1", {"a": (newest["a"], "text")})
    with pytest.raises(Transient):
        await bench.engine.intend("epic-1", late, read_long_ago)
    assert await bench.engine.intend("epic-1", {"a": 0}, await _numbers(bench))


async def test_what_another_epic_wrote_of_a_ticket_that_is_ours_now_overtakes_nobody(bench: Bench) -> None:
    await bench.open()
    await bench.engine.intend("epic-2", {"a": 0}, {})
    assert not (await bench.engine.records("epic-1")).issues
    await bench.engine.intend("epic-1", {"a": 0}, {})


async def test_a_ticket_that_came_from_another_epic_has_its_numbers_here_once_it_was_read_here(bench: Bench) -> None:
    """What is read here first was noted there: the epic that it came to got no number in a month, for anything."""
    await bench.open()
    there = await bench.engine.intend("epic-2", {"a": 0}, {})
    await bench.engine.wrote("epic-2", {"a": (there["a"], "text")})
    await bench.engine.wrote("epic-1", {"a": (there["a"], "text")})  # as `bot/linear/newest.py` notes what it reads
    assert await _numbers(bench) == {"a": (there["a"], there["a"])}
    assert await bench.engine.text_of("a") == "text"
    assert await bench.engine.intend("epic-1", {"a": there["a"]}, await _numbers(bench)) == {"a": there["a"] + 1}
    assert not (await bench.engine.records("epic-2")).issues


async def test_an_older_text_that_another_epic_reads_takes_nothing_away(bench: Bench) -> None:
    await bench.open()
    there = await bench.engine.intend("epic-2", {"a": 0}, {})
    await bench.engine.wrote("epic-2", {"a": (there["a"], "newer")})
    await bench.engine.wrote("epic-1", {"a": (there["a"] - 1, "older")})
    assert await _numbers(bench) == {"a": (there["a"], there["a"])}
    assert await bench.engine.text_of("a") == "newer"


async def test_who_reads_what_a_slow_process_then_overwrites_gets_no_number(bench: Bench) -> None:
    """It had its number long ago, was frozen on its way to Linear, and wrote only now; both stand in a round."""
    await bench.open()
    slow = await bench.engine.intend("epic-1", {"a": 0}, {})
    read_before_it_came = await _numbers(bench)
    await bench.engine.wrote("epic-1", {"a": (slow["a"], "text")})
    with pytest.raises(Transient):
        await bench.engine.intend("epic-1", {"a": 0}, read_before_it_came)


async def _numbers(bench: Bench) -> dict[str, tuple[int, int]]:
    known = await bench.engine.records("epic-1")
    return {issue: kept.numbers for issue, kept in known.issues.items()}


async def test_a_database_that_was_made_anew_numbers_above_the_one_that_was_lost(bench: Bench) -> None:
    """Else a record of before, put back by hand, would be believed before one that a person had begun anew."""
    await bench.open()
    born = (await bench.engine.records("epic-1")).born
    assert (await bench.engine.intend("epic-1", {"a": 0}, {}))["a"] >= int(born.timestamp())


async def test_what_stands_on_linear_is_known_with_its_text_and_an_older_one_changes_nothing(bench: Bench) -> None:
    await bench.open()
    assert await bench.engine.text_of("a") == ""
    await bench.engine.wrote("epic-1", {"a": (3, "three"), "b": (1, "one")})
    await bench.engine.wrote("epic-1", {"a": (2, "two")})
    assert await bench.engine.text_of("a") == "three"
    known = await bench.engine.records("epic-1")
    assert {issue: (kept.intended, kept.written) for issue, kept in known.issues.items()} == {"a": (3, 3), "b": (1, 1)}


async def test_an_intention_is_known_before_anything_is_written_and_only_to_its_key(bench: Bench) -> None:
    await bench.open()
    given = await bench.engine.intend("epic-1", {"a": 4}, {})
    known = await bench.engine.records("epic-1")
    assert (known.issues["a"].intended, known.issues["a"].written) == (given["a"], 0)
    assert known.born <= known.issues["a"].intended_at <= known.now
    assert not (await bench.engine.records("epic-2")).issues
