"""What stages take from a worker's result."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.machine.facts import Ticket
from bot.machine.record import Artifact, Record


def artifact_of(result: Mapping[str, Any]) -> Artifact | None:
    """The document that a run left on the branch."""
    document = result.get("document")
    return Artifact(document["path"], document["digest"], document["commit"]) if document else None


def about_the_work(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the pull request tells about finished work besides its summary, as fields of the record, each bounded."""
    told = {**result, **(result.get("outcome") or {})}
    names = ("verified", "by_worker", "skipped", "manual", "protected")
    return {name: tuple(str(one)[:300] for one in (told.get(name) or ())[:20]) for name in names}


def summary_of(result: Mapping[str, Any]) -> str:
    """What the agent says it did; of documentation also every document it changed, and why."""
    outcome = result.get("outcome") or {}
    summary = str(outcome.get("summary") or result.get("summary") or "")
    documents = [f"- `{one['path']}`: {one['why']}" for one in outcome.get("documents") or ()]
    return "\n".join([summary, "", *documents]) if documents else summary


def with_record(ticket: Ticket, record: Record) -> Ticket:
    """The ticket with another record."""
    return replace(ticket, issue=replace(ticket.issue, record=record))
