"""Mutations that travel together: what fits into one document, and what a repeated create means for the rest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.linear.client import LinearClient
from bot.linear.errors import Conflict, LinearConflict
from bot.linear.operations import combined
from bot.machine.errors import UserError

MOST_BYTES = 100_000
"""Size of one document with its variables, roughly."""
MOST_WRITES = 40


@dataclass(frozen=True)
class Write:
    """One mutation. `entity` and `id` are what a conflict would name; `instead` is what is done then, if anything."""

    operation: str
    variables: Mapping[str, Any]
    about: str
    entity: str = ""
    id: str = ""
    instead: "Write | None" = None


@dataclass
class Sent:
    """What happened: sentences about what was done and what had been done before, and what Linear told of it.

    `answers` holds by id what Linear said about a thing (`url`, `identifier`), when it said anything: a document
    with a conflict in it has no answer.
    """

    done: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    requests: int = 0
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)


async def post(client: LinearClient, batch: Sequence[Write], sent: Sent) -> list[Write]:
    """Send one document, note in `sent` what happened, and return what of it is still to be done.

    Raises:
        Transient, Refused, UserError: as `LinearClient.execute`.
    """
    document, variables = combined([(write.operation, write.variables) for write in batch])
    sent.requests += 1
    try:
        data = await client.send(document, variables)
    except LinearConflict as error:
        repeated = [index for index, write in enumerate(batch) if _named(write, error.conflicts)]
        if not repeated:
            raise UserError(f"Linear: {error}") from error
        sent.done += [write.about for index, write in enumerate(batch[: repeated[-1]]) if index not in repeated]
        sent.repeated += [batch[index].about for index in repeated]
        again = [write for index in repeated if (write := batch[index].instead)]
        return [*again, *batch[repeated[-1] + 1 :]]
    sent.done += [write.about for write in batch]
    for payload in data.values():
        for thing in payload.values():
            if isinstance(thing, dict) and "id" in thing:
                sent.answers[str(thing["id"])] = thing
    return []


def append(writes: list[Write], write: Write) -> None:
    """Add a write; changes of one issue that follow each other become one change, seen by people at once."""
    last = writes[-1] if writes else None
    if last and last.operation == write.operation == "issueUpdate" and last.variables["id"] == write.variables["id"]:
        both = {**last.variables["input"], **write.variables["input"]}
        if len(both) == len(last.variables["input"]) + len(write.variables["input"]):
            writes[-1] = Write(
                "issueUpdate", {"id": write.variables["id"], "input": both}, f"{last.about}; {write.about}"
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
