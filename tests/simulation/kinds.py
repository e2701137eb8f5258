"""Everything that a large run of stories must have shown at least once, by the names under which it is counted."""

from collections import Counter
from typing import get_args

from bot.machine.decision import Action
from tests.simulation.doors import CRASH_AFTER_PUSH, KINDS
from tests.simulation.people import OVER
from tests.simulation.setting import ORDINARY, SELDOM, SPECIAL
from tests.simulation.worker import ENDS

MANY = 1000
"""Stories from which on nothing may be missing."""
EXPECTED = (
    *(f"action {one.__name__}" for one in get_args(Action)),
    *(f"bot {one}" for one in ("clean", "finds", "skips", "pauses", "limited", "fails", "believes", "insists")),
    *(f"agent {one}" for one in dict.fromkeys(ENDS)),
    *(f"model {one}" for one in ("epic", "day", "paused")),
    *(f"end {one}" for one in OVER if one != "duplicate"),
    *(f"fault {one}" for one in (*KINDS, CRASH_AFTER_PUSH)),
    *(
        f"person {one}"
        for one in dict.fromkeys(deed for each in (ORDINARY, *SPECIAL, *SELDOM.values()) for deed in each.deeds)
    ),
)


def missing(fired: Counter[str]) -> tuple[str, ...]:
    """What never happened."""
    return tuple(one for one in EXPECTED if not fired[one])
