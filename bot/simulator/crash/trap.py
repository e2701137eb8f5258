"""The trap: this process kills itself at one point. Nothing in the service knows of it.

What is killed "applied" dies when the verb returns: the other side has answered, and nobody but the verb knows. The
writes to Linear are sent one by one here, so that the service also dies between two writes of a round.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bot.engine.inbox import Inbox
from bot.engine.postgres import PostgresEngine
from bot.engine.runs import Runs
from bot.git import checkout
from bot.git.mirror import Mirror
from bot.github.ensure import Ensure
from bot.linear import batch, ensure
from bot.linear.batch import Write
from bot.reconcile import Reconciler
from bot.runs.agents import Agents
from bot.runs.worker import Worker
from bot.simulator.crash.points import VERBS, Ends, Moment, Point

Verb = Callable[..., Awaitable[Any]]


def linear_verbs(write: Write) -> frozenset[str]:
    """What a write to Linear does, by our names.

    Raises:
        KeyError: it is not in the list.
    """
    asked = write.variables.get("input", {})
    if write.operation == "issueUpdate":
        moves = {"linear.move"} if "stateId" in asked else set()
        return frozenset(moves | ({"linear.label"} if {"addedLabelIds", "removedLabelIds"} & asked.keys() else set()))
    if write.operation == "commentCreate" and "parentId" in asked:
        return frozenset({"linear.reply"})
    return frozenset({LINEAR[write.operation]})


LINEAR = {
    "attachmentCreate": "linear.record",
    "attachmentUpdate": "linear.record",
    "commentCreate": "linear.comment",
    "commentUpdate": "linear.edit",
    "documentCreate": "linear.document",
    "documentUpdate": "linear.document-edit",
    "issueCreate": "linear.ticket",
    "issueLabelCreate": "linear.new-label",
    "issueRelationCreate": "linear.relation",
    "issueUpdate": "linear.move",
}


class Trap:
    """Set once for a process. `died` is a file that is made in the moment of death: no other end looks alike."""

    def __init__(self, point: Point, died: Path) -> None:
        self._point, self._died = point, died
        self._calls = 0
        self._noted = False

    def set(self) -> None:
        """Put itself around every verb."""
        for name in (one.partition(".")[2] for one in VERBS if one.startswith("github.")):
            self._around(Ensure, name, f"github.{name}")
        for name in ("push", "push_work", "drop_work"):
            self._around(Mirror, name, f"git.{name}")
        for name in ("accept", "hint", "route", "allow", "intend", "wrote", "start_run", "cancel_run"):
            self._around(PostgresEngine, name, f"engine.{name}")
        self._around(Runs, "finish", "engine.finish")
        self._around(Agents, "run", "agent.run")
        self._around(checkout, "make", "checkout.make")
        self._around(Worker, "leave", "checkout.remove")
        batch.MOST_WRITES = 1
        post = batch.post

        async def one_by_one(client: Any, writes: list[Write], sent: Any) -> list[Write]:
            return list(await self._do(linear_verbs(writes[0]), post, client, writes, sent))

        ensure.post = one_by_one  # type: ignore[assignment,attr-defined]
        self._then(Inbox, "done", Ends.ROUND)
        self._then(Runs, "finish", Ends.RUN)
        self._first(Reconciler, "reconcile", Ends.NEXT)

    async def _do(self, verbs: frozenset[str], verb: Verb, *arguments: Any, **named: Any) -> Any:
        mine = self._point.verb in verbs
        self._calls += mine
        mine = mine and self._calls == self._point.call
        if mine and self._point.moment is Moment.BEFORE:
            self._die()
        result = await verb(*arguments, **named)
        if mine and self._point.moment is Moment.APPLIED:
            self._die()
        self._noted = self._noted or mine
        return result

    def _around(self, owner: Any, name: str, verb: str) -> None:
        inner = getattr(owner, name)

        async def outer(*arguments: Any, **named: Any) -> Any:
            return await self._do(frozenset({verb}), inner, *arguments, **named)

        setattr(owner, name, outer)

    def _then(self, owner: Any, name: str, ends: Ends) -> None:
        """Die behind what notes a verb that was done."""
        inner = getattr(owner, name)

        async def outer(*arguments: Any, **named: Any) -> Any:
            before = self._noted
            result = await inner(*arguments, **named)
            if before and VERBS[self._point.verb].ends is ends:
                self._die()
            return result

        setattr(owner, name, outer)

    def _first(self, owner: Any, name: str, ends: Ends) -> None:
        """Die in front of what comes after a verb that was done."""
        inner = getattr(owner, name)

        async def outer(*arguments: Any, **named: Any) -> Any:
            if self._noted and VERBS[self._point.verb].ends is ends:
                self._die()
            return await inner(*arguments, **named)

        setattr(owner, name, outer)

    def _die(self) -> None:
        self._died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
