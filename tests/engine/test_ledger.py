"""The numbers of the records on Linear: none is given out twice, and an older one changes nothing. Both engines."""

from tests.engine.conftest import Bench


async def test_a_number_is_higher_than_all_that_were_given_out_or_seen(bench: Bench) -> None:
    await bench.open()
    born = int((await bench.engine.records("epic-1")).born.timestamp())
    far = born + 1_000
    assert await bench.engine.intend("epic-1", {"a": 0, "b": far}) == {"a": born, "b": far + 1}
    assert await bench.engine.intend("epic-1", {"a": 0, "b": far}) == {"a": born + 1, "b": far + 2}
    await bench.engine.wrote("epic-1", {"a": (far, "text")})
    assert await bench.engine.intend("epic-1", {"a": 0}) == {"a": far + 1}


async def test_a_database_that_was_made_anew_numbers_above_the_one_that_was_lost(bench: Bench) -> None:
    """Else a record of before, put back by hand, would be believed before one that a person had begun anew."""
    await bench.open()
    born = (await bench.engine.records("epic-1")).born
    assert (await bench.engine.intend("epic-1", {"a": 0}))["a"] >= int(born.timestamp())


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
    given = await bench.engine.intend("epic-1", {"a": 4})
    known = await bench.engine.records("epic-1")
    assert (known.issues["a"].intended, known.issues["a"].written) == (given["a"], 0)
    assert known.born <= known.issues["a"].intended_at <= known.now
    assert not (await bench.engine.records("epic-2")).issues
