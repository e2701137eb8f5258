"""Ready to Merge: a ticket waits for the approval of its head; the epic's merge train runs."""

from dataclasses import replace

from bot.machine.decision import Blocker, Decision, Move
from bot.machine.facts import Facts, Ticket
from bot.machine.listening import Heard
from bot.machine.running import record_of
from bot.machine.stages import Stage
from bot.machine.train import couple, follow_base, hear_merge_approval, landed, riding, what_stands_against
from handlers.code_review import again, ask_when_changed, with_pull_request
from handlers.replies import elsewhere, nothing_to_approve


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Watch the train; when nothing more can merge under this approval, either all is done or a person is asked."""
    said = nothing_to_approve(ticket, heard) + elsewhere(ticket, heard)
    under_way = [one for one in facts.tickets if one.issue.stage is None or not one.issue.stage.over]
    if not under_way:
        return said + Decision((Move(ticket.issue.id, Stage.DONE),), recheck_after=0.0, record=heard.record)
    aboard = riding(facts, heard.record.approval)
    merged = [one for one in under_way if one.pull_request and one.pull_request.merged]
    if not aboard and not merged:
        return said + Decision((Move(ticket.issue.id, Stage.CODE_REVIEW),), recheck_after=0.0, record=heard.record)
    names = ", ".join(one.issue.identifier for one in (*merged, *aboard))
    return said + Decision(blockers=(Blocker(ticket.issue.id, "train", {"tickets": names}),), record=heard.record)


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Merge this head when it was approved, when its turn in the train has come and nothing stands against it."""
    if heard.wishes:
        return again(ticket, heard)
    pull = ticket.pull_request
    if pull is None:
        said = nothing_to_approve(ticket, heard)
        return said + Decision(blockers=(Blocker(ticket.issue.id, "no_pull_request"),), record=heard.record)
    record, told = with_pull_request(ticket, heard.record, pull)
    if pull.merged and facts.repository and pull.base_branch == facts.repository.base:
        return told + replace(landed(ticket), record=record)
    if facts.lone:
        return told + _alone(facts, ticket, replace(heard, record=record))
    said = told + nothing_to_approve(ticket, heard) + follow_base(facts, ticket)
    approval = record_of(facts.epic).approval
    if facts.epic.issue.stage is Stage.MERGE and approval is not None and ticket.issue.disposition is None:
        return said + replace(couple(facts, ticket, approval), record=record)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is not None and blocker.reason not in ("computing",):
        return said + Decision((Move(ticket.issue.id, Stage.CODE_REVIEW),), (blocker,), record=record)
    return said + Decision(
        blockers=(Blocker(ticket.issue.id, "approval", {"epic": facts.epic.issue.identifier}),), record=record
    )


def _alone(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """A single ticket asks for its own approval."""
    approval, replies = hear_merge_approval(facts, ticket, heard)
    given = approval or (heard.record.approval if heard.record.approval and heard.record.approval.heads else None)
    pull = ticket.pull_request
    if given is not None and pull is not None and dict(given.heads).get(ticket.issue.id) == pull.head:
        return replies + replace(couple(facts, ticket, given), record=replace(heard.record, approval=given))
    return replies + ask_when_changed(facts, ticket, heard.record)
