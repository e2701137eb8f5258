"""Code Review: a ticket's pull request is open and must become green; the epic shows its summary (turn 2)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.machine.decision import NOTHING, Blocker, Decision, Move, OpenPullRequest, Post
from bot.machine.facts import Facts, PullRequest, Ticket
from bot.machine.listening import Heard, reply
from bot.machine.record import Approval, Record
from bot.machine.running import record_of
from bot.machine.stack import look_again
from bot.machine.stages import Stage
from bot.machine.train import (
    arrived,
    ask,
    follow_base,
    heads,
    hear_merge_approval,
    landed,
    shown_comment,
    what_stands_against,
)
from handlers.replies import elsewhere, nothing_to_approve


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Show what would be merged, and hear the approval of exactly that (turn 3)."""
    approval, replies = hear_merge_approval(facts, ticket, heard)
    said = replies + elsewhere(ticket, heard)
    if approval is not None:
        record = replace(heard.record, approval=_merged_with(heard.record, approval), turns=heard.record.turns + 1)
        return said + Decision((Move(ticket.issue.id, Stage.MERGE),), recheck_after=0.0, record=record)
    if all(one.issue.stage is not None and one.issue.stage.over for one in facts.tickets):
        return said + Decision((Move(ticket.issue.id, Stage.MERGE),), recheck_after=0.0, record=heard.record)
    under_way = [one.issue.identifier for one in facts.tickets if not arrived(one)]
    if under_way:
        waits = Blocker(ticket.issue.id, "tickets", {"tickets": ", ".join(under_way)})
        return said + Decision(blockers=(waits,), record=heard.record)
    return said + ask_when_changed(facts, ticket, heard.record)


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Wait until nothing stands against the merge; what a person says goes to a worker."""
    if heard.wishes:
        return again(ticket, heard)
    said = nothing_to_approve(ticket, heard)
    pull = ticket.pull_request
    if pull is None:
        waits = Decision(
            blockers=(Blocker(ticket.issue.id, "no_pull_request"),), recheck_after=15.0, record=heard.record
        )
        return said + open_pull_request(facts, ticket, {}) + waits
    record, told = with_pull_request(ticket, heard.record, pull)
    said += told + follow_base(facts, ticket)
    if pull.merged:
        return said + replace(landed(ticket), record=record)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is None:
        return said + Decision((Move(ticket.issue.id, Stage.MERGE),), recheck_after=0.0, record=record)
    return said + Decision(blockers=(blocker,), recheck_after=look_again(facts, ticket, pull), record=record)


def again(ticket: Ticket, heard: Heard) -> Decision:
    """A person wants something changed: the implementation runs again with what was said."""
    replies = tuple(reply(ticket, one, "noted", {}) for one in heard.wishes)
    return Decision((*replies, Move(ticket.issue.id, Stage.DEV)), recheck_after=0.0, record=heard.record)


def open_pull_request(facts: Facts, ticket: Ticket, result: Mapping[str, Any]) -> Decision:
    """The branch gets a pull request with a body that a reviewer likes to read."""
    record, issue = record_of(ticket), ticket.issue
    assert facts.repository is not None
    outcome = result.get("outcome") or result
    values = {
        "identifier": issue.identifier,
        "url": issue.url,
        "summary": record.summary,
        "verified": outcome.get("verified") or [],
        "by_worker": result.get("by_worker") or [],
        "skipped": outcome.get("skipped") or [],
        "manual": result.get("manual") or [],
        "protected": result.get("protected") or [],
        "research": record.research.path if record.research else "",
        "plan": record.plan.path if record.plan else "",
        "stacked_on": record.base if record.base != facts.repository.base else "",
    }
    title = f"{issue.identifier}: {issue.title}"
    return Decision((OpenPullRequest(issue.id, facts.repository.name, record.branch, record.base, title, values),))


def with_pull_request(ticket: Ticket, record: Record, pull: PullRequest) -> tuple[Record, Decision]:
    """Note the pull request on the ticket, once."""
    if record.pull_request == pull.number:
        return record, NOTHING
    post = Post(ticket.issue.id, "pull-request", "pull_request", {"number": pull.number, "url": pull.url})
    return replace(record, pull_request=pull.number), Decision((post,))


def ask_when_changed(facts: Facts, ticket: Ticket, record: Record) -> Decision:
    """Show the summary, and again whenever the heads it showed have moved."""
    waits = Decision(blockers=(Blocker(ticket.issue.id, "turn_3"),))
    shown_now = (
        record.shown is not None and record.shown.heads == heads(facts) and shown_comment(ticket, record) is not None
    )
    if shown_now:
        return replace(waits, record=record)
    return waits + ask(facts, ticket, record)


def _merged_with(record: Record, approval: Approval) -> Approval:
    """The approval of the merge, which still names the breakdown that was approved before."""
    return replace(approval, digest=record.approval.digest if record.approval else "")
