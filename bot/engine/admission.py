"""Who may start: a pure rule, the same for the database and for the simulation."""

from collections import Counter
from collections.abc import Iterable, Sequence

from bot.engine.port import RunOrder


def admit(running: Iterable[RunOrder], waiting: Sequence[RunOrder]) -> list[RunOrder]:
    """Those of `waiting` (sorted: priority, then age) that fit beside `running`.

    An order needs room in every one of its scopes, and no other run of its issue; it takes all of its slots or none.
    One that has to wait does not hold up a later one that needs other scopes.
    """
    used = Counter(scope for order in running for scope, _ in _claims(order))
    admitted = []
    for order in waiting:
        if all(used[scope] < cap for scope, cap in _claims(order)):
            used.update(scope for scope, _ in _claims(order))
            admitted.append(order)
    return admitted


def _claims(order: RunOrder) -> tuple[tuple[str, int], ...]:
    return (*order.caps, (f"issue {order.issue}", 1))
