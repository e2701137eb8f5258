"""Todo: an epic is looked over and given to a breakdown worker; a ticket waits for its blockers and a worker."""

from collections.abc import Mapping

from bot.machine.breakdown import DOCUMENTATION
from bot.machine.decision import Blocker, Decision, Dispose, Move, Post
from bot.machine.facts import Facts, Ticket, record_of, task_of
from bot.machine.listening import Heard, noted
from bot.machine.running import is_approved
from bot.machine.stack import waits_for, waits_in_a_circle
from bot.machine.stages import Disposition, Stage
from handlers import orders
from handlers.beginning import begin


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Check what a person must have given us, then break it down (or show the tickets that exist already)."""
    said = noted(ticket, heard)
    wrong = _wrong(facts, ticket)
    if wrong is not None:
        return said + wrong
    if facts.tickets and not any(task_of(one) for one in facts.tickets):
        return said + Decision((Move(ticket.issue.id, Stage.PLAN_REVIEW),))
    return said + begin(facts, ticket, orders.breakdown(facts, ticket), Stage.PLAN)


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Wait for the approval of the epic, for the blockers, then for a worker."""
    said = noted(ticket, heard)
    wrong = _wrong(facts, ticket) if facts.lone else None
    if wrong is not None:
        return said + wrong
    if not is_approved(facts, ticket):  # whoever approves is told of a circle first
        waits_for_turn_1 = Blocker(ticket.issue.id, "epic", {"epic": facts.epic.issue.identifier})
        return said + Decision(blockers=(*waits_in_a_circle(facts, ticket), waits_for_turn_1))
    waits = waits_for(facts, ticket)
    if waits:
        return said + Decision(blockers=(*waits_in_a_circle(facts, ticket), *waits))
    if record_of(ticket).task == DOCUMENTATION:
        return said + begin(facts, ticket, orders.documentation(facts), Stage.DEV)
    return said + begin(facts, ticket, orders.research(), Stage.RESEARCH)


def _wrong(facts: Facts, ticket: Ticket) -> Decision | None:
    """What a person must mend before anything can begin: one clear comment each, and no half-done work."""
    issue = ticket.issue
    if facts.states_missing:
        return _needs(ticket, "states_missing", {"team": issue.team, "states": ", ".join(facts.states_missing)})
    if facts.repository is None:
        return _needs(ticket, "no_repository", {"team": issue.team, "project": issue.project})
    if not issue.description.strip() and not (facts.tickets and not facts.lone):
        return _needs(ticket, "no_spec", {})
    if len(issue.description) > facts.rules.spec_characters:
        values = {"characters": len(issue.description), "limit": facts.rules.spec_characters}
        return _needs(ticket, "spec_too_long", values)
    if issue.disposition is Disposition.NEEDS_INPUT:
        return Decision((Dispose(issue.id, None),), recheck_after=0.0)
    return None


def _needs(ticket: Ticket, words: str, values: Mapping[str, object]) -> Decision:
    issue = ticket.issue
    actions = (Dispose(issue.id, Disposition.NEEDS_INPUT), Post(issue.id, f"wrong-{words}", words, values))
    return Decision(actions, (Blocker(issue.id, words, values),))
