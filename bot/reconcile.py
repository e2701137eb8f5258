"""The loop itself: a key comes in; observe, decide, perform. Webhooks, timers and ended runs all end up here.

A key is `epic:<Linear id>`. Anything else is a subject that no key is known for yet: it is looked up once, remembered
as a route, and the key it belongs to is hinted.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge

from bot import metrics
from bot.engine.port import RunRow, RunState
from bot.machine.decide import Handlers, decide
from bot.machine.decision import Blocker, Decision, ShowCheck
from bot.machine.facts import Facts
from bot.words import sentence

log = structlog.get_logger()

ACTIONS = Counter("callboard_actions_total", "Actions decided, by kind", ["kind"])
STUCK = Gauge("callboard_stuck", "Issues that stand still without a reason, by epic", ["epic"])
EPIC = "epic:"


class Hints(Protocol):
    """What the loop asks of the engine."""

    async def route(self, subject: str, key: str) -> None:
        """Remember which key a subject belongs to."""

    async def hint(self, key: str, *, delay: float = 0.0, reason: str = "") -> None:
        """Have a key looked at."""

    async def runs(self, key: str) -> tuple[RunRow, ...]:
        """The runs of a key."""

    async def cancel_run(self, run_id: str, reason: str) -> None:
        """Stop a run."""


@dataclass(frozen=True)
class Reconciler:
    """The loop, with everything it needs handed in. `observe` returns None when the epic is not ours (any more)."""

    observe: Callable[[str], Awaitable[Facts | None]]
    handlers: Handlers
    perform: Callable[[Facts, Decision], Awaitable[float | None]]
    find_key: Callable[[str], Awaitable[str | None]]
    hints: Hints
    show: Callable[[Facts, Decision], Awaitable[None]]
    """Keep what was seen and decided for people to look at."""

    async def reconcile(self, key: str) -> float | None:
        """Bring one key forward by one round; returns in how many seconds to look again, or None."""
        if not key.startswith(EPIC):
            await self._look_up(key)
            return None
        facts = await self.observe(key.removeprefix(EPIC))
        if facts is None:
            log.info("not ours", key=key)
            metrics.decided(key, ())
            await self._abandon(key)
            return None
        decision = decide(facts, self.handlers)
        _tell(facts, decision)
        await self.show(facts, decision)
        return await self.perform(facts, decision)

    async def _abandon(self, key: str) -> None:
        """Stop what runs for it still: nobody would take its results, or see what it spends."""
        for row in await self.hints.runs(key):
            if row.state in (RunState.QUEUED, RunState.RUNNING):
                await self.hints.cancel_run(row.order.run_id, "the epic is gone, or was never called")

    async def _look_up(self, subject: str) -> None:
        key = await self.find_key(subject)
        if key is None:
            log.info("subject of nobody", subject=subject)
            return
        await self.hints.route(subject, key)
        await self.hints.hint(key, reason=subject)


def _tell(facts: Facts, decision: Decision) -> None:
    """One readable line per decision and one per action."""
    metrics.decided(facts.key, (one.reason for one in decision.blockers))
    names = {one.issue.id: one.issue.identifier for one in (facts.epic, *facts.tickets)}
    waits = {names[one.issue]: sentence(one) for one in decision.blockers if one.issue in names}
    log.info(
        "decision",
        epic=facts.epic.issue.identifier,
        actions=len(decision.actions),
        waits=waits or None,
        again_in=decision.recheck_after,
    )
    _tell_stuck(
        facts.epic.issue.identifier, {names[one.issue]: one for one in decision.blockers if one.reason == "stuck"}
    )
    for action in decision.actions:
        if isinstance(action, ShowCheck):
            continue  # decided in every round, and mostly so already
        kind = type(action).__name__
        ACTIONS.labels(kind).inc()
        about = {name: value for name in _SHOWN if (value := getattr(action, name, None)) is not None}
        log.info("action", do=kind, issue=names.get(action.issue, ""), **about)


def _tell_stuck(epic: str, found: Mapping[str, Blocker]) -> None:
    """What stands still and nobody knows why is never only one line among many."""
    for name, blocker in found.items():
        log.error("stuck", issue=name, epic=epic, says=sentence(blocker))
    if found:
        STUCK.labels(epic).set(len(found))
    else:
        with suppress(KeyError):
            STUCK.remove(epic)


_SHOWN: Iterable[str] = (
    "stage",
    "disposition",
    "topic",
    "prompt",
    "generation",
    "branch",
    "number",
    "head",
    "base",
    "reason",
)
