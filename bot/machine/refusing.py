"""What Linear or GitHub refused for good of one issue: it stands still with that reason, and holds up nothing else.

Everything that is decided about it waits until it is tried again (`bot/refusals.py`): half of it would be done over and
over, since its record can't say that it was. What runs for it is still stopped when it is over, or somebody says so.
"""

from dataclasses import replace

from bot.machine.decision import (
    NOTHING,
    Action,
    Blocker,
    CreateTickets,
    Decision,
    Dispose,
    Move,
    Post,
    Remember,
    StartRun,
    WriteBreakdown,
)
from bot.machine.facts import Facts


def waits(facts: Facts, issue: str) -> bool:
    """Whether nothing is done about an issue for now."""
    refusal = facts.refusals.get(issue)
    return refusal is not None and refusal.wait > 0


def told(facts: Facts, issue: str) -> Decision:
    """Why it stands still; also while it is tried again, since nobody knows yet what comes of it.

    It is its only reason: another one that is found while it is tried would come and go on the panel for ever.
    """
    refusal = facts.refusals.get(issue)
    if refusal is None:
        return NOTHING
    blocker = Blocker(issue, "refused", {"reason": refusal.reason.rstrip(".")})
    return Decision(blockers=(blocker,), recheck_after=refusal.wait or None)


def without_writes(facts: Facts, decision: Decision) -> Decision:
    """The decision without what would be written about an issue that waits; the panel tells why it does."""
    held = frozenset(issue for issue in facts.refusals if waits(facts, issue))
    if not held:
        return decision
    kept = tuple(one for one in decision.actions if written_about(one) not in held)
    return replace(decision, actions=kept)


def written_about(action: Action) -> str:
    """The id of the issue that Linear would tell something new of; empty: none, or only why it stands still."""
    match action:
        case Post(_, "panel") | Post(_, _, "why" | "status" | "help"):
            return ""
        case Move() | Dispose() | Post() | Remember() | StartRun() | WriteBreakdown() | CreateTickets():
            return action.issue
    return ""
