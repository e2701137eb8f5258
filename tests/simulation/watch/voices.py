"""Whose word counts, and for what: said of the comments that a look showed."""

import re
from collections.abc import Sequence
from datetime import timedelta

from bot.linear.marker import marker_of
from tests.simulation.linear import Node, by_us
from tests.simulation.watch.seen import Seen

PEOPLE = frozenset({"user-alice", "user-bob"})
_MERGE_WORDS = frozenset({"approve", "approved", "merge"})
_REVIEW_WORDS = frozenset({"approve", "approved", "lgtm", "yes", "go"})
_COMMANDS = _MERGE_WORDS | _REVIEW_WORDS | {"pause", "resume", "stop", "cancel", "retry", "status", "why", "help"}
_AT_ONCE = timedelta(seconds=5)
_SO_OFTEN = 8
_ROW = re.compile(r"^\| [A-Z]+-\d+ .*?\| \[#(\d+)\]\([^)]*\) \| `([0-9a-f]{12})` \|", re.M)


def topic_of(comment: Node) -> str:
    """What a comment of ours is about."""
    marker = marker_of(comment["body"])
    return marker.topic if marker else ""


def human(comment: Node) -> bool:
    """Somebody who may steer, as a person in Linear."""
    strange = comment.get("botActor") or comment.get("externalThread") or comment.get("syncedWith")
    return bool(comment["user"]) and comment["user"]["id"] in PEOPLE and not strange


def _may(comment: Node) -> bool:
    """Somebody whose word can approve, untouched since."""
    return human(comment) and comment["editedAt"] is None


def _word(comment: Node) -> str:
    return str(comment["body"]).strip().rstrip(".! ").lower()


def is_command(comment: Node) -> bool:
    """A word that commands, asks or approves something, as it stands now."""
    return _word(comment) in _COMMANDS


def answers_at_once(comment: Node, comments: Sequence[Node]) -> bool:
    """Whether its author said the same so often, and each time within seconds of ours, that nobody need answer it."""
    ours = [one["createdAt"] for one in comments if by_us(one)]
    same = [one["createdAt"] for one in comments if (one["user"], one["body"]) == (comment["user"], comment["body"])]
    quick = [at for at in same if any(timedelta() <= at - before <= _AT_ONCE for before in ours)]
    return comment["createdAt"] in quick and sum(at <= comment["createdAt"] for at in quick) >= _SO_OFTEN


def unheard(seen: Seen) -> bool:
    """Whether somebody who may said something that was not heard yet."""
    heard = seen.record.heard if seen.record else ()
    return any(one["id"] not in heard and human(one) for one in seen.comments)


def handed_on(seen: Seen, root: Seen) -> bool:
    """Whether a wish said on the epic was found to be about the ticket, which has not heard it yet."""
    concerns = root.record.concerns if root.record else ()
    heard = seen.record.heard if seen.record else ()
    return any(seen.id in tickets and comment not in heard for comment, tickets in concerns)


def turn_1(root: Seen) -> bool:
    """Whether somebody who may approved the breakdown after it was shown."""
    shown = [one["createdAt"] for one in root.comments if by_us(one) and "**Turn 1.**" in one["body"]]
    return any(_may(one) and _word(one) in _REVIEW_WORDS and min(shown, default=one["createdAt"]) < one["createdAt"]
               for one in root.comments)  # fmt: skip


def approved_heads(root: Seen, number: int) -> dict[str, set[str]]:
    """Heads of a pull request that somebody who may approved as the newest summary before showed them, with what they
    named of its protected files."""
    found = dict[str, set[str]]()
    shown = ""
    for one in root.comments:
        if by_us(one) and "**Turns 2 and 3.**" in one["body"]:
            shown = one["body"]
            continue
        word, _, named = _word(one).partition(" with ")
        if _may(one) and word in _MERGE_WORDS:
            for head in [row[1] for row in _ROW.findall(shown) if int(row[0]) == number]:
                found.setdefault(head, set()).update(named.split(", "))
    return found


def wants_new_record(seen: Seen) -> bool:
    """Whether a person asked for it, after the service had said that it does not believe what is there."""
    told = [one["createdAt"] for one in seen.comments if by_us(one) and topic_of(one).startswith("record-refused")]
    return any(human(one) and _word(one) == "retry" and one["createdAt"] > min(told, default=one["createdAt"])
               for one in seen.comments)  # fmt: skip
