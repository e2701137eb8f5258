"""The rule of who may start."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.admission import admit
from bot.engine.port import RunOrder

CAPS = {"service": 3, "repository:a": 2, "repository:b": 2, "epic:1": 1}


def order(number: int, scopes: frozenset[str], issue: int) -> RunOrder:
    caps = tuple((scope, CAPS[scope]) for scope in sorted(scopes))
    return RunOrder(f"run-{number}", "key", f"issue-{issue}", 1, "plan", caps, 0, {})


orders = st.lists(
    st.tuples(st.frozensets(st.sampled_from(sorted(CAPS)), min_size=1), st.integers(0, 5)), max_size=12
).map(lambda drawn: [order(number, scopes, issue) for number, (scopes, issue) in enumerate(drawn)])


@given(orders)
def test_what_is_admitted_fits_and_nothing_that_fits_is_left_out(waiting: list[RunOrder]) -> None:
    running = admit([], waiting)
    used = Counter(scope for each in running for scope, _ in each.caps)
    assert all(used[scope] <= CAPS[scope] for scope in used)
    assert len({each.issue for each in running}) == len(running)
    assert admit(running, [each for each in waiting if each not in running]) == []


@given(orders)
def test_the_first_in_line_is_never_passed_over(waiting: list[RunOrder]) -> None:
    assert admit([], waiting)[:1] == waiting[:1]
