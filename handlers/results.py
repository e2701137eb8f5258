"""What stages take from a worker's result."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.machine.facts import Ticket, record_of
from bot.machine.record import Artifact, Record, generation_of


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


def topic_of(words: str, ticket: Ticket, record: Record) -> str:
    """The topic under which a result is told: its run's.

    When an earlier run had told the same and was lost before we remembered it, then that one's: its comment is edited,
    and nothing is told twice. `ticket` is as it was before the result was taken in.
    """
    settled = record_of(ticket).settled
    ours = [one.topic for one in ticket.issue.comments if one.ours and one.topic.startswith(f"{words}-")]
    lost = [generation for one in ours if settled < (generation := generation_of(one)) < record.generation]
    return f"{words}-{min(lost, default=record.generation)}"


def with_record(ticket: Ticket, record: Record) -> Ticket:
    """The ticket with another record."""
    return replace(ticket, issue=replace(ticket.issue, record=record))
