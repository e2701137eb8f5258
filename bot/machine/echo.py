"""Something that answers everything we write, as fast as we write it: a program behind a person's account.

Bots that say what they are start nothing. But a program may post with a person's key, and nothing in Linear or on
GitHub tells it from that person, except that nobody reads and types that fast. So turns are counted: a remark within
seconds after one of ours is a hop, and after three hops in a row by the same author nobody listens to the next one.
Whoever takes a moment to answer ends the row.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

HOP = timedelta(seconds=5)
MOST_HOPS = 3
MOST_REPEATS = 8
"""The same for one command again and again: it starts nothing new each time, and people do repeat themselves."""


@dataclass(frozen=True)
class Line:
    """A remark in a conversation. `who` is empty for our own."""

    who: str
    at: datetime


def is_echo(said: Line, conversation: Iterable[Line], most: int = MOST_HOPS) -> bool:
    """Whether this remark is the third hop, or a later one, of its author in a row (or as many as `most` says)."""
    before = sorted((one for one in conversation if one.at <= said.at), key=lambda one: one.at)
    ours = [one.at for one in before if not one.who]
    theirs = [one.at for one in before if one.who == said.who]
    at, hops = said.at, 0
    while True:
        answered = max((moment for moment in ours if moment < at), default=None)
        if answered is None or at - answered > HOP:
            return False
        hops += 1
        if hops == most:
            return True
        earlier = max((moment for moment in theirs if moment < answered), default=None)
        if earlier is None:
            return False
        at = earlier
