"""Ready for Dev: the plan is accepted; the ticket waits for a free worker."""

from bot.machine.decision import Decision
from bot.machine.facts import Facts, Ticket
from bot.machine.listening import Heard, noted
from bot.machine.stages import Stage
from handlers import orders
from handlers.beginning import begin


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Order the work; the ticket is In Dev when a worker has really begun."""
    said = noted(ticket, heard)
    return said + begin(facts, ticket, orders.dev(facts, ticket), Stage.DEV)
