"""What stages take from a worker's result."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.machine.facts import Facts, Ticket
from bot.machine.record import Artifact, Record


def artifact_of(result: Mapping[str, Any]) -> Artifact | None:
    """The document that a run left on the branch."""
    document = result.get("document")
    return Artifact(document["path"], document["digest"], document["commit"]) if document else None


def with_head(facts: Facts, record: Record, result: Mapping[str, Any]) -> Record:
    """The record with the commit that the run's work was pushed as."""
    head = str(result.get("head") or record.head)
    moved = head != record.head
    return replace(
        record,
        head=head,
        head_at=facts.now if moved else record.head_at,
    )


def summary_of(result: Mapping[str, Any]) -> str:
    """What the agent says it did."""
    return str((result.get("outcome") or {}).get("summary") or result.get("summary") or "")


def with_record(ticket: Ticket, record: Record) -> Ticket:
    """The ticket with another record."""
    return replace(ticket, issue=replace(ticket.issue, record=record))
