"""GitHub's own merge queue: what was approved is put in where a repository has one, and out when it is not."""

from dataclasses import replace

from bot.machine import calling
from bot.machine.approval import counts_for
from bot.machine.clearance import ASKED_AGAIN_SECONDS, given, refused_before, what_stands_against
from bot.machine.decision import NOTHING, Blocker, Decision, Dequeue, Enqueue
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.pull_request import PullRequest
from bot.machine.record import Approval, Record
from bot.machine.stack import look_again
from bot.machine.stages import Stage


def ride(facts: Facts, ticket: Ticket, pull: PullRequest) -> Decision:
    """GitHub's own merge queue merges it; a push puts it out of the queue, so no other head can slip in.

    It is remembered before it is put there: of a round that fails after that nobody would know whether it was a person.
    """
    assert facts.repository is not None
    noted = replace(record_of(ticket), queued=pull.head)
    if pull.queue is not None:
        values = {"number": pull.number, "position": pull.queue.position, "state": pull.queue.state}
        return Decision(blockers=(Blocker(ticket.issue.id, "queued", values),), recheck_after=30.0, record=noted)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is not None:
        return Decision(blockers=(blocker,), recheck_after=look_again(facts, ticket, pull))
    if record_of(ticket).queued != pull.head:
        return Decision(recheck_after=0.0, record=noted)
    enqueue = Enqueue(ticket.issue.id, facts.repository.name, pull.number, pull.head)
    refused = refused_before(facts, ticket, pull)
    return Decision((enqueue,), refused, recheck_after=ASKED_AGAIN_SECONDS if refused else 2.0, record=noted)


def out_of_the_queue(facts: Facts, ticket: Ticket, record: Record) -> Decision:
    """What we put into GitHub's merge queue comes out again once it shall not be merged, whatever became of the ticket.

    What a person put there is theirs. `record` is the ticket's after this round.
    """
    pull, repository = ticket.pull_request, facts.repository
    if pull is None or pull.queue is None or repository is None or record.queued != pull.head:
        return NOTHING
    if _rides(facts, ticket, pull):
        return NOTHING
    return Decision((Dequeue(ticket.issue.id, repository.name, pull.number),), record=replace(record, queued=""))


def _rides(facts: Facts, ticket: Ticket, pull: PullRequest) -> bool:
    """Whether it is approved as it is, and nobody said since that it shall wait, stop, or be something else.

    Who calls the ticket done says nothing of the kind.
    """
    approval, epic = given(facts, facts.epic), facts.epic.issue
    if approval is None or not counts_for(approval, ticket, pull.head) or record_of(ticket).guidance:
        return False
    if calling.standstill(facts, epic.id) is not None or epic.disposition or ticket.issue.disposition:
        return False
    return epic.stage is Stage.MERGE and ticket.issue.stage in (Stage.MERGE, Stage.DONE)


def was_ejected(approval: Approval, pull: PullRequest) -> bool:
    """Whether the merge queue took it out since it was approved: it is put aside until a person approves again.

    GitHub tells whole seconds: in the second of the approval, it counts as taken out after it.
    """
    return pull.queue is None and pull.ejected is not None and pull.ejected.at >= approval.at.replace(microsecond=0)


def put_out(ticket: Ticket, pull: PullRequest) -> Blocker:
    """That the merge queue took it out, and why."""
    reason = pull.ejected.reason if pull.ejected else ""
    return Blocker(ticket.issue.id, "ejected", {"number": pull.number, "reason": reason})
