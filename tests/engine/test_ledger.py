"""The numbers of the records on Linear: none is given out twice, and an older one changes nothing. Both engines."""

from tests.engine.conftest import Bench


async def test_a_number_is_higher_than_all_that_were_given_out_or_seen(bench: Bench) -> None:
    await bench.open()
    assert await bench.engine.intend("epic-1", {"a": 0, "b": 7}) == {"a": 1, "b": 8}
    assert await bench.engine.intend("epic-1", {"a": 0, "b": 7}) == {"a": 2, "b": 9}
    await bench.engine.wrote("epic-1", {"a": (20, "text")})
    assert await bench.engine.intend("epic-1", {"a": 0}) == {"a": 21}


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
    await bench.engine.intend("epic-1", {"a": 4})
    known = await bench.engine.records("epic-1")
    assert (known.issues["a"].intended, known.issues["a"].written) == (5, 0)
    assert known.born <= known.issues["a"].intended_at <= known.now
    assert not (await bench.engine.records("epic-2")).issues
