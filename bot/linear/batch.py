"""Mutations that travel together: what fits into one document, and what a repeated create means for the rest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.linear.client import LinearClient
from bot.linear.errors import Conflict, Forbidden, LinearConflict, NotFound, Rejected
from bot.linear.operations import combined

log = structlog.get_logger()

MOST_BYTES = 100_000
"""Size of one document with its variables, roughly."""
MOST_WRITES = 40


@dataclass(frozen=True)
class Write:
    """One mutation. `entity` and `id` are what a conflict would name; `instead` is what is done then, if anything.

    The same goes for a change of what is not there any more. `issue` is the id of the issue with which all the rest is
    left out when Linear rejects it; empty: nothing goes on without it. `ends` are issues that may be made just before
    it: it alone is left out where one of them was there already, out of everybody's sight, and can't be edited.
    """

    operation: str
    variables: Mapping[str, Any]
    about: str
    entity: str = ""
    id: str = ""
    instead: "Write | None" = None
    issue: str = ""
    ends: tuple[str, ...] = ()


@dataclass
class Sent:
    """What happened: sentences about what was done and what had been done before, and what Linear told of it.

    `answers` holds by id what Linear said about a thing (`url`, `identifier`), when it said anything: a document
    with a conflict in it has no answer. `refused` holds by id of the issue what Linear rejected, in its words.
    """

    done: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    requests: int = 0
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)
    """Ids that Linear knew already, of things that are there or were deleted."""
    forbidden: Forbidden | None = None
    """The last of those that Linear would not let us do."""


async def post(client: LinearClient, batch: Sequence[Write], sent: Sent) -> list[Write]:
    """Send one document, note in `sent` what happened, and return what of it is still to be done.

    What Linear rejects of one issue is noted too, and what stood behind it is still to be done. Where Linear doesn't
    tell which write it rejects, each is sent alone.

    Raises:
        Transient, Refused: as `LinearClient.execute`.
        UserError, Forbidden: Linear rejects, or won't let us do, what is about no issue.
    """
    document, variables = combined([(write.operation, write.variables) for write in batch])
    sent.requests += 1
    try:
        data = await client.send(document, variables)
    except (Rejected, Forbidden) as error:
        return await _without(client, batch, sent, error)
    except LinearConflict as error:
        repeated = [index for index, write in enumerate(batch) if _named(write, error.conflicts)]
        if not repeated:
            rejected = Rejected(f"Linear: {error}")
            rejected.alias = error.alias
            return await _without(client, batch, sent, rejected)
        sent.done += [write.about for index, write in enumerate(batch[: repeated[-1]]) if index not in repeated]
        sent.repeated += [batch[index].about for index in repeated]
        sent.there |= {batch[index].id for index in repeated}
        again = [write for index in repeated if (write := batch[index].instead)]
        return [*again, *batch[repeated[-1] + 1 :]]
    sent.done += [write.about for write in batch]
    for payload in data.values():
        for thing in payload.values():
            if isinstance(thing, dict) and "id" in thing:
                sent.answers[str(thing["id"])] = thing
    return []


async def _without(
    client: LinearClient, batch: Sequence[Write], sent: Sent, error: Rejected | Forbidden
) -> list[Write]:
    """The rest of a document of which one write was rejected; those before it are done."""
    number = error.alias.removeprefix("w")
    place = int(number) if number.isdigit() and int(number) < len(batch) else None
    if len(batch) == 1:
        place = 0
    if place is None and isinstance(error, Forbidden):
        raise error  # it is about the request, and each of its writes would be answered so
    if place is None:
        queue = list(batch)
        while queue:
            write = queue.pop(0)
            if write.issue not in sent.refused:
                queue = await post(client, [write], sent) + queue
        return []
    sent.done += [write.about for write in batch[:place]]
    write = batch[place]
    if isinstance(error, NotFound) and write.instead is not None:
        return [write.instead, *batch[place + 1 :]]
    if sent.there.intersection(write.ends) and _is_put_away(error):
        log.warning("left out", what=write.about, reason=str(error))
        return list(batch[place + 1 :])
    if not write.issue:
        raise error
    sent.refused[write.issue] = str(error)
    sent.forbidden = error if isinstance(error, Forbidden) else sent.forbidden
    return [one for one in batch[place + 1 :] if one.issue not in sent.refused]


def _is_put_away(error: Rejected | Forbidden) -> bool:
    """Whether Linear rejects it because something is archived or gone. In other words it counts as any rejection."""
    return isinstance(error, NotFound) or "archived" in str(error).casefold()


def append(writes: list[Write], write: Write) -> None:
    """Add a write; changes of one issue that follow each other become one change, seen by people at once."""
    last = writes[-1] if writes else None
    if last and last.operation == write.operation == "issueUpdate" and last.variables["id"] == write.variables["id"]:
        both = {**last.variables["input"], **write.variables["input"]}
        if len(both) == len(last.variables["input"]) + len(write.variables["input"]):
            writes[-1] = Write(
                "issueUpdate",
                {"id": write.variables["id"], "input": both},
                f"{last.about}; {write.about}",
                issue=write.issue,
            )
            return
    writes.append(write)


def fitting(queue: Sequence[Write]) -> int:
    """How many writes from the front go into one document, at least one."""
    size, count = 0, 0
    for write in queue[:MOST_WRITES]:
        size += len(json.dumps(write.variables)) + 200
        if size > MOST_BYTES:
            break
        count += 1
    return max(1, count)


def _named(write: Write, conflicts: Sequence[Conflict]) -> bool:
    """Whether a conflict speaks of what this write creates: by kind and id, a mere "conflict" proves nothing."""
    return any(write.id and one.entity == write.entity and write.id in one.text for one in conflicts)
