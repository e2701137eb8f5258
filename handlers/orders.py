"""What each kind of worker is given."""

from bot.machine.breakdown import DOCUMENTATION
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.running import Order
from bot.machine.stack import in_train_order
from bot.machine.stages import Stage
from bot.machine.visible import visible_text


def breakdown(facts: Facts, epic: Ticket) -> Order:
    """The spec, and the breakdown that stands, when people want it changed."""
    previous = visible_text(facts.document.content) if facts.document else ""
    return Order("breakdown", Stage.PLAN, {"spec": visible_text(epic.issue.description), "previous": previous})


def research() -> Order:
    """The ticket, which every worker's header carries."""
    return Order("research", Stage.RESEARCH, {})


def plan(findings: tuple[str, ...] = ()) -> Order:
    """The research document, read from the branch when the run starts, and what was wrong with the plan before."""
    return Order("plan", Stage.PLAN, {"findings": list(findings)} if findings else {})


def dev(facts: Facts, ticket: Ticket) -> Order:
    """Go on with the plan; the ticket of the documentation has none."""
    return documentation(facts) if record_of(ticket).task == DOCUMENTATION else implement()


def implement() -> Order:
    """Go on with the plan, which is read from the branch when the run starts; so is the step that is due."""
    return Order("implement", Stage.DEV, {})


def concern(facts: Facts, epic: Ticket) -> Order:
    """What people said on the epic, and the tickets that it may be about."""
    tickets = [
        {"identifier": one.issue.identifier, "title": one.issue.title, "summary": record_of(one).summary}
        for one in in_train_order(facts)
        if not one.issue.over
    ]
    return Order("concern", epic.issue.stage or Stage.CODE_REVIEW, {"tickets": tickets})


def documentation(facts: Facts) -> Order:
    """What every other ticket of the epic did."""
    tickets = [
        {"identifier": one.issue.identifier, "title": one.issue.title, "summary": record_of(one).summary}
        for one in in_train_order(facts)
        if record_of(one).task != DOCUMENTATION
    ]
    return Order("documentation", Stage.DEV, {"tickets": tickets})
