"""Research in Progress: a worker reads the code and writes down what the ticket needs to know."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.machine.decision import Decision, Move, Post
from bot.machine.facts import Facts, Ticket
from bot.machine.listening import Heard, noted
from bot.machine.record import Record
from bot.machine.running import start, work
from bot.machine.stages import Stage
from handlers import orders
from handlers.results import artifact_of, summary_of, topic_of, with_record


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Run the research; its document, committed and linked, opens the planning."""

    def taken(record: Record, result: Mapping[str, Any]) -> Decision:
        record = replace(record, research=artifact_of(result))
        values = {"url": result.get("document_url", ""), "summary": summary_of(result)}
        post = Post(ticket.issue.id, topic_of("research", ticket, record), "research", values)
        move = Decision((post, Move(ticket.issue.id, Stage.PLAN)))
        return move + start(facts, with_record(ticket, record), orders.plan())

    said = noted(ticket, heard)
    return said + work(facts, ticket, orders.research(), taken)
